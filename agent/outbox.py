"""What to publish next, what to publish again, what may be forgotten.

Samples are numbered without a hole; the outbox holds those from `first` to `next - 1`. It knows numbers
only: the samples themselves lie in a spool (or, in a simulated robot, in memory).

    DOWN ──connected──► HOLDING ──collector online──► GREETING ──receipt or patience──► FLOWING
      ▲                    ▲                             ▲                                 │
      └── disconnected ────┴───── collector offline ─────┴──── new collector session ──────┘

- A sample is forgotten when a receipt covers it, and never for another reason, save that `drop_oldest`
  gives it up. PUBACK means nothing here: a broker may lose what it acknowledged.
- DOWN and HOLDING publish nothing: without a listening collector, samples are safer here than in a
  broker's queue.
- GREETING waits for the receipt that answers our hello, so that what is stored is not sent again.
- FLOWING publishes live samples as they are taken. Whatever was held when the flow began is backlog:
  oldest first, in batches, at a pace, and never more than a window beyond the last receipt. The window
  opens while receipts come quickly: so a robot alone is fast, and ten thousand that come back after a day
  wait their turn, instead of filling the broker with more than the collector can take.
- Where receipts make no progress in time, everything from `stored_until + 1` becomes backlog again; each
  such round in vain doubles the time to the next. The collector drops duplicates.

Randomness comes in as a number: `jitter` keeps a fleet that lost its broker from coming back as one. What
befalls a whole fleet in one instant, a collector that comes, is spread wider than a connection of our own.
"""

from dataclasses import dataclass
from enum import Enum

_WIDEN = 2
_SUBSCRIBED_MS = 5_000  # what is retained comes within so long after connecting; what comes later is news


class State(Enum):
    """Where the outbox stands towards broker and collector."""

    DOWN = "down"
    HOLDING = "holding"
    GREETING = "greeting"
    FLOWING = "flowing"


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes in samples, times in milliseconds."""

    max_batch: int = 200
    first_in_flight: int = 500  # backlog published beyond the last receipt, at first
    max_in_flight: int = 4_000  # the same while receipts come quickly
    quick_receipt_ms: int = 10_000
    backlog_interval_ms: int = 200  # from one message of the backlog to the next
    backlog_spread_ms: int = 2_000  # after a connection of our own, the backlog begins within so long
    fleet_spread_ms: int = 10_000  # after the collector came, which all robots saw
    hello_patience_ms: int = 10_000
    resend_after_ms: int = 300_000
    resend_at_most_ms: int = 3_600_000
    jitter_fraction: float = 0.25  # of a waiting time, added at most


@dataclass(frozen=True, slots=True)
class Publish:
    """Samples `seq` … `seq + count - 1`, to be published as one message, or more where that is too large."""

    seq: int
    count: int


class Outbox:
    """The numbers of one epoch's samples on their way into the store. Times are monotonic milliseconds."""

    def __init__(self, first: int, next: int, settings: Settings, *, jitter: float = 0.0) -> None:  # noqa: A002 - the wire's word
        if not 1 <= first <= next:
            raise ValueError(f"an outbox needs 1 <= first <= next, not first {first} and next {next}")
        if not 0.0 <= jitter < 1.0:
            raise ValueError(f"jitter must be in [0, 1), not {jitter}")
        self._settings = settings
        self._jitter = jitter
        self._first = first
        self._next = next
        self._stored_until = first - 1
        self._state = State.DOWN
        self._session: str | None = None
        self._greeted = False  # a receipt came since the last hello, or since the collector's last session
        self._greeting_until = 0
        self._backlog = self._backlog_end = self._live = next
        self._backlog_at = 0
        self._window = settings.first_in_flight
        self._asked_at: int | None = None  # when the oldest publish was that no receipt has answered
        self._overdue_at: int | None = None
        self._rounds_in_vain = 0
        self._connected_at = 0
        self._with_the_fleet = False  # the collector's word came to all robots in one instant

    def __repr__(self) -> str:
        backlog = f"{self._backlog}..{self._backlog_end - 1}" if self._backlog < self._backlog_end else "none"
        return f"<Outbox {self._state.value} holds {self._first}..{self._next - 1} backlog {backlog}>"

    @property
    def state(self) -> State:
        """Where it stands towards broker and collector."""
        return self._state

    @property
    def holding(self) -> bool:
        """Whether there is a broker and, as far as we know, no collector."""
        return self._state is State.HOLDING

    @property
    def first(self) -> int:
        """The oldest sample held; equals `next` when none is."""
        return self._first

    @property
    def next(self) -> int:
        """The number of the next sample to be taken."""
        return self._next

    @property
    def stored_until(self) -> int:
        """The highest number that a receipt covered (before the first: what is not held any more)."""
        return self._stored_until

    @property
    def depth(self) -> int:
        """How many samples are held."""
        return self._next - self._first

    def take(self) -> int:
        """Numbers a new sample. It must lie in the spool under that number already."""
        self._next += 1
        if self._state is not State.FLOWING:
            self._backlog = self._backlog_end = self._live = self._next
        return self._next - 1

    def connected(self, now_ms: int) -> None:
        """The broker accepted us, and our hello is on its way."""
        self._state, self._session, self._greeted = State.HOLDING, None, False
        self._connected_at = now_ms
        self._rest()

    def disconnected(self) -> None:
        """The connection is gone; what was on its way may be lost."""
        self._state, self._session, self._greeted = State.DOWN, None, False
        self._rest()

    def collector(self, online: bool, session: str, now_ms: int) -> None:
        """The collector said whether it listens. A new session answers our (retained) hello anew."""
        if self._state is State.DOWN:
            return
        if not online:
            self._state, self._session, self._greeted = State.HOLDING, None, False
            self._rest()
        elif session != self._session:
            self._with_the_fleet = now_ms - self._connected_at > _SUBSCRIBED_MS
            self._greeted = self._greeted and self._session is None
            self._session = session
            self._greet(now_ms)

    def receipt(self, stored_until: int, now_ms: int) -> int | None:
        """Takes a receipt. Everything below the number returned may be forgotten; None: nothing new.

        A receipt beyond `next - 1` counts only up to there.
        """
        covered = min(stored_until, self._next - 1)
        progress = covered > self._stored_until
        forget = None
        if progress:
            self._stored_until = covered
            self._rounds_in_vain = 0
            if covered >= self._first:
                self._first = forget = covered + 1
                self._skip_forgotten()
        self._answered(now_ms, progress)
        return forget

    def drop_oldest(self, count: int) -> int:
        """Gives up the oldest `count` samples, for want of room; `first` declares them. Returns how many."""
        dropped = max(0, min(count, self.depth))
        self._first += dropped
        self._skip_forgotten()
        return dropped

    def next_publish(self, now_ms: int) -> Publish | None:
        """What to publish now; counts as published from here on."""
        self._lapse(now_ms)
        if self._state is not State.FLOWING:
            return None
        publish = self._next_live() or self._next_of_backlog(now_ms)
        if publish is not None and self._overdue_at is None:
            self._asked_at, self._overdue_at = now_ms, now_ms + self._resend_delay()
        return publish

    def wake_at(self, now_ms: int) -> int | None:
        """When `next_publish` may have something new to say, if nothing else happens; None: never."""
        if self._state is State.GREETING:
            return max(now_ms, self._greeting_until)
        if self._state is not State.FLOWING:
            return None
        if self._live < self._next:
            return now_ms
        times = [] if self._overdue_at is None else [self._overdue_at]
        if self._room() > 0:
            times.append(self._backlog_at)
        return max(now_ms, min(times)) if times else None

    def _greet(self, now_ms: int) -> None:
        if self._greeted:
            self._flow(now_ms)
            return
        self._state = State.GREETING
        self._greeting_until = now_ms + self._with_jitter(self._settings.hello_patience_ms)
        self._rest()

    def _answered(self, now_ms: int, progress: bool) -> None:
        self._greeted = True
        if self._state is State.GREETING:
            self._flow(now_ms)
        elif self._state is State.FLOWING and progress:
            self._turn_window(now_ms)
            outstanding = self._first < max(self._backlog, self._backlog_end, self._live)
            self._asked_at = now_ms if outstanding else None
            self._overdue_at = now_ms + self._resend_delay() if outstanding else None

    def _turn_window(self, now_ms: int) -> None:
        quick = self._asked_at is not None and now_ms - self._asked_at <= self._settings.quick_receipt_ms
        wider = min(_WIDEN * self._window, self._settings.max_in_flight)
        self._window = wider if quick else self._settings.first_in_flight

    def _lapse(self, now_ms: int) -> None:
        if self._state is State.GREETING and now_ms >= self._greeting_until:
            self._flow(now_ms)
        elif self._state is State.FLOWING and self._overdue_at is not None and now_ms >= self._overdue_at:
            self._rounds_in_vain += 1
            self._flow(now_ms)

    def _flow(self, now_ms: int) -> None:
        """Begins a round: whatever is held becomes backlog."""
        self._state = State.FLOWING
        self._backlog, self._backlog_end, self._live = self._first, self._next, self._next
        spread = self._settings.fleet_spread_ms if self._with_the_fleet else self._settings.backlog_spread_ms
        self._backlog_at = now_ms + int(spread * self._jitter)
        self._window = self._settings.first_in_flight
        self._asked_at = self._overdue_at = None

    def _rest(self) -> None:
        self._backlog = self._backlog_end = self._live = self._next
        self._asked_at = self._overdue_at = None
        self._rounds_in_vain = 0

    def _skip_forgotten(self) -> None:
        self._backlog = max(self._backlog, self._first)
        self._backlog_end = max(self._backlog_end, self._backlog)
        self._live = max(self._live, self._backlog_end)

    def _next_live(self) -> Publish | None:
        count = min(self._next - self._live, self._settings.max_batch)
        if count <= 0:
            return None
        self._live += count
        return Publish(self._live - count, count)

    def _next_of_backlog(self, now_ms: int) -> Publish | None:
        count = min(self._room(), self._settings.max_batch)
        if count <= 0 or now_ms < self._backlog_at:
            return None
        self._backlog += count
        self._backlog_at = now_ms + self._settings.backlog_interval_ms
        return Publish(self._backlog - count, count)

    def _room(self) -> int:
        """How much of the backlog may go out before the next receipt."""
        limit = self._first + min(self._window, self._settings.max_in_flight)
        return min(self._backlog_end, limit) - self._backlog

    def _resend_delay(self) -> int:
        doubled = self._settings.resend_after_ms << min(self._rounds_in_vain, 20)
        return self._with_jitter(min(doubled, self._settings.resend_at_most_ms))

    def _with_jitter(self, delay_ms: int) -> int:
        return int(delay_ms * (1 + self._settings.jitter_fraction * self._jitter))
