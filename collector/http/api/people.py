"""People over the API: who one is, and to whom something can be given."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from collector.http.api.refusals import REFUSALS, TOKEN
from collector.http.signed import person_of, services_of
from collector.people import Person

router = APIRouter(prefix="/api/v1", responses=REFUSALS, dependencies=[TOKEN])


class PersonItem(BaseModel):
    """Somebody who may sign in, as everybody may know."""

    id: str
    name: str
    role: str
    active: bool


class PersonDetail(PersonItem):
    """Oneself."""

    sees: str
    email: str | None
    language: str | None
    tz: str | None
    work_hours: str | None
    holidays: str | None


class PersonList(BaseModel):
    """Everybody."""

    items: list[PersonItem]


@router.get("/me")
def get_me(request: Request) -> PersonDetail:
    """As whom the request is signed in."""
    person = person_of(request)
    return PersonDetail(
        **_item(person).model_dump(),
        sees=person.sees.value,
        email=person.email,
        language=person.language,
        tz=person.tz,
        work_hours=person.work_hours,
        holidays=person.holidays,
    )


@router.get("/people")
def get_people(request: Request) -> PersonList:
    """Everybody, the active ones first."""
    return PersonList(
        items=[_item(person) for person in services_of(request).relational.accounts.everybody()]
    )


def _item(person: Person) -> PersonItem:
    return PersonItem(id=person.id, name=person.name, role=person.role.value, active=person.active)
