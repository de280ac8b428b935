"""Views of the queue that people keep: filters under a name of their own.

Every method is one transaction, and may be called from any thread.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, func, insert, select, update

from collector.relational.database import Database
from collector.relational.schema import views

MAX_NAME: Final = 60
MAX_QUERY: Final = 1_000
MAX_VIEWS: Final = 30


class InvalidViewError(ValueError):
    """A view that cannot be kept; `field` and the message say why."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class UnknownViewError(LookupError):
    """There is no view {name}."""


@dataclass(frozen=True, slots=True)
class View:
    """Filters of the queue, as an address has them after `?`; the chosen one is shown at first."""

    name: str
    query: str
    chosen: bool = False


class Views:
    """The views that people keep."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, person: str) -> list[View]:
        """A person's views, by name."""
        query = select(views).where(views.c.person == person).order_by(views.c.name)
        with self._database.reading() as connection:
            return [View(row.name, row.query, bool(row.chosen)) for row in connection.execute(query)]

    def chosen(self, person: str) -> View | None:
        """The view that a person sees at first."""
        return next((view for view in self.of(person) if view.chosen), None)

    def save(self, person: str, name: str, query: str) -> View:
        """Keeps a view, in the place of one of the same name. Raises `InvalidViewError`."""
        name, query = name.strip(), query.removeprefix("?")
        _check(name, query)
        own = views.c.person == person
        with self._database.writing() as connection:
            again = update(views).where(own, views.c.name == name).values(query=query)
            if connection.execute(again).rowcount:
                chosen = connection.scalar(select(views.c.chosen).where(own, views.c.name == name))
                return View(name, query, bool(chosen))
            if connection.scalars(select(func.count()).select_from(views).where(own)).one() >= MAX_VIEWS:
                raise InvalidViewError("name", f"{MAX_VIEWS} views are kept already; remove one first")
            connection.execute(insert(views).values(person=person, name=name, query=query, chosen=False))
            return View(name, query)

    def remove(self, person: str, name: str) -> None:
        """Forgets a view. Raises `UnknownViewError`."""
        with self._database.writing() as connection:
            gone = delete(views).where(views.c.person == person, views.c.name == name)
            if not connection.execute(gone).rowcount:
                raise UnknownViewError(f"there is no view {name[:MAX_NAME]!r}")

    def choose(self, person: str, name: str | None) -> None:
        """From now on this view is shown at first, or (None) the whole queue. Raises `UnknownViewError`."""
        own = views.c.person == person
        with self._database.writing() as connection:
            connection.execute(update(views).where(own).values(chosen=False))
            if name is None:
                return
            chosen = update(views).where(own, views.c.name == name).values(chosen=True)
            if not connection.execute(chosen).rowcount:
                raise UnknownViewError(f"there is no view {name[:MAX_NAME]!r}")


def _check(name: str, query: str) -> None:
    if not name:
        raise InvalidViewError("name", "is empty; give the view a name")
    if len(name) > MAX_NAME:
        raise InvalidViewError("name", f"{len(name)} characters; {MAX_NAME} are allowed")
    if len(query) > MAX_QUERY:
        raise InvalidViewError("query", f"{len(query)} characters; {MAX_QUERY} are allowed")
