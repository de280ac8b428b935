"""What a file would change, before anybody says yes; and what it has changed, after."""

from dataclasses import dataclass
from typing import Final

from collector.http.views.registry import shown
from collector.http.views.registry_form import label
from collector.relational.registry import Doubt, Outcome
from collector.words.i18n import Words

_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One record that is new or changed, field by field: label, before, after."""

    what: str
    kind: str
    id: str
    fields: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class ImportPage:
    """What is shown of an import; of long lists the beginning, and how many more there are."""

    done: bool
    is_late: bool  # it is no longer what was seen
    digest: str
    added: int
    changed: int
    unchanged: int
    bad: int
    can_skip: bool
    rows: list[DifferenceRow]
    more_rows: int
    problems: list[tuple[str, str]]  # place, reason
    more_problems: int
    doubts: list[str]

    @property
    def differs(self) -> int:
        """How many records are new or changed."""
        return self.added + self.changed


def page(outcome: Outcome, t: Words, *, is_late: bool) -> ImportPage:
    """An outcome in the reader's language."""
    plan = outcome.plan
    rows = [
        DifferenceRow(
            each.what,
            t(f"registry.kind.{each.kind.value}"),
            each.id,
            [
                (label(name, t), shown(name, before, t), shown(name, after, t))
                for name, (before, after) in each.fields.items()
                if before is not None or after is not None
            ],
        )
        for each in plan.differences[:_MOST]
    ]
    return ImportPage(
        done=outcome.done,
        is_late=is_late,
        digest=plan.digest,
        added=plan.counts["added"],
        changed=plan.counts["changed"],
        unchanged=plan.unchanged,
        bad=len(plan.problems),
        can_skip=not any(problem.fatal for problem in plan.problems),
        rows=rows,
        more_rows=max(0, len(plan.differences) - _MOST),
        problems=[(problem.place, t.both(problem.error)) for problem in plan.problems[:_MOST]],
        more_problems=max(0, len(plan.problems) - _MOST),
        doubts=[_doubt(doubt, t) for doubt in outcome.doubts[:_MOST]],
    )


def _doubt(doubt: Doubt, t: Words) -> str:
    kind = t(f"registry.kind.{doubt.kind.value}")
    return t(f"registry.doubt.{doubt.field}", kind=kind, id=doubt.id, value=doubt.value)
