"""What is known of entities when alerts of them open."""

from collections.abc import Collection

from sqlalchemy import Connection

from collector import silences
from collector.queue import RELAPSE_MS, Alert, Case
from collector.relational.alerts import closed_since
from collector.relational.cases import Place, calendars, places, standings
from collector.relational.silences import active
from rules.evaluation import By, Entity, Event


class Cases:
    """What is known for each of these events, should it open an alert."""

    def __init__(self, connection: Connection, begun: Collection[Event]) -> None:
        self._places: dict[Entity, Place] = {}
        if not begun:
            return
        at = [event.at for event in begun]
        self._places = places(connection, {event.entity for event in begun})
        owned = {entity: (place.csm, place.tz) for entity, place in self._places.items()}
        self._calendars = calendars(connection, owned)
        whose = {place.customer for place in self._places.values() if place.customer is not None}
        self._standings = standings(connection, whose, max(at))
        keys = {(event.rule, event.entity.kind, event.entity.id) for event in begun}
        self._earlier = closed_since(connection, keys, min(at) - RELAPSE_MS)
        self._silences = active(connection)

    def case(self, event: Event) -> Case:
        """What is known for one of the events."""
        place = self._places[event.entity]
        known = self._standings.get(place.customer or "")
        return Case(
            customer=place.customer,
            site=place.site,
            owner=place.csm,
            calendar=self._calendars[event.entity],
            earlier=self._earlier.get((event.rule, event.entity.kind, event.entity.id)),
            **({} if known is None else {"standing": known}),
        )

    def silenced(self, alert: Alert) -> By | None:
        """The silence that hides an alert that opens now."""
        if not self._silences:
            return None
        return silences.first(self._silences, silences.facts(alert, self._places[alert.entity].attributes))
