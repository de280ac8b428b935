"""How a robot's samples came, in words: what was lost, late, corrected, or is still on the robot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Final, Literal

from collector.http.services import Services
from collector.presence import Presence, RobotState
from collector.stores import MAX_LOSSES, Delivery, Loss, LossReason
from collector.words.i18n import Words

SPAN_MS: Final = 7 * 86_400_000
ONE_STRETCH_MS: Final = 3_600_000
_TOLD: Final = 8
_REASONS: Final[tuple[LossReason, ...]] = ("dropped", "refused")
Tone = Literal["good", "bad", "plain"]


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of how one robot's samples came; without `delivery`, the store cannot be read."""

    since: int
    delivery: Delivery | None
    state: RobotState
    presence: Presence

    @property
    def recent(self) -> tuple[Loss, ...]:
        """The losses noted since then, the newest first."""
        losses = self.delivery.losses if self.delivery else ()
        return tuple(loss for loss in losses if loss.at >= self.since)

    @property
    def is_cut(self) -> bool:
        """Whether there may be more recent losses than the store tells at once."""
        return len(self.recent) >= MAX_LOSSES

    def lost(self, *reasons: LossReason) -> int:
        """How many samples were lost since then, for these reasons; where `is_cut`, at least so many."""
        return sum(loss.count for loss in self.recent if loss.reason in reasons)

    @property
    def lost_before(self) -> int:
        """How many samples the robot had given up before; where `is_cut`, nobody can tell: 0."""
        return 0 if self.is_cut else max(0, self.state.lost - self.lost("dropped"))


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence, and whether it is good or bad news."""

    tone: Tone
    text: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Losses that people take for one: of one epoch, for one reason, noted within an hour of each other."""

    epoch: str
    reason: LossReason
    since: int
    until: int
    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class LossRow:
    """A stretch of losses, ready to be written down."""

    when: str
    count: str
    why: str
    numbers: str


@dataclass(frozen=True, slots=True)
class Section:
    """What a robot's page says about delivery; a single stretch needs no table."""

    lines: list[Line]
    losses: list[LossRow]
    more: bool


def stored(services: Services, robot: str, now: int) -> Delivery:
    """What the store says of the last 7 days. Raises `StoreError`."""
    return services.store.delivery(robot, now - SPAN_MS)


def account(services: Services, robot: str, delivery: Delivery | None, now: int) -> Account:
    """How the robot's samples came: what the store said, if it did, and what the robot said itself."""
    state, presence = services.fleet.state(robot), services.fleet.presence(robot, now)
    return Account(now - SPAN_MS, delivery, state, presence)


def section(told: Account, t: Words, zone: tzinfo) -> Section:
    """The sentences, and a table where there is more than one stretch of losses."""
    found = stretches(told.delivery.losses) if told.delivery else []
    tabled = found if len(found) > 1 else []
    return Section(lines(told, t, zone), [_row(each, t, zone) for each in tabled[:_TOLD]], len(found) > _TOLD)


def lines(told: Account, t: Words, zone: tzinfo) -> list[Line]:
    """All there is to say, the most pressing first."""
    parts = (_clash(told, t, zone), _arrived(told, t), *_lost(told, t, zone), *_came(told, t))
    rest = (_held(told, t, zone), _away(told, t), _before(told, t))
    return [line for line in (*parts, *rest) if line is not None]


def stretches(losses: Iterable[Loss]) -> list[Stretch]:
    """Losses, which come the newest first, told as few stretches as can be."""
    found: list[Stretch] = []
    for loss in losses:
        at = next((at for at, known in enumerate(found) if _belongs(loss, known)), None)
        if at is None:
            numbers = (loss.first, loss.last, loss.count)
            found.append(Stretch(loss.epoch, loss.reason, loss.at, loss.at, *numbers))
        else:
            found[at] = _with(found[at], loss)
    return found


def _belongs(loss: Loss, known: Stretch) -> bool:
    same = (loss.epoch, loss.reason) == (known.epoch, known.reason)
    return same and known.since - ONE_STRETCH_MS <= loss.at <= known.until


def _with(known: Stretch, loss: Loss) -> Stretch:
    return replace(
        known,
        since=min(known.since, loss.at),
        first=min(known.first, loss.first),
        last=max(known.last, loss.last),
        count=known.count + loss.count,
    )


def _row(stretch: Stretch, t: Words, zone: tzinfo) -> LossRow:
    numbers = f"{t.count(stretch.first)}–{t.count(stretch.last)}"
    if stretch.first == stretch.last:
        numbers = t.count(stretch.first)
    elif stretch.last - stretch.first + 1 != stretch.count:
        numbers = t("delivery.among", numbers=numbers)
    why = t.one_of("delivery.why", stretch.reason)
    return LossRow(t.span(stretch.since, stretch.until, zone), t.count(stretch.count), why, numbers)


def _arrived(told: Account, t: Words) -> Line:
    """The one sentence that everybody reads."""
    if told.delivery is None:
        return Line("bad", t("delivery.unreadable"))
    stored, lost = told.delivery.stored, told.lost(*_REASONS)
    if lost:
        return Line("bad", t("delivery.some", n=stored, lost=_number(lost, told, t)))
    if not stored:
        return Line("plain", t("delivery.nothing"))
    if told.state.held or told.presence != "online":
        return Line("plain", t("delivery.known", n=stored))
    return Line("good", t("delivery.all", n=stored))


def _lost(told: Account, t: Words, zone: tzinfo) -> list[Line]:
    found = []
    for reason in _REASONS:
        noted = [loss.at for loss in told.recent if loss.reason == reason]
        if noted:
            when, n = t.span(min(noted), max(noted), zone), _number(told.lost(reason), told, t)
            found.append(Line("bad", t(f"delivery.{reason}", n=n, when=when)))
    return found


def _number(count: int, told: Account, t: Words) -> int | str:
    return f"{t.count(count)}+" if told.is_cut else count


def _came(told: Account, t: Words) -> Sequence[Line | None]:
    came = told.delivery or Delivery()
    delay = t.duration(came.longest_delay_ms)
    return (
        Line("plain", t("delivery.late", n=came.late, delay=delay)) if came.late else None,
        Line("plain", t("delivery.corrected", n=came.corrected)) if came.corrected else None,
    )


def _held(told: Account, t: Words, zone: tzinfo) -> Line | None:
    held, at = told.state.held, told.state.held_at
    return Line("plain", t("delivery.held", n=held, when=t.moment(at, zone))) if held and at else None


def _away(told: Account, t: Words) -> Line | None:
    return Line("plain", t("delivery.away")) if told.presence == "lost" else None


def _before(told: Account, t: Words) -> Line | None:
    known = "delivery.in_all" if told.delivery is None else "delivery.before"
    return Line("plain", t(known, n=told.lost_before)) if told.lost_before else None


def _clash(told: Account, t: Words, zone: tzinfo) -> Line | None:
    clash = told.state.clash
    return Line("bad", t("delivery.clash", since=t.moment(clash.since, zone))) if clash else None
