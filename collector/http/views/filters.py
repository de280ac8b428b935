"""What of the queue somebody wants to see, as it stands in an address."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from collector.http.fields import whole_number
from collector.queue import Severity, Work

TODO: Final = (Work.NEW, Work.ACKNOWLEDGED)
VIEWS: Final[Mapping[str, tuple[Work, ...]]] = {
    "todo": TODO,
    "new": (Work.NEW,),
    "acknowledged": (Work.ACKNOWLEDGED,),
    "snoozed": (Work.SNOOZED,),
    "suppressed": (Work.NEW, Work.ACKNOWLEDGED, Work.SNOOZED),
    "closed": (Work.CLOSED,),
}
WHOSE: Final = ("mine", "all", "unassigned", "overdue")
NOBODY: Final = "-"  # as an owner to filter by
_TEXT: Final = 100


@dataclass(frozen=True, slots=True)
class Filters:
    """What of the queue is shown; empty asks for nothing."""

    whose: str = "all"
    view: str = "todo"
    severity: str = ""
    subsystem: str = ""
    owner: str = ""  # a person's id, or `NOBODY`
    customer: str = ""
    site: str = ""
    q: str = ""
    by: int = 0  # of the suppressed ones only those that this alert hides
    silence: int = 0  # or that this silence hides
    grouped: bool = False
    after: str = ""  # cursor of the page before

    @classmethod
    def read(
        cls, query: Mapping[str, str], subsystems: Mapping[str, object], whose: str = "all"
    ) -> "Filters":
        """The filters of an address; what makes no sense there is left out."""
        view, severity, subsystem = (query.get(name, "") for name in ("view", "severity", "subsystem"))
        texts = {name: query.get(name, "").strip()[:_TEXT] for name in ("owner", "customer", "site", "q")}
        asked = query.get("whose", "")
        return cls(
            whose=asked if asked in WHOSE else whose,
            view=view if view in VIEWS else "todo",
            severity=severity if severity in list(Severity) else "",
            subsystem=subsystem if subsystem in subsystems else "",
            by=_id(query.get("by", "")) if view == "suppressed" else 0,
            silence=_id(query.get("silence", "")) if view == "suppressed" else 0,
            grouped=query.get("group") == "1",
            after=query.get("after", "")[:200],
            **texts,
        )

    def url(self, **changes: str | int | bool) -> str:
        """The address of the queue with some filters changed; it begins on the first page."""
        return f"/?{self.query(**changes)}"

    def query(self, **changes: str | int | bool) -> str:
        """The filters as they stand in an address."""
        other = replace(self, **{"after": "", **changes})  # type: ignore[arg-type]
        hides = other.view == "suppressed"
        given = {
            "whose": other.whose,
            "view": "" if other.view == "todo" else other.view,
            "severity": other.severity,
            "subsystem": other.subsystem,
            "owner": other.owner if other.whose == "all" else "",
            "customer": other.customer,
            "site": other.site,
            "q": other.q,
            "by": other.by if hides else 0,
            "silence": other.silence if hides else 0,
            "group": "1" if other.grouped else "",
            "after": other.after,
        }
        return urlencode({name: value for name, value in given.items() if value})

    @property
    def narrowed(self) -> bool:
        """Whether anything but the view is asked for."""
        asked = (self.severity, self.subsystem, self.owner, self.customer, self.site, self.q)
        return any(asked) or bool(self.by or self.silence)


def _id(text: str) -> int:
    return whole_number(text) or 0
