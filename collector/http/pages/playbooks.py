"""The playbooks of the console: all of them, and each on a page that can be sent to a colleague."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from collector.http.pages.frame import UnknownPageError, context, render
from collector.http.views import playbook as view

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
