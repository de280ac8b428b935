"""Playbooks as people write them: what a file means, and everything that is wrong with it, with its line."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.document import MAX_BYTES, Problem
from rules.playbook import HEADINGS, LANGUAGES, MAX_STEPS, Language, Playbook, Sheet, paired, parse

EN = """\
# The robot drops off

## What it means

It is *away*
again and again.

## Check

- [ ] Look at the signal.
- [ ] Ask the site,
  and write it down.

## Tell the customer

Hello.

## Send someone when

- nothing helps
"""
ZH = """\
# 机器人频繁掉线

## 这意味着什么

反复离线。

## 检查

- [ ] 看信号，
  再看时延。
- [ ] 问现场。

## 如何告知客户

您好。

## 何时派人

- 都没有用
"""
TEXTS: dict[Language, str] = {"en": EN, "zh": ZH}


def read(text: str | bytes, language: Language = "en") -> tuple[Sheet | None, list[Problem]]:
    """What the parser makes of a file, and what it complains about."""
    problems: list[Problem] = []
    data = text if isinstance(text, bytes) else text.encode()
    return parse("p.md", data, language, problems), problems


def told(text: str | bytes, language: Language = "en") -> list[str]:
    """The complaints about a file that is wrong."""
    sheet, problems = read(text, language)
    assert sheet is None
    return [str(problem) for problem in problems]


def test_a_file_is_read() -> None:
    """Title, Markdown of the sections, and steps that may go over several lines."""
    sheet, problems = read(EN)
    assert problems == []
    assert sheet == Sheet(
        title="The robot drops off",
        meaning="It is *away*\nagain and again.",
        steps=("Look at the signal.", "Ask the site, and write it down."),
        customer="Hello.",
        visit="- nothing helps",
        steps_line=8,
    )


def test_chinese_lines_are_joined_without_a_space() -> None:
    """A step that goes on in the next line has no gap where Chinese has none."""
    sheet, _ = read(ZH, "zh")
    assert sheet is not None
    assert sheet.steps[0] == "看信号，再看时延。"


def test_line_ends_of_windows_are_line_ends() -> None:
    """A file saved elsewhere is the same file."""
    assert read(EN.replace("\n", "\r\n")) == read(EN)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("# The robot drops off\n", "", "p.md:2:1: a playbook begins with its title: # "),
        ("# The robot drops off", "The robot", "p.md:1:1: a playbook begins with its title: # "),
        ("# The robot drops off", "# ", "p.md:1:1: a playbook begins with its title: # "),
        ("The robot drops off", "x" * 201, "p.md:1:1: a title of 201 characters; 200 are allowed"),
        ("\n## What", "\nStray.\nMore.\n\n## What", "p.md:3:1: text before the first section; it belongs"),
        ("## Check", "## Chek", 'p.md:8:1: unknown heading "Chek"; did you mean "Check"?'),
        ("## Check", "### Check", 'p.md:8:1: unknown heading "Check"; write it as ## Check'),
        ("## Check", "## 检查", 'p.md:8:1: unknown heading "检查"; one of: Check, Send'),
        ("Hello.", "", "p.md:14:1: the section is empty"),
        (
            "- [ ] Look",
            "- [x] Look",
            'p.md:10:1: a step is written "- [ ] …", not "- [x] Look at the signal."',
        ),
        ("- [ ] Look", "1. Look", 'p.md:10:1: a step is written "- [ ] …", not "1. Look at the signal."'),
        ("Look at the signal.", "y" * 1_001, "p.md:10:1: a step of over 1000 characters; split it"),
        ("Hello.", "## Check", 'p.md:16:1: section "Check" stands twice; the first is in line 8'),
        (
            "- [ ] Look at the signal.\n- [ ] Ask the site,\n  and write it down.\n",
            "",
            "p.md:8:1: no steps; write each as - [ ] …",
        ),
        (
            "- [ ] Ask the site,\n  and write it down.\n",
            "- [ ] Look at\n  the signal.\n",
            "p.md:11:1: the same step as in line 10; say what is different",
        ),
        ("- nothing helps", "a\x07b", r"p.md:20:2: the character '\x07' is not allowed"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, complaint: str) -> None:
    """File, line, column, and what to write instead."""
    assert old in EN
    assert told(EN.replace(old, new, 1))[0].startswith(complaint)


def test_everything_is_told_at_once() -> None:
    """Missing sections, too; nobody mends a file error by error."""
    assert sorted(told("# T\n\n## Check\n\n- [x] a\n")) == [
        'p.md:1:1: the section "## Send someone when" is missing',
        'p.md:1:1: the section "## Tell the customer" is missing',
        'p.md:1:1: the section "## What it means" is missing',
        "p.md:3:1: no steps; write each as - [ ] …",
        'p.md:5:1: a step is written "- [ ] …", not "- [x] a"',
    ]


def test_sections_have_one_order() -> None:
    """Whoever reads many playbooks finds each thing in its place."""
    check = EN[EN.index("## Check") : EN.index("## Tell")]
    swapped = EN.replace(check, "").replace("## Send", f"{check}## Send")
    assert told(swapped) == [
        "p.md:8:1: sections stand in another order; it is: What it means, Check, Tell the customer, "
        "Send someone when"
    ]


def test_a_checklist_ends_somewhere() -> None:
    """Nobody works through more steps than that."""
    steps = "".join(f"- [ ] Look {number} times.\n" for number in range(MAX_STEPS + 1))
    assert f"more than {MAX_STEPS} steps" in told(EN.replace("- [ ] Look at the signal.\n", steps))[0]


def test_files_that_are_none() -> None:
    """Empty, no UTF-8, or without end: refused as a whole."""
    assert told("") == ["p.md:1:1: the file is empty"]
    assert told(b"# \xff") == ["p.md:1:3: not UTF-8; save the file as UTF-8"]
    assert told("x" * (MAX_BYTES + 1)) == [f"p.md: longer than {MAX_BYTES} bytes; split the file"]


def test_both_languages_have_the_same_steps() -> None:
    """Step n of an alert's checklist is the same thing whatever its reader's language."""
    (en, _), (zh, _) = read(EN), read(ZH, "zh")
    assert en is not None
    assert zh is not None
    problems: list[Problem] = []
    assert paired("p", {"en": ("p.en.md", en), "zh": ("p.zh.md", zh)}, problems) == Playbook("p", en, zh)
    longer, _ = read(ZH.replace("- [ ] 问现场。", "- [ ] 问现场。\n- [ ] 再问。"), "zh")
    assert longer is not None
    assert paired("p", {"en": ("p.en.md", en), "zh": ("p.zh.md", longer)}, problems) is None
    assert [str(problem) for problem in problems] == [
        "p.zh.md:7:1: 3 steps, but p.en.md has 2; both languages need the same steps"
    ]


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        (("Look.", "Ask."), (0, 1)),
        (("Ask.", "Look."), (1, 0)),
        (("Wipe.", "Look.", "Ask."), (None, 0, 1)),
        (("Look.", "Wipe.", "Ask."), (0, None, 1)),
        (("Ask.",), (1,)),
        (("Look closely.", "Ask."), (None, 1)),
    ],
)
def test_a_step_is_known_wherever_it_stands(steps: tuple[str, ...], found: tuple[int | None, ...]) -> None:
    """By its English words: others may be put in, taken out or reordered, and the Chinese ones mended."""
    en, zh = Sheet("t", "m", ("Look.", "Ask."), "c", "v"), Sheet("t", "m", ("看。", "问。"), "c", "v")
    before = Playbook("p", en, zh).step_ids
    mended = replace(zh, steps=tuple(f"{number}。" for number in range(len(steps))))
    after = Playbook("p", replace(en, steps=steps), mended).step_ids
    assert tuple(before.index(id_) if id_ in before else None for id_ in after) == found


lines = st.one_of(
    st.sampled_from([*EN.splitlines(), *ZH.splitlines(), "- [ ]", "## ", "#", "  ", "- [ ] a", "* [ ] b"]),
    st.text(max_size=20),
)


@given(st.lists(lines, max_size=30), st.sampled_from(LANGUAGES))
def test_the_parser_never_fails(written: list[str], language: Language) -> None:
    """Whatever stands in a file: either it is a playbook, or there is a reason, with a line of the file."""
    text = "\n".join(written)
    sheet, problems = read(text.encode("utf-8", "replace"), language)
    assert (sheet is None) == bool(problems)
    assert all(0 <= problem.line <= text.count("\n") + 1 for problem in problems)
    if sheet is not None:
        assert sheet.title
        assert 1 <= len(sheet.steps) <= MAX_STEPS


@given(st.binary(max_size=200), st.sampled_from(LANGUAGES))
def test_bytes_never_make_it_fail(data: bytes, language: Language) -> None:
    """What is no text at all is refused in words."""
    sheet, problems = read(data, language)
    assert (sheet is None) == bool(problems)


@given(
    st.lists(
        st.text("ab 字*_`[]()<>", min_size=1).filter(str.strip),
        min_size=1,
        max_size=MAX_STEPS,
        unique_by=str.strip,
    ),
    st.sampled_from(LANGUAGES),
)
def test_steps_are_kept_as_they_are_written(steps: list[str], language: Language) -> None:
    """The checklist is the file's, word for word."""
    heading = next(heading for heading, part in HEADINGS[language].items() if part == "check")
    after = next(heading for heading, part in HEADINGS[language].items() if part == "customer")
    text = TEXTS[language]
    start, end = text.index(f"## {heading}"), text.index(f"## {after}")
    listed = "".join(f"- [ ] {step}\n" for step in steps)
    sheet, problems = read(f"{text[:start]}## {heading}\n\n{listed}\n{text[end:]}", language)
    assert problems == []
    assert sheet is not None
    assert sheet.steps == tuple(step.strip() for step in steps)
