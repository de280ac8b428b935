"""The shipped playbooks: one for each rule, in both languages, fit to be followed and sent."""

import re
from pathlib import Path

import pytest

from agent import catalogue
from rules import load, playbooks, storm
from rules.document import Problem
from rules.playbook import LANGUAGES, Language, Playbook, paired, parse
from rules.rule import Rule

CATALOGUE = catalogue.load()
RULES = load.load(load.shipped(), CATALOGUE)
ALL = (*RULES.rules, storm.RULE)
PLAYBOOKS = playbooks.shipped()
CHINESE = re.compile("[\u4e00-\u9fff]")
ENGLISH_SENTENCE = re.compile(r"(?:[A-Za-z]{2,} ){4}")
each_rule = pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
each_playbook = pytest.mark.parametrize("playbook", PLAYBOOKS.values(), ids=lambda playbook: playbook.name)
each_language = pytest.mark.parametrize("language", LANGUAGES)


@each_rule
def test_every_rule_has_a_playbook(rule: Rule) -> None:
    """The one built into the engine, too."""
    assert rule.call_to_action.playbook in PLAYBOOKS


def test_every_trouble_has_its_own() -> None:
    """No rule makes do with the steps of another."""
    named = [rule.call_to_action.playbook for rule in ALL]
    assert len(set(named)) == len(named)
    assert set(named) == set(PLAYBOOKS)


def test_nothing_is_left_to_wish_for() -> None:
    """`vitals-rules check` has neither problems nor warnings."""
    assert playbooks.check(RULES, load.shipped()) == playbooks.Findings((), ())


@each_playbook
def test_a_checklist_is_short(playbook: Playbook) -> None:
    """Three to seven steps: enough to be of use, few enough to be done."""
    assert 3 <= playbook.steps <= 7


@each_playbook
def test_each_language_is_that_language(playbook: Playbook) -> None:
    """No Chinese among the English, no English sentence among the Chinese, nothing left untranslated."""
    for text in (playbook.en.title, playbook.en.meaning, playbook.en.customer, playbook.en.visit):
        assert not CHINESE.search(text)
    for text in (playbook.zh.meaning, *playbook.zh.steps, playbook.zh.customer, playbook.zh.visit):
        assert CHINESE.search(text)
        assert not ENGLISH_SENTENCE.search(text)


@each_playbook
@each_language
def test_words_for_the_customer_can_be_sent(playbook: Playbook, language: Language) -> None:
    """They greet, ask or say something, leave no gap to fill in, and are free of our own words."""
    words = playbook[language].customer
    ours = r"[{}\[\]<>_]|agent|spool|threshold|robust|firmware|module|broker|阈值|固件|告警|模块|采集端"
    assert not re.search(ours, words, re.IGNORECASE)
    assert len(words) > (40 if language == "zh" else 120)


@each_playbook
@each_language
def test_sending_someone_is_a_list(playbook: Playbook, language: Language) -> None:
    """Conditions one can hold the case against, one by one."""
    lines = playbook[language].visit.splitlines()
    assert all(line.startswith(("- ", "  ")) for line in lines)
    assert len([line for line in playbook.en.visit.splitlines() if line.startswith("- ")]) == len(
        [line for line in playbook.zh.visit.splitlines() if line.startswith("- ")]
    )


@each_rule
def test_a_playbook_is_about_its_rule(rule: Rule) -> None:
    """Its title is what the rule's alerts are called."""
    playbook = PLAYBOOKS[rule.call_to_action.playbook or ""]
    assert (playbook.en.title, playbook.zh.title) == (rule.about.en, rule.about.zh)


def test_the_example_of_the_page_is_one() -> None:
    """docs/packs.md shows a whole playbook, in both languages."""
    page = (Path(__file__).parents[2] / "docs" / "packs.md").read_text(encoding="utf-8")
    problems: list[Problem] = []
    sheets = {}
    for language in LANGUAGES:
        found = re.search(rf"^```markdown camera\.{language}\.md\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        assert found
        sheet = parse("packs.md", found[1].encode(), language, problems)
        assert sheet is not None, problems
        sheets[language] = "packs.md", sheet
    playbook = paired("camera", sheets, problems)
    assert playbook is not None
    assert playbook.steps == 3
