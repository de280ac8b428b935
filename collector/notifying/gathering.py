"""Brings together what messages are made of: alerts, registry, roster and rules."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from collector.notifying.digest import RENEWAL_DAYS, SHOWN, Morning, Renewal, Slot
from collector.notifying.quiet import local_day
from collector.notifying.routing import Known
from collector.people import Person
from collector.relational import Relational
from collector.relational.briefings import Briefing
from collector.subjects import Subject, subjects
from rules.rule import RuleSet
from rules.storm import rule_named

_ENDED_DAYS = 30  # so long a contract that ended undecided is still spoken of


class Gathering:
    """Reads; decides nothing."""

    def __init__(self, relational: Relational, rules: RuleSet) -> None:
        self._relational = relational
        self._rules = rules

    def known(self, ids: Collection[int]) -> dict[int, Known]:
        """The alerts of these ids that are there."""
        briefings = self._relational.briefings.of(ids)
        about = subjects(self._relational, [briefing.alert.entity for briefing in briefings.values()])
        return {id_: self._known(each, about[each.alert.entity]) for id_, each in briefings.items()}

    def owners(self) -> list[Person]:
        """Everybody who is written a summary of their own."""
        return self._relational.briefings.owners()

    def person(self, id_: str) -> Person | None:
        """The person of that id."""
        return self._relational.briefings.person(id_)

    def morning(self, reader: Person | None, due: Slot, zone: str, now: int) -> Morning:
        """What there is to say to a person, or (None) of everybody's alerts."""
        owner = None if reader is None else reader.id
        seen = self._relational.briefings.overview(owner, due.since, now, SHOWN)
        known = self.known([*seen.top, *seen.late, *seen.ended_shown])
        return Morning(
            open=seen.open,
            top=[known[id_] for id_ in seen.top if id_ in known],
            new=seen.new,
            overdue=seen.overdue,
            late=[known[id_] for id_ in seen.late if id_ in known],
            renewals=self._renewals(owner, zone, now),
            ended=seen.ended,
            ended_shown=[known[id_] for id_ in seen.ended_shown if id_ in known],
        )

    def _renewals(self, owner: str | None, zone: str, now: int) -> list[Renewal]:
        """Days are counted in the zone of the summary."""
        today = local_day(now, ZoneInfo(zone))
        first, last = today - timedelta(days=_ENDED_DAYS), today + timedelta(days=RENEWAL_DAYS)
        found = self._relational.briefings.endings(owner, first.isoformat(), last.isoformat())
        return [
            Renewal(
                each.customer, (date.fromisoformat(each.ends_on) - today).days, each.amount, each.currency
            )
            for each in found
        ]

    def _known(self, found: Briefing, about: Subject) -> Known:
        customer = found.customer or about.customer
        placed = replace(about, customer=customer)
        return Known(
            alert=found.alert,
            subject=placed,
            rule=rule_named(self._rules, found.alert.rule),
            tier=found.tier,
            owner=found.owner,
            ack_due_at=found.ack_due_at,
            resolve_due_at=found.resolve_due_at,
        )
