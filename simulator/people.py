"""Who works with the demo's console, and how they sign in: made by the collector's own commands."""

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_PATIENCE_S: Final = 120.0
_EXISTS: Final = "already"


class PeopleError(Exception):
    """A command about people failed; the message is its last line."""


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person of the demo; `language` None: as the browser has it."""

    id: str
    name: str
    role: str
    language: str | None = None


ADMIN: Final = Somebody("admin", "Administrator", "admin")
EVERYBODY: Final = (
    ADMIN,
    Somebody("csm-zh", "客户成功经理（华东）", "csm", "zh"),
    Somebody("csm-en", "CSM International", "csm", "en"),
)


class People:
    """The people of one collector; `command` is `vitals-collector people`, `where` names its data."""

    def __init__(self, command: Sequence[str], where: Sequence[str]) -> None:
        self._command = tuple(command)
        self._where = tuple(where)

    def add(self, people: Iterable[Somebody] = EVERYBODY) -> None:
        """Makes them; those who are there stay as they are. Raises `PeopleError`."""
        for person in people:
            language = ["--language", person.language] if person.language else []
            try:
                self._do("add", person.id, "--role", person.role, "--name", person.name, *language)
            except PeopleError as error:
                if _EXISTS not in str(error):
                    raise

    def token(self, person: Somebody = ADMIN) -> str:
        """A token of the API that acts as the person. Raises `PeopleError`."""
        told = self._do("token", person.id, "--name", "demo", "--expires", "30d", "--json")
        return str(json.loads(told)["token"])

    def links(self, people: Sequence[Somebody] = EVERYBODY) -> list[str]:
        """For each an address that signs the person in once, soon. Raises `PeopleError`."""
        told = self._do("link", *(person.id for person in people), "--json")
        return [str(json.loads(line)["link"]) for line in told.splitlines()]

    def link_command(self, person: Somebody) -> str:
        """What to type for another link."""
        return " ".join((*self._command, "link", person.id, *self._where))

    def _do(self, *arguments: str) -> str:
        command = [*self._command, *arguments, *self._where]
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PeopleError(f"{' '.join(command)}: no end within {_PATIENCE_S:g} s") from None
        if done.returncode != 0:
            raise PeopleError((done.stderr.strip() or "it says nothing").splitlines()[-1])
        return done.stdout
