"""Sets of numbers as text: `3-5,9`. Numbers that came early are few runs, however many they are."""

from collections.abc import Iterable


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """The numbers as runs (first, last), in order."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def format_numbers(numbers: Iterable[int]) -> str:
    """`{3, 4, 5, 9}` → `3-5,9`."""
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in runs(numbers))


def parse_numbers(text: str) -> frozenset[int]:
    """`3-5,9` → `{3, 4, 5, 9}`. Raises `ValueError` on anything that `format_numbers` never wrote."""
    numbers: set[int] = set()
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)
