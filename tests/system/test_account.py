"""The account: every number that must be zero is, and is not when something is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from tests.system.account import Account, Alert, Declared, Evidence, Fired, Integers, Numbering, runs

OF = Numbering("r1", "e1")
FAULTY = Fired("Faulty", "r1")
ALERT = Alert(FAULTY, "12:00")
SOUND = Evidence(
    taken={OF: 10},
    stored={OF: np.arange(1, 11)},
    expected=frozenset({FAULTY}),
    alerts=[ALERT],
    reckoned_again=[ALERT],
    counted={"r1": (7, 7)},
)


def stored(*numbers: int) -> dict[Numbering, Integers]:
    """Rows of one epoch."""
    return {OF: np.array(numbers, np.int64)}


def test_a_sound_run_is_zero() -> None:
    """Every sample once, every alert once."""
    account = Account.of(SOUND)
    assert account.is_zero
    assert (account["samples taken"], account["samples stored"], account["alerts expected"]) == (10, 10, 1)
    assert account.findings == ()


def test_what_is_declared_lost_is_no_fault() -> None:
    """A hole that the collector counts, with the numbers in it that came all the same."""
    evidence = replace(SOUND, stored=stored(1, 2, 5, 8, 9, 10), losses=[Declared(OF, 3, 7, 4, "dropped")])
    account = Account.of(evidence)
    assert account.is_zero
    assert (account["samples stored"], account["declared lost"]) == (6, 4)


@pytest.mark.parametrize(
    ("evidence", "line", "count", "finding"),
    [
        (
            replace(SOUND, stored=stored(1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9, 9, 10)),
            "duplicated",
            3,
            "r1 epoch e1: more than once: 3, 9",
        ),
        (
            replace(SOUND, stored=stored(1, 2, 5, 6, 8, 9)),
            "undeclared lost",
            4,
            "r1 epoch e1: neither stored nor declared lost: 3-4, 7, 10, of 10",
        ),
        (
            replace(SOUND, stored={}),
            "undeclared lost",
            10,
            "r1 epoch e1: neither stored nor declared lost: 1-10, of 10",
        ),
        (
            replace(SOUND, stored=stored(*range(1, 13))),
            "stored, never taken",
            2,
            "r1 epoch e1: stored, though 10 were taken: 11-12",
        ),
        (
            replace(SOUND, losses=[Declared(OF, 3, 7, 5, "dropped")]),
            "losses misdeclared",
            5,
            "r1 epoch e1: the collector's losses count +5 against what is missing",
        ),
        (
            replace(SOUND, alerts=[ALERT, ALERT], reckoned_again=[ALERT, ALERT]),
            "alerts twice",
            1,
            "Faulty of r1: 2 alerts",
        ),
        (replace(SOUND, alerts=[], reckoned_again=[]), "alerts missing", 1, "Faulty of r1: no alert"),
        (replace(SOUND, expected=frozenset()), "alerts unexpected", 1, "Faulty of r1: nothing called for it"),
        (
            replace(SOUND, reckoned_again=[]),
            "alerts otherwise by the export",
            1,
            "Faulty of r1: live 12:00, never by it",
        ),
        (
            replace(SOUND, reckoned_again=[Alert(FAULTY, "12:01")]),
            "alerts otherwise by the export",
            1,
            "Faulty of r1: live 12:00, 12:01 by it",
        ),
        (
            replace(SOUND, counted={"r1": (7, 6)}),
            "robots miscounted",
            1,
            "r1: its firmware counted 7, its last sample says 6",
        ),
        (
            replace(SOUND, complaints=["collector ended by itself"]),
            "complaints",
            1,
            "collector ended by itself",
        ),
    ],
)
def test_what_is_wrong_is_counted_and_named(evidence: Evidence, line: str, count: int, finding: str) -> None:
    """One thing wrong: that line is not zero, all others are, and the finding says which."""
    account = Account.of(evidence)
    assert not account.is_zero
    assert [(one.what, one.count) for one in account.lines if one.must_be_zero and one.count] == [
        (line, count)
    ]
    assert account.findings == (finding,)
    assert f"{line:32}{count:>12}   MUST BE 0" in str(account)


def test_epochs_are_kept_apart() -> None:
    """The same numbers in another epoch are other samples."""
    other = Numbering("r1", "e2")
    evidence = replace(SOUND, taken={OF: 10, other: 3}, stored={**SOUND.stored, other: np.array([1, 3])})
    assert Account.of(evidence).findings == ("r1 epoch e2: neither stored nor declared lost: 2, of 3",)


def test_long_lists_are_cut() -> None:
    """Of very many findings the first ones are told, and how many more there are."""
    many = {Numbering(f"r{n}", "e"): 1 for n in range(30)}
    findings = Account.of(Evidence(taken=many)).findings
    assert len(findings) == 13
    assert findings[-1] == "… and 18 more of these"
    assert runs(range(1, 100, 2)).endswith("21, 23 …")
