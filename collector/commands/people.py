"""`vitals-collector people`: who may sign in, the first admin among them. The collector may be running."""

import argparse
import getpass
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from collector import credentials
from collector.commands.arguments import Commands, add_data, command, database, own_database
from collector.config import parse_age
from collector.enrolment import FIELDS, InvalidPersonError, enrol
from collector.folder import Folder
from collector.people import Person, Role, Sees
from collector.relational import Relational
from collector.relational.accounts import (
    Accounts,
    LastAdminError,
    PersonExistsError,
    StalePersonError,
    UnknownPersonError,
)

LINK_MS: Final = 15 * 60_000
BY: Final = "system"  # in the journal: who has the machine
REFUSALS: Final = (
    InvalidPersonError,
    UnknownPersonError,
    PersonExistsError,
    LastAdminError,
    StalePersonError,
    credentials.WeakPasswordError,
)


class PasswordError(ValueError):
    """No password was given where one is needed; the message says how to."""


def add_to(commands: Commands) -> None:
    """Adds `people` and its commands to the parser."""
    group = commands.add_parser("people", help="who may sign in to console and API").add_subparsers(
        required=True, metavar="COMMAND"
    )
    _add_add(group)
    listing = command(group, "list", "list people", "people list --data data")
    listing.set_defaults(run=_list)
    for name, about, run in (
        ("disable", "keep somebody out: signs the person out, and revokes its tokens", _disable),
        ("enable", "let somebody in again", _enable),
        ("password", "set a password, and end the sessions of that person", _password),
        ("link", "print a link that signs in once, within 15 minutes", _link),
        ("token", "make a token of the API that acts as that person, and print it", _token),
    ):
        parser = command(group, name, about, f"people {name} mei --data data")
        parser.add_argument("person", metavar="NAME", nargs="+" if name == "link" else None)
        parser.set_defaults(run=run)
    _add_options(group)


def _add_add(group: Commands) -> None:
    add = command(group, "add", "add somebody", 'people add mei --role csm --name "Li Mei" --language zh')
    add.add_argument("person", metavar="NAME", help="to sign in with: lower-case letters, digits, . _ - @")
    add.add_argument("--role", required=True, choices=[*Role], help="what the person may do")
    add.add_argument("--sees", choices=[*Sees], default="all", help="whose customers; default %(default)s")
    for field in ("name", "email", "language", "tz", "work_hours", "holidays"):
        add.add_argument(f"--{field.replace('_', '-')}", dest=field, metavar="TEXT")
    add.set_defaults(run=_add)


def _add_options(group: Commands) -> None:
    for name, parser in group.choices.items():
        add_data(parser)
        if name in ("add", "password"):
            about = "read the password from the first line of standard input, and ask nothing"
            parser.add_argument("--password-stdin", action="store_true", help=about)
        if name == "link":
            about = "where people reach the console; default: the running collector's address"
            parser.add_argument("--url", metavar="URL", help=about)
        if name == "token":
            parser.add_argument("--name", default="command", metavar="TEXT", help="default %(default)s")
            parser.add_argument("--expires", metavar="AGE", default="forever", help="in days, such as 90d")
        if name in ("list", "link", "token"):
            parser.add_argument("--json", action="store_true", help="report as JSON")


def _add(arguments: argparse.Namespace) -> int:
    given = {field: text for field in FIELDS if (text := getattr(arguments, field, None)) is not None}
    person = enrol(arguments.person, given)
    with _accounts(arguments) as accounts:
        if accounts.person(person.id) is not None:
            raise PersonExistsError(person.id)
        password = _asked_for(arguments, person.id, needed=False)
        accounts.add(person, None if password is None else credentials.hashed(password), BY, _now())
    how = "with the password" if password else f"by a link: vitals-collector people link {person.id}"
    print(f"added {person.id} ({person.name}), {person.role}; signs in {how}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    with _accounts(arguments) as accounts:
        everybody = accounts.everybody()
    if arguments.json:
        print(json.dumps([_shown(person) for person in everybody], ensure_ascii=False))
        return 0
    for person in everybody:
        off = "" if person.active else "  disabled"
        print(f"{person.id:20} {person.role:10} sees {person.sees:4} {person.name}{off}")
    if not everybody:
        print("nobody yet; vitals-collector people add admin --role admin", file=sys.stderr)
    return 0


def _disable(arguments: argparse.Namespace) -> int:
    return _set_active(arguments, False)


def _enable(arguments: argparse.Namespace) -> int:
    return _set_active(arguments, True)


def _set_active(arguments: argparse.Namespace, active: bool) -> int:
    with _accounts(arguments) as accounts:
        person = _known(accounts, arguments.person)
        accounts.change(replace(person, active=active), BY, _now())
    print(f"{person.id} {'may sign in again' if active else 'is kept out, and signed out everywhere'}")
    return 0


def _password(arguments: argparse.Namespace) -> int:
    with _accounts(arguments) as accounts:
        person = _known(accounts, arguments.person)
        password = _asked_for(arguments, person.id, needed=True)
        accounts.set_password(person.id, credentials.hashed(str(password)), BY, _now())
    print(f"{person.id} has a new password, and is signed out everywhere")
    return 0


def _link(arguments: argparse.Namespace) -> int:
    served = arguments.url or Folder(arguments.data).served_at()
    with _accounts(arguments) as accounts:
        people = [_known(accounts, name) for name in arguments.person]
        links = [(person, *_new_link(accounts, person, served or "")) for person in people]
    for person, link, until in links:
        told = {"person": person.id, "link": link, "expires_at": _time(until)}
        print(json.dumps(told) if arguments.json else link)
    if served is None:
        print("the collector does not run; once it does, put its address before this", file=sys.stderr)
    return 0


def _new_link(accounts: Accounts, person: Person, served: str) -> tuple[str, int]:
    secret, now = credentials.secret(), _now()
    until = now + LINK_MS
    accounts.add_token("link", credentials.digest(secret), person.id, "command", BY, now, until)
    return f"{served.rstrip('/')}/sign-in/link/{secret}", until


def _token(arguments: argparse.Namespace) -> int:
    token, now = credentials.api_token(), _now()
    age = parse_age("--expires", arguments.expires)
    with _accounts(arguments) as accounts:
        person = _known(accounts, arguments.person)
        until = None if age is None else now + age
        accounts.add_token("api", credentials.digest(token), person.id, arguments.name, BY, now, until)
    print(json.dumps({"person": person.id, "token": token}) if arguments.json else token)
    return 0


def _known(accounts: Accounts, id_: str) -> Person:
    person = accounts.person(id_.strip().lower())
    if person is None:
        raise UnknownPersonError(id_)
    return person


def _asked_for(arguments: argparse.Namespace, person: str, *, needed: bool) -> str | None:
    """A good password, from standard input or asked for twice; None where none is wanted."""
    if arguments.password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    elif sys.stdin.isatty():
        empty = "" if needed else ", or nothing for a person that signs in by links"
        password = getpass.getpass(f"Password of {person}{empty}: ")
        if password and getpass.getpass("Once more: ") != password:
            raise PasswordError("the two passwords differ; nothing was changed")
    elif needed:
        raise PasswordError("no password; give it with --password-stdin, or run this on a terminal")
    else:
        return None
    if not password and not needed and not arguments.password_stdin:
        return None
    credentials.check(password, person)
    return password


@contextmanager
def _accounts(arguments: argparse.Namespace) -> Iterator[Accounts]:
    url = database(arguments) or own_database(arguments.data)
    with closing(Relational(url)) as relational:
        yield relational.accounts


def _shown(person: Person) -> dict[str, object]:
    return {"id": person.id, **{name: getattr(person, name) for name in (*FIELDS, "active")}}


def _now() -> int:
    return time.time_ns() // 1_000_000


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
