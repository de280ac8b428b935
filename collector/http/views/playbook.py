"""Playbooks as people read them: beside an alert as a checklist, on a page of their own, and all of them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup

from collector.http import markdown
from collector.http.services import Services
from collector.http.views.subsystems import subsystem
from collector.queue import RANK, Alert, Severity
from collector.words.i18n import Words
from rules.playbook import Language, Playbook
from rules.rule import Rule
from rules.storm import RULE as STORM
from rules.storm import rule_named


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the checklist; numbers count from 1. An alert's `checked` holds `id`, once it is done."""

    number: int
    id: str
    text: Markup
    done: bool = False


@dataclass(frozen=True, slots=True)
class PlaybookView:
    """A playbook in the reader's language; `check_url` takes the ticks, empty where nothing is ticked."""

    name: str
    url: str
    title: str
    meaning: Markup
    steps: tuple[Step, ...]
    customer: Markup
    visit: Markup
    check_url: str = ""

    @property
    def done(self) -> int:
        """How many steps are done."""
        return sum(step.done for step in self.steps)


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule that a playbook is for."""

    rule: str
    about: str
    severity: str


@dataclass(frozen=True, slots=True)
class Line:
    """A playbook in the list of all, and how bad the worst trouble is that it is for."""

    url: str
    title: str
    steps: int
    severity: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The playbooks of a subsystem."""

    label: str
    lines: tuple[Line, ...]


def playbook_view(services: Services, alert: Alert, t: Words) -> PlaybookView | None:
    """The playbook of an alert's rule, with the steps that are done; None where it has none."""
    playbook = _of(services, alert)
    if playbook is None:
        return None
    return _view(playbook, t, alert.checked, f"/alerts/{alert.id}/check" if alert.is_open else "")


def step_text(services: Services, alert: Alert, step: str, t: Words) -> str:
    """A step of an alert's playbook in plain words, for its history."""
    playbook = _of(services, alert)
    if playbook is not None:
        for names, text in zip(_names(playbook), playbook[t.language].steps, strict=True):
            if step in names:
                return markdown.plain(text)
    return t("playbook.step", number=step) if step.isdecimal() else t("playbook.step_gone")


def _of(services: Services, alert: Alert) -> Playbook | None:
    """The playbook of an alert's rule."""
    rule = rule_named(services.rules, alert.rule)
    return services.playbooks.get((rule.call_to_action.playbook or "") if rule else "")


def _names(playbook: Playbook) -> list[tuple[str, str]]:
    """What a tick may call each step: its id or, as older versions did, its number."""
    return [(id_, str(number)) for number, id_ in enumerate(playbook.step_ids, start=1)]


def _steps(playbook: Playbook, texts: Sequence[Markup], checked: Sequence[str]) -> Iterator[Step]:
    for number, (names, text) in enumerate(zip(_names(playbook), texts, strict=True), start=1):
        ticked = [name for name in names if name in checked]
        yield Step(number, (ticked or names)[0], text, bool(ticked))


def alone(services: Services, name: str, t: Words) -> PlaybookView | None:
    """A playbook by its name, with nothing to tick; None where there is none."""
    playbook = services.playbooks.get(name)
    return None if playbook is None else _view(playbook, t)


def used_by(services: Services, name: str, t: Words) -> list[Entry]:
    """The rules that name a playbook, the worst first."""
    found = [rule for rule in _rules(services) if rule.call_to_action.playbook == name]
    return [Entry(rule.name, t.both(rule.about), rule.severity) for rule in sorted(found, key=_badness)]


def shelves(services: Services, t: Words) -> list[Shelf]:
    """Every playbook that a rule names, by the rule's subsystem, in the catalogue's order."""
    named: dict[str, dict[str, list[Rule]]] = defaultdict(lambda: defaultdict(list))
    for rule in sorted(_rules(services), key=_badness):
        playbook = rule.call_to_action.playbook
        if playbook is not None and playbook in services.playbooks:
            named[rule.subsystem][playbook].append(rule)
    order = [*services.catalogue.subsystems, *named]
    return [
        Shelf(subsystem(services, name, t), tuple(_line(services, *item, t) for item in named[name].items()))
        for name in dict.fromkeys(order)
        if name in named
    ]


def _line(services: Services, name: str, rules: list[Rule], t: Words) -> Line:
    playbook = services.playbooks[name]
    return Line(
        url=f"/playbooks/{name}",
        title=playbook[t.language].title,
        steps=playbook.steps,
        severity=rules[0].severity,
        rules=tuple(rule.name for rule in rules),
    )


def _rules(services: Services) -> list[Rule]:
    return [*services.rules.rules, STORM]


def _badness(rule: Rule) -> int:
    return RANK[Severity(rule.severity)]


def _view(playbook: Playbook, t: Words, checked: Sequence[str] = (), check_url: str = "") -> PlaybookView:
    written = _rendered(playbook, t.language)
    return PlaybookView(
        name=playbook.name,
        url=f"/playbooks/{playbook.name}",
        title=playbook[t.language].title,
        meaning=written.meaning,
        steps=tuple(_steps(playbook, written.steps, checked)),
        customer=written.customer,
        visit=written.visit,
        check_url=check_url,
    )


@dataclass(frozen=True, slots=True)
class _Rendered:
    meaning: Markup
    steps: tuple[Markup, ...]
    customer: Markup
    visit: Markup


@lru_cache(maxsize=1_024)
def _rendered(playbook: Playbook, language: Language) -> _Rendered:
    sheet = playbook[language]
    return _Rendered(
        meaning=markdown.block(sheet.meaning),
        steps=tuple(map(markdown.inline, sheet.steps)),
        customer=markdown.block(sheet.customer),
        visit=markdown.block(sheet.visit),
    )
