"""The robots of a simulated fleet, by number: robot 7 is the same among 10 and among 10,000."""

from dataclasses import dataclass, fields
from datetime import date, timedelta

from simulator.profiles import PROFILES

_CHINA = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Robot:
    """A robot and what the roster says of it."""

    number: int
    id: str
    name: str
    customer: str
    site: str
    industry: str
    scene: str
    model: str
    lifecycle: str
    tz: str
    installed_on: str

    @property
    def attributes(self) -> dict[str, str]:
        """What the roster says of it, beside its id."""
        return {name: str(getattr(self, name)) for name in ROSTER_COLUMNS[1:]}

    @property
    def labels(self) -> dict[str, str]:
        """What its agent says of it when it greets."""
        return {"model": self.model, "firmware": f"4.{self.number % 3}.{self.number % 5}"}


ROSTER_COLUMNS = tuple(field.name for field in fields(Robot) if field.name != "number")


@dataclass(frozen=True, slots=True)
class _Place:
    customer: str
    site: str
    industry: str
    tz: str
    robots: int
    called: str  # what a robot there is called


_PLACES = (
    _Place("华景会展", "上海浦东馆", "exhibition_hall", _CHINA, 3, "小景{}号"),
    _Place("星悦量贩 KTV", "成都春熙店", "ktv", _CHINA, 2, "悦悦{}号"),
    _Place("仁济康医院", "杭州滨江院区", "hospital", _CHINA, 3, "康康{}号"),
    _Place("Nordlicht Galerien", "Berlin Alexanderplatz", "retail", "Europe/Berlin", 2, "Lumi {}"),
    _Place("云麓山景区", "黄山南大门", "scenic_area", _CHINA, 2, "云云{}号"),
    _Place("江海银行", "南京鼓楼支行", "bank", _CHINA, 2, "小江{}号"),
    _Place(
        "Pacific Crest Hotels", "San Francisco Embarcadero", "hotel", "America/Los_Angeles", 3, "Crest {}"
    ),
    _Place("惠民政务服务", "苏州工业园区大厅", "government_hall", _CHINA, 2, "小惠{}号"),
    _Place("锦绣会议", "北京国贸中心", "meeting_centre", _CHINA, 2, "锦儿{}号"),
    _Place("渔火小馆", "广州天河店", "restaurant", _CHINA, 2, "渔仔{}号"),
    _Place("Al Noor Malls", "Dubai Marina", "retail", "Asia/Dubai", 2, "Noor {}"),
    _Place("Maple & Stone", "Toronto Front Street", "restaurant", "America/Toronto", 2, "Maple {}"),
    _Place("云栖酒店", "杭州西湖店", "hotel", _CHINA, 3, "小栖{}号"),
    _Place("St Brannoc's Hospital", "London Southwark", "hospital", "Europe/London", 2, "Bran {}"),
    _Place("万象优品", "深圳福田店", "retail", _CHINA, 2, "象象{}号"),
    _Place("Harbourfront Expo", "Singapore Bayfront", "exhibition_hall", "Asia/Singapore", 2, "Merli {}"),
    _Place("华景会展", "西安曲江馆", "exhibition_hall", _CHINA, 2, "小景{}号"),
    _Place("Koala Harbour Hotels", "Sydney Circular Quay", "hotel", "Australia/Sydney", 2, "Joey {}"),
    _Place("江海银行", "上海陆家嘴支行", "bank", _CHINA, 2, "小江{}号"),
    _Place("Lakeshore Convention", "Chicago McCormick", "meeting_centre", "America/Chicago", 2, "Shore {}"),
    _Place("星悦量贩 KTV", "重庆解放碑店", "ktv", _CHINA, 2, "悦悦{}号"),
    _Place("Aloha Outfitters", "Honolulu Ala Moana", "retail", "Pacific/Honolulu", 2, "Nalu {}"),
)
_ROUND = sum(place.robots for place in _PLACES)


def robot(number: int) -> Robot:
    """The robot of that number, from 1. After a round of all places come the customers' further sites."""
    again, position = divmod(number - 1, _ROUND)
    place, index = _locate(position)
    scenes = PROFILES[place.industry].scenes
    scene = scenes[index % len(scenes)]
    return Robot(
        number=number,
        id=robot_id(number),
        name=place.called.format(index + 1),
        customer=place.customer,
        site=place.site if again == 0 else f"{place.site} {again + 1}",
        industry=place.industry,
        scene=scene,
        model="Ferry 3" if scene == "delivery" else ("Herald 2", "Herald 2 Pro")[number % 2],
        lifecycle="live",
        tz=place.tz,
        installed_on=str(date(2024, 3, 4) + timedelta(days=number * 37 % 640)),
    )


def robots(count: int) -> tuple[Robot, ...]:
    """The first `count` robots."""
    return tuple(robot(number) for number in range(1, count + 1))


def robot_id(number: int) -> str:
    """`rv-0007` for 7."""
    return f"rv-{number:04}"


def _locate(position: int) -> tuple[_Place, int]:
    for place in _PLACES:
        if position < place.robots:
            return place, position
        position -= place.robots
    raise AssertionError("a position lies within a round")
