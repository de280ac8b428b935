"""Silences and maintenance windows: the list, a new one, its preview, a change, and an early end."""

from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from collector.http.fields import whole_number
from collector.http.pages.frame import GivenForm, UnknownPageError, by_script, context, render
from collector.http.signed import person_of, require
from collector.http.views import silence_form as form_view
from collector.http.views import silences as view
from collector.http.views.rows import rows
from collector.http.views.times import DAYS, given_days, local
from collector.people import May
from collector.queue import Alert
from collector.relational import CursorError
from collector.relational.silencing import EndedSilenceError, StaleSilenceError, UnknownSilenceError
from collector.silences import OPS, InvalidSilenceError, Silence
from collector.words.i18n import Words, zone

router = APIRouter(include_in_schema=False)


@router.get("/silences")
def silences(request: Request) -> Response:
    """What hides alerts, what will, and what did."""
    services, t, now = context(request)
    before = request.query_params.get("before", "")
    names = services.relational.accounts.names()
    person = person_of(request)
    try:
        found = view.sections(services, names, person.tz, before, t, now)
    except CursorError:
        raise UnknownPageError("error.404_text") from None
    return render(request, "silences.html", section="queue", sections=found, may_work=person.may(May.WORK))


@router.get("/silences/new")
def new(request: Request) -> Response:
    """The form of a new one; `alert` and `by` fill it in."""
    require(request, May.WORK)
    asked = [value for name, value in parse_qsl(request.url.query) if name == "alert"]
    by = request.query_params.get("by", "site")
    alerts = _alerts(request, asked)
    given = form_view.filled_in(view.prefilled(alerts, by)) | {"zone": _zone(request, alerts)}
    return _form_page(request, given | {"kind": request.query_params.get("kind", "silence")})


@router.post("/silences/preview")
def preview(request: Request, form: GivenForm) -> Response:
    """What the matchers of the form would hide now."""
    services, t, now = context(request)
    require(request, May.WORK)
    shown = view.preview(services, form_view.matchers_of(form), t, now)
    if by_script(request):
        return render(request, "silence_preview.html", section="queue", preview=shown)
    return _form_page(request, form, shown)


@router.post("/silences/new")
def add(request: Request, form: GivenForm) -> Response:
    """Keeps a new silence; what is wrong with it stands beside the form, all at once."""
    services, t, now = context(request)
    person = require(request, May.WORK)
    try:
        added = services.relational.silences.add(form_view.drafted(form, now), person.id, now)
    except InvalidSilenceError as error:
        return _form_page(request, form, problems=_problems(error, t))
    services.changes.publish("alerts", added.alerts or [0])
    return RedirectResponse("/silences", HTTPStatus.SEE_OTHER)


@router.get("/silences/{id_}/edit")
def edit(request: Request, id_: str) -> Response:
    """The form of one that goes on or is to come, as it is; of one that ended, the list says by whom."""
    _, _, now = context(request)
    require(request, May.WORK)
    silence = _changeable(request, id_)
    if silence.state(now) == "ended":
        return RedirectResponse(_place(silence), HTTPStatus.SEE_OTHER)
    clock = silence.recurrence.tz if silence.recurrence else _zone(request, [])
    return _form_page(request, form_view.filled(silence, clock))


@router.post("/silences/{id_}/edit")
def change(request: Request, id_: str, form: GivenForm) -> Response:
    """Keeps a silence as it is to be; who was quicker is told, over the form as it was sent."""
    services, t, now = context(request)
    person, before = require(request, May.WORK), _changeable(request, id_)
    silences, revision = services.relational.silences, whole_number(form.get("revision", ""), 9)
    given = form | {"id": str(before.id)}
    try:
        draft = form_view.drafted(form, now, before)
        changed = silences.change(
            before.id, draft, person.id, now, revision=-1 if revision is None else revision
        )
    except InvalidSilenceError as error:
        return _form_page(request, given, problems=_problems(error, t))
    except StaleSilenceError as error:
        given["revision"] = str(error.silence.revision)
        return _form_page(request, given, late=_late(request, error.silence))
    except EndedSilenceError as error:
        return _form_page(request, form | {"id": ""}, late=_late(request, error.silence))
    except UnknownSilenceError:
        raise UnknownPageError("error.404_text") from None
    services.changes.publish("alerts", changed.alerts or [0])
    return RedirectResponse(_place(changed.silence), HTTPStatus.SEE_OTHER)


@router.post("/silences/{id_}/end")
def end(request: Request, id_: str) -> Response:
    """Ends one before its time."""
    services, _, now = context(request)
    person, silence = require(request, May.WORK), _changeable(request, id_)
    try:
        ended = services.relational.silences.end(silence.id, person.id, now)
    except EndedSilenceError:  # somebody was faster; the list says who
        return RedirectResponse("/silences", HTTPStatus.SEE_OTHER)
    except UnknownSilenceError:
        raise UnknownPageError("error.404_text") from None
    services.changes.publish("alerts", ended.alerts or [0])
    return RedirectResponse("/silences", HTTPStatus.SEE_OTHER)


def _place(silence: Silence) -> str:
    return f"/silences#silence-{silence.id}"


def _late(request: Request, silence: Silence) -> view.Late:
    services, t, now = context(request)
    return view.late(services, silence, services.relational.accounts.names(), person_of(request).tz, t, now)


def _form_page(
    request: Request,
    given: dict[str, str],
    preview: view.Preview | None = None,
    problems: list[str] | None = None,
    late: view.Late | None = None,
) -> Response:
    services, t, now = context(request)
    matchers = form_view.matchers_of(given)
    shown = preview or view.preview(services, matchers, t, now)
    refused = HTTPStatus.CONFLICT if late else HTTPStatus.UNPROCESSABLE_ENTITY
    tz = zone(given.get("zone"))
    return render(
        request,
        "silence.html",
        refused if late or problems else HTTPStatus.OK,
        section="queue",
        id=whole_number(given.get("id", "")),
        given={"begins": local(now, tz), "length": "4h", "ends": local(now + 14_400_000, tz)} | given,
        preview=shown,
        problems=problems or [],
        late=late,
        names=view.names(t, matchers),
        known=view.known_values(services, t),
        ops=[(op, t(f"silence.op.{_OP_NAMES[op]}")) for op in OPS],
        days=list(zip(DAYS, t("times.days").split(), strict=True)),
        recurs=bool(given_days(given) or given.get("times")),
        lengths=form_view.LENGTHS,
        places=form_view.places(given),
    )


_OP_NAMES: Final = {"=": "is", "!=": "is_not", "in": "one_of", "prefix": "begins"}


def _changeable(request: Request, id_: str) -> Silence:
    """The silence, if this person may change and end it. Raises `UnknownPageError`."""
    services, _, _ = context(request)
    silences, known = services.relational.silences, whole_number(id_)
    found = None if known is None else silences.one(known)
    if found is None or not silences.may_change(found):
        raise UnknownPageError("error.404_text")
    return found


def _alerts(request: Request, ids: list[str]) -> list[Alert]:
    services, _, _ = context(request)
    known = (whole_number(id_) for id_ in ids[:200])
    found = (services.relational.alert(id_) for id_ in known if id_ is not None)
    return [alert for alert in found if alert is not None]


def _zone(request: Request, alerts: list[Alert]) -> str:
    """The clock by which the times are meant: the reader's, else that of the first alert's robot."""
    services, t, now = context(request)
    person = person_of(request)
    if person.tz:
        return person.tz
    shown = rows(services, alerts[:1], t, now)
    return str(shown[0].place.zone) if shown else "Asia/Shanghai"


def _problems(error: InvalidSilenceError, t: Words) -> list[str]:
    """What is wrong, in the reader's language, each field once."""
    fields = dict.fromkeys(field.partition(".")[0] for field, _ in error.errors)
    return [t(f"silence.problem.{field}") for field in fields]
