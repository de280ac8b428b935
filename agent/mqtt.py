"""The connection to the broker: paho, one client an attempt, its events handed over as records.

Every attempt gets a client of its own, and so an empty queue: what a lost connection left unsent goes
out again by the outbox' decision, with clocks of the moment, and never by paho's.
"""

import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

KEEPALIVE_S = 30
CONNECT_TIMEOUT_S = 10.0
LEAVE_TIMEOUT_S = 2.0
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class AddressError(ValueError):
    """No MQTT URL; the message says what one looks like."""


class TlsError(ValueError):
    """A certificate or key cannot be used; the message names the file."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker is, and as whom to log in."""

    host: str
    port: int
    secure: bool
    user: str | None = None
    password: str | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.secure else 'mqtt'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker accepted us."""

    session: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The attempt failed (`was_up` false), or the connection was lost."""

    session: int
    was_up: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message came in."""

    session: int
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker has the message `mid`, which says nothing of the store; `at` is monotonic seconds."""

    session: int
    mid: int
    at: float


Event = Connected | Closed | Arrived | Acknowledged


def parse_url(url: str) -> Address:
    """`mqtt://[user:password@]host[:port]`, or `mqtts://`. Raises `AddressError`, which shows no password."""
    shown = url.rpartition("@")[2]
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        why = "" if "@" in url else f": {error}"  # which may quote a part of the password
        raise AddressError(
            f"no MQTT URL: {shown!r}{why}; write mqtt://host:1883 or mqtts://host:8883"
        ) from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise AddressError(f"no MQTT URL: {shown!r}; write mqtt://host:1883 or mqtts://host:8883")
    return Address(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        secure=parts.scheme == "mqtts",
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def tls_context(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    """For a broker with a certificate of `ca` (or the system's), with a client certificate where given."""
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
    except (OSError, ssl.SSLError) as error:
        raise TlsError(f"{ca}: no usable CA certificate: {error}") from None
    if cert is not None:
        try:
            context.load_cert_chain(cert, key)
        except (OSError, ssl.SSLError) as error:
            raise TlsError(f"{cert}: certificate and key cannot be used: {error}") from None
    return context


class Link:
    """One attempt to connect, and the connection that comes of it. `on_event` is called from its threads.

    Exactly one `Closed` ends it, unless `close` does.
    """

    def __init__(
        self,
        address: Address,
        tls: ssl.SSLContext | None,
        client_id: str,
        session: int,
        will: tuple[str, bytes],
        subscribe: Sequence[str],
        on_event: Callable[[Event], None],
    ) -> None:
        self._address = address
        self._session = session
        self._topics = subscribe
        self._on_event = on_event
        self._was_up = False
        self._ended = threading.Lock()  # taken, once and for good, by whoever ends it
        self._gone = threading.Event()
        self._client = self._make_client(client_id, tls, will)

    def open(self) -> None:
        """Begins the attempt, and returns at once."""
        threading.Thread(target=self._connect, name="mqtt-connect", daemon=True).start()

    def subscribe(self) -> None:
        """Subscribes again; the broker answers with what is retained."""
        self._client.subscribe([(topic, 1) for topic in self._topics])

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Queues a message with QoS 1; returns the number under which it will be `Acknowledged`."""
        return self._client.publish(topic, payload, qos=1, retain=retain).mid

    def close(self) -> None:
        """Takes leave of the broker, so that it keeps the will to itself. No `Closed` follows."""
        self._ended.acquire(blocking=False)
        self._client.disconnect()
        if self._was_up:
            self._gone.wait(LEAVE_TIMEOUT_S)

    def _make_client(self, client_id: str, tls: ssl.SSLContext | None, will: tuple[str, bytes]) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.username_pw_set(self._address.user, self._address.password)
        if tls is not None:
            client.tls_set_context(tls)
        client.will_set(will[0], will[1], qos=1, retain=True)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_message = self._arrived
        client.on_publish = self._acknowledged
        return client

    def _connect(self) -> None:
        try:
            self._client.connect(self._address.host, self._address.port, KEEPALIVE_S)
        except (OSError, ValueError) as error:
            self._end(f"{self._address}: {error}")
            return
        if self._ended.locked():
            self._client.disconnect()
        else:
            self._client.loop_start()

    def _connected(
        self, client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _more: Properties | None
    ) -> None:
        if code.is_failure:
            self._end(f"{self._address} refused us: {code}")
            client.disconnect()
            return
        self._was_up = True
        self.subscribe()
        self._on_event(Connected(self._session))

    def _disconnected(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        code: ReasonCode,
        _more: Properties | None,
    ) -> None:
        self._gone.set()
        self._end(f"{self._address}: {code}")

    def _arrived(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self._on_event(Arrived(self._session, message.topic, bytes(message.payload)))

    def _acknowledged(
        self, _client: Client, _data: object, mid: int, _code: ReasonCode, _more: Properties | None
    ) -> None:
        self._on_event(Acknowledged(self._session, mid, time.monotonic()))

    def _end(self, reason: str) -> None:
        if self._ended.acquire(blocking=False):
            self._on_event(Closed(self._session, self._was_up, reason))
