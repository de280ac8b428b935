"""What a form asks to be done about alerts."""

from collector.http.fields import duration, whole_number
from collector.http.pages.frame import UnknownPageError
from collector.http.pages.refusals import RefusedError
from collector.queue import REASONS, Acknowledge, Action, Assign, Close, Note, Reason, Snooze
from collector.words.i18n import Words

ACTIONS = ("acknowledge", "assign", "snooze", "close", "note")


def wanted(action: str, form: dict[str, str], now: int, t: Words) -> Action:
    """The action that a form means. Raises `RefusedError` and `UnknownPageError`."""
    match action:
        case "acknowledge":
            return Acknowledge(form.get("note", "").strip() or None)
        case "snooze":
            return Snooze(now + _length(form, t), form.get("reason", "").strip())
        case "close" if form.get("reason") in REASONS:
            return Close(Reason(form["reason"]), form.get("note", "").strip() or None)
        case "close":
            raise RefusedError(t("problem.reason_unknown"))
        case "assign":
            return Assign(form.get("owner", "").strip() or None)
        case "note":
            return Note(form.get("note", "").strip())
    raise UnknownPageError("error.404_text")


def revision_of(form: dict[str, str]) -> int | None:
    """The revision that the form was shown with."""
    return whole_number(form.get("revision", ""))


def _length(form: dict[str, str], t: Words) -> int:
    try:
        return duration(form.get("for", ""))
    except ValueError:
        raise RefusedError(t("problem.until_past")) from None
