"""Playbooks for scripts: what to do about an alert, as Markdown in both languages."""

from pydantic import BaseModel

from collector.http.api.alerts import Text
from collector.http.problems import missing
from collector.http.services import Services
from rules.storm import RULE as STORM


class StepItem(Text):
    """A step; `id` is what an alert is told, and remembers, once it is done."""

    id: str


class PlaybookItem(BaseModel):
    """A playbook; texts are Markdown."""

    name: str
    title: Text
    meaning: Text
    steps: list[StepItem]
    customer: Text
    visit: Text
    rules: list[str]  # that name it


def detail(services: Services, name: str) -> PlaybookItem:
    """All of a playbook. Raises `Problem` (404)."""
    playbook = services.playbooks.get(name)
    if playbook is None:
        raise missing("playbook", name)
    en, zh = playbook.en, playbook.zh
    rules = (*services.rules.rules, STORM)
    steps = zip(playbook.step_ids, en.steps, zh.steps, strict=True)
    return PlaybookItem(
        name=name,
        title=Text(en=en.title, zh=zh.title),
        meaning=Text(en=en.meaning, zh=zh.meaning),
        steps=[StepItem(id=id_, en=one, zh=other) for id_, one, other in steps],
        customer=Text(en=en.customer, zh=zh.customer),
        visit=Text(en=en.visit, zh=zh.visit),
        rules=[rule.name for rule in rules if rule.call_to_action.playbook == name],
    )
