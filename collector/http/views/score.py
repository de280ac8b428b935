"""A score as a page explains it: what was lost for what, in words that name the figures behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final
from urllib.parse import quote

from collector.http.api import scores as api
from collector.http.services import Services
from collector.http.views.subsystems import subsystem
from collector.relational.scores import WEEK
from collector.scores.score import Component, Score, change
from collector.scores.settings import CAP, PULSE, Kind
from collector.words.i18n import Words

GOOD, FAIR = 80.0, 60.0
FELL: Final = 5  # points in a week that are worth a word
FULL: Final = 1_000
_WIDTH, _HEIGHT, _PAD = 120.0, 32.0, 3.0
_FUNCTIONS: Final = "function"
_DAY_SPAN: Final = WEEK - 1


@dataclass(frozen=True, slots=True)
class Spark:
    """A line through scores over time, as the points of a polyline; `last` is where it ends."""

    points: str
    last: tuple[float, float]
    title: str


@dataclass(frozen=True, slots=True)
class Lost:
    """What one component cost, in words; `width` is its share of what was lost most for, in percent."""

    key: str
    label: str
    told: str
    lost: str
    width: float
    change: str
    tone: str
    missing: bool
    url: str


@dataclass(frozen=True, slots=True)
class ScoreView:
    """A score, ready to be written down."""

    kind: Kind
    entity: str
    points: str
    tone: str
    verdict: str
    change: str
    change_tone: str
    span: str
    lost: list[Lost]
    notes: list[str]
    spark: Spark | None
    average: str
    url: str


@dataclass(frozen=True, slots=True)
class Brief:
    """A score in a few signs, and where it is explained."""

    points: str
    tone: str
    url: str


def brief(score: Score | None) -> Brief | None:
    """A score in passing."""
    if score is None:
        return None
    return Brief(number(score.points), tone(score.points), url(score.kind, score.entity))


def view(services: Services, score: Score, t: Words, average: float | None = None) -> ScoreView:
    """Everything about one score."""
    week_ago = api.before(services, score)
    gained = change(score, week_ago) if week_ago else None
    total = None if gained is None else sum(gained.values())
    return ScoreView(
        kind=score.kind,
        entity=score.entity,
        points=number(score.points),
        tone=tone(score.points),
        verdict=_verdict(score, total, t),
        change=_change_words(total, t),
        change_tone=_sign(total),
        span=span(score.day, t),
        lost=_lost(services, score, gained, t),
        notes=_notes(services, score, t),
        spark=spark(api.trend(services, score), t),
        average=_average(score.points, average, t),
        url=url(score.kind, score.entity),
    )


def url(kind: Kind, entity: str, component: str = "") -> str:
    """Where a score is explained, or one of its components robot by robot."""
    page = f"/scores/{kind}/{quote(entity, safe='')}"
    return f"{page}?component={component}#behind" if component else page


def number(points: float | None) -> str:
    """Points with one decimal, as they add up."""
    return "–" if points is None else f"{points:.1f}"


def tone(points: float | None) -> str:
    """Good, fair or poor; none where there is no score."""
    if points is None:
        return "none"
    return "good" if points >= GOOD else "fair" if points >= FAIR else "poor"


def span(day: str, t: Words) -> str:
    """The seven days that a score looks at."""
    last = date.fromisoformat(day)
    return t("score.span", first=written(last - timedelta(_DAY_SPAN), t), last=written(last, t))


def written(day: date, t: Words) -> str:
    """A day as its language writes it."""
    return t.day((day - date(1970, 1, 1)).days * 86_400_000)


def spark(history: Sequence[tuple[str, float | None]], t: Words) -> Spark | None:
    """The scores of some weeks as a small line; None where there are fewer than two."""
    known = [(date.fromisoformat(day).toordinal(), points) for day, points in history if points is not None]
    if len(known) < 2:
        return None
    first, last = known[0][0], known[-1][0]
    places = [
        (
            round(_PAD + (day - first) / (last - first) * (_WIDTH - 2 * _PAD), 1),
            round(_PAD + (1 - points / 100) * (_HEIGHT - 2 * _PAD), 1),
        )
        for day, points in known
    ]
    title = t("score.trend", first=number(known[0][1]), last=number(known[-1][1]), n=(last - first) // 7)
    return Spark(" ".join(f"{x},{y}" for x, y in places), places[-1], title)


def label(services: Services, key: str, t: Words) -> str:
    """What a component is called."""
    return t(f"score.part.{key}") if t.has(f"score.part.{key}") else subsystem(services, key, t)


def told(part: Component, score: Score, t: Words) -> str:
    """What a component was reckoned from, in words."""
    if part.is_missing:
        return _missing(part, t)
    many = "" if score.kind == "robot" else "_many"
    key = part.key if t.has(f"score.told.{part.key}") else _FUNCTIONS
    key = key + many if t.has(f"score.told.{key}{many}") else key
    return t(f"score.told.{key}", **_figures(part, score, t))


def formula(services: Services, key: str, t: Words) -> str:
    """How a component is reckoned, with the scale that is in use."""
    settings = services.scoring
    if settings is None:
        return ""
    name = key if t.has(f"score.formula.{key}") else _FUNCTIONS
    scale = {
        "availability": settings.availability,
        "trend": settings.trend.scale,
        "conversion": settings.peers.scale,
        "volume": settings.peers.scale,
    }.get(key) or (settings.functions[key].scale if key in settings.functions else None)
    plain = key in ("conversion", "volume")
    shown = (
        [f"{end:g}".replace("-", "−") if plain else _percent(end) for end in (scale.worst, scale.best)]
        if scale
        else ["", ""]
    )
    return t(
        f"score.formula.{name}",
        worst=shown[0],
        best=shown[1],
        peers=settings.peers.min_peers,
        visitors=f"{settings.peers.min_visitors:g}",
        weeks=settings.trend.weeks,
        days=settings.stale_after_days,
        costs=t("score.comma").join(
            f"{t.one_of('severity', level)} {_percent(cost)}"
            for level, cost in settings.alerts.items()
            if cost
        ),
    )


def _verdict(score: Score, change_: int | None, t: Words) -> str:
    if score.points is None:
        return t(f"score.none.{score.reason or 'coverage'}")
    found = tone(score.points)
    fell = change_ is not None and change_ <= -FELL * 10
    return t("score.verdict.falling" if found == "good" and fell else f"score.verdict.{found}")


def _change_words(tenths: int | None, t: Words) -> str:
    if tenths is None:
        return t("score.change.unknown")
    way = "same" if tenths == 0 else "up" if tenths > 0 else "down"
    return t(f"score.change.{way}", points=number(abs(tenths) / 10))


def _sign(tenths: int | None) -> str:
    return "" if not tenths else "up" if tenths > 0 else "down"


def _average(points: float | None, average: float | None, t: Words) -> str:
    if average is None:
        return ""
    if points is None or round(average, 1) <= points:
        return t("score.average", average=number(average))
    return t("score.below_average", average=number(average), points=number(round(average, 1) - points))


def _lost(services: Services, score: Score, gained: Mapping[str, int] | None, t: Words) -> list[Lost]:
    """The costliest first; what is not known last."""
    most = max([part.lost for part in score.components] + ([score.cap.lost] if score.cap else []), default=0)
    rows = [
        _part(services, score, part, most, (gained or {}).get(part.key, 0), t) for part in score.components
    ]
    if score.cap is not None:
        rows.append(_cap(score, most, (gained or {}).get(CAP, 0), t))
    elif (gained or {}).get(CAP, 0):
        rows.append(_plain(CAP, t("score.part.cap"), t("score.cap_over"), 0, most, (gained or {})[CAP], ""))
    if score.tenths is None:
        rows = [replace(row, lost="–", width=0.0) for row in rows]
    order = {row.key: -_tenths(score, row.key) for row in rows}
    return sorted(rows, key=lambda row: (row.missing, order[row.key]))


def _tenths(score: Score, key: str) -> int:
    return score.lost().get(key, 0)


def _part(services: Services, score: Score, part: Component, most: int, gained: int, t: Words) -> Lost:
    words = told(part, score, t)
    found = _plain(
        part.key,
        label(services, part.key, t),
        words,
        part.lost,
        most,
        gained,
        url(score.kind, score.entity, part.key),
    )
    return found if not part.is_missing else _as_missing(found)


def _as_missing(row: Lost) -> Lost:
    return replace(row, lost="–", width=0.0, missing=True)


def _cap(score: Score, most: int, gained: int, t: Words) -> Lost:
    cap = score.cap
    assert cap is not None  # noqa: S101 - asked before
    key = f"score.cap.{cap.reason}" + ("" if score.kind == "robot" else "_many")
    words = t(
        key, at=cap.at, n=score.silent_days if score.kind == "robot" else cap.robots, robots=score.robots
    )
    return _plain(CAP, t("score.part.cap"), words, cap.lost, most, gained, "")


def _plain(key: str, label_: str, words: str, lost: int, most: int, gained: int, url_: str) -> Lost:
    return Lost(
        key=key,
        label=label_,
        told=words,
        lost=f"−{lost / 10:.1f}" if lost else "0",
        width=round(100 * lost / most, 1) if most else 0.0,
        change="" if not gained else f"{'+' if gained > 0 else '−'}{abs(gained) / 10:.1f}",
        tone=_sign(gained),
        missing=False,
        url=url_,
    )


def _notes(services: Services, score: Score, t: Words) -> list[str]:
    """How much is known, and what became of the weight of what is not."""
    missing = [label(services, part.key, t) for part in score.components if part.is_missing]
    known = _percent(score.coverage)
    if not missing:
        return [] if score.coverage > 0.9999 else [t("score.coverage", known=known)]
    key = "score.reweighted" if score.points is not None else "score.too_little"
    least = _percent(services.scoring.minimum_coverage) if services.scoring else ""
    return [t(key, known=known, missing=t("score.comma").join(missing), least=least)]


def _missing(part: Component, t: Words) -> str:
    if part.key == PULSE and "days_ago" in part.seen:
        return t("score.missing.pulse_stale", n=round(part.seen["days_ago"]))
    key = part.key if t.has(f"score.missing.{part.key}") else _FUNCTIONS
    return t(f"score.missing.{key}")


def _figures(part: Component, score: Score, t: Words) -> dict[str, object]:
    """The figures by the names that texts know them by."""
    seen = part.seen
    found: dict[str, object] = {name: t.quantity(value) for name, value in seen.items()}
    found["known"] = t.count(seen.get("known", 1))
    found["robots"] = t.count(score.robots)
    found["value"] = _percent(part.value or 0.0)
    found["cost"] = _percent(1 - (part.value or 0.0))
    for name, of, to in (
        ("share", "heard", "counted"),
        ("rate", "failures", "attempts"),
        ("rate", "interactions", "visitors"),
        ("per_day", "interactions", "days"),
    ):
        if of in seen and seen.get(to):
            quotient = seen[of] / seen[to]
            found[name] = t.quantity(quotient) if name == "per_day" else _percent(quotient)
    if part.key == "conversion" and "median" in seen:
        found["median"] = _percent(seen["median"])
    if seen.get("before"):
        moved = seen.get("now", 0.0) / seen["before"] - 1
        found["change"] = f"{'+' if moved >= 0 else '−'}{_percent(abs(moved))}"
    if part.key == "network":
        found["failures"] = t.duration(seen.get("failures", 0) * 1_000)
        found["attempts"] = t.duration(seen.get("attempts", 0) * 1_000)
    found["who"] = t("score.peers_scene") if seen.get("level") == 0 else t("score.peers_industry")
    found["z"] = f"{seen.get('z', 0.0):+.1f}".replace("-", "−")
    found["n"] = round(seen.get("days_ago", 0))
    return found


def _percent(share: float) -> str:
    """With a decimal where that matters: near nothing, and near all."""
    percent = round(share * 100, 1)
    plain = 10 <= percent <= 99 or percent == int(percent)
    return f"{percent:.0f}%".replace("-", "−") if plain or percent < 0 else f"{percent:.1f}%"
