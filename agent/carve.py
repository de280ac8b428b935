"""Rows out of the pages of an SQLite file, one page at a time, whatever became of the others.

A table's rows lie in leaf pages, which name neither their table nor one another; so a leaf that is whole
can be read without header, schema or tree. What is read is a guess until its own checksum confirms it.
Format: https://www.sqlite.org/fileformat2.html, sections 1.6 (pages) and 2.1 (records).
"""

from collections.abc import Callable, Iterator
from typing import Final

Value = int | bytes | str | None
Row = tuple[Value, ...]
Look = Callable[[int], bytes | None]  # page number → its bytes

LEAF: Final = 0x0D
MAX_PAYLOAD: Final = 8 * 1024 * 1024
_WIDTHS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type of an integer → its bytes


def rows(page: bytes, look: Look) -> Iterator[Row]:
    """What seems to be rows of a table in a leaf page, the row's number in place of its first column.

    `look` finds the pages on which a long row continues.
    """
    if len(page) < 8 or page[0] != LEAF:
        return
    cells = int.from_bytes(page[3:5])
    for place in range(8, min(8 + 2 * cells, len(page) - 1), 2):
        row = _row(page, int.from_bytes(page[place : place + 2]), look)
        if row is not None:
            yield row


def _row(page: bytes, at: int, look: Look) -> Row | None:
    try:
        size, at = _varint(page, at)
        number, at = _varint(page, at)
        payload = _payload(page, at, size, look) if 0 < size <= MAX_PAYLOAD else None
        return None if payload is None else (_signed(number), *_record(payload)[1:])
    except (IndexError, UnicodeDecodeError):
        return None


def _payload(page: bytes, at: int, size: int, look: Look) -> bytes | None:
    """The bytes of a record: as many as fit lie in the leaf, the rest in a chain of pages."""
    usable = len(page)
    local = _local(size, usable)
    payload = bytearray(page[at : at + local])
    following = int.from_bytes(page[at + local : at + local + 4]) if local < size else 0
    while len(payload) < size and following:
        overflow = look(following)
        if overflow is None:
            return None
        payload += overflow[4 : 4 + size - len(payload)]
        following = int.from_bytes(overflow[:4])
    return bytes(payload) if len(payload) == size else None


def _local(size: int, usable: int) -> int:
    most = usable - 35
    if size <= most:
        return size
    least = (usable - 12) * 32 // 255 - 23
    fitting = least + (size - least) % (usable - 4)
    return fitting if fitting <= most else least


def _record(payload: bytes) -> list[Value]:
    header, at = _varint(payload, 0)
    values: list[Value] = []
    body = header
    while at < header:
        kind, at = _varint(payload, at)
        value, body = _value(payload, body, kind)
        values.append(value)
    return values


def _value(payload: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind in (0, 8, 9):
        return (None if kind == 0 else kind - 8), at
    width = _WIDTHS.get(kind) or (kind - 12) // 2
    raw = payload[at : at + width]
    if len(raw) < width or width < 0:
        raise IndexError
    if kind in _WIDTHS:
        return int.from_bytes(raw, signed=True), at + width
    return (raw.decode() if kind % 2 else raw), at + width


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    return value << 8 | data[at + 8], at + 9
