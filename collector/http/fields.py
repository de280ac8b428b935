"""Values as they come and go over HTTP: instants, durations, words; each refusal says what would do."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from collector.http.problems import did_you_mean, shown

MAX_INSTANT: Final = 253_402_300_799_999  # the end of year 9999
_DURATION: Final = re.compile(r"(\d{1,9})(s|m|h|d|w)?")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DATE_TIME: Final = {"type": "string", "format": "date-time", "examples": ["2026-11-22T01:02:03.000Z"]}
_MS: Final = {"type": "integer", "minimum": 0, "maximum": MAX_INSTANT}


def rfc3339(ms: int) -> str:
    """An instant as it stands in answers: `2026-11-22T01:02:03.000Z`."""
    return datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(given: object) -> int:
    """Ms UTC out of RFC 3339 or a number of ms. Raises `ValueError`."""
    text = str(given).strip()
    ms = int(text) if text.isascii() and text.isdecimal() else _from_rfc3339(text)
    if not 0 <= ms <= MAX_INSTANT:
        raise ValueError(f"{shown(given)} is out of range; give a time between 1970 and 9999")
    return ms


def _from_rfc3339(text: str) -> int:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{shown(text)} is no time; write 2026-11-22T01:02:03Z (in a URL, + is %2B) or ms since 1970"
        ) from None
    if parsed.tzinfo is None:
        raise ValueError(f"{shown(text)} has no time zone; end it with Z or an offset such as +08:00")
    return round(parsed.timestamp() * 1_000)


def duration(given: object) -> int:
    """Ms out of `90`, `90s`, `15m`, `2h`, `1d` or `1w`. Raises `ValueError`."""
    found = _DURATION.fullmatch(str(given).strip())
    if found is None or int(found[1]) == 0:
        raise ValueError(f"{shown(given)} is no length of time; write seconds, or such as 15m, 2h, 1d")
    return int(found[1]) * _SECONDS[found[2] or "s"] * 1_000


def whole_number(given: str, digits: int = 15) -> int | None:
    """The whole number from 0 that a form or an address gives; None where it is none, or has more digits."""
    return int(given) if given.isascii() and given.isdecimal() and len(given) <= digits else None


def one_of(given: str, known: Sequence[str], what: str) -> str:
    """`given`, if it is known. Raises `ValueError` with what it might be."""
    if given not in known:
        raise ValueError(f"there is no {what} {shown(given)}{did_you_mean(given, list(known))}")
    return given


class _EmptyIsNone:
    """`?rule=` is the same as no rule, and described so."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_none_if_empty, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        known = handler(schema)
        return {"anyOf": [*known.get("anyOf", [known]), {"type": "string", "const": ""}]}


def _none_if_empty(given: Any) -> Any:
    return None if given == "" else given


EmptyIsNone: Final = _EmptyIsNone()


Instant = Annotated[int, PlainSerializer(rfc3339, return_type=str), WithJsonSchema(_DATE_TIME)]
GivenInstant = Annotated[int, BeforeValidator(instant), WithJsonSchema({"anyOf": [_DATE_TIME, _MS]})]
GivenDuration = Annotated[
    int, BeforeValidator(duration), WithJsonSchema({"type": "string", "examples": ["90", "15m", "2h", "1d"]})
]
Limit = Annotated[int, Field(ge=1, le=500, description="How many at most.")]
