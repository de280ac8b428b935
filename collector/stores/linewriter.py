"""Lines to a server: `/api/v2/write`, which InfluxDB 2 defines and VictoriaMetrics takes as well."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from collector.stores import StoreError

CONNECT_MS: Final = 5_000  # which is also how long it may leave a request unread
ANSWER_MS: Final = 30_000
AT_ONCE: Final = 512 * 1024  # bytes in one request: a server takes its time over series that are new


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is; `shown` names it in messages, without secrets."""

    url: str
    shown: str
    token: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)


class LineWriter:
    """Writes lines, one request after another. Raises `StoreError`."""

    def __init__(self, place: Place, org: str, bucket: str, precision: str) -> None:
        self._place = place
        self._org, self._bucket, self._precision = org, bucket, precision
        basic: dict[str, Any] = {}
        if place.user is not None:
            basic = {"auth_basic": True, "username": place.user, "password": place.password}
        timeout = (CONNECT_MS, ANSWER_MS)
        client: Any = InfluxDBClient  # its annotations allow no absent token
        self.client = client(place.url, token=place.token, org=org, timeout=timeout, **basic)
        self._api = self.client.write_api(write_options=SYNCHRONOUS)

    def write(self, body: bytes) -> None:
        """Sends all lines; after an error, some of them may be there."""
        for part in parts(body, AT_ONCE):
            with translated(self._place.shown):
                self._api.write(self._bucket, self._org, part, write_precision=self._precision)

    def close(self) -> None:
        """Lets go of connections."""
        self.client.close()


def parts(body: bytes, at_once: int) -> Iterator[bytes]:
    """Lines in portions of at most so many bytes, cut between lines."""
    begin = 0
    while len(body) - begin > at_once:
        end = body.rfind(b"\n", begin, begin + at_once) + 1 or body.find(b"\n", begin) + 1 or len(body)
        yield body[begin:end]
        begin = end
    if begin < len(body):
        yield body[begin:]


@contextmanager
def translated(shown: str) -> Iterator[None]:
    """Whatever goes wrong with a server is one line that names it."""
    try:
        yield
    except ApiException as error:
        raise StoreError(f"{shown}: {_refusal(error)}") from None
    except (HTTPError, OSError) as error:
        raise StoreError(f"{shown}: {_cause(error)}") from None


def _refusal(error: ApiException) -> str:
    if not error.status:
        return " ".join(str(error.reason).split())
    return f"answered {error.status}: {said(error.body) or error.reason}"


def said(body: object) -> str:
    """What a server wrote into an answer, in one line."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    with suppress(ValueError, KeyError, TypeError):
        text = json.loads(text)["message"]
    return " ".join(text.split())[:300]


def _cause(error: Exception) -> str:
    match error:
        case NameResolutionError():
            return "no such host; see --store"
        case NewConnectionError() if "refused" in str(error):
            return "connection refused; is it running there?"
        case ConnectTimeoutError():
            return f"no connection within {CONNECT_MS // 1000} s"
        case ReadTimeoutError():
            return f"no answer within {ANSWER_MS // 1000} s"
        case ProtocolError():
            return f"the connection broke: {' '.join(str(error).split())[:200]}"
    return " ".join(str(error).split())[:300]
