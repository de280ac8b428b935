"""DuckDB's own ways to fail; what holds for every store is in tests/conformance/test_store.py."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from collector.stores import Commit, Contents, Rows, StoreError, Watermark
from collector.stores.duckdb import DuckStore
from tests.collector.ingest.examples import CATALOGUE, NOW, commit, sample


def test_failed_commit_leaves_nothing(tmp_path: Path) -> None:
    """Whatever goes wrong, samples and watermarks are stored together or not at all; the next one works."""
    with closing(DuckStore(tmp_path / "s.duckdb", CATALOGUE)) as store:
        unknown = Rows(
            *(["x"],) * 3, *(np.array([1]),) * 5, *(np.array([True]),) * 2, {"no.such": np.array([1])}
        )
        with pytest.raises(StoreError, match=r"no\.such"):
            store.append(Commit(NOW, unknown, watermarks={("x", "x"): Watermark(1)}))
        assert store.contents() == Contents(0, None, None)
        assert store.watermarks() == {}
        store.append(commit([sample(1)], NOW))
        assert store.contents().samples == 1


def test_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "s.duckdb").write_bytes(b"no database at all" * 500)
    with pytest.raises(StoreError, match=r"s\.duckdb: ") as raised:
        DuckStore(tmp_path / "s.duckdb", CATALOGUE)
    assert "\n" not in str(raised.value)
