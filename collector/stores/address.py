"""Where samples are stored, as `--store` says it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote, unquote, urlsplit

Kind = Literal["duckdb", "victoriametrics", "influxdb"]
_PORTS: Final = {"victoriametrics": 8428, "influxdb": 8086}
_EXAMPLES: Final = {
    "victoriametrics": "victoriametrics://host:8428",
    "influxdb": "influxdb://host:8086/ORG/BUCKET",
}
TOKEN: Final = "INFLUXDB_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE: Final = "INFLUXDB_TOKEN_FILE"  # noqa: S105


class StoreAddressError(ValueError):
    """A value cannot be used; the message says which, and what one looks like."""


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Which store, and where it is; without anything, DuckDB in the data folder."""

    kind: Kind = "duckdb"
    host: str = ""
    port: int = 0
    secure: bool = False
    path: str = ""  # VictoriaMetrics: before its own paths, behind a proxy
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    org: str = ""
    bucket: str = ""

    @property
    def url(self) -> str:
        """Where HTTP goes."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}{self.path}"

    def __str__(self) -> str:
        if self.kind == "duckdb":
            return "duckdb"
        rest = f"/{quote(self.org)}/{quote(self.bucket)}" if self.kind == "influxdb" else ""
        return f"{self.kind}{'+https' if self.secure else ''}{self.url[self.url.index(':') :]}{rest}"


EMBEDDED: Final = StoreAddress()


def parse_store(text: str) -> StoreAddress:
    """`duckdb`, `victoriametrics://host:8428` or `influxdb://host:8086/ORG/BUCKET`.

    `+https` after the first word encrypts. Raises `StoreAddressError`, which shows no password.
    """
    if text in ("duckdb", ""):
        return EMBEDDED
    shown = text.rpartition("@")[2]
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise StoreAddressError(f"--store {shown!r} is no URL; write {_examples()}") from None
    kind, _, secure = parts.scheme.partition("+")
    if kind not in _PORTS or secure not in ("", "https") or not parts.hostname or parts.query:
        raise StoreAddressError(f"--store {shown!r} is no store; write {_examples()}")
    user, password = (unquote(given) if given else None for given in (parts.username, parts.password))
    place = {"host": parts.hostname, "port": port or _PORTS[kind], "secure": bool(secure)}
    if kind == "victoriametrics":
        path = parts.path.rstrip("/")
        return StoreAddress(kind="victoriametrics", path=path, user=user, password=password, **place)  # type: ignore[arg-type]
    names = [unquote(name) for name in parts.path.split("/")[1:]]
    if len(names) != 2 or not all(names):
        raise StoreAddressError(f"--store {shown!r} names no bucket; write {_EXAMPLES['influxdb']}")
    if user is not None:
        raise StoreAddressError(f"--store {shown!r}: put the token in {TOKEN}, not in the URL")
    return StoreAddress(kind="influxdb", org=names[0], bucket=names[1], **place)  # type: ignore[arg-type]


def influx_token(environment: Mapping[str, str]) -> str:
    """The token, from the environment or from the file that it names. Raises `StoreAddressError`."""
    if token := environment.get(TOKEN, "").strip():
        return token
    if not (name := environment.get(TOKEN_FILE, "")):
        raise StoreAddressError(f"influxdb needs a token: set {TOKEN}, or {TOKEN_FILE} to a file that has it")
    try:
        token = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is no text"
        raise StoreAddressError(f"{TOKEN_FILE} {name}: cannot be read: {why}") from None
    if not token:
        raise StoreAddressError(f"{TOKEN_FILE} {name}: is empty; put the token in it")
    return token


def _examples() -> str:
    return f"duckdb, {_EXAMPLES['victoriametrics']} or {_EXAMPLES['influxdb']}"
