"""What all tables are made of."""

import re
from typing import Any, Final

from sqlalchemy import BigInteger, Dialect, Integer, MetaData, Text, TypeDecorator

VERSION: Final = 5
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


class Plain(TypeDecorator[str]):
    """Text that is the same in every database: ordered by code point, and of characters that all can hold.

    PostgreSQL holds no NUL, and none holds half a surrogate pair: `�` stands for them.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """SQLite orders by code point anyway; PostgreSQL as its database was made."""
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - its form
        """The text as it can be stored, or looked for."""
        return None if value is None else _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)


metadata = MetaData()
Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only in an INTEGER key
