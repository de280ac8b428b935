"""What a collector needs to know, checked value by value."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from collector.stores import DAY_MS, Retention
from collector.stores.address import EMBEDDED, StoreAddress

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_DATABASE: Final = "write postgresql://user@host/database"


class ConfigError(ValueError):
    """A value cannot be used; the message says which, and what one looks like."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, and as whom to log in."""

    host: str
    port: int
    secure: bool = False
    user: str | None = None
    password: str | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.secure else 'mqtt'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HttpAddress:
    """Where console and API are served; port 0 takes a free one."""

    host: str
    port: int

    def bound_to(self, port: int) -> "HttpAddress":
        """The address with the port that was really taken."""
        return HttpAddress(self.host, port)

    @property
    def url(self) -> str:
        """What to open in a browser of this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 - compared
        return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificate files for `mqtts://`."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is evaluated, and how long it waits for late samples. Without `rules`, the shipped packs are."""

    rules: tuple[Path, ...] = ()
    catalogues: tuple[Path, ...] = ()
    delay_ms: int = 30_000
    scores: Path | None = None  # weights of health scores; None: the shipped ones


@dataclass(frozen=True, slots=True)
class Config:
    """A running collector's settings."""

    data: Path
    broker: BrokerAddress
    fleet: str
    http: HttpAddress
    evaluation: Evaluation = Evaluation()
    tls: Tls = Tls()
    database: str | None = None  # None: SQLite in the data folder
    retention: Retention = field(default_factory=Retention)
    store: StoreAddress = EMBEDDED
    notify: Path | None = None  # the file that says who is notified; None: nobody


def parse_broker(url: str) -> BrokerAddress:
    """`mqtt://[user:password@]host[:port]`, or `mqtts://`. Raises `ConfigError`, which shows no password."""
    shown = url.rpartition("@")[2]
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        why = "" if "@" in url else f": {error}"  # which may quote a part of the password
        raise ConfigError(f"--mqtt {shown!r} is no MQTT URL{why}; write mqtt://host:1883") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ConfigError(f"--mqtt {shown!r} is no MQTT URL; write mqtt://host:1883 or mqtts://host:8883")
    return BrokerAddress(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        secure=parts.scheme == "mqtts",
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def parse_database(url: str) -> str:
    """`postgresql://user@host[:port]/database`, as libpq takes it.

    Raises `ConfigError`, which shows nothing that may be part of a password.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", "postgres") or not rest:
        shown = f"{scheme}://…" if rest else "the value"
        raise ConfigError(f"--database: {shown} is no PostgreSQL URL; {_DATABASE}")
    try:
        parts = urlsplit(url)
        readable = parts.netloc.count("@") < 2 and not parts.fragment and parts.port != 0
    except ValueError:
        readable = False
    if not readable:
        special = "in a password write %40 for @, %2F for /, %23 for #"
        raise ConfigError(f"--database: this is no PostgreSQL URL; {_DATABASE}; {special}")
    if not parts.path.strip("/"):
        raise ConfigError(f"--database: the URL names no database; {_DATABASE}")
    return f"postgresql://{rest}"


def parse_age(flag: str, text: str) -> int | None:
    """`400d` in ms; None for `forever`. Raises `ConfigError`."""
    if text == "forever":
        return None
    days = text.removesuffix("d")
    if not days.isdecimal() or not text.endswith("d") or not 1 <= int(days) <= 36_500:
        raise ConfigError(f"{flag} {text!r} is no age; write days, such as 400d, or forever")
    return int(days) * DAY_MS


def parse_http(text: str) -> HttpAddress:
    """`HOST:PORT`. Raises `ConfigError`."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigError(f"--http {text!r} is no address; write HOST:PORT, such as 127.0.0.1:8080")
    return HttpAddress(host, int(port))


def tls_context(address: BrokerAddress, tls: Tls) -> ssl.SSLContext | None:
    """For `mqtts://`: the system's certificates, or those given. Raises `ConfigError`."""
    given = [f"--{name} {path}" for name in ("ca", "cert", "key") if (path := getattr(tls, name))]
    if not address.secure:
        if given:
            raise ConfigError(f"{given[0]} is for mqtts://, but --mqtt is {address}; write mqtts://")
        return None
    if tls.key is not None and tls.cert is None:
        raise ConfigError(f"--key {tls.key} needs --cert beside it")
    try:
        context = ssl.create_default_context(cafile=str(tls.ca) if tls.ca else None)
        if tls.cert is not None:
            context.load_cert_chain(tls.cert, tls.key)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(path) for path in (tls.ca, tls.cert, tls.key) if path)
        raise ConfigError(f"{files}: cannot be used for TLS: {error}") from None
    return context
