"""Who works with the console, and what each of them may do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a person is here for."""

    CSM = "csm"
    ENGINEER = "engineer"
    INSTALLER = "installer"
    ADMIN = "admin"


class Sees(StrEnum):
    """Whose alerts and customers a person is shown: those of the customers it owns, or all."""

    OWN = "own"
    ALL = "all"


class May(StrEnum):
    """What is asked for before it is done."""

    READ = "read"  # every page and answer
    WORK = "work"  # on alerts: acknowledge, snooze, note, close; silences; a customer's pulse
    REGISTER = "register"  # robots and sites
    EDIT_CUSTOMERS = "edit_customers"  # customers and contracts
    EXPORT = "export"  # recordings and the alert log
    MANAGE_PEOPLE = "manage_people"


ALLOWED: Final[Mapping[Role, frozenset[May]]] = {
    Role.CSM: frozenset({May.READ, May.WORK, May.EDIT_CUSTOMERS}),
    Role.ENGINEER: frozenset({May.READ, May.WORK, May.REGISTER, May.EXPORT}),
    Role.INSTALLER: frozenset({May.READ, May.REGISTER}),
    Role.ADMIN: frozenset(May),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in; what is not known is None."""

    id: str
    name: str
    role: Role
    sees: Sees = Sees.ALL
    email: str | None = None
    language: str | None = None  # en or zh
    tz: str | None = None
    work_hours: str | None = None  # as a site's open_hours: mo-fr 09:00-18:00
    holidays: str | None = None
    active: bool = True
    revision: int = 0

    def may(self, what: May) -> bool:
        """Whether the person may do it."""
        return what in ALLOWED[self.role]
