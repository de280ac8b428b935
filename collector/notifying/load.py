"""The file of settings → `Settings`. Every error says file:line:column and what to write; all at once."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from collector.notifying.letter import Kind
from collector.notifying.settings import (
    EVERY_DAY,
    MAIL,
    OWNER,
    Channel,
    DigestTime,
    Quiet,
    Route,
    Settings,
)
from collector.queue import Severity
from collector.words.wording import LANGUAGES, Language
from rules import document, values
from rules.document import (
    Entries,
    Fields,
    Node,
    Problem,
    Refused,
    Scalar,
    each,
    hint,
    one_or_more,
    shown,
)

SCHEMA: Final = "robovitals-notify/1"
TIERS: Final = ("strategic", "key", "standard", "long_tail")
_KEYS: Final = ("schema", "console", "language", "channels", "routes", "quiet_hours", "digest")
_ROUTE_KEYS: Final = (
    "severity", "customer", "tier", "owner", "rule", "subsystem", "kind", "channels",
)  # fmt: skip
_WEEKDAYS: Final = ("mo", "tu", "we", "th", "fr", "sa", "su")
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_VARIABLE: Final = re.compile(r"\$\{([^{}]*)\}")
_FROM: Final = "the collector's settings"
Usable = Callable[[str], str | None]  # of a channel's URL: why it is not, or None
_T = TypeVar("_T")


class SettingsErrors(Exception):  # noqa: N818 -- it holds several
    """The settings cannot be used; one line a problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def load(path: Path, environment: Mapping[str, str], usable: Usable) -> Settings:
    """The settings in a file; `${NAME}` in URLs is the environment's. Raises `SettingsErrors`."""
    problems: list[Problem] = []
    data = document.contents(path, problems)
    if data is None:
        raise SettingsErrors(problems)
    return read(str(path), data, environment, usable)


def read(name: str, data: bytes, environment: Mapping[str, str], usable: Usable) -> Settings:
    """The settings in the bytes of a file of that name. Raises `SettingsErrors`."""
    problems: list[Problem] = []
    found = document.read(name, data, problems, _Reader(environment, usable).document)
    if problems or found is None:
        raise SettingsErrors(sorted(problems, key=lambda problem: problem.position))
    return found


class _Reader:
    """Reads one document; channels first, since everything else names them."""

    def __init__(self, environment: Mapping[str, str], usable: Usable) -> None:
        self._environment = environment
        self._usable = usable
        self._channels: dict[str, Channel | None] = {}  # None: named, but wrong

    def document(self, node: Node) -> Settings:
        fields = Fields(node, "a file of settings")
        fields.only(_KEYS)
        fields.need("schema", values.choice((SCHEMA,)), f": schema: {SCHEMA}")
        console = fields.read("console", _address, None)
        language: Language = fields.read("language", values.choice(LANGUAGES), "en")
        fields.need(
            "channels", lambda entry: self._read_channels(entry, language), ", such as mail: mailtos://…"
        )
        return Settings(
            channels=MappingProxyType({name: found for name, found in self._channels.items() if found}),
            routes=tuple(fields.read("routes", lambda entry: each(entry, self._route, '"routes"'), [])),
            quiet=tuple(
                fields.read("quiet_hours", lambda entry: each(entry, self._quiet, '"quiet_hours"'), [])
            ),
            digest=fields.read("digest", self._digest, None),
            console=console,
        )

    def _read_channels(self, node: Node, language: Language) -> None:
        fields = Fields(node, '"channels"')
        for key, entry in fields.node.entries.values():
            self._channels[key.text] = None
            if key.text == OWNER:
                key.note(f'"{OWNER}" is the owner of an alert, reached through the channel "{MAIL}"')
            elif not _NAME.fullmatch(key.text):
                key.note(f"a channel's name is of a-z, 0-9, - and _, not {shown(key)}")
            else:
                self._read_channel(key.text, entry, language)

    def _read_channel(self, name: str, node: Node, language: Language) -> None:
        """Its URL alone, or a mapping of `url` and `language`."""
        try:
            self._channels[name] = self._channel(name, node, language)
        except Refused as refused:
            node.source.record(refused)

    def _channel(self, name: str, node: Node, language: Language) -> Channel:
        if not isinstance(node, Entries):
            return Channel(name, self._url(node, name), language)
        fields = Fields(node, f'channel "{name}"')
        fields.only(("url", "language"))
        url = fields.need("url", lambda entry: self._url(entry, name), ", such as url: feishu://${TOKEN}")
        own = fields.read("language", values.choice(LANGUAGES), language)
        if url is None:
            raise Refused
        return Channel(name, url, own)

    def _url(self, node: Node, name: str) -> str:
        """A message never shows a URL: it may hold a password."""
        if not isinstance(node, Scalar) or not node.text.strip():
            raise node.refused("must be a URL of apprise's, such as feishu://${FEISHU_TOKEN}")
        url = self._filled(node)
        reason = self._usable(url)
        if reason is None and name == MAIL and not url.lower().startswith(("mailto://", "mailtos://")):
            reason = f'the channel "{MAIL}" writes to owners of alerts, and must be mailto:// or mailtos://'
        if reason is not None:
            raise node.refused(reason)
        return url

    def _filled(self, node: Scalar) -> str:
        """A variable that is a part of the URL is encoded for it; one that is all of it is not."""
        names = _VARIABLE.findall(node.text)
        for name in names:
            if not self._environment.get(name):
                raise node.refused(
                    f"the environment has no {name or 'variable without a name'}; set it for {_FROM}"
                )
        whole = len(names) == 1 and _VARIABLE.fullmatch(node.text.strip())
        encode: Callable[[str], str] = (lambda text: text) if whole else (lambda text: quote(text, safe=""))
        return _VARIABLE.sub(lambda found: encode(self._environment[found[1]]), node.text.strip())

    def _route(self, node: Node) -> Route:
        fields = Fields(node, "a route")
        fields.only(_ROUTE_KEYS)
        channels = fields.need("channels", self._named_channels, ", such as channels: [owner]") or ()
        route = Route(
            channels=channels,
            severity=fields.read("severity", _severity, None),
            tier=fields.read("tier", _set_of(values.choice(TIERS), "tier"), frozenset()),
            kinds=fields.read("kind", _set_of(_kind, "kind"), frozenset()),
            customer=fields.read("customer", _set_of(values.text, "customer"), frozenset()),
            owner=fields.read("owner", _set_of(values.text, "owner"), frozenset()),
            rule=fields.read("rule", _set_of(values.text, "rule"), frozenset()),
            subsystem=fields.read("subsystem", _set_of(values.text, "subsystem"), frozenset()),
        )
        if not fields.sound:
            raise Refused
        return route

    def _quiet(self, node: Node) -> Quiet:
        fields = Fields(node, "quiet hours")
        fields.only(("from", "to", "tz", "days", "except", "channels"))
        begin = fields.need("from", values.minute_of_day, ', such as from: "22:00"')
        end = fields.need("to", values.minute_of_day, ', such as to: "07:00"')
        zone = fields.need("tz", _zone, ", such as tz: Asia/Shanghai")
        quiet = Quiet(
            begin=begin or 0,
            end=end or 0,
            zone=zone or "UTC",
            days=fields.read("days", _days, EVERY_DAY),
            passes=fields.read("except", _severity, None),
            channels=frozenset(fields.read("channels", self._named_channels, ())),
        )
        if begin is not None and begin == end:
            fields.entry("to").note("the same as from; a whole day is from: 00:00, to: 24:00")
        if not fields.sound:
            raise Refused
        return quiet

    def _digest(self, node: Node) -> DigestTime:
        fields = Fields(node, '"digest"')
        fields.only(("at", "tz", "days", "channels"))
        at = fields.need("at", values.minute_of_day, ', such as at: "08:30"')
        zone = fields.need("tz", _zone, ", such as tz: Asia/Shanghai")
        channels = fields.need("channels", self._named_channels, ", such as channels: [owner]")
        days = fields.read("days", _days, frozenset(range(5)))
        if not fields.sound or at is None or zone is None or channels is None:
            raise Refused
        return DigestTime(at, zone, channels, days)

    def _named_channels(self, node: Node) -> tuple[str, ...]:
        return one_or_more(node, self._named, "channel")

    def _named(self, node: Node) -> str:
        name = values.text(node)
        if name == OWNER:
            if MAIL not in self._channels:
                raise node.refused(f'"{OWNER}" is written to through a channel named "{MAIL}"; add one')
        elif name not in self._channels:
            raise node.refused(f'unknown channel "{name}"{hint(name, [*self._channels, OWNER])}')
        return name


def _set_of(reader: Callable[[Node], _T], what: str) -> Callable[[Node], frozenset[_T]]:
    return lambda node: frozenset(one_or_more(node, reader, what))


def _severity(node: Node) -> Severity:
    return Severity(values.choice(tuple(severity.value for severity in Severity))(node))


def _kind(node: Node) -> Kind:
    return Kind(values.choice(tuple(kind.value for kind in Kind))(node))


def _zone(node: Node) -> str:
    name = values.text(node)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise node.refused(f"no time zone {shown(node)}; write one such as Asia/Shanghai") from None
    return name


def _days(node: Node) -> frozenset[int]:
    return frozenset(day for days in one_or_more(node, _some_days, "day") for day in days)


def _some_days(node: Node) -> tuple[int, ...]:
    """`sa`, or `mo-fr`; `sa-mo` goes over the end of the week."""
    words = values.text(node).lower().split("-")
    if len(words) > 2 or any(word not in _WEEKDAYS for word in words):
        listed = ", ".join(_WEEKDAYS)
        raise node.refused(f"must be a weekday ({listed}) or a range such as mo-fr, not {shown(node)}")
    first, last = _WEEKDAYS.index(words[0]), _WEEKDAYS.index(words[-1])
    return tuple(day % 7 for day in range(first, first + (last - first) % 7 + 1))


def _address(node: Node) -> str:
    url = values.text(node)
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
    except ValueError:
        fine = False
    if not fine:
        raise node.refused(
            f"must be the console's address, such as https://vitals.example.com, not {shown(node)}"
        )
    return url.rstrip("/")
