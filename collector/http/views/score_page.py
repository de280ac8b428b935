"""A score on a page of its own: the formulas, and one component robot by robot."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from collector.http.api import scores as api
from collector.http.services import Services
from collector.http.views.rows import customer_url
from collector.http.views.score import ScoreView, formula, label, told, url, view
from collector.relational import RobotRecord
from collector.scores.score import Component, Score
from collector.words.i18n import Words


@dataclass(frozen=True, slots=True)
class RobotRow:
    """What a component is of one robot."""

    name: str
    site: str
    url: str
    value: str
    told: str
    rank: float


@dataclass(frozen=True, slots=True)
class ScorePage:
    """All that the page of a score shows."""

    name: str
    back: str
    score: ScoreView
    component: str
    component_label: str
    formula: str
    counters: str
    robots: list[RobotRow]
    formulas: list[tuple[str, str]]


def page(services: Services, score: Score, component: str, t: Words) -> ScorePage:
    """A score; with `component`, that one robot by robot."""
    keys = [part.key for part in score.components]
    chosen = component if component in keys else ""
    behind = api.counters(services.scoring, chosen)
    return ScorePage(
        name=_name(services, score),
        back=home(score.kind, score.entity),
        score=view(services, score, t, _average(services, score)),
        component=chosen,
        component_label=label(services, chosen, t) if chosen else "",
        formula=formula(services, chosen, t) if chosen else "",
        counters=_counters(services, behind, t),
        robots=_robots(services, score, chosen, t) if chosen else [],
        formulas=[(label(services, key, t), formula(services, key, t)) for key in keys],
    )


def home(kind: str, entity: str) -> str:
    """The page about it."""
    match kind:
        case "robot":
            return f"/robots/{quote(entity, safe='')}"
        case "customer":
            return customer_url(entity)
    return f"/fleet?site={quote(entity, safe='')}"


def members(services: Services, score: Score) -> list[RobotRecord]:
    """The robots that a score is made of."""
    if score.kind == "robot":
        found = services.relational.robot(score.entity)
        return [] if found is None else [found]
    return services.relational.robots_where(score.kind, [score.entity])


def _name(services: Services, score: Score) -> str:
    record = services.relational.robot(score.entity) if score.kind == "robot" else None
    return (record.name if record else None) or score.entity


def _average(services: Services, score: Score) -> float | None:
    registered = services.relational.portfolio.customer(score.entity) if score.kind == "customer" else None
    tier = registered.tier if registered else None
    return services.relational.scores.tier_averages().get(tier) if tier else None


def _counters(services: Services, names: Sequence[str], t: Words) -> str:
    known = [name for name in names if name in services.catalogue]
    if not known:
        return t("score.behind_none")
    shown = [f"{t.both(services.catalogue[name].label)} ({name})" for name in known]
    return t("score.behind_counters", counters=t("score.comma").join(shown))


def _robots(services: Services, score: Score, component: str, t: Words) -> list[RobotRow]:
    """The worst first, those of which it is not known last."""
    records = {record.id: record for record in members(services, score)}
    scores = services.relational.scores.many("robot", list(records), score.day)
    rows = [
        _row(records[id_], own, part, component, t)
        for id_, own in scores.items()
        for part in own.components
        if part.key == component
    ]
    return sorted(rows, key=lambda row: (row.rank, row.name))


def _row(record: RobotRecord, own: Score, part: Component, component: str, t: Words) -> RobotRow:
    return RobotRow(
        name=record.name or record.id,
        site=record.site or "",
        url=url("robot", record.id, component),
        value="–" if part.value is None else f"{part.value:.2f}",
        told=told(part, own, t),
        rank=2.0 if part.value is None else part.value,
    )
