"""Files made to do harm, as rules, rule tests and catalogues: refused with their place, at no cost.

A limit that did not hold would show here as a test that does not end, or as memory that runs out.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules import load, metrics, scenario
from rules.document import MAX_BYTES, MAX_PROBLEMS, Problem
from rules.metrics import Entry, MetricsError
from tests.rules.conftest import HEAD, Problems

LABELS = "    labels: {severity: low, subsystem: vision}\n"
LONG = 200_000
Refusal = Callable[[Path, dict[str, Entry]], str]


def as_rules(path: Path, catalogue: dict[str, Entry]) -> str:
    """What the loader of rules says."""
    with pytest.raises(load.RuleErrors) as caught:
        load.load([path], catalogue)
    return str(caught.value)


def as_test(path: Path, catalogue: dict[str, Entry]) -> str:
    """What the loader of rule tests says."""
    with pytest.raises(load.RuleErrors) as caught:
        scenario.read(path, catalogue)
    return str(caught.value)


def as_catalogue(path: Path, _: dict[str, Entry]) -> str:
    """What the loader of catalogues says."""
    with pytest.raises(MetricsError) as caught:
        metrics.read(path)
    return str(caught.value)


def laughs(depth: int) -> str:
    """Ten to the power of `depth` words, were aliases followed."""
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, depth)]
    return "\n".join(lines)


@pytest.mark.parametrize("refused", [as_rules, as_test, as_catalogue])
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (laughs(30), ":1:5: anchors (&a0) are not allowed"),
        ("a: *nobody\n", ":1:4: aliases (*nobody) are not allowed"),
        ("&all a: *all\n", ":1:1: anchors (&all) are not allowed"),
        ("a: !!python/object/apply:os.system [date]\n", ":1:4: tags (tag:yaml.org,2002:python/object/apply:"),
        ("!!map {a: 1}\n", ":1:1: tags (tag:yaml.org,2002:map) are not allowed"),
        ("a: !!binary aGVsbG8=\n", ":1:4: tags (tag:yaml.org,2002:binary) are not allowed"),
        ("%TAG ! tag:x,2000:\n---\na: !b 1\n", ":3:4: tags (tag:x,2000:b) are not allowed"),
        ("x" * 10_000_000, f": longer than {MAX_BYTES} bytes"),
        ("- " * 5_000_000, f": longer than {MAX_BYTES} bytes"),
        ("[" * 10_000, ":1:13: nested more than 12 deep"),
        ("{a: " * 10_000, ":1:49: nested more than 12 deep"),
        ("- " * 10_000, ":1:25: nested more than 12 deep"),
        ("? " * 10_000, ":1:25: nested more than 12 deep"),
        ("a: 1\na: 2\n", ':2:1: key "a" stands twice; the first is in line 1'),
        ("a: {<<: [{b: 1}]}\n", ":1:5: merge keys (<<) are not allowed"),
        ("{{a: 1}: 2}\n", ":1:2: a key must be a word, not a mapping"),
        ("a: 1\n---\nb: 1\n", ":2:1: a second document"),
        ('a: "\\x1b[2J"\n', ":1:4: the character '\\x1b' is not allowed"),
        ("a: \x1b[2J\n", ":1:4: the character '\\x1b' is not allowed"),
        ("a: 1\nb: \ud800\n", ":2:4: not UTF-8"),
        ("", ":1:1: the file is empty"),
        ("~\n", " must be a mapping (key: value), not "),
        ("".join(f"key{number}: 1\n" for number in range(20_000)), ":1:1: "),
    ],
)
def test_no_document_of_ours(
    text: str, complaint: str, refused: Refusal, tmp_path: Path, catalogue: dict[str, Entry]
) -> None:
    """The same limits hold for each kind of file."""
    path = tmp_path / "hostile.test.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    said = refused(path, catalogue).splitlines()
    assert any(line.startswith(f"{path}:") and complaint in line for line in said)
    assert len(said) <= MAX_PROBLEMS + 1


def test_bytes_that_are_no_text(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """UTF-16, a picture, a folder: told for what they are."""
    path = tmp_path / "hostile.yaml"
    path.write_bytes("schema: robovitals-rules/1\n".encode("utf-16"))
    assert as_rules(path, catalogue) == f"{path}:1:1: not UTF-8; save the file as UTF-8"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    assert as_rules(path, catalogue) == f"{path}:1:1: not UTF-8; save the file as UTF-8"
    assert as_rules(tmp_path, catalogue) == f"{tmp_path}: cannot be read: Is a directory"


def condition(over: str = "1h", is_: str = "above 3", metric: str = "vision.face_errors") -> str:
    """A rule that compares an increase."""
    return f"  - alert: A\n    when: {{increase: {metric}, over: {over}, is: {is_}}}\n{LABELS}"


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        (condition(is_="above .nan"), '".nan" is no number, percentage or duration'),
        (condition(is_="above nan"), '"nan" is no number, percentage or duration'),
        (condition(is_="above -.inf"), '"-.inf" is no number, percentage or duration'),
        (condition(is_="above 1e999"), '"1e999" is no number, percentage or duration'),
        (condition(is_="above 1e999%"), '"1e999%" is no number, percentage or duration'),
        (condition(is_="above 0x10"), '"0x10" is no number, percentage or duration'),
        (condition(is_="above 1_000"), '"1_000" is no number, percentage or duration'),
        (condition(is_="above ٣"), '"٣" is no number, percentage or duration'),
        (condition(is_="between 1 and 2 and 3"), "between needs two values"),
        (condition(is_="above " + "1" * LONG), '1…" is no number, percentage or duration'),
        (condition(is_="above " + "1" * LONG + "x"), '1…" is no number, percentage or duration'),
        (condition(is_="above " + "1" * LONG + "%"), '1…" is no number, percentage or duration'),
        (condition(is_="above " + "1h" * LONG), f"longer than {MAX_BYTES} bytes; split the file"),
        (condition(is_="above " + " and" * 50_000 + " 1"), "is no number, percentage or duration"),
        (condition(over="-5m"), 'must be a duration such as 90s, 15m, 6h or 7d, not "-5m"'),
        (condition(over="0h"), "must be longer than nothing"),
        (condition(over="5"), 'must be a duration such as 90s, 15m, 6h or 7d, not "5"'),
        (condition(over="91d"), '"91d" is longer than 90d, the longest there is'),
        (condition(over="9" * 38 + "d"), "is longer than 90d, the longest there is"),
        (condition(over="1" * LONG + "s"), "must be a duration such as 90s, 15m, 6h or 7d, not"),
        (condition(over="1m" * 90_000 + "x"), "must be a duration such as 90s, 15m, 6h or 7d, not"),
        (condition(over="1." * 90_000), "must be a duration such as 90s, 15m, 6h or 7d, not"),
        (condition(metric="vision." + "a" * 900), 'aaa…"; it is not in the catalogue'),
        (condition(metric="vision." + "a" * LONG), "a text of 200007 characters; 1000 are allowed"),
        (condition().replace("alert: A", "alert: " + "A" * 101), "must be a name of letters, digits and _"),
        (condition().replace("alert: A", "alert: ''"), "must be a text, not nothing"),
        (condition() + "    for: -1m\n", 'must be a duration such as 90s, 15m, 6h or 7d, not "-1m"'),
        (condition() + '    summary: {en: "' + "{" * 900 + '", zh: x}\n', "a lone {; placeholders are"),
        (condition() + '    summary: {en: "' + "{}" * 499 + '", zh: x}\n', 'unknown placeholder "{}"'),
        (
            condition() + '    summary: {en: "{robot.__class__}", zh: x}\n',
            'unknown placeholder "{robot.__class__}"',
        ),
        (
            condition() + f"    about: {{en: {'x' * LONG}, zh: x}}\n",
            "a text of 200000 characters; 1000 are allowed",
        ),
        (condition() + f"    {'x' * 900}: 1\n", 'unknown key "xxx'),
    ],
)
def test_values(problems: Problems, rules: str, complaint: str) -> None:
    """Endless numbers, regular expressions led astray, endless texts: one problem, one short line."""
    (problem,) = problems(HEAD + rules)
    assert complaint in problem
    assert len(problem) < 300


TEST = """\
schema: robovitals-rules-test/1
rules: [rules.yaml]
tests:
- name: a
  interval: 1m
  robots: {r1: {}}
  series: {r1: {vision.face_errors: SERIES}}
  expect: [{at: 1m, alerts: {}}]
"""


@pytest.mark.parametrize(
    ("series", "complaint"),
    [
        ("0x9999999", "more than 1000000 values in this file"),
        ("_x9999999", "more than 1000000 values in this file"),
        ("0+1x99999999", '"0+1x99999999" is no series'),
        ("0x400000 " * 3, "more than 1000000 values in this file"),
        ("1" * LONG, '1…" is no series'),
        ("1" * LONG + "y", '1…" is no series'),
        ("0+" * 90_000, '0+0…" is no series'),
        (".nan", '".nan" is no series'),
        ("1e9", '"1e9" is no series'),
        ("_+1x3", '"_+1x3" is no series'),
    ],
)
def test_series(series: str, complaint: str, tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """A short word can stand for a million values, and a file has room for many such words."""
    (tmp_path / "rules.yaml").write_text(HEAD + condition(), encoding="utf-8")
    path = tmp_path / "hostile.test.yaml"
    path.write_text(TEST.replace("SERIES", series), encoding="utf-8")
    said = as_test(path, catalogue)
    assert complaint in said
    assert len(said.splitlines()) == 1
    assert said.startswith(f"{path}:7:")


def test_many_series_are_counted_together(tmp_path: Path, catalogue: dict[str, Entry]) -> None:
    """No robot has too many values, all of them have."""
    (tmp_path / "rules.yaml").write_text(HEAD + condition(), encoding="utf-8")
    robots = ", ".join(f"r{number}: {{}}" for number in range(1_000))
    series = ", ".join(f"r{number}: {{vision.face_errors: 0x90000}}" for number in range(1_000))
    text = TEST.replace("r1: {}", robots).replace("r1: {vision.face_errors: SERIES}", series)
    path = tmp_path / "hostile.test.yaml"
    path.write_text(text, encoding="utf-8")
    assert "more than 1000000 values in this file" in as_test(path, catalogue)


def problems_of(path: Path, catalogue: dict[str, Entry]) -> tuple[Problem, ...]:
    """What is wrong with a rule file, if anything."""
    try:
        load.load([path], catalogue)
    except load.RuleErrors as errors:
        return errors.problems
    return ()


PIECES = [
    *(
        "{",
        "}",
        "[",
        "]",
        ": ",
        ", ",
        "- ",
        "\n",
        "\n  ",
        '"',
        "'",
        "|",
        "#",
        "&a",
        "*a",
        "!!set",
        "~",
        "é",
        "\x85",
    ),
    *("peers", "own_past", "share_of_robots", "all", "not", "is", "when", "measure", "same", "robot", "site"),
    *(
        "above 5%",
        "below -1",
        "1h",
        "-1h",
        "9" * 50,
        "nan",
        "1e400",
        "{robot}",
        "open_hours",
        "RuleStorm",
        "mo-fr",
    ),
]
WHOLE = Path(__file__).with_name("whole.yaml").read_text(encoding="utf-8")


@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 12), st.sampled_from(PIECES)),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_with_bits_exchanged(
    tmp_path: Path, catalogue: dict[str, Entry], edits: list[tuple[int, int, str]]
) -> None:
    """A file that has everything, damaged: it loads, or it is refused with places in it; nothing else."""
    text = WHOLE
    for at, length, piece in edits:
        text = text[:at] + piece + text[at + length :]
    path = tmp_path / "whole.yaml"
    path.write_text(text, encoding="utf-8")
    lines = text.count("\n") + text.count("\x85") + 2
    for problem in problems_of(path, catalogue):
        assert 0 <= problem.line <= lines
        assert len(str(problem)) < 600
