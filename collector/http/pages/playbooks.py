"""The playbooks of the console: all of them, and each on a page that can be sent to a colleague."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from collector.http.pages.frame import GivenForm, UnknownPageError, alert_of, by_script, context, render
from collector.http.signed import require
from collector.http.views import playbook as view
from collector.people import May
from collector.queue import Alert, Check, IllegalActionError

router = APIRouter(include_in_schema=False)


@router.get("/playbooks")
def playbooks(request: Request) -> Response:
    """What to do about each trouble, by subsystem."""
    services, t, _ = context(request)
    return render(request, "playbooks.html", section="playbooks", shelves=view.shelves(services, t))


@router.get("/playbooks/{name}")
def playbook(request: Request, name: str) -> Response:
    """One playbook."""
    services, t, _ = context(request)
    found = view.alone(services, name, t)
    if found is None:
        raise UnknownPageError("error.404_playbook", name=name[:64])
    rules = view.used_by(services, name, t)
    return render(request, "playbook_page.html", section="playbooks", play=found, rules=rules)


@router.post("/alerts/{id_}/check")
def check(request: Request, id_: str, form: GivenForm) -> Response:
    """Ticks a step of an alert's playbook, or takes the tick back; answers the checklist as it is now."""
    services, t, now = context(request)
    person = require(request, May.WORK)
    alert = alert_of(request, id_)
    play = view.playbook_view(services, alert, t)
    step = form.get("step", "")
    if play is None or step not in {known.id for known in play.steps}:
        return _refused(request, alert, t("playbook.step_unknown"), HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        alert = services.relational.queue.act(
            alert.id, Check(step, form.get("done") != "false"), person.id, now
        )
    except IllegalActionError as error:
        work = t.one_of("work", error.alert.work)
        return _refused(request, error.alert, t("playbook.refused", work=work), HTTPStatus.CONFLICT)
    services.changes.publish("alerts", [alert.id])
    if not by_script(request):
        return RedirectResponse(f"/alerts/{alert.id}#playbook", HTTPStatus.SEE_OTHER)
    return render(request, "playbook_piece.html", play=view.playbook_view(services, alert, t), problem="")


def _refused(request: Request, alert: Alert, text: str, status: HTTPStatus) -> Response:
    """Why a step was not ticked, with the checklist as it is; without scripts, as a page."""
    services, t, _ = context(request)
    play = view.playbook_view(services, alert, t)
    if play is not None and by_script(request):
        return render(request, "playbook_piece.html", status, play=play, problem=text)
    return render(request, "error.html", status, section="", status=int(status), title=text, text="")
