"""Pushes and measurements → cumulative counters and gauges, ready for a sample.

Counters never decrease within an epoch, and all of them survive a restart through `State`. Two habits
keep the increases honest that are later computed from samples:

- A subsystem is *introduced* before it counts: a sample with its counters at zero comes first, so that
  the very first event already shows as an increase.
- An absolute counter seen for the first time sets the base and adds nothing, whatever its height.
"""

import math
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import TypeVar

import msgspec

from agent.catalogue import Catalogue, Kind
from agent.datagrams import MAX_AMOUNT, Absolute, Add, Push, Put, Shift

LIVENESS_MS = 60_000
_MAX_UNKNOWN = 100


class Base(msgspec.Struct):
    """What a source of absolute counters showed last: since which boot of it, and the values."""

    boot: str
    values: dict[str, int]


class State(msgspec.Struct):
    """What outlives the process: totals, fractions not yet counted, bases, and which modules exist."""

    totals: dict[str, int] = {}
    fractions: dict[str, float] = {}
    bases: dict[str, Base] = {}
    introduced: list[str] = []
    modules: list[str] = []
    boot: str = ""


class Counters:
    """Every counter and gauge of one robot. Times are monotonic milliseconds."""

    def __init__(self, catalogue: Catalogue, state: State | None = None) -> None:
        self._catalogue = catalogue
        self._state = deepcopy(state) if state is not None else State()
        self._pushed: dict[str, float] = {}
        self._measured: dict[str, float] = {}
        self._heard: dict[str, int] = {}
        self.unknown: dict[str, int] = {}

    @property
    def state(self) -> State:
        """What must outlive the process."""
        return self._state

    def newcomers(self, pushes: Iterable[Push]) -> list[Push]:
        """Of each subsystem that was never heard before, the first of these pushes."""
        first: dict[str, Push] = {}
        for push in pushes:
            subsystem = _subsystem(push)
            if subsystem in self._catalogue.subsystems and subsystem not in self._state.introduced:
                first.setdefault(subsystem, push)
        return list(first.values())

    def introduce(self, subsystem: str) -> None:
        """Makes a subsystem known: from now on, samples have its counters."""
        if subsystem not in self._state.introduced:
            self._state.introduced.append(subsystem)

    def meet(self, push: Push, now_ms: int) -> None:
        """Introduces the subsystem of a newcomer; absolute counters begin at the height they have."""
        subsystem = _subsystem(push)
        self.introduce(subsystem)
        self._hear(subsystem, now_ms)
        if isinstance(push, Absolute):
            full = {f"{subsystem}.{short}": value for short, value in push.counters.items()}
            known = {name: value for name, value in full.items() if self._kind(name) == "counter"}
            self._state.totals |= known
            self._state.bases[subsystem] = Base(push.boot, known)

    def apply(self, push: Push, now_ms: int) -> list[str]:
        """Counts a push; returns the reasons for what of it was refused. Unknown metrics go to `unknown`."""
        subsystem = _subsystem(push)
        if subsystem == "agent":
            return ["agent.* is counted by the agent itself"]
        refused = (
            self._apply_absolute(push) if isinstance(push, Absolute) else self._apply_one(push, subsystem)
        )
        if subsystem in self._catalogue.subsystems:
            self._hear(subsystem, now_ms)
            self._heed_up(subsystem)
        return refused

    def add(self, name: str, amount: float = 1) -> bool:
        """Raises a counter; fractions are kept until they make a whole. False: it would exceed 2^53."""
        exact = self._state.fractions.pop(name, 0.0) + amount
        whole = math.floor(exact)
        total = self._state.totals.get(name, 0) + whole
        if total > MAX_AMOUNT:
            return False
        self._state.totals[name] = total
        if exact != whole:
            self._state.fractions[name] = exact - whole
        return True

    def absolute(self, source: str, boot: str, values: Mapping[str, int]) -> bool:
        """Counts what a source's own counters (by full name) gained since it was last seen.

        Never seen: the base is set, nothing is counted. Another `boot`, or a decrease: it began at zero.
        False: a counter would exceed 2^53.
        """
        base = self._state.bases.get(source)
        fits = [self.add(name, _gain(base, boot, name, value)) for name, value in values.items()]
        kept = base.values if base is not None and base.boot == boot else {}
        self._state.bases[source] = Base(boot, {**kept, **values})
        return all(fits)

    def measure(self, gauges: Mapping[str, float]) -> None:
        """Sets the agent's own measurements, by full name; what was measured before is forgotten."""
        self._measured = dict(gauges)

    def booted(self, boot: str) -> None:
        """Notes the kernel's boot id; a changed one is a reboot."""
        if self._state.boot not in ("", boot):
            self.add("system.reboots")
        self._state.boot = boot

    def sample(self, now_ms: int) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
        """Every counter and gauge known now, by subsystem and short name."""
        totals = {
            name: self._state.totals.get(name, 0)
            for name in self._catalogue.counters
            if name.partition(".")[0] in self._state.introduced
        }
        return _by_subsystem(totals), _by_subsystem(self._known_gauges(now_ms))

    def _known_gauges(self, now_ms: int) -> dict[str, float]:
        alive = {name for name, at in self._heard.items() if now_ms - at <= LIVENESS_MS}
        pushed = {name: value for name, value in self._pushed.items() if name.partition(".")[0] in alive}
        ups = {f"{module}.up": float(module in alive) for module in self._state.modules}
        known = {**self._measured, **pushed, **ups}
        return {n: known[n] for n in self._catalogue.gauges if n in known and math.isfinite(known[n])}

    def _apply_one(self, push: Add | Put | Shift, subsystem: str) -> list[str]:
        wanted = "counter" if isinstance(push, Add) else "gauge"
        kind = self._kind(push.name)
        if kind is None:
            self._note_unknown(push.name)
        elif kind != wanted:
            return [f"{push.name} is a {kind}, not a {wanted}"]
        elif isinstance(push, Add):
            self.introduce(subsystem)
            return [] if self.add(push.name, push.amount) else [f"{push.name} would exceed 2^53"]
        else:
            base = self._pushed.get(push.name, 0.0) if isinstance(push, Shift) else 0.0
            self._pushed[push.name] = base + (push.delta if isinstance(push, Shift) else push.value)
        return []

    def _apply_absolute(self, push: Absolute) -> list[str]:
        refused: list[str] = []
        counters: dict[str, int] = {}
        for short, value in push.counters.items():
            name = f"{push.subsystem}.{short}"
            kind = self._kind(name)
            if kind == "counter":
                counters[name] = value
            elif kind is None:
                self._note_unknown(name)
            else:
                refused.append(f"{name} is a gauge, not a counter")
        for short, gauge in push.gauges.items():
            refused += self._apply_one(Put(f"{push.subsystem}.{short}", gauge), push.subsystem)
        if counters:
            self.introduce(push.subsystem)
            if not self.absolute(push.subsystem, push.boot, counters):
                refused.append(f"a counter of {push.subsystem} would exceed 2^53")
        return refused

    def _hear(self, subsystem: str, now_ms: int) -> None:
        self._heard[subsystem] = now_ms
        if subsystem in self._catalogue.modules and subsystem not in self._state.modules:
            self._state.modules.append(subsystem)

    def _heed_up(self, subsystem: str) -> None:
        """A module that says `up` 0 of itself is not heard from."""
        if self._pushed.pop(f"{subsystem}.up", 1.0) <= 0:
            self._heard.pop(subsystem, None)

    def _kind(self, name: str) -> Kind | None:
        metric = self._catalogue.get(name)
        return None if metric is None else metric.kind

    def _note_unknown(self, name: str) -> None:
        if name in self.unknown or len(self.unknown) < _MAX_UNKNOWN:
            self.unknown[name] = self.unknown.get(name, 0) + 1


def _subsystem(push: Push) -> str:
    return push.subsystem if isinstance(push, Absolute) else push.name.partition(".")[0]


def _gain(base: Base | None, boot: str, name: str, value: int) -> int:
    if base is None:
        return 0
    before = base.values.get(name, 0)
    return value if base.boot != boot or value < before else value - before


_Value = TypeVar("_Value", int, float)


def _by_subsystem(values: Mapping[str, _Value]) -> dict[str, dict[str, _Value]]:
    grouped: dict[str, dict[str, _Value]] = {}
    for name, value in values.items():
        subsystem, _, short = name.partition(".")
        grouped.setdefault(subsystem, {})[short] = value
    return grouped
