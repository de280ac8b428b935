"""An alert's audit trail, in words: what happened, by whom, and what was said."""

from collections.abc import Mapping
from dataclasses import dataclass

from collector.http.services import Services
from collector.http.views.playbook import step_text
from collector.http.views.rows import Row, by_system, hidden_by
from collector.queue import SILENCE, Entry, Kind
from collector.subjects import subjects
from collector.words.i18n import Words
from collector.words.standing import person
from rules.evaluation import By, Entity


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One line of the audit trail."""

    kind: str
    at: int
    text: str
    who: str
    note: str
    url: str | None = None


def history(services: Services, row: Row, names: Mapping[str, str], t: Words) -> list[HistoryItem]:
    """All of it, the newest first."""
    entries = services.relational.history(row.id)
    return [_item(services, row, entry, names, t) for entry in reversed(entries)]


def _item(services: Services, row: Row, entry: Entry, names: Mapping[str, str], t: Words) -> HistoryItem:
    who = "" if by_system(entry.who) else person(names, entry.who, t)
    note = str(entry.detail.get("reason" if entry.kind is Kind.SNOOZED else "note") or "")
    url = f"/alerts/{entry.detail.get('of')}" if entry.kind is Kind.RELAPSED else None
    return HistoryItem(entry.kind, entry.at, _text(services, row, entry, names, t), who, note, url)


def _text(services: Services, row: Row, entry: Entry, names: Mapping[str, str], t: Words) -> str:
    match entry.kind:
        case Kind.OPENED:
            return _opened(row, entry, t)
        case Kind.SNOOZED:
            until = t.moment(int(_float(entry.detail.get("until")) or 0), row.place.zone)
            return t("alert.history_snoozed", until=until)
        case Kind.SUPPRESSED:
            return t("alert.history_suppressed", by=_suppressor(services, entry, t))
        case Kind.CHECKED:
            step = step_text(services, row.alert, str(entry.detail.get("step")), t)
            return t(f"alert.history_{'checked' if entry.detail.get('done') else 'unchecked'}", step=step)
        case Kind.ASSIGNED | Kind.RETURNED:
            return _handed(entry, names, t)
    return _plain(entry, t)


def _opened(row: Row, entry: Entry, t: Words) -> str:
    if not isinstance(entry.detail.get("value"), int | float):
        return t("alert.history_opened_plain")
    shown = {
        name: t.quantity(_float(entry.detail.get(name)), row.alert.unit) for name in ("value", "threshold")
    }
    return t("alert.history_opened", **shown)


def _handed(entry: Entry, names: Mapping[str, str], t: Words) -> str:
    if entry.kind is Kind.RETURNED:
        return t("alert.history_returned", who=person(names, str(entry.detail.get("taken_by")), t))
    owner = entry.detail.get("owner")
    if owner:
        return t("alert.history_assigned", owner=person(names, str(owner), t))
    return t("alert.history_unassigned")


def _plain(entry: Entry, t: Words) -> str:
    detail = entry.detail
    match entry.kind:
        case Kind.SIGNAL:
            before, after = (t.one_of("signal", str(detail.get(name))) for name in ("before", "after"))
            return t("alert.history_signal", before=before, after=after)
        case Kind.CLOSED:
            return t("alert.history_closed", reason=t.one_of("reason", str(detail.get("reason"))))
        case Kind.ESCALATED:
            key = f"alert.history_escalated_{detail.get('deadline')}"
            return t(key if t.has(key) else "alert.history_escalated")
        case Kind.RELAPSED:
            return t("alert.history_relapsed", n=int(_float(detail.get("count")) or 1))
    return t(f"alert.history_{entry.kind}")


def _suppressor(services: Services, entry: Entry, t: Words) -> str:
    entity = Entity(str(entry.detail.get("kind")), str(entry.detail.get("entity")))
    by = By(str(entry.detail.get("reason")), str(entry.detail.get("rule")), entity)
    known = {} if entity.kind == SILENCE else subjects(services.relational, [entity])
    return hidden_by(services, by, known, t)


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
