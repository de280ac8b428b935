"""What alerts are about, as people know it: a robot, a site, a customer, or a rule."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from collector.relational import Relational, RobotRecord
from rules.evaluation import Entity

_GROUPS: Final[tuple[Literal["site", "customer"], ...]] = ("site", "customer")


@dataclass(frozen=True, slots=True)
class Subject:
    """A robot or a group of them; what is not known, or differs among the robots, is None."""

    kind: str
    id: str
    name: str | None = None
    site: str | None = None
    customer: str | None = None
    tz: str | None = None
    robots: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """What people call it."""
        return self.name or self.id


def subject(relational: Relational, entity: Entity) -> Subject:
    """What one alert is about."""
    return subjects(relational, [entity])[entity]


def subjects(relational: Relational, entities: Iterable[Entity]) -> dict[Entity, Subject]:
    """What alerts are about, by entity."""
    wanted = dict.fromkeys(entities)
    known = relational.robots_by_id({entity.id for entity in wanted if entity.kind == "robot"})
    found = {Entity("robot", id_): of_robot(record) for id_, record in known.items()}
    for kind in _GROUPS:
        ids = {entity.id for entity in wanted if entity.kind == kind}
        records = relational.robots_where(kind, ids) if ids else []
        found |= {Entity(kind, id_): _group(kind, id_, records) for id_ in ids}
    return {entity: found.get(entity) or _unknown(entity) for entity in wanted}


def of_robot(record: RobotRecord) -> Subject:
    """A robot of the roster."""
    return Subject("robot", record.id, record.name, record.site, record.customer, record.tz, (record.id,))


def _unknown(entity: Entity) -> Subject:
    return Subject(entity.kind, entity.id, robots=(entity.id,) if entity.kind == "robot" else ())


def _group(kind: Literal["site", "customer"], id_: str, records: Iterable[RobotRecord]) -> Subject:
    """A site or customer and its robots; its clock is that of the first, as it is for rules."""
    own = [record for record in records if getattr(record, kind) == id_]
    sites, customers = ({getattr(record, field) for record in own} for field in _GROUPS)
    return Subject(
        kind,
        id_,
        site=sites.pop() if len(sites) == 1 else None,
        customer=customers.pop() if len(customers) == 1 else None,
        tz=own[0].tz if own else None,
        robots=tuple(record.id for record in own),
    )
