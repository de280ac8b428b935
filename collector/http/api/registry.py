"""Customers, contracts and sites over the API; robots are changed here, too, and files taken in."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import PlainTextResponse, Response

from collector.http.api.refusals import REFUSALS, TOKEN, refusal
from collector.http.api.registered import (
    ChangeItem,
    ContractBody,
    ContractFilter,
    ContractItem,
    ContractPage,
    CustomerBody,
    CustomerFilter,
    CustomerItem,
    CustomerPage,
    DifferenceItem,
    ExportFilter,
    FieldChange,
    HistoryFilter,
    HistoryPage,
    ImportBody,
    ImportReport,
    ProblemItem,
    RegisteredRobot,
    Revision,
    RobotBody,
    SiteBody,
    SiteFilter,
    SiteItem,
    SitePage,
)
from collector.http.problems import Problem, invalid, missing
from collector.http.signed import person_of, require, scope, services_of
from collector.people import May
from collector.registry import (
    Contract,
    Customer,
    Difference,
    Kind,
    RegistryError,
    RobotRecord,
    Site,
    read,
)
from collector.registry import Stage as CustomerStage
from collector.registry import Tier as CustomerTier
from collector.registry.checks import checked_id
from collector.registry.reading import given as given_values
from collector.registry.writing import to_csv, to_yaml
from collector.relational import CursorError
from collector.relational.journal import Change
from collector.relational.registry import (
    ContractQuery,
    CustomerQuery,
    Outcome,
    SiteQuery,
    StaleError,
    UnknownSubjectError,
)

_LATE = "Somebody else changed it since it was read; `changed_by` and `changed_at` say who and when."
router = APIRouter(prefix="/api/v1", responses={**REFUSALS, 409: refusal(_LATE)}, dependencies=[TOKEN])
MAY: Final[Mapping[Kind, May]] = {
    Kind.CUSTOMER: May.EDIT_CUSTOMERS,
    Kind.CONTRACT: May.EDIT_CUSTOMERS,
    Kind.SITE: May.REGISTER,
    Kind.ROBOT: May.REGISTER,
}
_MOST_TOLD: Final = 1_000  # differences and problems of one answer
Id = Annotated[str, Path(max_length=256)]


# --- customers --------------------------------------------------------------------------------------------


@router.get("/customers")
def list_customers(request: Request, given: Annotated[CustomerFilter, Query()]) -> CustomerPage:
    """Customers by name."""
    query = CustomerQuery(
        given.q,
        CustomerTier(given.tier) if given.tier else None,
        CustomerStage(given.stage) if given.stage else None,
        given.csm,
        given.region,
        given.industry,
        scope(request),
    )
    page = services_of(request).relational.registry.customers(query, after=given.after, limit=given.limit)
    return CustomerPage(items=[_customer(each) for each in page.items], next=page.next)


@router.get("/customers/{customer:path}")
def get_customer(request: Request, customer: Id) -> CustomerItem:
    """One customer."""
    return _customer(_found(request, Kind.CUSTOMER, customer))


@router.put("/customers/{customer:path}")
def put_customer(request: Request, customer: Id, body: CustomerBody) -> CustomerItem:
    """Registers a customer, or replaces all that is known of it."""
    return _customer(_edit(request, Kind.CUSTOMER, customer, body, whole=True))


@router.patch("/customers/{customer:path}")
def patch_customer(request: Request, customer: Id, body: CustomerBody) -> CustomerItem:
    """Changes what is given; null empties a field."""
    return _customer(_edit(request, Kind.CUSTOMER, customer, body, whole=False))


@router.delete("/customers/{customer:path}", status_code=HTTPStatus.NO_CONTENT)
def delete_customer(
    request: Request, customer: Id, revision: Annotated[Revision, Query()] = None
) -> Response:
    """Takes a customer out; its contracts, sites and robots stay."""
    return _remove(request, Kind.CUSTOMER, customer, revision)


# --- contracts --------------------------------------------------------------------------------------------


@router.get("/contracts")
def list_contracts(request: Request, given: Annotated[ContractFilter, Query()]) -> ContractPage:
    """Contracts, the one that ends first at the beginning."""
    query = ContractQuery(
        given.q,
        given.customer,
        given.csm,
        given.renewed,
        given.ends_from,
        given.ends_until,
        scope(request),
    )
    try:
        page = services_of(request).relational.registry.contracts(query, after=given.after, limit=given.limit)
    except CursorError as error:
        raise invalid("after", str(error)) from None
    return ContractPage(items=[_contract(each) for each in page.items], next=page.next)


@router.get("/contracts/{contract:path}")
def get_contract(request: Request, contract: Id) -> ContractItem:
    """One contract."""
    return _contract(_found(request, Kind.CONTRACT, contract))


@router.put("/contracts/{contract:path}")
def put_contract(request: Request, contract: Id, body: ContractBody) -> ContractItem:
    """Registers a contract, or replaces all that is known of it."""
    return _contract(_edit(request, Kind.CONTRACT, contract, body, whole=True))


@router.patch("/contracts/{contract:path}")
def patch_contract(request: Request, contract: Id, body: ContractBody) -> ContractItem:
    """Changes what is given; null empties a field."""
    return _contract(_edit(request, Kind.CONTRACT, contract, body, whole=False))


@router.delete("/contracts/{contract:path}", status_code=HTTPStatus.NO_CONTENT)
def delete_contract(
    request: Request, contract: Id, revision: Annotated[Revision, Query()] = None
) -> Response:
    """Takes a contract out."""
    return _remove(request, Kind.CONTRACT, contract, revision)


# --- sites and robots -------------------------------------------------------------------------------------


@router.get("/sites")
def list_sites(request: Request, given: Annotated[SiteFilter, Query()]) -> SitePage:
    """Sites by name."""
    query = SiteQuery(given.q, given.customer, given.csm, given.region, scope(request))
    page = services_of(request).relational.registry.sites(query, after=given.after, limit=given.limit)
    return SitePage(items=[_site(each) for each in page.items], next=page.next)


@router.get("/sites/{site:path}")
def get_site(request: Request, site: Id) -> SiteItem:
    """One site."""
    return _site(_found(request, Kind.SITE, site))


@router.put("/sites/{site:path}")
def put_site(request: Request, site: Id, body: SiteBody) -> SiteItem:
    """Registers a site, or replaces all that is known of it."""
    return _site(_edit(request, Kind.SITE, site, body, whole=True))


@router.patch("/sites/{site:path}")
def patch_site(request: Request, site: Id, body: SiteBody) -> SiteItem:
    """Changes what is given; null empties a field."""
    return _site(_edit(request, Kind.SITE, site, body, whole=False))


@router.delete("/sites/{site:path}", status_code=HTTPStatus.NO_CONTENT)
def delete_site(request: Request, site: Id, revision: Annotated[Revision, Query()] = None) -> Response:
    """Takes a site out; its robots stay."""
    return _remove(request, Kind.SITE, site, revision)


@router.put("/robots/{robot}")
def put_robot(request: Request, robot: Id, body: RobotBody) -> RegisteredRobot:
    """Registers a robot, or replaces all that is known of it."""
    return _robot(_edit(request, Kind.ROBOT, robot, body, whole=True))


@router.patch("/robots/{robot}")
def patch_robot(request: Request, robot: Id, body: RobotBody) -> RegisteredRobot:
    """Changes what is given; null empties a field. A robot that left is `retired`."""
    return _robot(_edit(request, Kind.ROBOT, robot, body, whole=False))


# --- the registry as a whole ------------------------------------------------------------------------------


@router.get("/registry/history")
def get_history(request: Request, given: Annotated[HistoryFilter, Query()]) -> HistoryPage:
    """Who changed what, the newest first."""
    kind = Kind(given.kind) if given.kind else None
    if scope(request) is not None:
        if kind is None or given.id is None:
            raise invalid("id", "is required, with kind, for who sees some customers only")
        _found(request, kind, given.id)
    try:
        page = services_of(request).relational.registry.history(
            kind, given.id, after=given.after, limit=given.limit
        )
    except CursorError as error:
        raise invalid("after", str(error)) from None
    return HistoryPage(items=[_change(each) for each in page.items], next=page.next)


@router.get("/registry/export", response_class=PlainTextResponse)
def get_registry(request: Request, given: Annotated[ExportFilter, Query()]) -> PlainTextResponse:
    """The registry as a file that import reads back to the same."""
    if given.format == "csv" and given.kind is None:
        raise invalid("kind", "is required for csv")
    kind = Kind(given.kind) if given.kind else None
    return PlainTextResponse(exported(request, kind, given.format))


@router.post("/registry/import")
def import_registry(request: Request, body: ImportBody) -> ImportReport:
    """Takes a file in: all of it or, if anything is wrong with it, nothing."""
    reading = read(body.text, body.name, Kind(body.kind) if body.kind else None)
    for kind in sorted({entry.kind for entry in reading.entries}):
        require(request, MAY[kind])
    services = services_of(request)
    outcome = services.relational.registry.import_(
        reading,
        person_of(request).id,
        services.clock(),
        dry_run=body.dry_run,
        skip_bad=body.skip_bad,
        scope=scope(request),
    )
    if not body.dry_run and not outcome.done:
        errors = [{"field": each.place, "message": str(each.error)} for each in outcome.plan.problems]
        detail = f"nothing was imported: {errors[0]['field']}: {errors[0]['message']}"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors[:_MOST_TOLD])
    return _report(outcome)


def exported(request: Request, kind: Kind | None, form: str) -> str:
    """What a person may see of the registry, as the text of a file."""
    contents = services_of(request).relational.registry.contents(scope(request))
    if form == "csv" and kind is not None:
        return to_csv(kind, contents[kind])
    return to_yaml(contents if kind is None else {kind: contents[kind]})


# --- what all of them share -------------------------------------------------------------------------------


def _found(request: Request, kind: Kind, id_: str) -> Any:
    record = services_of(request).relational.registry.one(kind, id_, scope=scope(request))
    if record is None:
        raise missing(kind.value, id_)
    return record


def _edit(request: Request, kind: Kind, id_: str, body: Any, *, whole: bool) -> Any:
    person = require(request, MAY[kind])
    services = services_of(request)
    cells = body.model_dump(exclude={"revision", "extra"}, exclude_unset=not whole)
    taken, errors = given_values(kind, {**getattr(body, "extra", {}), **cells})
    try:
        checked_id(kind, id_)
        if errors:
            raise errors[0]
        record = services.relational.registry.edit(
            kind,
            id_,
            taken,
            person.id,
            services.clock(),
            revision=body.revision,
            whole=whole,
            scope=scope(request),
        )
    except RegistryError as error:
        told = [{"field": each.field, "message": str(each)} for each in errors or [error]]
        detail = "; ".join(f"{each['field']}: {each['message']}" for each in told)
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=told) from None
    except StaleError as error:
        raise _stale(error) from None
    return record


def _remove(request: Request, kind: Kind, id_: str, revision: int | None) -> Response:
    person = require(request, MAY[kind])
    services = services_of(request)
    try:
        services.relational.registry.remove(
            kind, id_, person.id, services.clock(), revision=revision, scope=scope(request)
        )
    except UnknownSubjectError:
        raise missing(kind.value, id_) from None
    except StaleError as error:
        raise _stale(error) from None
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _stale(error: StaleError) -> Problem:
    change = None if error.change is None else _change(error.change).model_dump(mode="json")
    more: dict[str, Any] = {} if change is None else {
        "changed_by": change["who"], "changed_at": change["at"], "fields": change["fields"],
    }  # fmt: skip
    revision = 0 if error.current is None else error.current.revision
    return Problem(HTTPStatus.CONFLICT, str(error), revision=revision, **more)


def _customer(record: Customer) -> CustomerItem:
    return CustomerItem(**{name: getattr(record, name) for name in CustomerItem.model_fields})


def _contract(record: Contract) -> ContractItem:
    return ContractItem(**{name: getattr(record, name) for name in ContractItem.model_fields})


def _site(record: Site) -> SiteItem:
    return SiteItem(**{name: getattr(record, name) for name in SiteItem.model_fields})


def _robot(record: RobotRecord) -> RegisteredRobot:
    return RegisteredRobot(**{name: getattr(record, name) for name in RegisteredRobot.model_fields})


def _change(change: Change) -> ChangeItem:
    fields = {name: FieldChange(before=pair[0], after=pair[1]) for name, pair in change.fields.items()}
    return ChangeItem(
        id=change.id,
        at=change.at,
        who=change.who,
        what=change.what,
        kind=change.kind,
        subject=change.subject,
        fields=fields,
    )


def _report(outcome: Outcome) -> ImportReport:
    plan = outcome.plan
    return ImportReport(
        done=outcome.done,
        added=plan.counts["added"],
        changed=plan.counts["changed"],
        unchanged=plan.unchanged,
        bad=len(plan.problems),
        differences=[_difference(each) for each in plan.differences[:_MOST_TOLD]],
        problems=[
            ProblemItem(file=each.source, line=each.line, field=each.error.field, message=str(each.error))
            for each in plan.problems[:_MOST_TOLD]
        ],
        notes=[str(doubt) for doubt in outcome.doubts[:_MOST_TOLD]],
    )


def _difference(each: Difference) -> DifferenceItem:
    fields = {name: FieldChange(before=pair[0], after=pair[1]) for name, pair in each.fields.items()}
    return DifferenceItem(
        what="added" if each.what == "added" else "changed", kind=each.kind.value, id=each.id, fields=fields
    )
