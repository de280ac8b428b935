"""Rule files → rules. Every error says file:line:column and what to write instead; all come at once."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar, get_args

from rules import document, values
from rules.document import (
    Fields,
    GivingUp,
    Node,
    Problem,
    Refused,
    each,
    hint,
    one_or_more,
    shown,
)
from rules.grammar import suppression
from rules.grammar.conditions import Conditions, Scope
from rules.grammar.filters import where
from rules.grammar.intervals import spans
from rules.grammar.measures import Measures
from rules.grammar.suppression import RULE_STORM, Inhibition
from rules.metrics import Metric
from rules.rule import (
    ENTITIES,
    OPEN_HOURS,
    SEVERITIES,
    AllOf,
    CallToAction,
    Condition,
    EntityKind,
    Group,
    InhibitRule,
    MissingData,
    Rule,
    RuleSet,
    Severity,
    Storm,
    Text,
    TimeInterval,
)

__all__ = ["RuleErrors", "find", "load", "shipped"]

SCHEMA = "robovitals-rules/1"
MAX_RULES = 500
_T = TypeVar("_T")
TEST_SUFFIX = ".test.yaml"
MISSING_DATA: tuple[MissingData, ...] = get_args(MissingData)
FILE_KEYS = ("schema", "defaults", "time_intervals", "groups", "inhibit_rules")
GROUP_KEYS = ("name", "interval", "rules")
RULE_KEYS = (
    "alert",
    "about",
    "for_each",
    "where",
    "measure",
    "when",
    "clear_when",
    "for",
    "keep_firing_for",
    "missing_data",
    "active_time_intervals",
    "mute_time_intervals",
    "flapping",
    "rule_storm",
    "labels",
    "summary",
    "call_to_action",
)
CALL_KEYS = ("next_step", "playbook", "ack_within", "resolve_within")
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
    language = _Language(metrics)
    files = [_file(path, language, problems) for path in paths]
    if None not in files:
        _name_strangers(language.seen)
    if problems:
        order = {str(path): place for place, path in enumerate(paths)}
        raise RuleErrors(sorted(problems, key=lambda problem: (order[problem.file], *problem.position)))
    found = [file for file in files if file]
    return RuleSet(
        tuple(group for file in found for group in file.groups),
        tuple(interval for file in found for interval in file.intervals),
        tuple(rule for file in found for rule in file.inhibit_rules),
    )


@dataclass(frozen=True, slots=True)
class _File:
    """What a file holds."""

    groups: tuple[Group, ...] = ()
    intervals: tuple[TimeInterval, ...] = ()
    inhibit_rules: tuple[InhibitRule, ...] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """Where names were used first, over all files; and the alerts that inhibit rules name."""

    alerts: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    intervals: dict[str, str] = field(default_factory=dict)
    inhibited: list[tuple[Node, str]] = field(default_factory=list)


class _Language:
    """The readers of what depends on a catalogue, and the names seen by them."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self.seen = _Seen()
        self.subsystems = frozenset(metric.subsystem for metric in metrics.values())
        self.measures = Measures(metrics)
        self.conditions = Conditions(self.measures)
        self.inhibition = Inhibition(
            self.subsystems, lambda node, name: self.seen.inhibited.append((node, name))
        )


@dataclass(frozen=True, slots=True)
class _Context:
    """What a rule takes from what stands around it."""

    language: _Language
    missing_data: MissingData | None
    intervals: tuple[str, ...]  # names that its time intervals may have
    group: str = ""
    interval_ms: int = 0


def _name_strangers(seen: _Seen) -> None:
    """Says which inhibit rules name alerts that no file has."""
    for node, name in seen.inhibited:
        if name not in seen.alerts:
            try:
                node.note(f'unknown alert "{name}"{hint(name, seen.alerts)}')
            except GivingUp:
                return


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml"))
    return sorted(path for path in found if not path.name.endswith(TEST_SUFFIX))


def _file(path: Path, language: _Language, problems: list[Problem]) -> _File | None:
    """What a file holds; None where that is not known as a whole."""
    return document.load(path, problems, lambda node: _document(node, language))


def _document(node: Node, language: _Language) -> _File:
    fields = Fields(node, "a rule file")
    fields.only(FILE_KEYS)
    fields.need("schema", _schema, f": schema: {SCHEMA}")
    missing_data = fields.read("defaults", _defaults, None)
    names: dict[str, str] = {}
    intervals = fields.read(
        "time_intervals", _listed(_time_interval(language.seen, names), "time_intervals"), ()
    )
    context = _Context(language, missing_data, (*names, OPEN_HOURS))
    groups = fields.need("groups", _listed(lambda node: _group(node, context), "groups")) or ()
    inhibit_rules = fields.read("inhibit_rules", _listed(language.inhibition.rule, "inhibit_rules"), ())
    if sum(len(group.rules) for group in groups) > MAX_RULES:
        raise node.refused(f"more than {MAX_RULES} rules; split the file")
    return _File(groups, intervals, inhibit_rules)


def _listed(reader: Callable[[Node], _T], what: str) -> Callable[[Node], tuple[_T, ...]]:
    return lambda node: tuple(each(node, reader, f'"{what}"'))


def _time_interval(seen: _Seen, names: dict[str, str]) -> Callable[[Node], TimeInterval]:
    """A reader of an interval; its name goes into `names`, even where the rest is wrong."""

    def read(node: Node) -> TimeInterval:
        fields = Fields(node, "a time interval")
        fields.only(("name", "spans"))
        name = fields.need("name", _unique(seen.intervals, "time interval", (OPEN_HOURS,))) or ""
        names[name] = name
        found = fields.need("spans", spans, ": - {weekdays: [mo-fr], times: [{from: 09:00, to: 18:00}]}")
        if not name or not found:
            raise Refused
        return TimeInterval(name, found)

    return read


def _schema(node: Node) -> str:
    return values.choice((SCHEMA,))(node)


def _defaults(node: Node) -> MissingData | None:
    fields = Fields(node, '"defaults"')
    fields.only(("missing_data",))
    return fields.need("missing_data", values.choice(MISSING_DATA))


def _group(node: Node, around: _Context) -> Group:
    fields = Fields(node, "a group")
    fields.only(GROUP_KEYS)
    name = fields.need("name", _unique(around.language.seen.groups, "group")) or ""
    interval = fields.need("interval", _interval, ", such as interval: 1m") or 1
    context = replace(around, group=name, interval_ms=interval)
    rules = fields.need("rules", _listed(lambda node: _rule(node, context), "rules"))
    return Group(name, interval, rules or ())


def _interval(node: Node) -> int:
    interval = values.span(node)
    if not 1_000 <= interval <= 86_400_000:
        raise node.refused(f"must be from 1s to 1d, and is {shown(node)}")
    return interval


def _rule(node: Node, context: _Context) -> Rule:
    fields, language = Fields(node, "a rule"), context.language
    fields.only(RULE_KEYS)
    name = fields.need("alert", _unique(language.seen.alerts, "alert", (RULE_STORM,))) or ""
    entity: EntityKind = fields.read("for_each", values.choice(ENTITIES), "robot")
    when, clear_when = _conditions(fields, entity, language)
    labels = fields.need("labels", partial(_labels, language), ": {severity: …, subsystem: …}") or _Labels()
    rule = Rule(
        name=name,
        group=context.group,
        interval_ms=context.interval_ms,
        about=Text(name, name),
        summary=Text("", ""),
        when=when or AllOf(()),
        missing_data=_missing_data(fields, context) or "unknown",
        severity=labels.severity,
        subsystem=labels.subsystem,
        entity=entity,
        where=fields.read("where", where, ()),
        clear_when=clear_when,
        for_ms=fields.read("for", values.delay, 0),
        keep_firing_for_ms=fields.read("keep_firing_for", values.delay, 0),
        labels=labels.others,
        place=f"{node.source.file}:{node.line}",
    )
    rule = _with_suppression(_with_intervals(_with_texts(rule, fields), fields, context), fields)
    if not fields.sound:
        raise Refused
    return rule


def _with_texts(rule: Rule, fields: Fields) -> Rule:
    about = fields.read("about", values.both, rule.about)
    return replace(
        rule,
        about=about,
        summary=fields.read("summary", values.template(rule.entity), _plain(about, rule.entity)),
        call_to_action=fields.read("call_to_action", _call_to_action, CallToAction()),
    )


def _with_intervals(rule: Rule, fields: Fields, context: _Context) -> Rule:
    some = partial(one_or_more, reader=_known_interval(context.intervals), what="time interval")
    return replace(
        rule,
        active_intervals=fields.read("active_time_intervals", some, ()),
        mute_intervals=fields.read("mute_time_intervals", some, ()),
    )


def _with_suppression(rule: Rule, fields: Fields) -> Rule:
    return replace(
        rule,
        flapping=fields.read("flapping", suppression.flapping, None),
        storm=fields.read("rule_storm", suppression.storm, Storm()),
    )


def _conditions(
    fields: Fields, entity: EntityKind, language: _Language
) -> tuple[Condition | None, Condition | None]:
    """`when` and `clear_when`: the one takes from `measure`, the other from both."""
    measure = fields.read("measure", language.measures.whole, None)
    scope = Scope(entity, measure, broken="measure" in fields and measure is None)
    when = fields.need("when", language.conditions.reader(scope))
    scope = replace(scope, when=when, broken=scope.broken or when is None)
    return when, fields.read("clear_when", language.conditions.reader(scope), None)


def _known_interval(known: tuple[str, ...]) -> Callable[[Node], str]:
    def read(node: Node) -> str:
        name = values.text(node)
        if name not in known:
            raise node.refused(f"unknown time interval {shown(node)}{hint(name, known)}")
        return name

    return read


def _missing_data(fields: Fields, context: _Context) -> MissingData | None:
    if "missing_data" not in fields and context.missing_data is None:
        options = ", ".join(MISSING_DATA)
        fields.node.note(f'a rule needs "missing_data", here or in "defaults": one of {options}')
    return fields.read("missing_data", values.choice(MISSING_DATA), context.missing_data)


def _unique(seen: dict[str, str], what: str, reserved: tuple[str, ...] = ()) -> Callable[[Node], str]:
    """A reader of a name that no other has, in any of the files."""

    def read(node: Node) -> str:
        name = values.name(node)
        if name in reserved:
            raise node.refused(f'the name "{name}" is taken by the engine itself; use another')
        if name in seen:
            raise node.refused(f'{what} "{name}" is already in {seen[name]}; every {what} needs its own name')
        seen[name] = f"{node.source.file}:{node.line}"
        return name

    return read


@dataclass(frozen=True, slots=True)
class _Labels:
    severity: Severity = "info"
    subsystem: str = ""
    others: Mapping[str, str] = field(default_factory=dict)


def _labels(language: _Language, node: Node) -> _Labels:
    fields = Fields(node, '"labels"')
    severity = fields.need("severity", values.choice(SEVERITIES), f": one of {', '.join(SEVERITIES)}")
    known = partial(suppression.known_subsystem, known=language.subsystems)
    subsystem = fields.need("subsystem", known, ", such as subsystem: navigation")
    others = [key for key in fields.node.entries if key not in ("severity", "subsystem")]
    for key in others:
        word, _ = fields.node.entries[key]
        if not _LABEL.fullmatch(key):
            word.note(f"{shown(word)} is no label; use lower-case letters, digits and _")
    if not severity or not subsystem:
        raise Refused
    return _Labels(severity, subsystem, {key: fields.read(key, values.text, "") for key in others})


def _plain(about: Text, entity: EntityKind) -> Text:
    """The summary of a rule that has none."""
    about = Text(*(text.replace("{", "(").replace("}", ")") for text in (about.en, about.zh)))
    return Text(f"{{{entity}}}: {about.en}", f"{{{entity}}}：{about.zh}")


def _call_to_action(node: Node) -> CallToAction:
    fields = Fields(node, '"call_to_action"')
    fields.only(CALL_KEYS)
    return CallToAction(
        next_step=fields.read("next_step", values.both, None),
        playbook=fields.read("playbook", values.text, None),
        ack_within_ms=fields.read("ack_within", values.span, None),
        resolve_within_ms=fields.read("resolve_within", values.span, None),
    )
