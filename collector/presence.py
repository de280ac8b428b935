"""Who is there: what every robot last said about itself, and what its silence means.

A robot is `online` while its samples come. It is `late` when they have not come for some intervals, and
`lost` when the broker reported it gone, or when they have not come for so long that something must be
wrong. One of which only the past is known is late at best; one that was never heard is `never`. Only
silence during our own listening counts: after an outage of the collector, or of the broker, nobody is
late yet.

Each connection of an agent has a session, and the hello names it. A status that belongs to another
session than the last hello is history: the will of an old connection cannot mark a new one dead.

Everything here lives in memory and is told in the order in which it arrived; reading is safe from any
thread, since a robot's state is one frozen record that is replaced as a whole.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

from agent import wire
from collector.stores import StoredSample

Presence = Literal["online", "late", "lost", "never"]
DEFAULT_INTERVAL_S: Final = 30.0
_EARLIER: Final = 16
_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})
_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Patience:
    """After how many of its own intervals a silent robot is late and lost, and never before so many ms."""

    late_intervals: float = 3
    late_at_least_ms: int = 60_000
    lost_intervals: float = 10
    lost_at_least_ms: int = 300_000

    def late_ms(self, interval_s: float) -> float:
        """How long silence is nothing unusual."""
        return max(self.late_intervals * interval_s * 1000, self.late_at_least_ms)

    def lost_ms(self, interval_s: float) -> float:
        """How long silence is no more than a delay."""
        return max(self.lost_intervals * interval_s * 1000, self.lost_at_least_ms)


@dataclass(frozen=True, slots=True)
class RobotState:
    """What one robot last said. Times are ms UTC of the collector, save `last_sample_at` (event time)."""

    robot: str
    connected: bool | None = None  # by status and session; None: never said
    changed_at: int | None = None  # when `connected` became so
    last_seen_at: int | None = None  # when it was last heard, by whatever live message
    last_sample_at: int | None = None  # event time of its newest sample
    session: int | None = None
    epoch: str | None = None  # of the newest sample
    seq: int = 0  # of the newest sample
    interval_s: float = DEFAULT_INTERVAL_S
    agent: str | None = None
    tz: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: _NO_LABELS)
    values: Mapping[str, float] = field(
        default_factory=lambda: _NOTHING
    )  # the newest sample's metrics, by full name
    lost: int = 0  # samples declared lost
    refused: int = 0  # samples that broke the contract
    offline: tuple[int | None, int] | None = None  # (session, at) of an offline status without its hello

    def up(self, subsystem: str) -> bool | None:
        """Whether a subsystem's module was running at the newest sample; None: it never reported."""
        value = self.values.get(f"{subsystem}.up")
        return None if value is None else value > 0


class Fleet:
    """The states of all robots ever heard."""

    def __init__(self, patience: Patience | None = None, listened: Iterable[tuple[int, int]] = ()) -> None:
        self._patience = patience or Patience()
        self._earlier = tuple(listened)[-_EARLIER:]  # times of listening before this collector began
        self._states: dict[str, RobotState] = {}
        self._listening_since: int | None = None

    def __len__(self) -> int:
        return len(self._states)

    def __contains__(self, robot: str) -> bool:
        return robot in self._states

    @property
    def robots(self) -> tuple[str, ...]:
        """Ids of all robots ever heard."""
        return tuple(self._states)

    def state(self, robot: str) -> RobotState:
        """What a robot last said; of one never heard, an empty state."""
        return self._states.get(robot) or RobotState(robot)

    def presence(self, robot: str, now: int) -> Presence:
        """Whether the robot is there."""
        state = self.state(robot)
        if state.last_seen_at is None and state.connected is None:
            return "never"
        if state.connected is False:
            return "lost"
        silence = self._after_silence(state, now)
        return "late" if silence == "online" and state.connected is None else silence

    def counts(self, robots: Iterable[str], now: int) -> dict[Presence, int]:
        """How many of the robots are online, late, lost and never heard."""
        counts: dict[Presence, int] = {"online": 0, "late": 0, "lost": 0, "never": 0}
        for robot in robots:
            counts[self.presence(robot, now)] += 1
        return counts

    def listening(self, since: int | None) -> None:
        """The collector listens without a break since then; None: it does not."""
        self._listening_since = since

    def hello(self, robot: str, message: wire.Hello, at: int, *, retained: bool = False) -> None:
        """A robot connected; a retained hello tells of a connection that may be long gone."""
        before = self.state(robot)
        gone = before.offline is not None and before.offline[0] == message.session
        known = retained and before.session == message.session and before.connected is not None
        connected = before.connected if known else not (retained and gone)
        self._states[robot] = replace(
            before,
            connected=connected,
            changed_at=at if connected != before.connected else before.changed_at,
            last_seen_at=before.last_seen_at if retained else at,
            session=message.session,
            offline=None,
            interval_s=message.interval_s,
            agent=message.agent,
            tz=message.tz,
            labels=MappingProxyType(dict(message.labels)),
        )

    def status(self, robot: str, message: wire.Status, at: int, *, retained: bool = False) -> None:
        """A robot, or the broker in its name, said whether it is connected."""
        before = self.state(robot)
        if before.session != message.session:
            if not message.online and before.session is None:
                self._states[robot] = replace(before, offline=(message.session, at), connected=False)
            elif not message.online:
                self._states[robot] = replace(before, offline=(message.session, at))
            return
        self._states[robot] = replace(
            before,
            connected=message.online,
            changed_at=at if before.connected != message.online else before.changed_at,
            last_seen_at=at if message.online and not retained else before.last_seen_at,
        )

    def heard(self, robot: str, at: int) -> None:
        """A message with samples came from the robot: whatever the broker said before, it is there."""
        before = self.state(robot)
        changed_at = before.changed_at if before.connected else at
        self._states[robot] = replace(before, connected=True, changed_at=changed_at, last_seen_at=at)

    def stored(self, samples: Iterable[StoredSample]) -> None:
        """Samples are in the store; the newest of each robot is what is shown."""
        for sample in samples:
            before = self.state(sample.robot)
            if _newer(sample, before):
                self._states[sample.robot] = replace(
                    before,
                    epoch=sample.epoch,
                    seq=sample.seq,
                    last_sample_at=sample.t,
                    last_seen_at=max(before.last_seen_at or 0, sample.received_at),
                    values=MappingProxyType({**sample.counters, **sample.gauges}),
                )

    def declared_lost(self, robot: str, count: int) -> None:
        """Samples of the robot will never come: the agent gave them up."""
        before = self.state(robot)
        self._states[robot] = replace(before, lost=before.lost + count)

    def declared_refused(self, robot: str, count: int) -> None:
        """Samples of the robot broke the contract and are not stored."""
        before = self.state(robot)
        self._states[robot] = replace(before, refused=before.refused + count)

    def _after_silence(self, state: RobotState, now: int) -> Presence:
        since = now if self._listening_since is None else self._listening_since
        seen_at = state.last_seen_at or 0
        listened = ((max(begin, seen_at), end) for begin, end in (*self._earlier, (since, now)))
        silence_ms = sum(max(0, end - begin) for begin, end in listened)
        if silence_ms > self._patience.lost_ms(state.interval_s):
            return "lost"
        return "late" if silence_ms > self._patience.late_ms(state.interval_s) else "online"


def _newer(sample: StoredSample, state: RobotState) -> bool:
    if sample.epoch == state.epoch:
        return sample.seq > state.seq
    return state.last_sample_at is None or sample.t >= state.last_sample_at
