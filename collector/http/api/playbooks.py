"""Playbooks for scripts: what to do about an alert, as Markdown in both languages."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel

from collector.http.api.alerts import Text
from collector.http.problems import MEDIA_TYPE as PROBLEM
from collector.http.problems import missing
from collector.http.services import Services
from rules.playbook import Playbook
from rules.storm import RULE as STORM

_REFUSED: Final = {"content": {PROBLEM: {"schema": {"type": "object"}}}}
router = APIRouter(
    prefix="/api/v1",
    responses={
        404: {"description": "There is no such playbook.", **_REFUSED},
        422: {"description": "A value cannot be used; `errors` names fields.", **_REFUSED},
    },
)


class PlaybookItem(BaseModel):
    """A playbook; texts are Markdown, and step n of an alert's checklist is item n - 1 of `steps`."""

    name: str
    title: Text
    meaning: Text
    steps: list[Text]
    customer: Text
    visit: Text
    rules: list[str]  # that name it


@router.get("/playbooks/{name}")
def get_playbook(request: Request, name: Annotated[str, Path(max_length=64)]) -> PlaybookItem:
    """What to do about an alert whose rule names this playbook."""
    services: Services = request.app.state.services
    playbook = services.playbooks.get(name)
    if playbook is None:
        raise missing("playbook", name)
    return _item(services, playbook)


def _item(services: Services, playbook: Playbook) -> PlaybookItem:
    en, zh = playbook.en, playbook.zh
    naming = [
        rule.name for rule in (*services.rules.rules, STORM) if rule.call_to_action.playbook == playbook.name
    ]
    return PlaybookItem(
        name=playbook.name,
        title=Text(en=en.title, zh=zh.title),
        meaning=Text(en=en.meaning, zh=zh.meaning),
        steps=[Text(en=one, zh=other) for one, other in zip(en.steps, zh.steps, strict=True)],
        customer=Text(en=en.customer, zh=zh.customer),
        visit=Text(en=en.visit, zh=zh.visit),
        rules=naming,
    )
