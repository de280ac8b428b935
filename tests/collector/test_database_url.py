"""`--database`: what is taken, what is refused, and that no password is ever shown."""

import pytest

from collector.config import ConfigError, parse_database


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/vitals",
        "postgresql://me@host:5433/vitals",
        "postgresql://me:p%40ss@[::1]:5432/vitals?sslmode=verify-full",
        "postgresql:///vitals?host=/run/postgresql",
    ],
)
def test_what_libpq_takes(url: str) -> None:
    """It is passed on as it is."""
    assert parse_database(url) == url


def test_the_short_scheme() -> None:
    """`postgres://`, as some write it, is the same."""
    assert parse_database("postgres://me@host/vitals") == "postgresql://me@host/vitals"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "no PostgreSQL URL"),
        ("secret", "no PostgreSQL URL"),
        ("me:secret@host/vitals", "no PostgreSQL URL"),
        ("mysql://me:secret@host/vitals", "mysql://… is no PostgreSQL URL"),
        ("postgresql+psycopg2://me:secret@host/vitals", "no PostgreSQL URL"),
        ("postgresql://me:secret@host", "names no database"),
        ("postgresql://me:secret@host/", "names no database"),
        ("postgresql://me:secret/vitals", "no PostgreSQL URL"),
        ("postgresql://me:sec/ret@host/vitals", "write %40 for @"),
        ("postgresql://me:sec#ret@host/vitals", "write %40 for @"),
        ("postgresql://me:sec@ret@host/vitals", "write %40 for @"),
        ("postgresql://me:sec[ret@host/vitals", "write %40 for @"),
    ],
)
def test_what_is_refused(url: str, message: str) -> None:
    """One line says what to write instead."""
    with pytest.raises(ConfigError, match=message) as refused:
        parse_database(url)
    said = str(refused.value)
    assert "postgresql://user@host/database" in said
    assert not any(part in said for part in ("secret", "sec", "ret", "me:"))
