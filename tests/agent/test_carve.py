"""Rows out of single pages: held against SQLite itself."""

import sqlite3
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.carve import Row, rows

PAGE = 4096
VALUES = st.tuples(
    st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    st.one_of(st.text(max_size=30), st.binary(max_size=12_000)),
    st.one_of(st.none(), st.sampled_from([0, 1]), st.binary(max_size=50)),
)


def carved(path: Path) -> dict[int, Row]:
    """Every row of every leaf page of a file, by its number."""
    data = path.read_bytes()
    pages = {number: data[at : at + PAGE] for number, at in enumerate(range(0, len(data), PAGE), 1)}
    return {int(str(row[0])): row for page in pages.values() for row in rows(page, pages.get)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.integers(-(2**63), 2**63 - 1), VALUES, max_size=30))
def test_reads_what_sqlite_wrote(ram_path: Path, table: dict[int, tuple[object, ...]]) -> None:
    """Rows of any size and of all types but floats come out as they went in."""
    path = ram_path / "some.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA page_size = {PAGE}")
        database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", [(id_, *row) for id_, row in table.items()])
        database.commit()
    assert carved(path) == {id_: (id_, *row) for id_, row in table.items()}


@given(st.binary(min_size=0, max_size=PAGE), st.binary(max_size=PAGE))
def test_reads_anything(page: bytes, overflow: bytes) -> None:
    """Whatever a page is, reading it ends, and does not raise."""
    padded = overflow.ljust(PAGE, b"\0")
    for made in (page, b"\x0d" + page, b"\x0d\0\0\x01\0" + page):
        list(rows(made.ljust(PAGE, b"\0")[:PAGE], lambda _: padded))
        list(rows(made, lambda _: None))
