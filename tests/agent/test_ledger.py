"""The second place: what must be there."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.counters import State
from agent.ledger import FILES, Account, Ledger, seal, unseal

ACCOUNT = Account(
    epoch="e", revision=7, first=3, next=9, dropped={"age": 2}, state=State(totals={"asr.utterances": 5})
)


def test_says_what_was_written(tmp_path: Path) -> None:
    """The account comes back whole; before the first there is none, and that is no damage."""
    ledger = Ledger(tmp_path)
    assert ledger.read().blank
    assert ledger.read().holds_nothing
    ledger.write(ACCOUNT)
    assert ledger.read().account == ACCOUNT
    assert not ledger.read().holds_nothing


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [None, b"", b"\0" * 500])
def test_either_file_will_do(tmp_path: Path, name: str, damage: bytes | None) -> None:
    """Each knows all that was handed out."""
    Ledger(tmp_path).write(ACCOUNT)
    if damage is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(damage)
    assert Ledger(tmp_path).read().account == ACCOUNT


def test_both_damaged_is_not_blank(tmp_path: Path) -> None:
    """What is damaged is not taken for what never was."""
    for name in FILES:
        (tmp_path / name).write_bytes(b"")
    entry = Ledger(tmp_path).read()
    assert (entry.account, entry.blank, entry.holds_nothing) == (None, False, False)


def test_the_newer_one_counts(tmp_path: Path) -> None:
    """Killed between the two files, the ledger says what the first of them says."""
    newer = Account(epoch="e", revision=8, next=10, state=State())
    Ledger(tmp_path).write(ACCOUNT)
    for name in FILES:
        (tmp_path / name).write_bytes(seal(newer))
        assert Ledger(tmp_path).read().account == newer
        assert Ledger(tmp_path).read().is_ahead_of(ACCOUNT)
        (tmp_path / name).write_bytes(seal(ACCOUNT))


def test_a_shorter_account_replaces_a_longer_one(tmp_path: Path) -> None:
    """What is left of the longer one behind it does no harm."""
    longer = Account(epoch="e", state=State(totals={f"m{n}": n * 7919 for n in range(500)}))
    Ledger(tmp_path).write(longer)
    Ledger(tmp_path).write(ACCOUNT)
    assert Ledger(tmp_path).read().account == ACCOUNT


@given(st.binary(max_size=300))
def test_anything_else_is_no_account(data: bytes) -> None:
    """Whatever bytes come, the answer is an account or none."""
    assert unseal(data) is None


@given(st.integers(0, len(seal(ACCOUNT)) * 8 - 1))
def test_a_flipped_bit_shows(bit: int) -> None:
    """Wherever it is."""
    sealed = bytearray(seal(ACCOUNT))
    sealed[bit // 8] ^= 1 << bit % 8
    assert unseal(bytes(sealed)) is None
