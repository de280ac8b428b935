"""The alert log: what began, what ended, and what was suppressed, as lines of JSON.

A line is an alert that begins to fire (`firing`), one that ends (`resolved`), or a change of what suppresses
it (`suppressed`, with by what; `unsuppressed`). Keys are sorted and nothing is spaced, numbers are written as
Python's `repr` does and times are ms UTC: the same evaluations are the same bytes, wherever they were made.
"""

import json
from collections.abc import Iterator

from rules.evaluation import Entity, Evaluation, Event, Suppression
from rules.flapping import begins, ends


def lines(evaluation: Evaluation) -> Iterator[str]:
    """The lines of an evaluation, without their ends: its events, then its suppressions, in their order."""
    for event in evaluation.events:
        if begins(event) or ends(event):
            yield _line(_event(event))
    for suppression in evaluation.suppressions:
        yield _line(_suppression(suppression))


def _event(event: Event) -> dict[str, object]:
    return {
        "at": event.at,
        "event": "firing" if begins(event) else "resolved",
        "rule": event.rule,
        **_entity(event.entity),
        "since": event.since,
        "value": None if event.value is None else float(event.value),
        "threshold": None if event.threshold is None else float(event.threshold),
    }


def _suppression(suppression: Suppression) -> dict[str, object]:
    by = suppression.by
    told = {} if by is None else {"by": {"reason": by.reason, "rule": by.rule, **_entity(by.entity)}}
    return {
        "at": suppression.at,
        "event": "unsuppressed" if by is None else "suppressed",
        "rule": suppression.rule,
        **_entity(suppression.entity),
        **told,
    }


def _entity(entity: Entity) -> dict[str, object]:
    return {"kind": entity.kind, "entity": entity.id}


def _line(record: dict[str, object]) -> str:
    return json.dumps(record, sort_keys=True, separators=(",", ":"))
