"""Playbooks: what to do about an alert, written in Markdown, a file a language.

A file has a title and four sections in this order, each once: what the alert means, the steps of the
checklist (`- [ ] …`), what to tell the customer, and when to send someone. What stands in a section is
Markdown; whoever shows it renders it. Everything that is wrong with a file is told at once, with its line.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rules.document import GivingUp, Problem, Refused, Source, decoded, hint

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
Part = Literal["meaning", "check", "customer", "visit"]
HEADINGS: Final[Mapping[Language, Mapping[str, Part]]] = {
    "en": {
        "What it means": "meaning",
        "Check": "check",
        "Tell the customer": "customer",
        "Send someone when": "visit",
    },
    "zh": {"这意味着什么": "meaning", "检查": "check", "如何告知客户": "customer", "何时派人": "visit"},
}
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
MAX_STEPS: Final = 20
MAX_STEP: Final = 1_000  # characters
MAX_TITLE: Final = 200
_ID: Final = 12  # hexadecimal digits
_CUT: Final = "…"  # in the place of a step that is too long
_STEP = re.compile(r"[-*] \[ \] +(\S.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A playbook in one language; all but the title is Markdown."""

    title: str
    meaning: str
    steps: tuple[str, ...]
    customer: str
    visit: str
    steps_line: int = 0  # where the checklist begins


@dataclass(frozen=True, slots=True)
class Playbook:
    """What to do about an alert, in both languages; step n is the same in each."""

    name: str
    en: Sheet
    zh: Sheet

    def __getitem__(self, language: Language) -> Sheet:
        return self.en if language == "en" else self.zh

    @property
    def steps(self) -> int:
        """How many steps its checklist has."""
        return len(self.en.steps)

    @property
    def step_ids(self) -> tuple[str, ...]:
        """What an alert remembers of each step that is done: a digest of its English words."""
        return tuple(hashlib.sha256(step.encode()).hexdigest()[:_ID] for step in self.en.steps)


@dataclass(frozen=True, slots=True)
class _Section:
    """The lines under a heading; `line` is the heading's."""

    line: int
    lines: Sequence[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines).strip()


def parse(file: str, data: bytes, language: Language, problems: list[Problem]) -> Sheet | None:
    """The playbook in `data`; None where something is wrong with it, and `problems` say what."""
    source = Source(file, problems)
    before = len(problems)
    try:
        sheet = _sheet(source, decoded(source, data).replace("\r\n", "\n").split("\n"), language)
    except GivingUp:
        return None
    except Refused as refused:
        source.record(refused)
        return None
    return sheet if len(problems) == before else None


def paired(
    name: str, files: Mapping[Language, tuple[str, Sheet]], problems: list[Problem]
) -> Playbook | None:
    """Both languages as one; None where their checklists differ in length."""
    (first, en), (second, zh) = files["en"], files["zh"]
    if len(en.steps) == len(zh.steps):
        return Playbook(name, en, zh)
    message = f"{_count(len(zh.steps))}, but {first} has {len(en.steps)}; both languages need the same steps"
    problems.append(Problem(second, zh.steps_line, 1, message))
    return None


def _sheet(source: Source, lines: Sequence[str], language: Language) -> Sheet:
    title, start = _title(source, lines)
    sections = _sections(source, lines, start, language)
    _complain_of_order(source, sections, language)
    check = sections.get("check")
    return Sheet(
        title=title,
        meaning=_text(source, sections, "meaning"),
        steps=_steps(source, check) if check else (),
        customer=_text(source, sections, "customer"),
        visit=_text(source, sections, "visit"),
        steps_line=check.line if check else 0,
    )


def _title(source: Source, lines: Sequence[str]) -> tuple[str, int]:
    """The title, and the index of the line after it."""
    for at, line in enumerate(lines):
        if line.strip():
            title = line.removeprefix("# ").strip()
            if not line.startswith("# ") or not title:
                source.note(at + 1, 1, "a playbook begins with its title: # Many faces are not recognized")
            elif len(title) > MAX_TITLE:
                source.note(at + 1, 1, f"a title of {len(title)} characters; {MAX_TITLE} are allowed")
            return title, at + (not line.startswith("## "))
    raise Refused(Problem(source.file, 1, 1, "the file is empty"))


def _sections(source: Source, lines: Sequence[str], start: int, language: Language) -> dict[Part, _Section]:
    """The sections by what they are for; every line belongs to the heading above it."""
    found: dict[Part, _Section] = {}
    lost = False  # under no heading, or one that is not known
    current: list[str] | None = None
    for number, line in enumerate(lines[start:], start + 1):
        if not re.match(r"#{1,6}(\s|$)", line):
            if current is not None:
                current.append(line)
            elif line.strip() and not lost:
                lost = True
                source.note(number, 1, "text before the first section; it belongs under a heading")
            continue
        part = _part(source, number, line, language, found)
        current, lost = [], part is None
        if part is not None:
            found[part] = _Section(number, current)
    return found


def _part(
    source: Source, number: int, line: str, language: Language, found: Mapping[Part, _Section]
) -> Part | None:
    """Which section a heading begins; None where that is not known, or it stood there before."""
    level, _, heading = line.partition(" ")
    heading = heading.strip()
    part = HEADINGS[language].get(heading)
    if level != "##" or part is None:
        source.note(number, 1, f'unknown heading "{heading[:60]}"{_meant(level, heading, language)}')
        return None
    if part in found:
        source.note(number, 1, f'section "{heading}" stands twice; the first is in line {found[part].line}')
        return None
    return part


def _meant(level: str, heading: str, language: Language) -> str:
    if heading in HEADINGS[language] and level != "##":
        return f"; write it as ## {heading}"
    return hint(heading, HEADINGS[language])


def _complain_of_order(source: Source, sections: Mapping[Part, _Section], language: Language) -> None:
    """Says which sections are missing, and where the order is another."""
    for heading, part in HEADINGS[language].items():
        if part not in sections:
            source.note(1, 1, f'the section "## {heading}" is missing')
    order = [part for part in HEADINGS[language].values() if part in sections]
    for part, expected in zip(sections, order, strict=True):
        if part != expected:
            named = ", ".join(HEADINGS[language])
            source.note(sections[part].line, 1, f"sections stand in another order; it is: {named}")
            return


def _text(source: Source, sections: Mapping[Part, _Section], part: Part) -> str:
    section = sections.get(part)
    if section is None:
        return ""
    if not section.text:
        source.note(section.line, 1, "the section is empty")
    return section.text


def _steps(source: Source, section: _Section) -> tuple[str, ...]:
    """The steps; a line that is indented goes on with the step above it."""
    steps: list[str] = []
    begun: list[int] = []
    for number, line in enumerate(section.lines, section.line + 1):
        if steps and line.startswith("  ") and line.strip():
            steps[-1] = _joined(steps[-1], line.strip())
        elif found := _STEP.fullmatch(line.rstrip()):
            steps.append(found[1])
            begun.append(number)
            if len(steps) == MAX_STEPS + 1:
                source.note(number, 1, f"more than {MAX_STEPS} steps; nobody works through so many")
        elif line.strip():
            source.note(number, 1, f'a step is written "- [ ] …", not "{line.strip()[:40]}"')
        if steps and len(steps[-1]) > MAX_STEP:
            source.note(number, 1, f"a step of over {MAX_STEP} characters; split it")
            steps[-1] = _CUT
    if not steps:
        source.note(section.line, 1, "no steps; write each as - [ ] …")
    first: dict[str, int] = {}
    for number, step in zip(begun, steps, strict=True):
        if step != _CUT and first.setdefault(step, number) != number:
            source.note(number, 1, f"the same step as in line {first[step]}; say what is different")
    return tuple(steps)


def _joined(before: str, after: str) -> str:
    """Two lines as one; Chinese has no space there."""
    chinese = not before[-1].isascii() and not after[0].isascii()
    return before + after if chinese else f"{before} {after}"


def _count(steps: int) -> str:
    return f"{steps} step{'' if steps == 1 else 's'}"
