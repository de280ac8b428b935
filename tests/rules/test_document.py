"""Hostile and broken files: refused quickly, with a place, and never by an exception of the parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.document import MAX_BYTES, MAX_DEPTH, Problem, parse

LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "f:1:1: the file is empty"),
        (b"# nothing\n", "f:1:1: the file is empty"),
        (b"x" * (MAX_BYTES + 1), f"f: longer than {MAX_BYTES} bytes; split the file"),
        (b"a: 1\nb: \xff\n", "f:2:4: not UTF-8; save the file as UTF-8"),
        (LAUGHS.encode(), "f:1:4: anchors (&a) are not allowed; write the value where it is used"),
        (b"a: [*x]\n", "f:1:5: aliases (*x) are not allowed; write the value again"),
        (b"a: !!python/object:os.system x\n", "f:1:4: tags (tag:yaml.org,2002:python/object:os.system) are"),
        (b"a: !x {}\n", "f:1:4: tags (!x) are not allowed; leave it out"),
        (b"a: {<<: {b: 1}}\n", "f:1:5: merge keys (<<) are not allowed; write the keys again"),
        (b"a: 1\nb: 2\na: 3\n", 'f:3:1: key "a" stands twice; the first is in line 1'),
        (b"? [a]\n: 1\n", "f:1:3: a key must be a word, not a list"),
        (b"a: 1\n---\nb: 2\n", "f:2:1: a second document; use one file for each"),
        (b"[" * 10_000, f"f:1:{MAX_DEPTH + 1}: nested more than {MAX_DEPTH} deep"),
        (b"a: [1, 2\nb: 3\n", "f:2:2: no valid YAML: did not find expected ',' or ']'"),
        (b"a: \x00\n", "f:1:4: the character '\\x00' is not allowed"),
        ("深: {a: 1, a: 2}\n".encode(), 'f:1:11: key "a" stands twice; the first is in line 1'),
    ],
)
def test_what_is_refused(data: bytes, complaint: str) -> None:
    """Each with its place; columns count characters, not bytes."""
    problems: list[Problem] = []
    parse("f", data, problems)
    assert str(problems[0]).startswith(complaint)


@given(st.one_of(st.binary(), st.text("{}[]:,-&*!<>|'\"#\n ab?%@\t\x85").map(str.encode)))
def test_any_bytes_at_all(data: bytes) -> None:
    """Either a document, or a problem; never an exception."""
    problems: list[Problem] = []
    assert parse("f", data, problems) is not None or problems
