"""The examples of docs/registry.md are files that can be imported."""

import re
from pathlib import Path

from collector.registry import FIELDS, Kind, joined, plan, read

DOCS = Path(__file__).parents[2] / "docs" / "registry.md"


def blocks(language: str) -> list[str]:
    """The examples in a language."""
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


def test_the_examples_can_be_imported() -> None:
    """Without a problem; each kind is in them."""
    [whole], [table] = blocks("yaml"), blocks("csv")
    planned = plan(read(whole, "registry.yaml"), {})
    assert planned.problems == ()
    assert {difference.kind for difference in planned.differences} == set(Kind)
    assert plan(joined([read(table, "customers.csv")]), {}).problems == ()


def test_every_field_is_described() -> None:
    """In the table of its kind."""
    text = DOCS.read_text(encoding="utf-8")
    for kind in Kind:
        section = text.partition(f"| {kind.plural} | |")[2].partition("\n\n")[0]
        assert [name for name in FIELDS[kind] if f"`{name}`" not in section] == []
