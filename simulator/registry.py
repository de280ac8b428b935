"""The registry of a simulated fleet: its customers, what they signed, and when their sites are open."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import yaml

from simulator.fleet import Robot
from simulator.profiles import PROFILES

CSM_CHINA: Final = "csm-zh"
CSM_ELSEWHERE: Final = "csm-en"
ALWAYS: Final = "24/7"
_CHINA: Final = "Asia/Shanghai"
_DAYS: Final = ("mo", "tu", "we", "th", "fr", "sa", "su")
_YEAR: Final = timedelta(days=365)
_REGIONS: Final[Mapping[str, tuple[str, ...]]] = {  # by the beginnings of the sites' names
    "华东": ("上海", "杭州", "南京", "苏州", "黄山"),
    "华南": ("广州", "深圳"),
    "华北": ("北京",),
    "西南": ("成都", "重庆"),
    "西北": ("西安",),
    "Europe": ("Berlin", "London"),
    "Middle East": ("Dubai",),
    "Asia Pacific": ("Singapore", "Sydney"),
}
_HOLIDAYS: Final[Mapping[str, tuple[str, ...]]] = {  # month and day, of every year
    _CHINA: ("01-01", "05-01", "10-01", "10-02", "10-03"),
    "Europe/Berlin": ("01-01", "05-01", "10-03", "12-25", "12-26"),
    "Europe/London": ("01-01", "12-25", "12-26"),
    "America/Toronto": ("01-01", "07-01", "12-25"),
}


@dataclass(frozen=True, slots=True)
class _Account:
    """A customer as its CSM sees it; `days` to the end of its contract, below 0 where that is over."""

    tier: str
    stage: str
    days: int
    amount: int
    currency: str
    renewed: bool | None = None


_ACCOUNTS: Final[Mapping[str, _Account]] = {
    "华景会展": _Account("strategic", "renewal", 12, 860_000, "CNY"),
    "星悦量贩 KTV": _Account("standard", "decline", 34, 168_000, "CNY"),
    "仁济康医院": _Account("key", "maturity", 210, 420_000, "CNY"),
    "Nordlicht Galerien": _Account("key", "renewal", 27, 96_000, "EUR"),
    "云麓山景区": _Account("standard", "growth", 158, 210_000, "CNY"),
    "江海银行": _Account("strategic", "maturity", 300, 1_250_000, "CNY", True),
    "Pacific Crest Hotels": _Account("strategic", "growth", 240, 310_000, "USD"),
    "惠民政务服务": _Account("key", "renewal", 5, 336_000, "CNY"),
    "锦绣会议": _Account("standard", "maturity", 95, 180_000, "CNY"),
    "渔火小馆": _Account("long_tail", "churn", -18, 58_000, "CNY"),
    "Al Noor Malls": _Account("key", "launch", 330, 128_000, "USD"),
    "Maple & Stone": _Account("long_tail", "growth", 120, 42_000, "CAD"),
    "云栖酒店": _Account("key", "growth", 46, 390_000, "CNY"),
    "St Brannoc's Hospital": _Account("standard", "maturity", 60, 74_000, "GBP"),
    "万象优品": _Account("standard", "launch", 350, 150_000, "CNY"),
    "Harbourfront Expo": _Account("strategic", "maturity", 190, 240_000, "SGD"),
    "Koala Harbour Hotels": _Account("standard", "decline", 52, 88_000, "AUD"),
    "Lakeshore Convention": _Account("standard", "growth", 275, 92_000, "USD"),
    "Aloha Outfitters": _Account("long_tail", "signing", 360, 36_000, "USD"),
}


def registry_yaml(members: Sequence[Robot], today: date) -> str:
    """The registry of these robots as a file that `vitals-collector registry import` takes."""
    customers = list(dict.fromkeys(member.customer for member in members))
    of = {customer: [member for member in members if member.customer == customer] for customer in customers}
    document = {
        "customers": [_customer(customer, of[customer][0]) for customer in customers],
        "contracts": [_contract(customer, len(of[customer]), today) for customer in customers],
        "sites": list(_sites(members, today)),
        "robots": [{"id": member.id, **member.attributes} for member in members],
    }
    text: str = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=110)
    return text


def _customer(name: str, robot: Robot) -> dict[str, Any]:
    account = _ACCOUNTS[name]
    return {
        "id": name,
        "tier": account.tier,
        "stage": account.stage,
        "csm": CSM_CHINA if robot.tz == _CHINA else CSM_ELSEWHERE,
        "region": _region(robot),
        "industry": robot.industry,
    }


def _contract(name: str, robots: int, today: date) -> dict[str, Any]:
    """The one that runs, or ran out."""
    account, number = _ACCOUNTS[name], list(_ACCOUNTS).index(name) + 1
    ends = today + timedelta(days=account.days)
    contract = {
        "id": f"HT-{ends - _YEAR:%Y}-{number:03}",
        "customer": name,
        "begins_on": str(ends - _YEAR + timedelta(days=1)),
        "ends_on": str(ends),
        "amount": account.amount,
        "currency": account.currency,
        "robots": robots,
    }
    decided = {} if account.renewed is None else {"renewed": "yes" if account.renewed else "no"}
    return {**contract, **decided}


def _sites(members: Iterable[Robot], today: date) -> Iterator[dict[str, Any]]:
    for robot in {member.site: member for member in members}.values():
        hours = open_hours(robot.industry)
        days = () if hours == ALWAYS else _HOLIDAYS.get(robot.tz, ())
        holidays = " ".join(f"{today.year + more}-{day}" for more in (0, 1) for day in days)
        yield {
            "id": robot.site,
            "customer": robot.customer,
            "tz": robot.tz,
            "open_hours": hours,
            **({"holidays": holidays} if days else {}),
            "region": _region(robot),
        }


def open_hours(industry: str) -> str:
    """When sites of an industry are open, as their robots behave."""
    hours = PROFILES[industry].hours
    days = [day for day, weight in zip(_DAYS, hours.week, strict=True) if weight]
    if hours.closes - hours.opens >= 24 and len(days) == len(_DAYS):
        return ALWAYS
    return f"{days[0]}-{days[-1]} {_clock(hours.opens)}-{_clock(hours.closes)}"


def _clock(hour: float) -> str:
    minutes = round(hour * 60)
    return f"{minutes // 60 % 24 if minutes != 24 * 60 else 24:02}:{minutes % 60:02}"


def _region(robot: Robot) -> str:
    found = (region for region, begins in _REGIONS.items() if robot.site.startswith(begins))
    return next(found, "North America")
