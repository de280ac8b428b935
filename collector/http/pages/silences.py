"""Silences and maintenance windows: the list, a new one, its preview, and its early end."""

from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from collector.http.fields import duration, whole_number
from collector.http.i18n import Words, zone
from collector.http.pages.frame import GivenForm, UnknownPageError, by_script, context, render
from collector.http.signed import person_of, require
from collector.http.views import silences as view
from collector.http.views.rows import rows
from collector.http.views.times import DAYS, given_days, local, moment, weekly
from collector.people import May
from collector.queue import Alert
from collector.relational import CursorError
from collector.relational.silencing import EndedSilenceError, UnknownSilenceError
from collector.silences import OPS, Draft, InvalidSilenceError, Matcher, SilenceKind

router = APIRouter(include_in_schema=False)
ROWS: Final = 4  # of matchers in the form
LENGTHS: Final = ("1h", "4h", "1d", "7d", "30d")
_WHOLE_DAY: Final = ("00:00", "24:00")


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
    given = _filled(view.prefilled(alerts, by)) | {"zone": _zone(request, alerts)}
    return _form_page(request, given | {"kind": request.query_params.get("kind", "silence")})


@router.post("/silences/preview")
def preview(request: Request, form: GivenForm) -> Response:
    """What the matchers of the form would hide now."""
    services, t, now = context(request)
    require(request, May.WORK)
    shown = view.preview(services, _matchers(form), t, now)
    if by_script(request):
        return render(request, "silence_preview.html", section="queue", preview=shown)
    return _form_page(request, form, shown)


@router.post("/silences/new")
def add(request: Request, form: GivenForm) -> Response:
    """Keeps a new silence; what is wrong with it stands beside the form, all at once."""
    services, t, now = context(request)
    person = require(request, May.WORK)
    try:
        draft = _draft(form, now)
        added = services.relational.silences.add(draft, person.id, now)
    except InvalidSilenceError as error:
        problems = [_problem(field, t) for field, _ in error.errors]
        return _form_page(request, form, problems=list(dict.fromkeys(problems)))
    services.changes.publish("alerts", added.alerts or [0])
    return RedirectResponse("/silences", HTTPStatus.SEE_OTHER)


@router.post("/silences/{id_}/end")
def end(request: Request, id_: str) -> Response:
    """Ends one before its time."""
    services, _, now = context(request)
    person = require(request, May.WORK)
    known_id = whole_number(id_)
    if known_id is None:
        raise UnknownPageError("error.404_text")
    try:
        ended = services.relational.silences.end(known_id, person.id, now)
    except EndedSilenceError:  # somebody was faster; the list says who
        return RedirectResponse("/silences", HTTPStatus.SEE_OTHER)
    except UnknownSilenceError:
        raise UnknownPageError("error.404_text") from None
    services.changes.publish("alerts", ended.alerts or [0])
    return RedirectResponse("/silences", HTTPStatus.SEE_OTHER)


def _form_page(
    request: Request,
    given: dict[str, str],
    preview: view.Preview | None = None,
    problems: list[str] | None = None,
) -> Response:
    services, t, now = context(request)
    shown = preview or view.preview(services, _matchers(given), t, now)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    tz = zone(given.get("zone"))
    return render(
        request,
        "silence.html",
        status,
        section="queue",
        given={"begins": local(now, tz), "length": "4h", "ends": local(now + 14_400_000, tz)} | given,
        preview=shown,
        problems=problems or [],
        names=view.names(t),
        known=view.known_values(services, t),
        ops=[(op, t(f"silence.op.{_OP_NAMES[op]}")) for op in OPS],
        days=list(zip(DAYS, t("times.days").split(), strict=True)),
        lengths=LENGTHS,
        places=range(max(ROWS, len(_matchers(given)) + 1)),
    )


_OP_NAMES: Final = {"=": "is", "!=": "is_not", "in": "one_of", "prefix": "begins"}


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


def _filled(matchers: tuple[Matcher, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, matcher in enumerate(matchers):
        found |= {f"name_{number}": matcher.name, f"op_{number}": matcher.op}
        found[f"values_{number}"] = "\n".join(matcher.values) if matcher.op == "in" else matcher.values[0]
    return found


def _matchers(form: dict[str, str]) -> tuple[Matcher, ...]:
    """Those of the form that say something."""
    found = []
    for number in range(20):
        written = form.get(f"values_{number}", "").strip()
        op = form.get(f"op_{number}", "=")
        if not written:
            continue
        separate = op == "in"
        values = [part.strip() for part in written.replace(";", "\n").split("\n")] if separate else [written]
        known = tuple(value for value in values if value)
        found.append(Matcher(form.get(f"name_{number}", ""), op, known))  # type: ignore[arg-type]
    return tuple(found)


def _draft(form: dict[str, str], now: int) -> Draft:
    """Raises `InvalidSilenceError` for times that cannot be read."""
    tz_name = form.get("zone", "").strip()
    tz = zone(tz_name)
    try:
        begins = moment(form["begins"], tz) if form.get("begins") else now
        length = form.get("length", "")
        ends = moment(form.get("ends", ""), tz) if length == "until" else begins + duration(length)
    except ValueError:
        raise InvalidSilenceError([("ends_at", "cannot be read")]) from None
    hours = form.get("from") or _WHOLE_DAY[0], form.get("to") or _WHOLE_DAY[1]
    kind = SilenceKind.MAINTENANCE if form.get("kind") == "maintenance" else SilenceKind.SILENCE
    recurrence = weekly(given_days(form), *hours, tz_name)
    return Draft(kind, _matchers(form), begins, ends, form.get("comment", ""), recurrence)


def _problem(field: str, t: Words) -> str:
    """What is wrong with a field, in the reader's language."""
    part = field.partition(".")[0]
    return t(f"silence.problem.{part}") if t.has(f"silence.problem.{part}") else field
