"""The morning's summary: what is new since the last one, overdue, near renewal, and what ended by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from collector.notifying.letter import DIGEST, Letter
from collector.notifying.message import Message, Part
from collector.notifying.quiet import local_day, local_instant
from collector.notifying.retrying import GIVE_UP_MS
from collector.notifying.routing import Known, language_of
from collector.notifying.settings import DigestTime, Settings
from collector.people import Person
from collector.queue import Severity
from collector.words.i18n import Words

SHOWN: Final = 5  # of each list
LATE_MS: Final = 6 * 3_600_000  # a digest that much late is left out: the day has begun without it
RENEWAL_DAYS: Final = 60


@dataclass(frozen=True, slots=True)
class Slot:
    """One day's digest: when it was due, and when the one before it was."""

    day: date
    at: int
    since: int

    @property
    def key(self) -> str:
        """What the keys of all its messages begin with."""
        return f"{DIGEST}/{self.day.isoformat()}/"


@dataclass(frozen=True, slots=True)
class Renewal:
    """A contract that ends soon, and of which nobody has said whether it is renewed."""

    customer: str
    days: int
    amount: float | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Morning:
    """What there is to say to one reader: numbers of all, and the first few of each list, ranked."""

    open: Mapping[Severity, int]
    top: Sequence[Known] = ()
    new: int = 0
    overdue: int = 0
    late: Sequence[Known] = ()
    renewals: Sequence[Renewal] = ()
    ended: int = 0
    ended_shown: Sequence[Known] = ()


def slot(time: DigestTime, now: int) -> Slot | None:
    """The digest that is due now; None between its last chance and the next one's time."""
    zone = ZoneInfo(time.zone)
    today = local_day(now, zone)
    days = [today - timedelta(days=back) for back in range(15)]
    due = [(day, local_instant(day, time.minute, zone)) for day in days if day.weekday() in time.days]
    past = [(day, at) for day, at in due if at <= now]
    if not past or now - past[0][1] > LATE_MS:
        return None
    return Slot(past[0][0], past[0][1], past[1][1])


def letter(
    due: Slot,
    channel: str,
    reader: Person | None,
    found: Morning,
    settings: Settings,
    error: str | None = None,
) -> Letter:
    """The digest for one channel, or (by `owner`) one person."""
    t = Words(language_of(settings, channel, reader))
    to = f"{channel}:{reader.id}" if reader is not None else channel
    return Letter(
        key=f"{due.key}{to}",
        kind=DIGEST,
        channel=channel,
        message=compose(found, settings.console, t, mine=reader is not None),
        due_at=due.at,
        give_up_at=due.at + LATE_MS + GIVE_UP_MS,
        person=None if reader is None else reader.id,
        error=error,
    )


def compose(found: Morning, console: str | None, t: Words, *, mine: bool) -> Message:
    """The digest as a message; a quiet morning is one line."""
    total = sum(found.open.values())
    quiet = not (total or found.overdue or found.renewals or found.ended)
    parts = [Part("text", t("digest.quiet"))] if quiet else _sections(found, total, console, t)
    return Message(
        title=_title(found, total, t),
        parts=tuple(parts),
        tone=_worst(found),
        url=console,
        open=t("digest.open_mine" if mine else "digest.open_all"),
    )


def _title(found: Morning, total: int, t: Words) -> str:
    if not total:
        return t("digest.title_quiet")
    if found.overdue:
        return t("digest.title_overdue", open=t("digest.open_count", n=total), n=found.overdue)
    return t("digest.title", open=t("digest.open_count", n=total), new=t.count(found.new))


def _worst(found: Morning) -> str:
    return next((severity.value for severity in Severity if found.open.get(severity)), "good")


def _sections(found: Morning, total: int, console: str | None, t: Words) -> list[Part]:
    parts = [Part("text", _counts(found, total, t))]
    parts += _alerts(t("digest.overdue", n=found.overdue), found.late, found.overdue, console, t)
    late = {known.alert.id for known in found.late}
    rest = [known for known in found.top if known.alert.id not in late]
    parts += _alerts(t("digest.first"), rest, 0, console, t)
    if found.renewals:
        parts.append(Part("heading", t("digest.renewals")))
        parts += [Part("item", _renewal(each, t)) for each in found.renewals[:SHOWN]]
        parts += _more(len(found.renewals), t)
    return parts + _alerts(t("digest.ended", n=found.ended), found.ended_shown, found.ended, console, t)


def _counts(found: Morning, total: int, t: Words) -> str:
    if not total:
        return t("digest.none_open")
    listed = [
        t("digest.severity", n=count, severity=t.one_of("severity", severity).lower())
        for severity in Severity
        if (count := found.open.get(severity, 0))
    ]
    return t(
        "digest.counts",
        open=t("digest.open_count", n=total),
        listed=t("digest.comma").join(listed),
        new=t.count(found.new),
    )


def _alerts(heading: str, shown: Sequence[Known], total: int, console: str | None, t: Words) -> list[Part]:
    if not shown:
        return []
    items = [_item(known, console, t) for known in shown[:SHOWN]]
    return [Part("heading", heading), *items, *_more(total, t)]


def _item(known: Known, console: str | None, t: Words) -> Part:
    about = t.both(known.rule.about) if known.rule is not None else known.alert.rule
    severity = t.one_of("severity", known.alert.severity)
    subject = known.subject
    place = " · ".join(
        dict.fromkeys(part for part in (subject.shown, subject.site, subject.customer) if part)
    )
    return Part(
        "item",
        t("digest.item", severity=severity, what=about, where=place),
        url=None if console is None else f"{console}/alerts/{known.alert.id}",
        tone=known.alert.severity.value if known.alert.is_open else "good",
    )


def _renewal(found: Renewal, t: Words) -> str:
    if found.days == 0:
        when = t("digest.renewal_today")
    else:
        when = t("digest.renewal_days" if found.days > 0 else "digest.renewal_over", n=abs(found.days))
    amount = "" if found.amount is None else f" · {t.count(found.amount)} {found.currency or ''}".rstrip()
    return t("digest.renewal", customer=found.customer, when=when) + amount


def _more(total: int, t: Words) -> list[Part]:
    return [Part("text", t("digest.more", n=total - SHOWN))] if total > SHOWN else []
