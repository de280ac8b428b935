"""One's own page: language and hours, password, tokens of the API, and where one is signed in."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response

from collector import credentials
from collector.credentials import WeakPasswordError
from collector.enrolment import InvalidPersonError, enrol
from collector.http.pages.frame import GivenForm, UnknownPageError, context, remember_language, render
from collector.http.signed import Signed, signed_in
from collector.people import Person
from collector.relational.accounts import StalePersonError
from collector.words.i18n import Words, zone

router = APIRouter(include_in_schema=False)
OWN_FIELDS: Final[tuple[str, ...]] = ("language", "email", "tz", "work_hours", "holidays")
AGES: Final = ("30d", "90d", "365d", "forever")
_DAY_MS: Final = 86_400_000
_NAME: Final = 80


@router.get("/me")
def me(request: Request) -> Response:
    """What there is to see and change of oneself."""
    return _page(request)


@router.post("/me/profile")
def change_profile(request: Request, form: GivenForm) -> Response:
    """Language, address, zone and hours."""
    services, t, now = context(request)
    person = _here(request).person
    given = {name: form[name] for name in OWN_FIELDS if name in form}
    try:
        wanted = enrol(person.id, given, person)
        changed = services.relational.accounts.change(wanted, person.id, now)
    except InvalidPersonError as error:
        problems = {name: t(f"people.problem.{name}") for name in error.problems}
        return _page(request, HTTPStatus.UNPROCESSABLE_ENTITY, problems=problems, form=form)
    except StalePersonError:
        return _page(request, HTTPStatus.CONFLICT, problems={"": t("people.stale_self")})
    response = _saved("profile")
    if changed.language is not None:
        remember_language(response, changed.language)
    return response


@router.post("/me/password")
def change_password(request: Request, form: GivenForm) -> Response:
    """A new password, by whoever knows the old one; ends every other session."""
    services, t, now = context(request)
    here = _here(request)
    accounts, person = services.relational.accounts, here.person
    stored = accounts.password(person.id)
    wait = services.tries.by_name.begin(person.id, now) if stored is not None else 0
    if wait > 0:
        problem = t("signin.wait", length=t.duration(max(wait, 1_000)))
        return _page(request, HTTPStatus.TOO_MANY_REQUESTS, problems={"old": problem})
    if stored is not None and not credentials.matches(stored, form.get("old", "")):
        return _page(request, HTTPStatus.UNPROCESSABLE_ENTITY, problems={"old": t("me.old_wrong")})
    services.tries.by_name.forget(person.id)
    problem = _unusable(form, person, t)
    if problem:
        return _page(request, HTTPStatus.UNPROCESSABLE_ENTITY, problems={"new": problem})
    accounts.set_password(person.id, credentials.hashed(form["new"]), person.id, now, keep=here.session)
    return _saved("password")


def _unusable(form: dict[str, str], person: Person, t: Words) -> str:
    new = form.get("new", "")
    if new != form.get("again", ""):
        return t("me.again_differs")
    try:
        credentials.check(new, person.id)
    except WeakPasswordError as error:
        return t(f"me.{error.key}", n=credentials.FEWEST, most=credentials.MOST)
    return ""


@router.post("/me/tokens")
def make_token(request: Request, form: GivenForm) -> Response:
    """A token of the API, shown this once."""
    services, t, now = context(request)
    person = _here(request).person
    name, age = " ".join(form.get("name", "").split())[:_NAME], form.get("age", "")
    if not name or age not in AGES:
        return _page(request, HTTPStatus.UNPROCESSABLE_ENTITY, problems={"token": t("me.token_name_needed")})
    token = credentials.api_token()
    until = None if age == "forever" else now + int(age.removesuffix("d")) * _DAY_MS
    services.relational.accounts.add_token(
        "api", credentials.digest(token), person.id, name, person.id, now, until
    )
    return _page(request, HTTPStatus.CREATED, new_token=token)


@router.post("/me/tokens/{id_}/revoke")
def revoke_token(request: Request, id_: Annotated[int, Path(ge=1, le=2**53)]) -> Response:
    """Ends one of one's own tokens."""
    services, _, now = context(request)
    person = _here(request).person
    if not services.relational.accounts.revoke_token(id_, person.id, person.id, now):
        raise UnknownPageError("error.404_text")
    return _saved("token")


@router.post("/me/sign-out-elsewhere")
def sign_out_elsewhere(request: Request) -> Response:
    """Ends every other session."""
    services, _, now = context(request)
    here = _here(request)
    person = here.person.id
    services.relational.accounts.end_sessions(person, person, now, keep=here.session)
    return _saved("elsewhere")


def _here(request: Request) -> Signed:
    """Who asks, in a browser: a token neither makes tokens nor changes passwords."""
    found = signed_in(request)
    if found is None or found.session is None:
        raise UnknownPageError("error.404_text")
    return found


def _saved(what: str) -> Response:
    return RedirectResponse(f"/me?saved={what}", HTTPStatus.SEE_OTHER)


def _page(
    request: Request,
    status: int = HTTPStatus.OK,
    *,
    problems: dict[str, str] | None = None,
    form: dict[str, str] | None = None,
    new_token: str = "",
) -> Response:
    services, t, now = context(request)
    found = _here(request)
    accounts = services.relational.accounts
    saved = request.query_params.get("saved", "")
    shown = {name: getattr(found.person, name) or "" for name in OWN_FIELDS} | (form or {})
    return render(
        request,
        "me.html",
        status,
        section="me",
        shown=shown,
        zone=zone(found.person.tz),
        problems=problems or {},
        saved=t(f"me.saved.{saved}") if t.has(f"me.saved.{saved}") else "",
        has_password=accounts.password(found.person.id) is not None,
        tokens=[token for token in accounts.tokens_of(found.person.id) if token.holds(now)],
        new_token=new_token,
        ages=AGES,
        sessions=accounts.sessions_of(found.person.id, now),
        this_session=found.session,
    )
