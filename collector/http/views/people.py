"""The reader of a page, and the people that alerts can be given to."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request

from collector.http.services import Services
from collector.http.signed import person_of, scope
from collector.people import May, Role
from collector.relational.views import View


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at the queue, and through which eyes."""

    id: str
    scope: str | None  # whose customers alone are shown
    owns: bool  # whether alerts come to them by themselves
    works: bool  # whether they may do anything about an alert
    people: list[tuple[str, str]]  # ids and names of all who can own an alert
    names: Mapping[str, str]
    views: list[View]


def reader(request: Request, services: Services) -> Reader:
    """Who asks."""
    person = person_of(request)
    everybody = [one for one in services.relational.accounts.everybody() if one.active]
    return Reader(
        id=person.id,
        scope=scope(request),
        owns=person.role is Role.CSM,
        works=person.may(May.WORK),
        people=[(one.id, one.name) for one in everybody if one.may(May.WORK)],
        names=services.relational.accounts.names(),
        views=services.relational.views.of(person.id),
    )
