"""People, for admins: who may sign in, as what, and what was done about it."""

from dataclasses import replace
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from collector import credentials
from collector.enrolment import FIELDS, InvalidPersonError, enrol
from collector.http.fields import whole_number
from collector.http.pages.frame import GivenForm, UnknownPageError, context, render
from collector.http.signed import require
from collector.people import May, Person, Role, Sees
from collector.relational.accounts import (
    LastAdminError,
    PersonExistsError,
    StalePersonError,
)
from collector.words.i18n import zone
from collector.words.wording import LANGUAGES

router = APIRouter(include_in_schema=False)
LINK_MS: Final = 24 * 3_600_000  # it goes by mail or chat
_JOURNAL: Final = 20


@router.get("/people")
def people(request: Request) -> Response:
    """Everybody."""
    services, _, _ = context(request)
    require(request, May.MANAGE_PEOPLE)
    return render(
        request, "people.html", section="people", everybody=services.relational.accounts.everybody()
    )


@router.get("/people/new")
def new_person(request: Request) -> Response:
    """The form of somebody new."""
    require(request, May.MANAGE_PEOPLE)
    return _form(request, None, {"sees": Sees.ALL.value, "role": Role.CSM.value})


@router.post("/people/new")
def add_person(request: Request, form: GivenForm) -> Response:
    """Adds somebody, who first signs in by a link."""
    services, t, now = context(request)
    admin = require(request, May.MANAGE_PEOPLE)
    try:
        person = enrol(form.get("id", "").strip().lower(), form)
        services.relational.accounts.add(person, None, admin.id, now)
    except InvalidPersonError as error:
        problems = {name: t(f"people.problem.{name}") for name in error.problems}
        return _form(request, None, form, problems, HTTPStatus.UNPROCESSABLE_ENTITY)
    except PersonExistsError:
        return _form(request, None, form, {"id": t("people.problem.exists")}, HTTPStatus.CONFLICT)
    return _with_link(request, person, admin)


@router.get("/people/{id_}")
def one_person(request: Request, id_: str) -> Response:
    """All of one person, to be changed."""
    require(request, May.MANAGE_PEOPLE)
    return _form(request, _known(request, id_))


@router.post("/people/{id_}")
def change_person(request: Request, id_: str, form: GivenForm) -> Response:
    """Changes a person; one who saw an older state of it is told who was faster."""
    services, t, now = context(request)
    admin, before = require(request, May.MANAGE_PEOPLE), _known(request, id_)
    try:
        wanted = enrol(before.id, {name: form[name] for name in FIELDS if name in form}, before)
        wanted = replace(wanted, revision=_revision(form))
        services.relational.accounts.change(wanted, admin.id, now)
    except InvalidPersonError as error:
        problems = {name: t(f"people.problem.{name}") for name in error.problems}
        return _form(request, before, form, problems, HTTPStatus.UNPROCESSABLE_ENTITY)
    except LastAdminError:
        problems = {"role": t("people.last_admin")}
        return _form(request, before, form, problems, HTTPStatus.CONFLICT)
    except StalePersonError as error:
        return _form(request, before, None, {"": _stale(request, error)}, HTTPStatus.CONFLICT)
    return RedirectResponse(f"{_address(before)}?saved=1", HTTPStatus.SEE_OTHER)


@router.post("/people/{id_}/{what}")
def do(request: Request, id_: str, what: str) -> Response:
    """Disables, enables, signs out, makes a link, or takes the password away."""
    services, t, now = context(request)
    admin, person = require(request, May.MANAGE_PEOPLE), _known(request, id_)
    accounts = services.relational.accounts
    try:
        match what:
            case "disable" | "enable":
                accounts.change(replace(person, active=what == "enable"), admin.id, now)
                services.changes.publish("alerts", [0])
            case "sign-out":
                accounts.end_sessions(person.id, admin.id, now)
            case "reset":
                accounts.set_password(person.id, None, admin.id, now)
                return _with_link(request, person, admin)
            case "link":
                return _with_link(request, person, admin)
            case _:
                raise UnknownPageError("error.404_text")
    except LastAdminError:
        return _form(request, person, None, {"": t("people.last_admin")}, HTTPStatus.CONFLICT)
    except StalePersonError as error:
        return _form(request, person, None, {"": _stale(request, error)}, HTTPStatus.CONFLICT)
    return RedirectResponse(f"{_address(person)}?saved=1", HTTPStatus.SEE_OTHER)


def _with_link(request: Request, person: Person, admin: Person) -> Response:
    """The person's page with a link to hand over, which is shown this once."""
    services, _, now = context(request)
    secret = credentials.secret()
    digest = credentials.digest(secret)
    services.relational.accounts.add_token("link", digest, person.id, "", admin.id, now, now + LINK_MS)
    return _form(request, person, link=f"{request.base_url}sign-in/link/{secret}")


def _known(request: Request, id_: str) -> Person:
    services, _, _ = context(request)
    found = services.relational.accounts.person(id_)
    if found is None:
        raise UnknownPageError("people.nobody", id=id_[:64])
    return found


def _stale(request: Request, error: StalePersonError) -> str:
    services, t, now = context(request)
    if error.last is None:
        return t("people.stale_self")
    who = services.relational.accounts.names().get(error.last.who, error.last.who)
    return t("people.stale", who=who, ago=t.ago(error.last.at, now))


def _form(
    request: Request,
    person: Person | None,
    shown: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
    status: int = HTTPStatus.OK,
    *,
    link: str = "",
) -> Response:
    """The page of somebody; None: of somebody new."""
    services, t, now = context(request)
    accounts, fresh = services.relational.accounts, person
    if person is not None:
        fresh = accounts.person(person.id) or person
    texts = {} if fresh is None else {name: str(getattr(fresh, name) or "") for name in FIELDS}
    return render(
        request,
        "person.html",
        status,
        section="people",
        whose=fresh,
        shown=dict.fromkeys(("id", *FIELDS), "") | texts | (shown or {}),
        problems=problems or {},
        saved=t("people.saved") if "saved" in request.query_params else "",
        link=link,
        link_until=t.moment(now + LINK_MS, zone(None if fresh is None else fresh.tz)),
        roles=[*Role],
        sees=[*Sees],
        languages=LANGUAGES,
        sessions=[] if fresh is None else accounts.sessions_of(fresh.id, now),
        has_password=fresh is not None and accounts.password(fresh.id) is not None,
        journal=[] if fresh is None else accounts.journal(fresh.id, _JOURNAL),
        names=accounts.names(),
        zone=zone(None),
    )


def _address(person: Person) -> str:
    return f"/people/{quote(person.id)}"


def _revision(form: dict[str, str]) -> int:
    """Of the person as the form was shown; one that nobody ever had where it gives none."""
    given = whole_number(form.get("revision", ""), 9)
    return -1 if given is None else given
