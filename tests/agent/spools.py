"""Spools for tests: samples that tell their numbers, and what a spool has of them."""

from pathlib import Path

from agent.counters import State
from agent.folder import DATABASE
from agent.spool import Spool
from agent.wire import Sample

PAGE = 4096


def sample(number: int, metrics: int = 0) -> Sample:
    """A sample that tells its number, with so many counters besides."""
    more = {f"m{index}": number for index in range(metrics)}
    return Sample(t=number, up=number, boot="b", synced=True, c={"asr": {"utterances": number, **more}}, g={})


def state(number: int) -> State:
    """The counters as of that sample."""
    return State(totals={"asr.utterances": number})


def fill(spool: Spool, until: int, metrics: int = 0) -> None:
    """Appends samples up to number `until`."""
    for number in range(spool.next, until + 1):
        spool.append(sample(number, metrics), state(number))


def contents(spool: Spool) -> dict[int, Sample]:
    """All samples in it, by number."""
    return {
        number: stored.sample
        for run in spool.runs(spool.first, spool.held)
        for number, stored in enumerate(run.samples, run.seq)
    }


def overwrite(path: Path, at: int, data: bytes) -> None:
    """Writes into a file, in place."""
    whole = bytearray(path.read_bytes())
    whole[at : at + len(data)] = data
    path.write_bytes(whole)


def zero_pages(folder: Path, *numbers: int) -> None:
    """Fills pages of the database with zeros, the first being 0."""
    for number in numbers:
        overwrite(folder / DATABASE, number * PAGE, bytes(PAGE))
