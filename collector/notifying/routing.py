"""A happening of an alert → the messages that say so, each for one channel."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from collector.notifying.letter import Happening, Kind, Letter, State
from collector.notifying.message import Message, Part
from collector.notifying.quiet import told_at
from collector.notifying.retrying import GIVE_UP_MS
from collector.notifying.settings import OWNER, Route, Settings
from collector.people import Person
from collector.queue import RANK, Alert, Work
from collector.subjects import Subject
from collector.words import standing, wording
from collector.words.i18n import Words, zone
from collector.words.wording import LANGUAGES, Language
from rules.rule import Rule

STALE_MS: Final = 86_400_000  # what is told later than this after it happened is no news
NO_OWNER: Final = "nobody owns the alert"
Told = tuple[str, Person | None]  # a channel, and whom the channel `owner` writes to


@dataclass(frozen=True, slots=True)
class Known:
    """An alert, and what registry and rules say of it; what nobody knows is None."""

    alert: Alert
    subject: Subject
    rule: Rule | None = None
    tier: str | None = None
    owner: Person | None = None
    ack_due_at: int | None = None
    resolve_due_at: int | None = None

    @property
    def about(self) -> str | None:
        """The customer it is about."""
        return self.subject.customer


def letters(happened: Happening, known: Known, settings: Settings, now: int) -> list[Letter]:
    """What is told of a happening, and to whom; nothing of what is over already, or old.

    Of what people do it is told that one gives an alert to another.
    """
    if happened.kind not in set(Kind) or happened.at < now - STALE_MS:
        return []
    kind = Kind(happened.kind)
    first = Kind.OPENED if known.alert.relapse_of is None else Kind.RELAPSED
    said_better = kind is Kind.OPENED and first is Kind.RELAPSED  # which happened with it
    if said_better or (kind is not Kind.RESOLVED and known.alert.work is Work.CLOSED):
        return []
    if kind is Kind.ASSIGNED and not _is_given(happened, known.alert):
        return []
    before = {name for name, _ in _channels(settings.routes, first, known)}
    return [
        _letter(
            happened, kind, told, known, settings, now, follows=kind is Kind.RESOLVED and told[0] in before
        )
        for told in _channels(settings.routes, kind, known)
    ]


def _is_given(happened: Happening, alert: Alert) -> bool:
    """Somebody has it from somebody else, and still has it."""
    return happened.owner is not None and happened.owner == alert.owner and happened.who != alert.owner


def matches(route: Route, known: Known) -> bool:
    """Whether a route is for this alert."""
    alert, owner = known.alert, known.owner.id if known.owner is not None else None
    asked = (
        (route.customer, known.about),
        (route.tier, known.tier),
        (route.owner, owner),
        (route.rule, alert.rule),
        (route.subsystem, alert.subsystem),
    )
    severe = route.severity is None or RANK[alert.severity] <= RANK[route.severity]
    return severe and all(not wanted or value in wanted for wanted, value in asked)


def language_of(settings: Settings, channel: str, person: Person | None) -> Language:
    """The reader's own language where it is known, else the channel's; English where it is there no more."""
    for known in LANGUAGES:
        if person is not None and person.language == known:
            return known
    return settings.through(channel).language if settings.has(channel) else "en"


def _channels(routes: Iterable[Route], kind: Kind, known: Known) -> list[Told]:
    """All that any matching route names, each once."""
    named = ((route, name) for route in routes if matches(route, known) for name in route.channels)
    names = (name for route, name in named if route.tells(kind, name))
    return [(name, known.owner if name == OWNER else None) for name in dict.fromkeys(names)]


def _letter(
    happened: Happening, kind: Kind, told: Told, known: Known, settings: Settings, now: int, *, follows: bool
) -> Letter:
    channel, person = told
    due_at = told_at(settings.quiet, channel, known.alert.severity, now)
    t = Words(language_of(settings, channel, person))
    to = f"{channel}:{person.id}" if person is not None else channel
    nobody = channel == OWNER and person is None
    return Letter(
        key=f"alert-{happened.alert}/{kind}-{happened.id}/{to}",
        kind=kind.value,
        channel=channel,
        message=message(kind, known, settings.console, t, person, by=_by(happened, t)),
        due_at=due_at,
        give_up_at=due_at + GIVE_UP_MS,
        alert=happened.alert,
        person=None if person is None else person.id,
        state=_state(known, nobody=nobody),
        follows=follows,
        error=NO_OWNER if nobody else None,
    )


def _state(known: Known, *, nobody: bool) -> State:
    if nobody:
        return State.GIVEN_UP
    return State.WAITING if known.alert.hidden_by is None else State.HELD


def _by(happened: Happening, t: Words) -> str:
    names = {happened.who: happened.name} if happened.who and happened.name else {}
    return standing.person(names, happened.who, t)


def message(
    kind: Kind, known: Known, console: str | None, t: Words, reader: Person | None = None, *, by: str = ""
) -> Message:
    """What one person or chat reads of an alert; `by` is who gave it to its owner."""
    alert, about = known.alert, t.both(known.rule.about) if known.rule is not None else known.alert.rule
    severity = t.one_of("severity", alert.severity)
    place = " · ".join(dict.fromkeys(part for part in (known.subject.shown, known.subject.site) if part))
    title = t(f"notify.title.{kind}", severity=severity, what=about, where=place, who=by)
    return Message(
        title=title,
        parts=tuple(_parts(kind, known, t, reader)),
        tone="good" if kind is Kind.RESOLVED else alert.severity.value,
        url=None if console is None else f"{console}/alerts/{alert.id}",
        open=t("notify.open"),
    )


def _parts(kind: Kind, known: Known, t: Words, reader: Person | None) -> list[Part]:
    alert, subject = known.alert, known.subject
    local = zone(subject.tz)
    parts = [Part("text", t.both(wording.summary(alert, known.rule, subject)))]
    why = "resolved_open" if kind is Kind.RESOLVED and alert.is_open else kind.value
    if t.has(f"notify.why.{why}"):
        parts.insert(0, Part("text", t(f"notify.why.{why}")))
    where = [part for part in (subject.customer, subject.site) if part]
    parts.append(Part("fact", " · ".join(where) or t("notify.unregistered"), t("notify.where")))
    parts.append(Part("fact", _moment(alert.since, local, t), t("notify.since")))
    if known.owner is not None and (reader is None or reader.id != known.owner.id):
        parts.append(Part("fact", known.owner.name, t("notify.owner")))
    if kind is Kind.RESOLVED:
        return parts
    parts += _deadlines(known, t, reader)
    step = known.rule.call_to_action.next_step if known.rule is not None else None
    return [*parts, Part("step", t.both(step))] if step is not None else parts


def _deadlines(known: Known, t: Words, reader: Person | None) -> list[Part]:
    """On the reader's own clock, where it has one."""
    local = zone(reader.tz if reader is not None and reader.tz else known.subject.tz)
    due = {"resolve_by": known.resolve_due_at}
    if known.alert.acknowledged_at is None:
        due = {"acknowledge_by": known.ack_due_at, **due}
    return [Part("fact", _moment(at, local, t), t(f"notify.{name}")) for name, at in due.items() if at]


def _moment(at: int, local: tzinfo, t: Words) -> str:
    """To the minute, with the zone named: a message may be read anywhere."""
    return f"{t.moment(at, local)} ({local})"
