"""Who is there: what every robot last said about itself, and what its silence means.

A robot is `online` while its samples come. It is `late` when they have not come for some intervals, and
`lost` when the broker reported it gone, or when they have not come for so long that something must be
wrong. One of which only the past is known is late at best; one that was never heard is `never`. Only
silence during our own listening counts: after an outage of the collector, or of the broker, nobody is
late yet.

Each connection of an agent has a session, and the hello names it. A status that belongs to another
session than the last hello is history: the will of an old connection cannot mark a new one dead.

Everything here lives in memory, in columns, since a fleet is large and all of it is looked at every few
seconds. One thread tells, in the order in which things arrived; any thread may read. A robot read at the
moment at which it changes may show its newest values beside the time of those before: for a page, no harm.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from agent import wire
from collector.identity import Clash, Identities
from collector.stores import Rows
from collector.stores.rows import MISSING, Floats, Integers

Presence = Literal["online", "late", "lost", "never"]
DEFAULT_INTERVAL_S: Final = 30.0
PRESENCES: Final[tuple[Presence, ...]] = ("online", "late", "lost", "never")
_ONLINE, _LATE, _LOST, _NEVER = range(4)
_EARLIER: Final = 16
_FIRST_ROOM: Final = 256
_KINDS_KEPT: Final = 10_000
_UNKNOWN: Final = -1
_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})
_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Patience:
    """After how many of its own intervals a silent robot is late and lost, and never before so many ms."""

    late_intervals: float = 3
    late_at_least_ms: int = 60_000
    lost_intervals: float = 10
    lost_at_least_ms: int = 300_000

    def limits(self, interval_s: Floats) -> tuple[Floats, Floats]:
        """How long (ms) silence is nothing unusual, and how long it is no more than a delay."""
        return (
            np.maximum(self.late_intervals * interval_s * 1000, self.late_at_least_ms),
            np.maximum(self.lost_intervals * interval_s * 1000, self.lost_at_least_ms),
        )


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
    held: int | None = None  # samples that it has and we do not, as far as it said
    held_at: int | None = None  # when that became so
    clash: Clash | None = None  # another robot reports under the same name

    def up(self, subsystem: str) -> bool | None:
        """Whether a subsystem's module was running at the newest sample; None: it never reported."""
        value = self.values.get(f"{subsystem}.up")
        return None if value is None else value > 0


class Fleet:
    """The states of all robots ever heard."""

    def __init__(self, patience: Patience | None = None, listened: Iterable[tuple[int, int]] = ()) -> None:
        self._patience = patience or Patience()
        self._earlier = tuple(listened)[-_EARLIER:]  # times of listening before this collector began
        self._listening_since: int | None = None
        self._identities = Identities()
        self._rows: dict[str, int] = {}
        self._about: list[_About] = []
        self._kinds: dict[tuple[str, str, frozenset[tuple[str, str]]], _About] = {}
        self._epochs: list[str | None] = []
        self._columns = _Columns(_FIRST_ROOM)
        self._metrics: tuple[str, ...] = ()
        self._counters = 0  # so many of the metrics are counters; they come first
        self._values: Floats = np.empty((_FIRST_ROOM, 0))

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, robot: str) -> bool:
        return robot in self._rows

    @property
    def robots(self) -> tuple[str, ...]:
        """Ids of all robots ever heard."""
        return tuple(self._rows)

    def state(self, robot: str) -> RobotState:
        """What a robot last said; of one never heard, an empty state."""
        row = self._rows.get(robot)
        return RobotState(robot) if row is None else self._state(robot, row)

    def presence(self, robot: str, now: int) -> Presence:
        """Whether the robot is there."""
        row = self._rows.get(robot)
        return "never" if row is None else PRESENCES[self._presences(slice(row, row + 1), now)[0]]

    def presences(self, now: int) -> NDArray[np.int8]:
        """Whether they are there: for each of `robots` the place of its presence in `PRESENCES`."""
        return self._presences(slice(0, len(self._rows)), now)

    def counts(self, robots: Iterable[str], now: int) -> dict[Presence, int]:
        """How many of the robots are online, late, lost and never heard."""
        presences = self.presences(now)
        rows = [self._rows.get(robot, -1) for robot in robots]
        known = presences[[row for row in rows if 0 <= row < len(presences)]]
        numbers = np.bincount(known, minlength=len(PRESENCES)).tolist()
        numbers[_NEVER] += len(rows) - len(known)
        return dict(zip(PRESENCES, numbers, strict=True))

    def listening(self, since: int | None) -> None:
        """The collector listens without a break since then; None: it does not."""
        self._listening_since = since

    def hello(self, robot: str, message: wire.Hello, at: int, *, retained: bool = False) -> Clash | None:
        """A robot connected; a retained hello tells of a connection that may be long gone.

        Answers whether another robot reports under the same name.
        """
        row, columns = self._row(robot), self._columns
        gone = columns.offline[row] == message.session
        known = retained and columns.session[row] == message.session and columns.connected[row] != _UNKNOWN
        if not known:
            self._connect(row, at, yes=not (retained and gone))
        if not retained:
            columns.seen_at[row] = at
        columns.session[row] = message.session
        columns.offline[row] = _UNKNOWN
        columns.interval_s[row] = message.interval_s
        self._about[row] = self._said_of(message)
        return None if retained else self._identities.hello(robot, message, at)

    def status(self, robot: str, message: wire.Status, at: int, *, retained: bool = False) -> None:
        """A robot, or the broker in its name, said whether it is connected."""
        row, columns = self._row(robot), self._columns
        if columns.session[row] != message.session:
            if not message.online:
                columns.offline[row] = message.session
                if columns.session[row] == _UNKNOWN:
                    columns.connected[row] = False
            return
        self._connect(row, at, yes=message.online)
        if message.online and not retained:
            columns.seen_at[row] = at

    def heard(self, robot: str, at: int) -> None:
        """A message with samples came from the robot: whatever the broker said before, it is there."""
        row, columns = self._row(robot), self._columns
        columns.seen_at[row] = at
        if columns.connected[row] != True:  # noqa: E712 - a number: yes, no or unknown
            self._connect(row, at, yes=True)

    def stored(self, rows: Rows) -> None:
        """Samples are in the store; the newest of each robot is what is shown."""
        if not len(rows):
            return
        places = self._places(rows.robot)
        np.maximum.at(self._columns.seen_at, places, rows.received_at)
        same = self._same_epoch(places, rows)
        going_on = np.flatnonzero(same & (rows.seq > self._columns.seq[places]))
        self._show(rows, places, going_on[np.argsort(rows.seq[going_on], kind="stable")])
        for at in np.flatnonzero(~same).tolist():
            self._show_other_epoch(rows, places, at)

    def holding(self, robot: str, count: int, at: int) -> None:
        """So many samples are on the robot, and not in the store."""
        self.all_holding([robot], [count], at)

    def all_holding(self, robots: Sequence[str], counts: Sequence[int], at: int) -> None:
        """So many samples are on each of the robots; of one that is there twice the last number counts."""
        places, columns = self._places(robots), self._columns
        changed = columns.held[places] != counts
        columns.held_at[places[changed]] = at
        columns.held[places] = counts

    def declared_lost(self, robot: str, count: int) -> None:
        """Samples of the robot will never come: the agent gave them up."""
        self._columns.lost[self._row(robot)] += count

    def declared_refused(self, robot: str, count: int) -> None:
        """Samples of the robot broke the contract and are not stored."""
        self._columns.refused[self._row(robot)] += count

    def _row(self, robot: str) -> int:
        row = self._rows.get(robot)
        if row is None:
            row = len(self._rows)
            if row == len(self._columns.seen_at):
                self._columns = self._columns.widened()
                self._values = np.concatenate([self._values, np.full_like(self._values, np.nan)])
            self._about.append(_NOBODY)
            self._epochs.append(None)
            self._rows[robot] = row
        return row

    def _places(self, robots: Sequence[str]) -> NDArray[np.intp]:
        """The rows of many robots."""
        rows = [self._rows.get(robot, _UNKNOWN) for robot in robots]
        if _UNKNOWN in rows:
            rows = [self._row(robot) for robot in robots]
        return np.array(rows, dtype=np.intp)

    def _said_of(self, message: wire.Hello) -> "_About":
        """What the hello says, in one record for all robots that say the same."""
        key = (message.agent, message.tz, frozenset(message.labels.items()))
        if len(self._kinds) >= _KINDS_KEPT:
            self._kinds.clear()
        return self._kinds.setdefault(
            key, _About(message.agent, message.tz, MappingProxyType(dict(message.labels)))
        )

    def _connect(self, row: int, at: int, *, yes: bool) -> None:
        if self._columns.connected[row] != yes:
            self._columns.connected[row], self._columns.changed_at[row] = yes, at

    def _same_epoch(self, places: NDArray[np.intp], rows: Rows) -> NDArray[np.bool_]:
        """Which samples are of the epoch that is shown; where none is, the first one's will be."""
        epochs, listed = self._epochs, places.tolist()
        same = np.array([epochs[place] == epoch for place, epoch in zip(listed, rows.epoch, strict=True)])
        for at in np.flatnonzero(~same).tolist():
            if epochs[listed[at]] is None:
                epochs[listed[at]] = rows.epoch[at]
            same[at] = epochs[listed[at]] == rows.epoch[at]
        return same

    def _show(self, rows: Rows, places: NDArray[np.intp], chosen: NDArray[np.intp]) -> None:
        """Of the chosen samples, in this order, the last of each robot is shown."""
        to = places[chosen]
        self._columns.seq[to] = rows.seq[chosen]
        self._columns.sample_at[to] = rows.t[chosen]
        self._values[to] = self._table(rows, chosen)

    def _show_other_epoch(self, rows: Rows, places: NDArray[np.intp], at: int) -> None:
        """A sample of another epoch than that shown; or no more, if one before it has changed that."""
        place, columns = int(places[at]), self._columns
        if self._epochs[place] == rows.epoch[at]:
            newer = rows.seq[at] > columns.seq[place]
        else:
            newer = rows.t[at] >= columns.sample_at[place]
        if newer:
            self._epochs[place] = rows.epoch[at]
            self._show(rows, places, np.array([at]))

    def _table(self, rows: Rows, chosen: NDArray[np.intp]) -> Floats:
        """[sample, metric], NaN where a sample has none."""
        if not self._metrics:
            self._metrics, self._counters = (*rows.counters, *rows.gauges), len(rows.counters)
            self._values = np.full((len(self._columns.seen_at), len(self._metrics)), np.nan)
        table = np.full((len(chosen), len(self._metrics)), np.nan)
        for column, name in enumerate(self._metrics):
            if name in rows.counters:
                counter = rows.counters[name][chosen]
                table[:, column] = np.where(counter == MISSING, np.nan, counter)
            elif name in rows.gauges:
                table[:, column] = rows.gauges[name][chosen]
        return table

    def _state(self, robot: str, row: int) -> RobotState:
        columns, about = self._columns, self._about[row]
        connected = int(columns.connected[row])
        return RobotState(
            robot,
            connected=None if connected == _UNKNOWN else bool(connected),
            changed_at=_known(columns.changed_at[row]),
            last_seen_at=_known(columns.seen_at[row]),
            last_sample_at=None if self._epochs[row] is None else int(columns.sample_at[row]),
            session=_known(columns.session[row]),
            epoch=self._epochs[row],
            seq=int(columns.seq[row]),
            interval_s=float(columns.interval_s[row]),
            agent=about.agent,
            tz=about.tz,
            labels=about.labels,
            values=MappingProxyType(self._shown(row)),
            lost=int(columns.lost[row]),
            refused=int(columns.refused[row]),
            held=_known(columns.held[row]),
            held_at=_known(columns.held_at[row]),
            clash=self._identities.clash(robot, int(columns.seen_at[row])),
        )

    def _shown(self, row: int) -> dict[str, float]:
        """The newest sample's metrics; counters are whole numbers."""
        values = self._values[row].tolist()
        return {
            name: int(value) if column < self._counters else value
            for column, (name, value) in enumerate(zip(self._metrics, values, strict=False))
            if not math.isnan(value)
        }

    def _presences(self, rows: slice, now: int) -> NDArray[np.int8]:
        columns = self._columns
        seen_at, connected = columns.seen_at[rows], columns.connected[rows]
        silence_ms = self._silences(seen_at, now)
        late_ms, lost_ms = self._patience.limits(columns.interval_s[rows])
        late = (silence_ms > late_ms) | (connected == _UNKNOWN)
        lost = (silence_ms > lost_ms) | (connected == 0)
        never = (seen_at == _UNKNOWN) & (connected == _UNKNOWN)
        kinds = [never, lost, late]
        return np.select(kinds, [_NEVER, _LOST, _LATE], default=_ONLINE).astype(np.int8)

    def _silences(self, seen_at: Integers, now: int) -> Integers:
        """For how long each has been silent while we were listening, in ms."""
        since = now if self._listening_since is None else self._listening_since
        silence = np.zeros_like(seen_at)
        for begin, end in (*self._earlier, (since, now)):
            silence += np.maximum(0, end - np.maximum(begin, seen_at))
        return silence


@dataclass(frozen=True, slots=True)
class _About:
    """What a hello says of the robot; fleets have few different ones."""

    agent: str | None
    tz: str | None
    labels: Mapping[str, str]


_NOBODY: Final = _About(None, None, _NO_LABELS)


class _Columns:
    """What is known of each robot; `_UNKNOWN` where nothing is. Instants are ms UTC."""

    def __init__(self, room: int) -> None:
        def empty(fill: int = _UNKNOWN) -> Integers:
            return np.full(room, fill, dtype=np.int64)

        self.connected = np.full(room, _UNKNOWN, dtype=np.int8)
        self.changed_at = empty()
        self.seen_at = empty()
        self.sample_at = empty()
        self.session = empty()
        self.offline = empty()  # the session of an offline status that had no hello
        self.seq = empty(fill=0)
        self.interval_s = np.full(room, DEFAULT_INTERVAL_S)
        self.lost = empty(fill=0)
        self.refused = empty(fill=0)
        self.held = empty()
        self.held_at = empty()

    def widened(self) -> "_Columns":
        """Twice the room; what readers hold of the old ones stays as it is."""
        wider = _Columns(2 * len(self.seen_at))
        for name, column in vars(self).items():
            getattr(wider, name)[: len(column)] = column
        return wider


def _known(number: Any) -> int | None:
    return None if number == _UNKNOWN else int(number)
