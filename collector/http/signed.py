"""Who asks: the person that the request is signed in as."""

from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from fastapi import Request

from collector.http.problems import Problem
from collector.people import May, Person, Role

_WHO: Final = "robovitals_who"


def person_of(request: Request) -> Person:
    """The person who asks."""
    name = unquote(request.cookies.get(_WHO, "")).strip()[:80]
    return Person(name or "nobody", name, Role.ADMIN)


def require(request: Request, what: May) -> Person:
    """The person who asks, if allowed to do it. Raises `Problem` (403)."""
    person = person_of(request)
    if not person.may(what):
        raise Problem(HTTPStatus.FORBIDDEN, f"{person.id} ({person.role}) may not {what}; ask an admin")
    return person
