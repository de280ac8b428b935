"""The pages of the registry: lists, forms, and files taken in after a look at what they would change."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import UploadFile

from collector.http.api.registry import MAY, exported
from collector.http.fields import whole_number
from collector.http.guard import MAX_FILE
from collector.http.pages.frame import GivenForm, UnknownPageError, context, render
from collector.http.services import Services
from collector.http.signed import person_of, require, scope
from collector.http.views import registry as view
from collector.http.views import registry_form, registry_import
from collector.http.views.registry_form import Sent
from collector.registry import Kind, Reading, Record, RegistryError, read
from collector.registry.checks import checked_id
from collector.registry.reading import form_of_file, refused
from collector.relational.journal import PULSE, Change
from collector.relational.registry import StaleError, UnknownSubjectError
from collector.words.i18n import Words

router = APIRouter(prefix="/registry", include_in_schema=False)
_KINDS: Final[Mapping[str, Kind]] = {kind.plural: kind for kind in Kind}
_NAME_LENGTH: Final = 200
_MOST_SINCE: Final = 50


@router.get("")
def registry() -> Response:
    """The customers, to begin with."""
    return RedirectResponse("/registry/customers", HTTPStatus.SEE_OTHER)


# --- files ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Upload:
    """A file, as a form sent it, or sent again after a look."""

    name: str = ""
    kind: Kind | None = None
    data: bytes = b""
    digest: str = ""
    skip_bad: bool = False

    def reading(self) -> Reading:
        """What the file says."""
        try:
            text = self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            return refused(self.name, 0, RegistryError("not_utf8", reason=error.reason, at=error.start))
        return read(text, self.name, self.kind)

    @property
    def kept(self) -> str:
        """The file, as a hidden field of a form holds it to the byte."""
        return base64.b64encode(self.data).decode()


async def _upload(request: Request) -> Upload:
    form = await request.form(max_files=1, max_fields=20, max_part_size=MAX_FILE)
    file, given = form.get("file"), {name: value for name, value in form.items() if isinstance(value, str)}
    kind = _KINDS.get(given.get("kind", ""))
    if isinstance(file, UploadFile) and file.filename:
        return Upload(file.filename[-_NAME_LENGTH:], kind, await file.read())
    try:
        data = base64.b64decode(given.get("kept", ""), validate=True)
    except binascii.Error:
        data = b""
    name = given.get("name", "")[-_NAME_LENGTH:]
    return Upload(name, kind, data, given.get("digest", ""), bool(given.get("skip_bad")))


GivenUpload = Annotated[Upload, Depends(_upload)]


@router.get("/import")
def choose(request: Request) -> Response:
    """Asks for a file."""
    return _import_page(request, None)


@router.post("/import")
def take(request: Request, upload: GivenUpload) -> Response:
    """Shows what a file would change; sent again with what was seen, does it."""
    services, t, now = context(request)
    if not upload.name:
        return _import_page(request, None, t("registry.import.none"), HTTPStatus.UNPROCESSABLE_ENTITY)
    reading = upload.reading()
    person = person_of(request)
    for kind in sorted({entry.kind for entry in reading.entries}):
        person = require(request, MAY[kind])
    outcome = services.relational.registry.import_(
        reading,
        person.id,
        now,
        dry_run=not upload.digest,
        skip_bad=upload.skip_bad,
        expected=upload.digest or None,
        scope=scope(request),
    )
    page = registry_import.page(outcome, t, is_late=bool(upload.digest) and not outcome.done)
    status = HTTPStatus.CONFLICT if page.is_late else HTTPStatus.OK
    return _import_page(request, (upload, page), "", status)


def _import_page(
    request: Request,
    taken: tuple[Upload, registry_import.ImportPage] | None,
    problem: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    upload, page = taken or (None, None)
    return render(
        request,
        "registry_import.html",
        status,
        section="registry",
        upload=upload,
        page=page,
        problem=problem,
        kinds=list(Kind),
    )


@router.get("/export/{name}")
def export(request: Request, name: str) -> Response:
    """The registry as a file: registry.yaml, or a table such as customers.csv."""
    stem, form = name.partition(".")[0], form_of_file(name)
    if form is None or (stem not in _KINDS and name != "registry.yaml"):
        raise UnknownPageError("error.404_text")
    text = exported(request, _KINDS.get(stem), form)
    media = "text/csv; charset=utf-8" if form == "csv" else "application/yaml; charset=utf-8"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    mark = "\ufeff" if form == "csv" else ""  # so that spreadsheets take it for UTF-8
    return Response(f"{mark}{text}".encode(), media_type=media, headers=headers)


# --- records ----------------------------------------------------------------------------------------------


@router.get("/{plural}")
def listed(request: Request, plural: str) -> Response:
    """One kind of records."""
    services, t, now = context(request)
    kind = _kind(plural)
    person = person_of(request)
    filters = view.Filters.read(kind, request.query_params)
    page = view.list_page(services, filters, scope(request), t, now)
    gone = request.query_params.get("gone", "")[:256]
    return render(
        request, "registry.html", section="registry", page=page, allowed=person.may(MAY[kind]), gone=gone
    )


@router.get("/{plural}/edit")
def edit(request: Request, plural: str, id: str = "") -> Response:  # noqa: A002 - as the address has it
    """The form of one record."""
    kind = _kind(plural)
    record = _record(request, kind, id)
    return _edit_page(request, kind, id, record, saved="saved" in request.query_params)


@router.get("/{plural}/new")
def new(request: Request, plural: str) -> Response:
    """An empty form; what the address says stands in it already."""
    kind = _kind(plural)
    sent = Sent(dict(request.query_params))
    return _edit_page(request, kind, "", None, sent if sent.form else None)


@router.post("/{plural}/edit")
def save(request: Request, plural: str, form: GivenForm) -> Response:
    """Changes a record, or adds one; what cannot be taken comes back with the reason beside it."""
    services, t, now = context(request)
    kind = _kind(plural)
    person = require(request, MAY[kind])
    id_ = form.get("id", "").strip()
    before = services.relational.registry.one(kind, id_, scope=scope(request)) if id_ else None
    given, faults = registry_form.taken(kind, form, before, t)
    try:
        id_ = checked_id(kind, id_)
        if not faults:
            revision = _revision(form)
            services.relational.registry.edit(
                kind, id_, given, person.id, now, revision=revision, scope=scope(request)
            )
            return RedirectResponse(f"{view.edit_url(kind, id_)}&saved=1", HTTPStatus.SEE_OTHER)
    except RegistryError as error:
        faults.setdefault(error.field, t.both(error))
    except StaleError as error:
        return _late(request, kind, id_, error, Sent(form))
    known = before if _revision(form) else None
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return _edit_page(request, kind, id_ if known else "", known, Sent(form, faults), status=status)


@router.post("/{plural}/remove")
def remove(request: Request, plural: str, form: GivenForm) -> Response:
    """Takes a record out."""
    services, _, now = context(request)
    kind = _kind(plural)
    person = require(request, MAY[kind])
    id_ = form.get("id", "")
    if kind is Kind.ROBOT:
        raise UnknownPageError("error.404_text")
    try:
        services.relational.registry.remove(
            kind, id_, person.id, now, revision=_revision(form), scope=scope(request)
        )
    except UnknownSubjectError:
        raise UnknownPageError("registry.unknown", id=id_[:64]) from None
    except StaleError as error:
        return _late(request, kind, id_, error, None)
    return RedirectResponse(f"/registry/{plural}?{urlencode({'gone': id_})}", HTTPStatus.SEE_OTHER)


def _late(request: Request, kind: Kind, id_: str, error: StaleError, sent: Sent | None) -> Response:
    """Somebody else was quicker: who, what and when, and the form as it was sent, over what is there now."""
    services, t, now = context(request)
    names = services.relational.accounts.names()
    late = _told(error, names, t, now)
    known = id_ if error.current is not None else ""
    if sent is not None and error.current is not None:
        since = _since(services, kind, id_, error.current.revision - _revision(sent.form))
        sent = Sent(registry_form.without_untouched(sent.form, kind, since, t))
    return _edit_page(request, kind, known, error.current, sent, late=late, status=HTTPStatus.CONFLICT)


def _since(services: Services, kind: Kind, id_: str, revisions: int) -> list[Change]:
    """What was done in so many revisions, the newest first; a pulse is none."""
    history = services.relational.registry.history(kind, id_, limit=_MOST_SINCE).items
    counted = [change for change in history if change.what != PULSE]
    return counted[: max(0, revisions)]


def _told(error: StaleError, names: Mapping[str, str], t: Words, now: int) -> str:
    if error.change is None:
        return t("registry.late")
    who = registry_form.name_of(error.change.who, names, t)
    return t(f"registry.late_{error.change.what}", who=who, ago=t.ago(error.change.at, now))


def _edit_page(
    request: Request,
    kind: Kind,
    id_: str,
    record: Record | None,
    sent: Sent | None = None,
    *,
    late: str = "",
    saved: bool = False,
    status: int = HTTPStatus.OK,
) -> Response:
    services, t, _ = context(request)
    page = registry_form.edit_page(services, kind, id_, record, scope(request), t, sent)
    may = person_of(request).may(MAY[kind])
    return render(
        request,
        "registry_edit.html",
        status,
        section="registry",
        page=page,
        allowed=may,
        late=late,
        saved=saved,
        faulty=bool(sent and sent.errors),
    )


def _record(request: Request, kind: Kind, id_: str) -> Record:
    services, _, _ = context(request)
    record = services.relational.registry.one(kind, id_, scope=scope(request))
    if record is None:
        raise UnknownPageError("registry.unknown", id=id_[:64])
    return record


def _kind(plural: str) -> Kind:
    if plural not in _KINDS:
        raise UnknownPageError("error.404_text")
    return _KINDS[plural]


def _revision(form: Mapping[str, str]) -> int:
    return whole_number(form.get("revision", ""), 9) or 0
