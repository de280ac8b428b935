"""The configuration: a YAML file and flags, the flag before the file, checked value by value.

Every value keeps the place it came from, so that a wrong one is answered with `agent.yaml:3:7: …` or
`--udp: …`; all that is wrong is told at once.
"""

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import yaml

from agent.mqtt import Address, AddressError, parse_url
from agent.quota import DAY_MS, SMALLEST_BYTES, Quota
from agent.wire import MAX_STRING, is_fleet, is_robot

DEFAULT_SPOOL = Path("/var/lib/robovitals")
DEFAULT_SOCKET = "/run/robovitals/vitals.sock"
DEFAULT_UDP = "127.0.0.1:8125"
DEFAULT_INTERVAL_S = "30"
DEFAULT_MAX_BYTES = "256MB"
DEFAULT_MAX_AGE = "30d"
DEFAULT_KEEP_FREE_BYTES = "auto"
DEFAULT_KEEP_FREE_INODES = "64"
DEFAULT_RECONNECT_WITHIN_S = "5"
DEFAULT_RESEND_AFTER_S = "300"
MAX_LABELS = 64
_QUOTA = ("spool_max_bytes", "spool_max_age", "disk_keep_free_bytes", "disk_keep_free_inodes")
_PACE = ("reconnect_within_s", "resend_after_s")
_SIMPLE = ("fleet", "robot", "mqtt", "interval_s", "spool", *_QUOTA, "socket", "udp", "tz", *_PACE)
_TLS = ("ca", "cert", "key")
_KEYS = (*_SIMPLE, "labels", "tls", "catalogue")
_UNITS = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_AGES = {"m": 60_000, "h": 3_600_000, "d": DAY_MS, "w": 7 * DAY_MS}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?((?:[kmgt]i?)?b|[kmgt]|)", re.IGNORECASE)
_AGE = re.compile(r"([1-9]\d{0,5})([mhdw])")
_UDP = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:]+)):(?P<port>\d{1,5})")


class ConfigError(Exception):
    """The configuration cannot be used; `problems` has a line for each thing that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was written, and where."""

    text: str
    place: str
    folder: Path = Path()  # what a relative path is relative to


@dataclass(slots=True)
class Settings:
    """All values given, unchecked."""

    simple: dict[str, Given] = field(default_factory=dict)
    labels: dict[str, Given] = field(default_factory=dict)
    tls: dict[str, Given] = field(default_factory=dict)
    catalogue: list[Given] = field(default_factory=list)

    def under(self, flags: "Settings") -> "Settings":
        """These, where the flags do not say otherwise."""
        return Settings(
            {**self.simple, **flags.simple},
            {**self.labels, **flags.labels},
            {**self.tls, **flags.tls},
            flags.catalogue or self.catalogue,
        )


@dataclass(frozen=True, slots=True)
class Tls:
    """Files for `mqtts://`."""

    ca: Path | None
    cert: Path | None
    key: Path | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How soon an agent tries again: to connect, after a first failure; to send, without a receipt."""

    reconnect_within_ms: int
    resend_after_ms: int


@dataclass(frozen=True, slots=True)
class Config:
    """What an agent needs to know. `socket` or `udp` None: not listened on."""

    fleet: str
    robot: str
    mqtt: Address
    interval_s: float
    spool: Path
    quota: Quota
    socket: Path | None
    udp: tuple[str, int] | None
    tz: str
    labels: Mapping[str, str]
    tls: Tls
    catalogue: tuple[Path, ...]
    pace: Pace


def read_file(path: Path) -> Settings:
    """Takes a YAML file apart. Raises `ConfigError` for what has no place in it."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: is not UTF-8 text"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([_yaml_problem(path, error)]) from None
    except RecursionError:
        raise ConfigError([f"{path}: is nested too deeply"]) from None
    return _Reader(path).read(root)


def check(settings: Settings) -> Config:
    """The configuration that the settings make. Raises `ConfigError` with all that is wrong."""
    checker = _Checker(settings)
    config = checker.config()
    if config is None:
        raise ConfigError(checker.problems)
    return config


def check_spool(settings: Settings) -> Path:
    """The spool folder alone, for looking into it."""
    given = settings.simple.get("spool")
    return DEFAULT_SPOOL if given is None else given.folder / given.text


def system_tz() -> str:
    """The name of this machine's time zone; UTC where it does not say."""
    named = os.environ.get("TZ", "").lstrip(":")
    if named and _is_zone(named):
        return named
    _, found, name = os.path.realpath("/etc/localtime").partition("/zoneinfo/")
    return name if found and _is_zone(name) else "UTC"


def suggestion(word: str, known: Sequence[str]) -> str:
    """`; did you mean "…"?`, or nothing."""
    from difflib import get_close_matches  # only for mistakes: an agent that runs saves its memory

    close = get_close_matches(word, known, n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


class _Reader:
    """A YAML document's nodes → settings."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._problems: list[str] = []

    def read(self, root: yaml.Node | None) -> Settings:
        settings = Settings()
        for key, key_node, value in self._pairs(root, "the file") if root is not None else []:
            if key in _SIMPLE:
                self._scalar(settings.simple, key, value)
            elif key == "labels":
                for name, _, label in self._pairs(value, "labels"):
                    self._scalar(settings.labels, name, label)
            elif key == "tls":
                self._tls(settings, value)
            elif key == "catalogue":
                items = value.value if isinstance(value, yaml.SequenceNode) else [value]
                settings.catalogue += [g for item in items if (g := self._given(key, item)) is not None]
            else:
                self._refuse(key_node, f'unknown key "{key}"{suggestion(key, _KEYS)}')
        if self._problems:
            raise ConfigError(self._problems)
        return settings

    def _tls(self, settings: Settings, node: yaml.Node) -> None:
        for key, key_node, value in self._pairs(node, "tls"):
            if key in _TLS:
                self._scalar(settings.tls, key, value)
            else:
                self._refuse(key_node, f'unknown key "tls.{key}"{suggestion(key, _TLS)}')

    def _pairs(self, node: yaml.Node, what: str) -> list[tuple[str, yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._refuse(node, f"{what} must be a mapping of keys to values")
            return []
        pairs: list[tuple[str, yaml.Node, yaml.Node]] = []
        for key, value in node.value:
            name = str(key.value)
            if any(name == seen for seen, _, _ in pairs):
                self._refuse(key, f'"{name}" is given twice')
            else:
                pairs.append((name, key, value))
        return pairs

    def _scalar(self, into: dict[str, Given], key: str, node: yaml.Node) -> None:
        given = self._given(key, node)
        if given is not None:
            into[key] = given

    def _given(self, key: str, node: yaml.Node) -> Given | None:
        if not isinstance(node, yaml.ScalarNode) or node.tag.endswith(":null"):
            self._refuse(node, f'"{key}" needs a single value')
            return None
        return Given(node.value, self._place(node), self._path.parent)

    def _refuse(self, node: yaml.Node, problem: str) -> None:
        self._problems.append(f"{self._place(node)}: {problem}")

    def _place(self, node: yaml.Node) -> str:
        mark = node.start_mark
        return f"{self._path}:{mark.line + 1}:{mark.column + 1}"


_T = TypeVar("_T")


class _Checker:
    """Settings → configuration, collecting what is wrong."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.problems: list[str] = []

    def config(self) -> Config | None:
        fleet = self._value("fleet", None, _fleet)
        robot = self._value("robot", None, _robot)
        mqtt = self._value("mqtt", None, _mqtt)
        interval_s = self._value("interval_s", DEFAULT_INTERVAL_S, _seconds(0.1, 86_400))
        spool = self._value("spool", str(DEFAULT_SPOOL), _path)
        quota = self._quota()
        socket = self._value("socket", DEFAULT_SOCKET, _path_or_off)
        udp = self._value("udp", DEFAULT_UDP, _udp)
        tz = self._value("tz", system_tz(), _tz)
        labels = self._labels()
        pace = self._pace()
        tls = self._tls(plain=mqtt is not None and not mqtt.secure)
        catalogue = tuple(given.folder / given.text for given in self._settings.catalogue)
        if self.problems or fleet is None or robot is None or mqtt is None or interval_s is None:
            return None
        if spool is None or quota is None or tz is None or pace is None:
            return None
        return Config(
            fleet, robot, mqtt, interval_s, spool, quota, socket, udp, tz, labels, tls, catalogue, pace
        )

    def _pace(self) -> Pace | None:
        reconnect_s = self._value("reconnect_within_s", DEFAULT_RECONNECT_WITHIN_S, _seconds(0.1, 60))
        resend_s = self._value("resend_after_s", DEFAULT_RESEND_AFTER_S, _seconds(1, 3_600))
        if reconnect_s is None or resend_s is None:
            return None
        return Pace(int(1000 * reconnect_s), int(1000 * resend_s))

    def _quota(self) -> Quota | None:
        max_bytes = self._value("spool_max_bytes", DEFAULT_MAX_BYTES, _spool_bytes)
        max_age = self._value("spool_max_age", DEFAULT_MAX_AGE, _age_or_off)
        free_bytes = self._value("disk_keep_free_bytes", DEFAULT_KEEP_FREE_BYTES, _bytes_or_auto)
        free_inodes = self._value("disk_keep_free_inodes", DEFAULT_KEEP_FREE_INODES, _count)
        if max_bytes is None or free_inodes is None:
            return None
        return Quota(max_bytes, max_age, free_bytes, free_inodes)

    def _value(self, key: str, default: str | None, parse: Callable[[Given], _T]) -> _T | None:
        given = self._settings.simple.get(key)
        if given is None and default is None:
            flag = f"--{key.replace('_', '-')}"
            self.problems.append(f"{key} is missing: set it in the file, or give {flag}")
            return None
        chosen = given or Given(str(default), f"default of {key}")
        try:
            return parse(chosen)
        except ValueError as error:
            self.problems.append(f"{chosen.place}: {key}: {error}")
            return None

    def _labels(self) -> dict[str, str]:
        labels = {name: given.text for name, given in self._settings.labels.items()}
        for name, given in self._settings.labels.items():
            if not name or len(name.encode()) > MAX_STRING or len(given.text.encode()) > MAX_STRING:
                shown = f"{name[:40]!r}"
                self.problems.append(f"{given.place}: label {shown} must be 1 … {MAX_STRING} bytes")
        if len(labels) > MAX_LABELS:
            self.problems.append(f"labels: {len(labels)} of them; {MAX_LABELS} are allowed")
        return labels

    def _tls(self, plain: bool) -> Tls:
        files = {name: given.folder / given.text for name, given in self._settings.tls.items()}
        for name, path in files.items():
            if not path.is_file():
                self.problems.append(f"{self._settings.tls[name].place}: tls.{name}: no file {path}")
        if files and plain:
            name = next(iter(files))
            place = self._settings.tls[name].place
            self.problems.append(f"{place}: tls.{name} is for mqtts://, but mqtt is mqtt://; write mqtts://")
        if "key" in files and "cert" not in files:
            self.problems.append(f"{self._settings.tls['key'].place}: tls.key needs tls.cert beside it")
        return Tls(files.get("ca"), files.get("cert"), files.get("key"))


def _fleet(given: Given) -> str:
    if not is_fleet(given.text):
        raise ValueError(f"{given.text!r} is no fleet's name; use 1 … 32 of a-z, 0-9 and -")
    return given.text


def _robot(given: Given) -> str:
    if not is_robot(given.text):
        raise ValueError(f"{given.text!r} is no robot's name; use 1 … 64 of A-Z, a-z, 0-9, _ and -")
    return given.text


def _mqtt(given: Given) -> Address:
    try:
        return parse_url(given.text)
    except AddressError as error:
        raise ValueError(str(error)) from None


def _seconds(least: float, most: float) -> Callable[[Given], float]:
    def parse(given: Given) -> float:
        try:
            seconds = float(given.text)
        except ValueError:
            seconds = math.nan
        if not least <= seconds <= most:
            raise ValueError(f"{given.text!r} is no number of seconds from {least} to {most}")
        return seconds

    return parse


def _path(given: Given) -> Path:
    if not given.text or "\0" in given.text:
        raise ValueError("needs a path")
    return given.folder / given.text


def _path_or_off(given: Given) -> Path | None:
    return None if given.text == "off" else _path(given)


def _bytes(given: Given) -> int:
    match = _SIZE.fullmatch(given.text)
    if match is None:
        raise ValueError(f"{given.text!r} is no size like 256MB or 64MiB")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def _spool_bytes(given: Given) -> int:
    size = _bytes(given)
    if size < SMALLEST_BYTES:
        raise ValueError(f"{given.text!r} is too little for a spool; give 4MB or more")
    return size


def _bytes_or_auto(given: Given) -> int | None:
    return None if given.text == "auto" else _bytes(given)


def _age_or_off(given: Given) -> int | None:
    if given.text == "off":
        return None
    match = _AGE.fullmatch(given.text)
    if match is None:
        raise ValueError(f"{given.text!r} is neither an age like 30d or 12h nor off")
    return int(match[1]) * _AGES[match[2]]


def _count(given: Given) -> int:
    if not given.text.isascii() or not given.text.isdecimal() or len(given.text) > 15:
        raise ValueError(f"{given.text!r} is no number of inodes")
    return int(given.text)


def _udp(given: Given) -> tuple[str, int] | None:
    if given.text == "off":
        return None
    match = _UDP.fullmatch(given.text)
    if match is None or int(match["port"]) > 65_535:
        raise ValueError(f"{given.text!r} is neither HOST:PORT nor off")
    return match["six"] or match["host"], int(match["port"])


def _tz(given: Given) -> str:
    if not _is_zone(given.text):
        close = suggestion(given.text, sorted(available_timezones()))
        raise ValueError(f"{given.text!r} is no time zone like Asia/Shanghai{close}")
    return given.text


def _is_zone(name: str) -> bool:
    if not re.fullmatch(r"[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+)*", name) or len(name) > MAX_STRING:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return not available_timezones()  # a machine without the tz database cannot tell
    return True


def _yaml_problem(path: Path, error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{path}:{mark.line + 1}:{mark.column + 1}: no valid YAML: {error.problem}"
    return f"{path}: no valid YAML: {' '.join(str(error).split())}"
