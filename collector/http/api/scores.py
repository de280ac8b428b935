"""Health scores as the API has them: how much, what points were lost for, and what that was reckoned from."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from collector.http.api import v1
from collector.http.fields import EmptyIsNone, Limit
from collector.http.problems import invalid, missing
from collector.http.services import Services
from collector.http.signed import scope, services_of
from collector.relational import CursorError
from collector.relational.scores import WEEK, ScoreLine, ScoreQuery, earlier
from collector.scores.score import Component, Score, change
from collector.scores.settings import CAP, HEARD_SECONDS, INTERACTIONS, VISITORS, Kind, Settings

router = APIRouter(
    prefix="/api/v1", responses=v1.router.responses, dependencies=v1.router.dependencies, tags=["scores"]
)
TREND_WEEKS: Final = 8
Given = Annotated[str | None, EmptyIsNone]


class ScoreFilter(BaseModel):
    """Which scores to list."""

    model_config = ConfigDict(extra="forbid")
    kind: Annotated[Kind, Field(description="Of robots, sites or customers.")] = "customer"
    industry: Given = None
    region: Annotated[str | None, EmptyIsNone, Field(description="The customer's.")] = None
    tier: Annotated[str | None, EmptyIsNone, Field(description="The customer's.")] = None
    csm: Annotated[
        str | None, EmptyIsNone, Field(description="Who looks after the customer: a person's id.")
    ] = None
    after: Annotated[str | None, EmptyIsNone, Field(description="`next` of the page before.")] = None
    limit: Limit = 100


class ScoreItem(BaseModel):
    """A score from 0 to 100, of the seven local days that end with `day`; null where too little is known."""

    kind: Kind
    id: str
    day: date
    score: float | None
    change: Annotated[float | None, Field(description="By how much it rose in a week.")]
    coverage: Annotated[float, Field(description="The share of the weights that is known.")]
    industry: str | None


class ScorePage(BaseModel):
    """Scores, the lowest first, and the cursor of those after them."""

    items: list[ScoreItem]
    next: str | None


class ComponentItem(BaseModel):
    """What one component cost. With what the cap took, `lost` adds up to 100 - score over all components, and
    `change` with `cap_change` to the score's. One that is measured no more has weight 0.
    """

    key: str
    weight: float
    known_share: Annotated[float, Field(description="Of which share of robots it is known; 0: missing.")]
    value: Annotated[float | None, Field(description="From 0, worst, to 1, best.")]
    lost: Annotated[float, Field(description="Points.")]
    change: Annotated[float, Field(description="Points given since last week; below zero, taken.")]
    seen: Annotated[dict[str, float], Field(description="What it was reckoned from.")]
    counters: list[str]


class CapItem(BaseModel):
    """A hard failure, and what the score is at most by it."""

    reason: str
    at: int
    lost: float
    robots: int


class TrendPoint(BaseModel):
    """The score of a day."""

    day: date
    score: float | None


class ScoreDetail(ScoreItem):
    """A score with its explanation."""

    first_day: date
    reason: Annotated[str | None, Field(description="Why there is no score.")]
    robots: int
    components: list[ComponentItem]
    cap: CapItem | None
    cap_change: Annotated[float, Field(description="Points that the cap gave back since last week, or took.")]
    use: Annotated[
        dict[str, tuple[float, float | None]],
        Field(
            description="Counters: this week, and the week before; null where too little is known of that."
        ),
    ]
    peers: Annotated[dict[str, float], Field(description="Medians of rates over robots of its industry.")]
    tier: str | None
    tier_average: float | None
    trend: list[TrendPoint]


@router.get("/scores")
def list_scores(request: Request, given: Annotated[ScoreFilter, Query()]) -> ScorePage:
    """The latest health scores, the lowest first; those without a score come last."""
    services = services_of(request)
    query = ScoreQuery(given.kind, given.industry, given.region, given.tier, given.csm, scope(request))
    try:
        page = services.relational.scores.page(query, after=given.after, limit=given.limit)
    except CursorError as error:
        raise invalid("after", str(error)) from None
    return ScorePage(items=[_item(given.kind, line) for line in page.items], next=page.next)


@router.get("/scores/{kind}/{id:path}")
def get_score(request: Request, kind: Kind, id: Annotated[str, Path(max_length=256)]) -> ScoreDetail:  # noqa: A002
    """The latest health score of a robot, site or customer: what was lost for what, and since last week."""
    services = services_of(request)
    found = read(services, kind, id, scope(request))
    if found is None:
        raise missing(f"score of a {kind}", id)
    return _detail(services, found)


def read(services: Services, kind: Kind, entity: str, seen_by: str | None) -> Score | None:
    """The latest score, if there is one and the person sees its customer."""
    found = services.relational.scores.one(kind, entity)
    if found is None or seen_by is None:
        return found
    customer = services.relational.scores.customer_of(kind, entity)
    return found if customer is None or services.relational.portfolio.sees(seen_by, customer) else None


def before(services: Services, score: Score) -> Score | None:
    """The score of a week before."""
    return services.relational.scores.one(score.kind, score.entity, earlier(score.day, WEEK))


def trend(services: Services, score: Score) -> list[tuple[str, float | None]]:
    """Its scores of the last weeks."""
    since = earlier(score.day, WEEK * TREND_WEEKS)
    return services.relational.scores.history(score.kind, score.entity, since)


def counters(settings: Settings | None, key: str) -> Sequence[str]:
    """The counters behind a component."""
    function = settings.functions.get(key) if settings else None
    if function is not None:
        return [*function.failures, *(name for name in [function.attempts] if name != HEARD_SECONDS)]
    return {"conversion": [INTERACTIONS, VISITORS], "volume": [INTERACTIONS], "trend": [INTERACTIONS]}.get(
        key, []
    )


def _item(kind: Kind, line: ScoreLine) -> ScoreItem:
    return ScoreItem(
        kind=kind,
        id=line.entity,
        day=date.fromisoformat(line.day),
        score=line.points,
        change=line.change,
        coverage=round(line.coverage, 4),
        industry=line.industry,
    )


def _detail(services: Services, score: Score) -> ScoreDetail:
    week_ago = before(services, score)
    gained = change(score, week_ago) if week_ago else None
    day = date.fromisoformat(score.day)
    owner = services.relational.scores.customer_of(score.kind, score.entity)
    registered = services.relational.portfolio.customer(owner) if owner else None
    tier = registered.tier if registered else None
    average = services.relational.scores.tier_averages().get(tier or "")
    return ScoreDetail(
        kind=score.kind,
        id=score.entity,
        day=day,
        first_day=day - timedelta(WEEK - 1),
        score=score.points,
        change=None if gained is None else sum(gained.values()) / 10,
        coverage=round(score.coverage, 4),
        industry=score.industry,
        reason=score.reason,
        robots=score.robots,
        components=_components(services, score, gained or {}),
        cap_change=(gained or {}).get(CAP, 0) / 10,
        cap=CapItem(
            reason=score.cap.reason, at=score.cap.at, lost=score.cap.lost / 10, robots=score.cap.robots
        )
        if score.cap
        else None,
        use=dict(score.use),
        peers=dict(score.peers),
        tier=tier,
        tier_average=None if average is None else round(average, 1),
        trend=[TrendPoint(day=date.fromisoformat(at), score=points) for at, points in trend(services, score)],
    )


def _components(services: Services, score: Score, gained: dict[str, int]) -> list[ComponentItem]:
    known = {part.key for part in score.components}
    gone = [Component(key, 0.0, 0.0, None, 0) for key in gained if key not in known and key != CAP]
    return [_component(services, part, gained) for part in (*score.components, *gone)]


def _component(services: Services, part: Component, gained: dict[str, int]) -> ComponentItem:
    return ComponentItem(
        key=part.key,
        weight=part.weight,
        known_share=part.share,
        value=part.value,
        lost=part.lost / 10,
        change=gained.get(part.key, 0) / 10,
        seen=dict(part.seen),
        counters=list(counters(services.scoring, part.key)),
    )
