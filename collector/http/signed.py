"""Who asks: the person that the request is signed in as, and what it may do and see."""

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from fastapi import Request

from collector.http.problems import Problem
from collector.http.services import Services
from collector.people import May, Person, Sees
from collector.relational.seen import SeenRelational

COOKIE: Final = "robovitals_session"
FORM_FIELD: Final = "form_token"
FORM_HEADER: Final = "x-form-token"


@dataclass(frozen=True, slots=True)
class Signed:
    """A person, and how it signed in: by a session, or (then `session` is None) by a token."""

    person: Person
    session: str | None = None  # its secret's digest
    form_token: str = ""  # what forms of the session carry


def signed_in(request: Request) -> Signed | None:
    """Who asks, and how; None where nobody is signed in, which only a few addresses allow."""
    found: Signed | None = getattr(request.state, "signed", None)
    return found


def person_of(request: Request) -> Person:
    """The person who asks."""
    signed = signed_in(request)
    if signed is None:
        raise Problem(HTTPStatus.UNAUTHORIZED, "sign in first")
    return signed.person


def require(request: Request, what: May) -> Person:
    """The person who asks, if allowed to do it. Raises `Problem` (403)."""
    person = person_of(request)
    if not person.may(what):
        raise Problem(HTTPStatus.FORBIDDEN, f"{person.id} ({person.role}) may not {what}; ask an admin")
    if what is May.EXPORT and person.sees is not Sees.ALL:
        raise Problem(HTTPStatus.FORBIDDEN, f"{person.id} sees own customers only; an export holds all")
    return person


def scope(request: Request) -> str | None:
    """The person's id where it sees its own customers only, for `AlertQuery.csm` and its like; else None."""
    person = person_of(request)
    return person.id if person.sees is Sees.OWN else None


def services_of(request: Request) -> Services:
    """The parts of the collector, as the person who asks sees them."""
    services: Services = request.app.state.services
    signed = signed_in(request)
    if signed is None or signed.person.sees is Sees.ALL:
        return services
    return replace(services, relational=SeenRelational(services.relational, signed.person.id))
