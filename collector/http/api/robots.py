"""Robots as API and pages show them: who they are, whether they are there, how each subsystem does."""

from collections.abc import Collection, Iterable
from typing import Literal

from pydantic import BaseModel

from collector.http.api.delivery import DeliverySummary, summary
from collector.http.fields import Instant
from collector.http.problems import missing
from collector.http.services import Services
from collector.presence import Presence, RobotState
from collector.relational import RobotRecord

SubsystemState = Literal["ok", "alert", "down", "unknown"]


class RobotItem(BaseModel):
    """A robot in a list."""

    id: str
    name: str | None
    customer: str | None
    site: str | None
    industry: str | None
    scene: str | None
    model: str | None
    lifecycle: str
    tz: str | None
    installed_on: str | None
    presence: Presence
    last_seen_at: Instant | None
    last_sample_at: Instant | None
    interval_s: float | None
    subsystems: dict[str, SubsystemState]
    open_alerts: int


class RobotDetail(RobotItem):
    """A robot with its latest values; `delivery` is null while the store cannot be read."""

    agent: str | None
    epoch: str | None
    labels: dict[str, str]
    extra: dict[str, str | float]
    values: dict[str, float]
    samples_lost: int
    samples_refused: int
    delivery: DeliverySummary | None


def items(services: Services, records: Iterable[RobotRecord]) -> list[RobotItem]:
    """Robots of the roster with what they last said and the alerts they have."""
    counts = services.relational.open_by_robot()
    alerted = services.relational.alerted_subsystems()
    return [_item(services, record, counts.get(record.id, 0), alerted) for record in records]


def detail(services: Services, id_: str) -> RobotDetail:
    """All of one robot. Raises `Problem` (404)."""
    record = services.relational.robot(id_)
    if record is None:
        raise missing("robot", id_)
    state = services.fleet.state(id_)
    [listed] = items(services, [record])
    return RobotDetail(
        **dict(listed),
        agent=state.agent,
        epoch=state.epoch,
        labels=dict(state.labels),
        extra=dict(record.extra),
        values=dict(state.values),
        samples_lost=state.lost,
        samples_refused=state.refused,
        delivery=summary(services, record),
    )


def subsystem_states(
    modules: Iterable[str], state: RobotState, presence: Presence, alerted: Collection[str]
) -> dict[str, SubsystemState]:
    """Of each subsystem: `down` if its module does not run, `alert` if an alert is open, else `ok`.

    What a robot that is gone said last does not count: without an alert its subsystems are `unknown`.
    """
    gone = presence in ("lost", "never")
    return {name: _subsystem_state(None if gone else state.up(name), name in alerted) for name in modules}


def _subsystem_state(up: bool | None, alerted: bool) -> SubsystemState:
    if up is False:
        return "down"
    if alerted:
        return "alert"
    return "unknown" if up is None else "ok"


def _item(
    services: Services, record: RobotRecord, open_alerts: int, alerted: Collection[tuple[str, str]]
) -> RobotItem:
    state = services.fleet.state(record.id)
    presence = services.fleet.presence(record.id, services.clock())
    modules = services.catalogue.modules
    own = {name for name in modules if (record.id, name) in alerted}
    return RobotItem(
        id=record.id,
        name=record.name,
        customer=record.customer,
        site=record.site,
        industry=record.industry,
        scene=record.scene,
        model=record.model or state.labels.get("model"),
        lifecycle=record.lifecycle,
        tz=record.tz or state.tz,
        installed_on=record.installed_on,
        presence=presence,
        last_seen_at=state.last_seen_at,
        last_sample_at=state.last_sample_at,
        interval_s=_interval(state),
        subsystems=subsystem_states(modules, state, presence, own),
        open_alerts=open_alerts,
    )


def _interval(state: RobotState) -> float | None:
    return state.interval_s if state.session is not None else None
