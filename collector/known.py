"""Samples of known metrics, straight from JSON into rows of numbers.

A fleet's messages are alike: the catalogue's metrics, nothing else. From the catalogue comes a type with a
field for each of them, which msgspec decodes in half the time that it needs for dictionaries; and of which
the numbers come out in the catalogue's order, with no name looked up. A message with anything unknown in it
is not taken here, and read by the contract's own types (`wire.decode`).
"""

from collections.abc import Iterable
from itertools import chain
from math import nan
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from agent import wire
from agent.catalogue import Catalogue
from collector.stores.rows import MISSING

_STRICT: Final[Any] = {"frozen": True, "forbid_unknown_fields": True, "gc": False}


class Known:
    """Decodes samples that have metrics of the catalogue only, and takes their numbers out."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._counters = _by_subsystem(catalogue.counters)
        self._gauges = _by_subsystem(catalogue.gauges)
        self.counters = _in_order(self._counters)
        self.gauges = _in_order(self._gauges)
        fields = [
            ("c", _group("Counters", self._counters, wire.Count, MISSING)),
            ("g", _group("Gauges", self._gauges, float, nan)),
        ]
        self._sample: Any = msgspec.defstruct(
            "KnownSample", fields, bases=(wire.Sample,), frozen=True, gc=False
        )
        samples = [("samples", wire.many(self._sample))]
        self._message: Any = msgspec.defstruct(
            "KnownSamples", samples, bases=(wire.Samples,), frozen=True, kw_only=True, gc=False
        )
        self.decoder: msgspec.json.Decoder[wire.Samples] = msgspec.json.Decoder(self._message)

    def holds(self, sample: wire.Sample) -> bool:
        """Whether the sample was decoded here."""
        return type(sample) is self._sample

    @staticmethod
    def numbers(sample: Any) -> Iterable[float]:
        """The numbers of a sample that was decoded here, in the order of `counters`, then of `gauges`."""
        return chain.from_iterable(map(astuple, chain(astuple(sample.c), astuple(sample.g))))


def _by_subsystem(names: Iterable[str]) -> dict[str, list[str]]:
    metrics: dict[str, list[str]] = {}
    for name in names:
        subsystem, _, short = name.partition(".")
        metrics.setdefault(subsystem, []).append(short)
    return metrics


def _in_order(metrics: dict[str, list[str]]) -> tuple[str, ...]:
    return tuple(f"{subsystem}.{short}" for subsystem, shorts in metrics.items() for short in shorts)


def _group(name: str, metrics: dict[str, list[str]], kind: object, missing: float) -> type[msgspec.Struct]:
    subsystems = []
    for subsystem, shorts in metrics.items():
        fields = [(short, kind, missing) for short in shorts]
        type_ = msgspec.defstruct(f"{name}_{subsystem}", fields, **_STRICT)
        subsystems.append((subsystem, type_, type_()))
    return msgspec.defstruct(name, subsystems, **_STRICT)
