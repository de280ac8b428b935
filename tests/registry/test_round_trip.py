"""What is written is read back the same, whatever the texts are; and no cell is a formula."""

import csv
import io
import string
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.registry import (
    FIELDS,
    Contract,
    Customer,
    Kind,
    Lifecycle,
    Record,
    RobotRecord,
    Site,
    Stage,
    Tier,
    joined,
    plan,
    read,
)
from collector.registry.records import kind_of
from collector.registry.writing import to_csv, to_yaml

_WORDS = """=1+1 +1 -1 @x ' ''=x '007 007 1e5 yes null ~ #x a:b 2026-01-01 1_000 0x1F 12:30 " \\ a,b {a} [a]
&a *a !a % ` | > ? ١٢ inf nan"""
_NASTY = st.sampled_from(_WORDS.split())
_LETTERS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)
_TEXT = st.one_of(_NASTY, _LETTERS).map(str.strip).filter(bool)
_IDS = _TEXT.filter(lambda text: text not in (".", ".."))
_NOTES = st.one_of(_TEXT, st.lists(_TEXT, min_size=2, max_size=4).map("\n".join))
_DAYS = st.dates().map(lambda day: day.isoformat())
_ZONES = st.sampled_from(["Asia/Shanghai", "UTC", "America/New_York"])

_HOURS = st.sampled_from(["24/7", "mo-fr 09:00-18:00; sa,su 10:00-16:00"])


def _maybe(values: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return st.none() | values


_CUSTOMERS = st.builds(
    Customer, _IDS, st.none() | st.sampled_from(Tier), st.none() | st.sampled_from(Stage),
    *(_maybe(_TEXT) for _ in range(3)), _maybe(_NOTES),
)  # fmt: skip
_CONTRACTS = st.builds(
    lambda id_, customer, days, *more: Contract(id_, customer, *sorted(days), *more),
    _IDS, _TEXT, st.tuples(_DAYS, _DAYS), st.none() | st.floats(0, 1e15), _maybe(st.just("CNY")),
    st.none() | st.integers(0, 1_000_000), st.none() | st.booleans(),
)  # fmt: skip
_SITES = st.builds(
    Site, _IDS, _maybe(_TEXT), _maybe(_ZONES), _maybe(_HOURS),
    st.none() | st.lists(_DAYS, min_size=1, max_size=5).map(" ".join), _maybe(_TEXT),
)  # fmt: skip
_OWN = st.dictionaries(
    st.sampled_from(["floor", "wing", "contract_value", "code"]),
    _TEXT | st.floats(allow_nan=False, allow_infinity=False),
    max_size=4,
)
_ROBOTS = st.builds(
    RobotRecord, st.text(string.ascii_letters + string.digits, min_size=1, max_size=20).map("r{}".format),
    st.sampled_from(Lifecycle), *(_maybe(_TEXT) for _ in range(6)), _maybe(_ZONES), _maybe(_DAYS), _OWN,
)  # fmt: skip


def _several(records: st.SearchStrategy[Record]) -> st.SearchStrategy[list[Record]]:
    return st.lists(records, max_size=6, unique_by=lambda record: record.id)


_CONTENTS: st.SearchStrategy[Mapping[Kind, list[Record]]] = st.fixed_dictionaries(
    {
        Kind.CUSTOMER: _several(_CUSTOMERS),
        Kind.CONTRACT: _several(_CONTRACTS),
        Kind.SITE: _several(_SITES),
        Kind.ROBOT: _several(_ROBOTS),
    }
)


@given(_CONTENTS)
@settings(max_examples=150, deadline=None)
def test_a_registry_comes_back_from_yaml(contents: Mapping[Kind, list[Record]]) -> None:
    """Record by record the same; read again over itself, nothing changes."""
    text = to_yaml(contents)
    _same(contents, {"registry.yaml": text} if any(contents.values()) else {})


@given(_CONTENTS)
@settings(max_examples=150, deadline=None)
def test_a_registry_comes_back_from_csv(contents: Mapping[Kind, list[Record]]) -> None:
    """The same for a table of each kind."""
    _same(contents, {f"{kind.plural}.csv": to_csv(kind, contents[kind]) for kind in Kind})


def _same(contents: Mapping[Kind, list[Record]], texts: Mapping[str, str]) -> None:
    every = [record for kind in Kind for record in contents[kind]]
    reading = joined(read(text, name) for name, text in texts.items())
    fresh = plan(reading, {})
    assert [str(problem.error) for problem in fresh.problems] == []
    assert [each.record for each in fresh.differences] == every
    again = plan(reading, {(kind_of(record), record.id): record for record in every})
    assert again.differences == ()


@given(_several(_CUSTOMERS))
@settings(max_examples=100, deadline=None)
def test_no_cell_is_a_formula(customers: list[Record]) -> None:
    """A spreadsheet that opens the file computes nothing."""
    for row in csv.reader(io.StringIO(to_csv(Kind.CUSTOMER, customers), newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
        assert len(row) == 1 + len(FIELDS[Kind.CUSTOMER])
