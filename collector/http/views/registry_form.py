"""The form of a record of the registry, and its history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from collector.http.services import Services
from collector.http.views.registry import MOST_CHOICES, WORDED, WORDS, shown, title, value_of, word
from collector.queue import SYSTEM
from collector.registry import FIELDS, Kind, Record, RobotRecord, Value, values
from collector.registry.reading import given as given_values
from collector.registry.records import REQUIRED
from collector.registry.rows import guarded, unguarded
from collector.relational import Page
from collector.relational.journal import Change
from collector.words.i18n import Words
from collector.words.standing import COMMAND

_SYSTEM: Final = (COMMAND, SYSTEM)
_DATES: Final = ("begins_on", "ends_on", "installed_on")
_HISTORY: Final = 20


@dataclass(frozen=True, slots=True)
class Input:
    """A field of a form: what is asked for, what stands there, and what is wrong with it."""

    name: str
    label: str
    type: Literal["text", "select", "date", "number", "note"]
    value: str
    hint: str = ""
    error: str = ""
    now: str = ""  # what somebody else wrote there meanwhile
    required: bool = False
    options: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the history."""

    at: int
    who: str
    what: str
    fields: list[tuple[str, str, str]]  # label, before, after


@dataclass(frozen=True, slots=True)
class EditPage:
    """A record's form, and its history."""

    kind: Kind
    id: str
    title: str
    revision: int
    is_new: bool
    inputs: list[Input]
    history: list[Line]
    older: bool
    robots: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What a reader sent that could not be taken."""

    form: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Form:
    """What the fields of a form are made from."""

    services: Services
    kind: Kind
    record: Record | None
    names: Mapping[str, str]
    scope: str | None
    t: Words
    sent: Sent | None

    def inputs(self) -> list[Input]:
        """All fields, in their order."""
        known = values(self.record) if self.record else {}
        fields = [self._input(name, self._written(name, known.get(name))) for name in FIELDS[self.kind]]
        if self.kind is Kind.ROBOT:
            fields.append(self._input("extra", _extra(self.record)))
        return [*self._id(), *fields]

    def _id(self) -> list[Input]:
        """Asked for once: a name is what everything else refers to."""
        if self.record is not None:
            return []
        sent = self.sent or Sent({})
        given, error = sent.form.get("id", ""), sent.errors.get("id", "")
        of, t = self.kind.value, self.t
        hint = t(f"registry.id_hint.{of}")
        return [Input("id", t(f"registry.id.{of}"), "text", given, hint, error, required=True)]

    def _written(self, name: str, value: Value) -> str:
        written = _written(value)
        return word(name, written, self.t) if name in WORDED else written

    def _input(self, name: str, written: str) -> Input:
        t, sent, hint = self.t, self.sent, f"registry.hint.{name}"
        value = sent.form.get(name, written) if sent else written
        differs = sent is not None and not sent.errors and value.strip() != written
        return Input(
            name=name,
            label=t(f"registry.field.{name}"),
            type=_type(name),
            value=value,
            hint=t(hint) if t.has(hint) else "",
            error=sent.errors.get(name, "") if sent else "",
            now=t("registry.now", value=word(name, written, t) if written else "–") if differs else "",
            required=name in REQUIRED[self.kind],
            options=self._options(name),
        )

    def _options(self, name: str) -> list[tuple[str, str]]:
        """Of a choice, all there are; of a text, those that stand elsewhere already."""
        if name in WORDS:
            known = ("yes", "no") if name == "renewed" else WORDS[name]
            return [(value, word(name, value, self.t)) for value in known]
        registry = self.services.relational.registry
        if name == "csm" and self.names:
            return sorted(self.names.items())
        if name in ("customer", "site"):
            of = Kind.CUSTOMER if name == "customer" else Kind.SITE
            return [(value, "") for value in registry.choices(of, "id", MOST_CHOICES, scope=self.scope)]
        if _type(name) != "text" or name == "name":
            return []
        known = registry.choices(self.kind, name, MOST_CHOICES, scope=self.scope)
        return [(word(name, value, self.t), "") for value in known]


def edit_page(
    services: Services,
    kind: Kind,
    id_: str,
    record: Record | None,
    scope: str | None,
    t: Words,
    sent: Sent | None = None,
) -> EditPage:
    """The form of a record, or of a new one; with what was `sent` where that was refused."""
    registry = services.relational.registry
    history: Page[Change] = registry.history(kind, id_, limit=_HISTORY) if id_ else Page((), None)
    names = services.relational.accounts.names()
    return EditPage(
        kind=kind,
        id=id_,
        title=title(record) if record else t(f"registry.new.{kind.value}"),
        revision=record.revision if record else 0,
        is_new=record is None,
        inputs=_Form(services, kind, record, names, scope, t, sent).inputs(),
        history=[line(change, names, t) for change in history.items],
        older=history.next is not None,
        robots=_robots(services, kind, id_) if record else 0,
    )


def _robots(services: Services, kind: Kind, id_: str) -> int:
    registry = services.relational.registry
    match kind:
        case Kind.SITE:
            return len(registry.robots_of("site", id_))
        case Kind.CUSTOMER:
            return len(registry.robots_of("customer", id_))
    return 0


def _type(name: str) -> Literal["text", "select", "date", "number", "note"]:
    if name in _DATES:
        return "date"
    if name in ("note", "extra", "holidays"):
        return "note"
    if name in ("amount", "robots"):
        return "number"
    return "select" if name in WORDS else "text"


def _written(value: Value) -> str:
    """As it stands in a form's field."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _extra(record: Record | None) -> str:
    """A robot's own attributes, a line each."""
    extra = record.extra if isinstance(record, RobotRecord) else {}
    return "\n".join(
        f"{name}: {guarded(value, False) if isinstance(value, str) else _written(value)}"
        for name, value in sorted(extra.items())
    )


def taken(
    kind: Kind, form: Mapping[str, str], before: Record | None, t: Words
) -> tuple[dict[str, Value], dict[str, str]]:
    """The values of a form, and by field what is wrong with them."""
    known = {} if before is None else values(before)
    cells: dict[str, Value] = {
        name: value_of(name, form[name].strip(), str(known.get(name) or ""), t)
        for name in FIELDS[kind]
        if name in form
    }
    faults: dict[str, str] = {}
    if kind is Kind.ROBOT and "extra" in form:
        own, is_whole = _own(form["extra"])
        gone = dict.fromkeys(before.extra) if isinstance(before, RobotRecord) else {}
        cells |= {**gone, **own}
        faults = {} if is_whole else {"extra": t("registry.extra_line")}
    given, errors = given_values(kind, cells)
    for error in errors:
        place = error.field if error.field in FIELDS[kind] else "extra"
        faults.setdefault(place, t.both(error))
    return given, faults


def without_untouched(
    form: Mapping[str, str], kind: Kind, since: Sequence[Change], t: Words
) -> dict[str, str]:
    """The form without what its reader left as it was read; `since` is what others did, the newest first."""
    read = {name: pair[0] for change in since for name, pair in change.fields.items()}
    before = {
        name: word(name, _written(read[name]), t) if name in WORDED else _written(read[name]) for name in read
    }
    untouched = {
        name for name in FIELDS[kind] if name in before and form.get(name, "").strip() == before[name]
    }
    return {name: text for name, text in form.items() if name not in untouched}


def _own(text: str) -> tuple[dict[str, Value], bool]:
    """A robot's own attributes out of `name: value` lines; and whether all lines are such."""
    lines = [line.partition(":") for line in text.splitlines() if line.strip()]
    own = {name.strip(): unguarded(value.strip(), False) for name, _, value in lines}
    known = {name: value for name, value in own.items() if name not in (*FIELDS[Kind.ROBOT], "id")}
    return known, len(known) == len(own) and all(colon for _, colon, _ in lines)


def line(change: Change, names: Mapping[str, str], t: Words) -> Line:
    """A change as the history tells it."""
    fields = [
        (label(name, t), _told(name, pair[0], names, t), _told(name, pair[1], names, t))
        for name, pair in change.fields.items()
    ]
    differ = [each for each in fields if each[1] != each[2]]
    return Line(change.at, name_of(change.who, names, t), change.what, differ)


def label(name: str, t: Words) -> str:
    """What people call a field; what an owner added has the name that it was given."""
    key = f"registry.field.{name}"
    return t(key) if t.has(key) else name


def _told(name: str, value: Value, names: Mapping[str, str], t: Words) -> str:
    return names.get(str(value), str(value)) if name == "csm" and value else shown(name, value, t)


def name_of(who: str, names: Mapping[str, str], t: Words) -> str:
    """Who did it, in words; a command is nobody."""
    return t("registry.by_command") if who in _SYSTEM else names.get(who, who)
