"""Rule files → rules. Every error says file:line:column and what to write instead; all come at once."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

from rules import grammar, values
from rules.document import MAX_BYTES, Fields, GivingUp, Node, Problem, Refused, each, hint, parse, shown
from rules.grammar import Grammar
from rules.metrics import Metric
from rules.rule import SEVERITIES, CallToAction, Group, MissingData, Rule, RuleSet, Severity, Text

__all__ = ["RuleErrors", "find", "load", "shipped"]

SCHEMA = "robovitals-rules/1"
MAX_RULES = 500
TEST_SUFFIX = ".test.yaml"
MISSING_DATA: tuple[MissingData, ...] = get_args(MissingData)
_FILE_KEYS = ("schema", "defaults", "groups")
_GROUP_KEYS = ("name", "interval", "rules")
_RULE_KEYS = (
    "alert",
    "about",
    "for_each",
    "where",
    "when",
    "clear_when",
    "for",
    "keep_firing_for",
    "missing_data",
    "labels",
    "summary",
    "call_to_action",
)
_CALL_KEYS = ("next_step", "playbook", "ack_within", "resolve_within")
_LABEL = re.compile(r"[a-z][a-z0-9_]{0,63}")


class RuleErrors(Exception):  # noqa: N818 -- it holds several
    """Rule files cannot be used; one line a problem, in the order of the files."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def shipped() -> list[Path]:
    """The rule files that come with this package."""
    return find([Path(__file__).parent / "packs"])


def find(paths: Sequence[Path]) -> list[Path]:
    """The rule files among these files and folders; in a folder, tests are left out."""
    found: list[Path] = []
    for path in paths:
        found.extend(_files(path) if path.is_dir() else [path])
    return list(dict.fromkeys(found))


def load(paths: Sequence[Path], metrics: Mapping[str, Metric]) -> RuleSet:
    """The rules of all files together. Raises `RuleErrors` with every problem of every file."""
    problems: list[Problem] = []
    groups: list[Group] = []
    seen = _Seen({}, {})
    for path in paths:
        groups.extend(_file(path, Grammar(metrics), seen, problems))
    if problems:
        order = {str(path): place for place, path in enumerate(paths)}
        raise RuleErrors(sorted(problems, key=lambda problem: (order[problem.file], *problem.position)))
    return RuleSet(tuple(groups))


@dataclass(frozen=True, slots=True)
class _Seen:
    """Where names were used first, over all files."""

    alerts: dict[str, str]
    groups: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Context:
    """What a rule takes from what stands around it."""

    grammar: Grammar
    seen: _Seen
    missing_data: MissingData | None
    group: str
    interval_ms: int


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml"))
    return sorted(path for path in found if not path.name.endswith(TEST_SUFFIX))


def _file(path: Path, language: Grammar, seen: _Seen, problems: list[Problem]) -> list[Group]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        problems.append(Problem(str(path), 0, 0, f"cannot be read: {error.strerror or error}"))
        return []
    node = parse(str(path), data, problems)
    if node is None:
        return []
    try:
        return _document(node, language, seen)
    except GivingUp:
        return []
    except Refused as refused:
        node.source.record(refused)
        return []


def _document(node: Node, language: Grammar, seen: _Seen) -> list[Group]:
    fields = Fields(node, "a rule file")
    fields.only(_FILE_KEYS, grammar.LATER_FILE_KEYS)
    fields.need("schema", _schema, f": schema: {SCHEMA}")
    missing_data = fields.read("defaults", _defaults, None)
    context = _Context(language, seen, missing_data, "", 0)
    groups = fields.need("groups", lambda node: each(node, lambda item: _group(item, context), '"groups"'))
    if sum(len(group.rules) for group in groups or []) > MAX_RULES:
        raise node.refused(f"more than {MAX_RULES} rules; split the file")
    return groups or []


def _schema(node: Node) -> str:
    return values.choice((SCHEMA,))(node)


def _defaults(node: Node) -> MissingData | None:
    fields = Fields(node, '"defaults"')
    fields.only(("missing_data",))
    return fields.need("missing_data", values.choice(MISSING_DATA))


def _group(node: Node, around: _Context) -> Group:
    fields = Fields(node, "a group")
    fields.only(_GROUP_KEYS)
    name = fields.need("name", _unique(around.seen.groups, "group")) or ""
    interval = fields.need("interval", _interval, ", such as interval: 1m") or 1
    context = _Context(around.grammar, around.seen, around.missing_data, name, interval)
    rules = fields.need("rules", lambda node: each(node, lambda item: _rule(item, context), '"rules"'))
    return Group(name, interval, tuple(rules or ()))


def _interval(node: Node) -> int:
    interval = values.span(node)
    if not 1_000 <= interval <= 86_400_000:
        raise node.refused(f"must be from 1s to 1d, and is {shown(node)}")
    return interval


def _rule(node: Node, context: _Context) -> Rule:
    fields = Fields(node, "a rule")
    fields.only(_RULE_KEYS, grammar.LATER_RULE_KEYS)
    name = fields.need("alert", _unique(context.seen.alerts, "alert"))
    fields.read("for_each", _entity, "robot")
    when = fields.need("when", context.grammar.condition)
    clear_when = fields.read("clear_when", context.grammar.clear_when(when), None)
    missing_data = _missing_data(fields, context)
    labels = fields.need("labels", partial(_labels, context.grammar), ": {severity: …, subsystem: …}")
    about = fields.read("about", values.both, Text(name or "", name or ""))
    summary = fields.read("summary", values.template, _plain(about))
    where = fields.read("where", context.grammar.where, None)
    for_ms = fields.read("for", values.delay, 0)
    keep_firing_for_ms = fields.read("keep_firing_for", values.delay, 0)
    call_to_action = fields.read("call_to_action", _call_to_action, CallToAction())
    if not fields.sound or name is None or when is None or missing_data is None or labels is None:
        raise Refused
    return Rule(
        name=name,
        group=context.group,
        interval_ms=context.interval_ms,
        about=about,
        summary=summary,
        when=when,
        missing_data=missing_data,
        severity=labels.severity,
        subsystem=labels.subsystem,
        where=where or (),
        clear_when=clear_when,
        for_ms=for_ms,
        keep_firing_for_ms=keep_firing_for_ms,
        labels=labels.others,
        call_to_action=call_to_action,
        place=f"{node.source.file}:{node.line}",
    )


def _missing_data(fields: Fields, context: _Context) -> MissingData | None:
    if "missing_data" not in fields and context.missing_data is None:
        options = ", ".join(MISSING_DATA)
        fields.node.note(f'a rule needs "missing_data", here or in "defaults": one of {options}')
    return fields.read("missing_data", values.choice(MISSING_DATA), context.missing_data)


def _unique(seen: dict[str, str], what: str) -> Callable[[Node], str]:
    """A reader of a name that no other has, in any of the files."""

    def read(node: Node) -> str:
        name = values.name(node)
        if name in seen:
            raise node.refused(f'{what} "{name}" is already in {seen[name]}; every {what} needs its own name')
        seen[name] = f"{node.source.file}:{node.line}"
        return name

    return read


def _entity(node: Node) -> str:
    for later in grammar.LATER_ENTITIES:
        if shown(node) == f'"{later}"':
            raise node.refused(f"for_each: {later} is not supported yet in this version; use robot")
    return values.choice(("robot",))(node)


@dataclass(frozen=True, slots=True)
class _Labels:
    severity: Severity
    subsystem: str
    others: Mapping[str, str]


def _labels(language: Grammar, node: Node) -> _Labels:
    fields = Fields(node, '"labels"')
    severity = fields.need("severity", values.choice(SEVERITIES), f": one of {', '.join(SEVERITIES)}")
    subsystem = fields.need("subsystem", _subsystem(language), ", such as subsystem: navigation")
    others = [key for key in fields.node.entries if key not in ("severity", "subsystem")]
    for key in others:
        if not _LABEL.fullmatch(key):
            fields.node.entries[key][0].note(f'"{key}" is no label; use lower-case letters, digits and _')
    if not severity or not subsystem:
        raise Refused
    return _Labels(severity, subsystem, {key: fields.read(key, values.text, "") for key in others})


def _subsystem(language: Grammar) -> Callable[[Node], str]:
    known = {metric.subsystem for metric in language.metrics.values()}

    def read(node: Node) -> str:
        name = values.text(node)
        if name not in known:
            raise node.refused(f'unknown subsystem "{name}"{hint(name, known)}')
        return name

    return read


def _plain(about: Text) -> Text:
    """The summary of a rule that has none."""
    about = Text(*(text.replace("{", "(").replace("}", ")") for text in (about.en, about.zh)))
    return Text(f"{{robot}}: {about.en}", f"{{robot}}：{about.zh}")


def _call_to_action(node: Node) -> CallToAction:
    fields = Fields(node, '"call_to_action"')
    fields.only(_CALL_KEYS)
    return CallToAction(
        next_step=fields.read("next_step", values.both, None),
        playbook=fields.read("playbook", values.text, None),
        ack_within_ms=fields.read("ack_within", values.span, None),
        resolve_within_ms=fields.read("resolve_within", values.span, None),
    )
