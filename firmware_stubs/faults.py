"""The faults that the stubs can have: which module has which, told by flag or file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from firmware_stubs import asr, engagement, navigation, network, nlp, touchscreen, tts, vision
from firmware_stubs.behavior import Faults, Module

MODULES: tuple[Module, ...] = (
    network.MODULE,
    vision.MODULE,
    touchscreen.MODULE,
    navigation.MODULE,
    asr.MODULE,
    nlp.MODULE,
    tts.MODULE,
    engagement.MODULE,
)
NAMES: tuple[str, ...] = tuple(module.name for module in MODULES)
DOWN = "module_down"


class FaultError(ValueError):
    """No fault that a stub can have; the message names the value and says what to write instead."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault, and what of which module it changes."""

    fault: str
    module: str
    changes: tuple[str, ...]


def kinds() -> Iterator[Kind]:
    """Every fault of every module; one that several modules have comes several times."""
    for module in MODULES:
        for fault in module.faults:
            yield Kind(fault, module.name, module.affected_by(fault))
        yield Kind(f"{DOWN}:{module.name}", module.name, ("up",))


def parse(text: str) -> str:
    """A fault's name as the stubs use it; `module_down.vision` is taken for `module_down:vision`."""
    fault = text.strip().replace(f"{DOWN}.", f"{DOWN}:")
    known = {kind.fault for kind in kinds()}
    if fault in known:
        return fault
    if fault == DOWN:
        raise FaultError(f"{text!r}: say which module, for example {DOWN}:vision")
    near = get_close_matches(fault, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else "'vitals-stubs faults' lists them"
    raise FaultError(f"{text!r} is no fault of a firmware module; {hint}")


def parse_file(place: str, text: str) -> Faults:
    """The faults in a file: one a line, empty lines and `#` comments aside."""
    found: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if fault := line.partition("#")[0].strip():
            try:
                found.add(parse(fault))
            except FaultError as error:
                raise FaultError(f"{place}:{number}: {error}") from None
    return frozenset(found)


def down(faults: Faults) -> frozenset[str]:
    """The modules that are not running."""
    return frozenset(fault.partition(":")[2] for fault in faults if fault.startswith(f"{DOWN}:"))


def concerned(fault: str) -> frozenset[str]:
    """The modules that have a fault."""
    return frozenset(kind.module for kind in kinds() if kind.fault == fault)


def choose(names: Iterable[str]) -> Sequence[Module]:
    """Modules by name, in their own order. Raises `FaultError`."""
    wanted = set(names)
    if unknown := sorted(wanted - set(NAMES)):
        raise FaultError(f"no module is called {unknown[0]!r}; there are {', '.join(NAMES)}")
    return [module for module in MODULES if module.name in wanted]
