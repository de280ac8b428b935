"""Samples in DuckDB, in one file on this machine."""

from collector.stores.duckdb.store import DuckStore

__all__ = ["DuckStore"]
