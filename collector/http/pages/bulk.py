"""Several alerts at once: what is asked for, what was done, and what was refused, by whom."""

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from collector.http.fields import whole_number
from collector.http.gate import local_path
from collector.http.pages.frame import GivenFields, UnknownPageError, by_script, context, render
from collector.http.pages.refusals import REFUSALS, code, reason
from collector.http.pages.wanted import wanted
from collector.http.signed import person_of, require
from collector.http.views.people import reader
from collector.http.views.rows import Row, rows
from collector.people import May
from collector.queue import REASONS, InvalidActionError
from collector.relational.queued import Outcome

router = APIRouter(include_in_schema=False)
MOST: Final = 200
BULK: Final = ("acknowledge", "assign", "snooze", "close")


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of the alerts: which were done, and which not, with the reason."""

    done: list[Row] = field(default_factory=list)
    refused: list[tuple[Row, str]] = field(default_factory=list)


@router.post("/bulk/ask/{action}")
def ask(request: Request, action: str, form: GivenFields) -> Response:
    """The form of an action on those that are selected; a silence has a page of its own."""
    require(request, May.WORK)
    if action == "silence":
        chosen = [("alert", str(id_)) for id_ in list(_chosen(form))[:50]]
        return RedirectResponse(
            f"/silences/new?{urlencode([('by', 'robot'), *chosen])}", HTTPStatus.SEE_OTHER
        )
    if action not in BULK:
        raise UnknownPageError("error.404_text")
    return _asked(request, action, form)


@router.post("/bulk/{action}")
def act(request: Request, action: str, form: GivenFields) -> Response:
    """Does it to each of them that allows it."""
    services, t, _ = context(request)
    person = require(request, May.WORK)
    chosen = _chosen(form)
    if action not in BULK:
        raise UnknownPageError("error.404_text")
    if not chosen or len(chosen) > MOST:
        return _nothing(request, form, t("bulk.too_many", n=MOST) if chosen else t("bulk.none"))
    now = services.clock()
    try:
        meant = wanted(action, dict(form), now, t)
        outcomes = services.relational.queue.act_many(chosen, meant, person.id, now)
    except REFUSALS as error:
        return _asked(request, action, form, reason(error, {}, now, t), code(error))
    invalid = [one.refusal for one in outcomes if isinstance(one.refusal, InvalidActionError)]
    if len(invalid) == len(outcomes):
        return _asked(request, action, form, reason(invalid[0], {}, now, t), code(invalid[0]))
    services.changes.publish("alerts", [one.id for one in outcomes if one.refusal is None])
    return _done(request, action, form, outcomes)


def _done(request: Request, action: str, form: list[tuple[str, str]], outcomes: list[Outcome]) -> Response:
    services, t, now = context(request)
    names = services.relational.accounts.names()
    known = {row.id: row for row in rows(services, [one.alert for one in outcomes if one.alert], t, now)}
    shown = Shown(
        [known[one.id] for one in outcomes if one.refusal is None],
        [
            (known[one.id], reason(one.refusal, names, now, t))
            for one in outcomes
            if one.refusal and one.id in known
        ],
    )
    title = t(f"bulk.done_{action}", n=len(shown.done)) if shown.done else t("bulk.done_none")
    if by_script(request) and not shown.refused:
        event = json.dumps({"done": {"text": title}})
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"HX-Trigger": event})
    return render(
        request, "bulk.html", section="queue", title=title, outcome=shown, problem="", back=_back(form)
    )


def _asked(
    request: Request,
    action: str,
    form: list[tuple[str, str]],
    problem: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    services, t, now = context(request)
    chosen = _chosen(form)
    if not chosen:
        return _nothing(request, form, t("bulk.none"))
    known = services.relational.queue.by_ids(list(chosen))
    return render(
        request,
        "bulk.html",
        status,
        section="queue",
        title=t(f"bulk.title_{action}", n=len(known)),
        outcome=None,
        action=action,
        rows=rows(services, list(known.values()), t, now),
        chosen=[value for name, value in form if name == "alert"],
        back=_back(form),
        given=dict(form),
        reasons=REASONS,
        people=reader(request, services).people,
        reader=person_of(request).id,
        problem=problem,
    )


def _nothing(request: Request, form: list[tuple[str, str]], text: str) -> Response:
    _, t, _ = context(request)
    return render(
        request,
        "bulk.html",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        section="queue",
        title=t("bulk.done_none"),
        outcome=Shown(),
        problem=text,
        back=_back(form),
    )


def _back(form: list[tuple[str, str]]) -> str:
    return local_path(dict(form).get("back", "/"))


def _chosen(form: list[tuple[str, str]]) -> dict[int, int | None]:
    """The alerts that are ticked, each with the revision it was shown with: `12.3`."""
    found: dict[int, int | None] = {}
    for name, value in form:
        id_, _, revision = value.partition(".")
        if name == "alert" and (alert := whole_number(id_)) is not None:
            found[alert] = whole_number(revision)
    return found
