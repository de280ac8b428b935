"""Signed-in clients for the tests: people, their sessions and tokens, made where sign-in makes them."""

from fastapi.testclient import TestClient

from collector import credentials
from collector.http.services import Services
from collector.http.signed import COOKIE, FORM_HEADER
from collector.people import Person, Role, Sees

MEI = Person("mei", "李梅", Role.ADMIN)


def known(services: Services, person: Person) -> Person:
    """The person, in the database."""
    if services.relational.accounts.person(person.id) is None:
        services.relational.accounts.add(person, None, "test", services.clock())
    return person


def session_of(services: Services, person: Person = MEI, secret: str | None = None) -> str:
    """The secret of a new session of a person."""
    secret, now = secret or credentials.secret(), services.clock()
    digest, known_person = credentials.digest(secret), known(services, person)
    services.relational.accounts.open_session(digest, known_person.id, now, "password", "test")
    return secret


def token_of(services: Services, person: Person = MEI) -> str:
    """A new token of the API."""
    token, now = credentials.api_token(), services.clock()
    known(services, person)
    digest = credentials.digest(token)
    services.relational.accounts.add_token("api", digest, person.id, "test", person.id, now, None)
    return token


def sign_in(client: TestClient, services: Services, person: Person = MEI) -> TestClient:
    """The client acts as that person from now on, as a browser does whose pages carry the form's token."""
    secret = session_of(services, person)
    client.cookies.delete(COOKIE) if COOKIE in client.cookies else None
    client.cookies.set(COOKIE, secret)
    client.headers[FORM_HEADER] = credentials.form_token(secret)
    return client


def csm(id_: str = "csm", *, own: bool = False) -> Person:
    """A CSM that sees all customers, or its own only."""
    return Person(id_, id_.upper(), Role.CSM, Sees.OWN if own else Sees.ALL)
