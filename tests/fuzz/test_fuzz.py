"""Fuzzing, as far as a test run has time for it; `make fuzz` goes on to a million."""

import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.harness import Harness, seeds
from tests.fuzz.mutation import mutated
from tests.fuzz.witness import FLAT, fifths, told, watch


def test_golden_messages_pass() -> None:
    """What the fuzzer begins with is taken, save what names another robot or contradicts."""
    harness = Harness()
    for seed in seeds():
        harness.one(seed)
    harness.collect()
    assert harness.stored > 0
    assert set(harness.refused) <= {"identity", "decrease"}


@given(seed=st.integers(0, 2**32), which=st.integers(0, 100))
def test_mutation_repeats_itself(seed: int, which: int) -> None:
    """The same seed gives the same message, so that a find can be looked at again."""
    payload = seeds()[which % len(seeds())][1:]
    changed = mutated(payload, seed)
    assert changed is not None
    assert changed == mutated(payload, seed)


def test_mutation_leaves_what_is_no_json() -> None:
    """There is nothing in it to change."""
    assert mutated(b"{", 1) is None
    assert mutated(b"\x78\x9c", 1) is None
    assert json.loads(mutated(b'{"a": 1}', 4) or b"") != {"a": 1}


class Hoarder(Harness):
    """Keeps every message that it ever took."""

    def __init__(self) -> None:
        super().__init__()
        self._hoard: list[bytes] = []

    def one(self, data: bytes) -> None:
        """Takes one message, and keeps it."""
        super().one(data)
        self._hoard.append(data)


@pytest.mark.parametrize(("kind", "flat"), [(Harness, True), (Hoarder, False)])
def test_witness_sees_memory_that_is_not_given_back(kind: type[Harness], flat: bool) -> None:
    """An intake that kept its messages, 30 KiB each, would be found out."""
    messages = io.BytesIO(told(b"\0" + b"x" * 30_000) * 5_000)
    looks = watch(messages, kind())
    assert [look.messages for look in looks] == [1_000, 2_000, 3_000, 4_000, 5_000]
    held = fifths(looks)
    assert (held[-1] - held[0] <= FLAT) is flat


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel here")
def test_ten_thousand_messages_and_nothing_escapes(tmp_path: Path) -> None:
    """Every refusal has a reason, both ways of reading agree, memory stays flat."""
    command = [
        sys.executable,
        "-m",
        "tests.fuzz",
        "--messages",
        "10000",
        "--seed",
        "3",
        "--keep",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "10,000 messages" in done.stdout
    assert "MiB after each fifth" in done.stdout
    assert not list(tmp_path.iterdir())
