"""Playbook files: `playbooks/<name>.en.md` and `<name>.zh.md` beside the rule files that name them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from rules import load, storm
from rules.document import Problem, contents, hint
from rules.load import RuleErrors
from rules.playbook import LANGUAGES, NAME, Language, Playbook, Sheet, paired, parse
from rules.rule import Rule, RuleSet

FOLDER: Final = "playbooks"
_Files = Mapping[Language, Path]


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with the playbooks of rules, and what is left to wish for."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


@cache
def shipped() -> Mapping[str, Playbook]:
    """The playbooks that come with this package, by name."""
    return MappingProxyType(read(load.shipped()))


def read(paths: Sequence[Path]) -> dict[str, Playbook]:
    """The playbooks beside rule files, by name. Raises `RuleErrors` with every problem of every file."""
    found, wrong = _read(paths)
    if wrong:
        raise RuleErrors(wrong)
    return found


def problems(paths: Sequence[Path]) -> list[Problem]:
    """Everything that is wrong with the playbooks beside rule files, whatever the rules say."""
    return _read(paths)[1]


def known(paths: Sequence[Path]) -> Mapping[str, Playbook]:
    """The playbooks beside rule files, and the shipped ones of other names. Raises `RuleErrors`."""
    return {**shipped(), **read(paths)}


def check(rules: RuleSet, paths: Sequence[Path]) -> Findings:
    """Everything about the playbooks of rules that were read from these files.

    That a rule's playbook is nowhere is a problem where its file has a folder of playbooks beside it, else
    a warning; that a rule names none is a warning, too. A playbook that no rule names is a problem, unless
    some rule file beside it was not read.
    """
    wrong = problems(paths)
    warnings: list[Problem] = []
    written = {name for folder in _folders([*paths, *load.shipped()]) for name in _files(folder)}
    for rule in rules.rules:
        _judge(rule, written, wrong, warnings)
    return Findings((*wrong, *_unnamed(rules, paths)), tuple(warnings))


def _read(paths: Sequence[Path]) -> tuple[dict[str, Playbook], list[Problem]]:
    wrong: list[Problem] = []
    read = (playbook for folder in _folders(paths) for playbook in _folder(folder, wrong))
    found = {playbook.name: playbook for playbook in read}
    return found, [*wrong, *_twice(paths)]


def _judge(rule: Rule, written: set[str], wrong: list[Problem], warnings: list[Problem]) -> None:
    file, _, line = rule.place.rpartition(":")
    name = rule.call_to_action.playbook
    if name is None:
        warnings.append(Problem(file, int(line), 1, f"{rule.name} names no playbook"))
    elif name not in written:
        listed = wrong if (Path(file).parent / FOLDER).is_dir() else warnings
        message = f'{rule.name}: there is no playbook "{name}"{hint(name, written)}'
        listed.append(Problem(file, int(line), 1, message))


def _unnamed(rules: RuleSet, paths: Sequence[Path]) -> Iterator[Problem]:
    """The playbooks that nobody names, of folders whose rule files were all read."""
    were_read = {path.resolve() for path in paths}
    named = {rule.call_to_action.playbook for rule in (*rules.rules, storm.RULE)}
    for folder in _folders(paths):
        if were_read.issuperset(path.resolve() for path in load.find([folder.parent])):
            for name, files in _files(folder).items():
                if name not in named:
                    first = next(iter(files.values()))
                    yield Problem(str(first), 1, 1, f'no rule names the playbook "{name}"')


def _twice(paths: Sequence[Path]) -> Iterator[Problem]:
    """The playbooks whose name is in two folders."""
    seen: dict[str, Path] = {}
    for folder in _folders(paths):
        for name, files in _files(folder).items():
            if name in seen:
                message = f'"{name}" is also in {seen[name]}; every playbook needs its own name'
                yield Problem(str(next(iter(files.values()))), 1, 1, message)
            seen.setdefault(name, folder)


def _folders(paths: Sequence[Path]) -> list[Path]:
    """The folders of playbooks beside rule files."""
    beside = dict.fromkeys(path.parent / FOLDER for path in paths)
    return [folder for folder in beside if folder.is_dir()]


def _folder(folder: Path, problems: list[Problem]) -> Iterable[Playbook]:
    for file in sorted(folder.glob("*.md")):
        if _named(file) is None:
            message = "no name of a playbook; write <name>.en.md or <name>.zh.md, in lower case"
            problems.append(Problem(str(file), 0, 0, message))
    for name, files in _files(folder).items():
        playbook = _playbook(folder, name, files, problems)
        if playbook is not None:
            yield playbook


def _playbook(folder: Path, name: str, files: _Files, problems: list[Problem]) -> Playbook | None:
    sheets: dict[Language, tuple[str, Sheet]] = {}
    for language in LANGUAGES:
        if language not in files:
            (other,) = files.values()
            message = f"is missing; write it beside {other.name}"
            problems.append(Problem(str(folder / f"{name}.{language}.md"), 0, 0, message))
        elif (sheet := _sheet(files[language], language, problems)) is not None:
            sheets[language] = str(files[language]), sheet
    return paired(name, sheets, problems) if len(sheets) == len(LANGUAGES) else None


def _sheet(file: Path, language: Language, problems: list[Problem]) -> Sheet | None:
    data = contents(file, problems)
    return None if data is None else parse(str(file), data, language, problems)


def _files(folder: Path) -> Mapping[str, _Files]:
    """The files of a folder, by playbook and language."""
    found: dict[str, dict[Language, Path]] = {}
    for file in sorted(folder.glob("*.md")):
        if (named := _named(file)) is not None:
            name, language = named
            found.setdefault(name, {})[language] = file
    return found


def _named(file: Path) -> tuple[str, Language] | None:
    """`site-silent` and `en` of `site-silent.en.md`; None of any other file."""
    name, _, ending = file.name.removesuffix(".md").rpartition(".")
    for language in LANGUAGES:
        if ending == language and NAME.fullmatch(name):
            return name, language
    return None
