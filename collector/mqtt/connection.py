"""One connection to the broker: paho-mqtt speaks, save of messages and receipts, which pass it by."""

import selectors
import socket
import ssl
import time
from typing import TYPE_CHECKING, Final

import msgspec
from paho.mqtt.client import Client, ConnectFlags, MQTTMessageInfo, error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent import wire
from collector.config import BrokerAddress
from collector.mqtt.framing import Cut, Cutter
from collector.mqtt.stream import Stream

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike  # which is there for type checkers only

KEEPALIVE_S: Final = 15
CONNECT_S: Final = 10.0
GREETING_S: Final = 10.0  # for the broker to let us in
CHANNELS: Final[tuple[wire.Channel, ...]] = ("hello", "status", "samples")
_IDLE_S: Final = 1.0
_PINGREQ: Final = b"\xc0\x00"


class ConnectionFailedError(ConnectionError):
    """The broker does not do what it should; the message says what."""


class Connection:
    """Signs in and subscribes by itself, while it is read and written; it never waits but in `connect`.

    Whatever ends it raises `OSError`.
    """

    def __init__(
        self, address: BrokerAddress, tls: ssl.SSLContext | None, fleet: str, will: wire.CollectorStatus
    ) -> None:
        self._address = address
        self._fleet = fleet
        self._will = will
        self._cutter = Cutter()
        self._selector = selectors.DefaultSelector()
        self._client = _Paho(CallbackAPIVersion.VERSION2, client_id=f"vitals-collector-{will.session[:12]}")
        self._client.connect_timeout = CONNECT_S
        self._client.will_set(*self._status(will), qos=1, retain=True)
        if address.user is not None:
            self._client.username_pw_set(address.user, address.password)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.on_connect = self._let_in
        self._client.on_subscribe = self._granted
        self._subscribed = False
        self._began = self._pinged_at = time.monotonic()

    @property
    def subscribed(self) -> bool:
        """Whether the broker has confirmed the subscriptions."""
        return self._subscribed

    @property
    def _stream(self) -> Stream:
        if self._client.stream is None:
            raise ConnectionFailedError("not connected")
        return self._client.stream

    def connect(self, wake: socket.socket) -> None:
        """Opens the connection, which may take `CONNECT_S`; what comes at `wake` ends a `wait`."""
        self._client.connect(self._address.host, self._address.port, KEEPALIVE_S)
        self._began = self._pinged_at = time.monotonic()
        self._selector.register(self._stream, selectors.EVENT_READ)
        self._selector.register(wake, selectors.EVENT_READ)

    def wait(self, at_most_s: float = _IDLE_S) -> None:
        """Until there is something to read or to send, or somebody wakes us."""
        stream = self._stream
        if stream.has_more:
            return
        interest = selectors.EVENT_READ | (selectors.EVENT_WRITE if stream.unsent else 0)
        self._selector.modify(stream, interest)
        for key, _ in self._selector.select(at_most_s):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.recv(4096)

    def read(self, at: int) -> Cut:
        """What has come by `at`, in ms UTC."""
        stream = self._stream
        cut = self._cutter.cut(stream.receive(), at)
        stream.leave_to_paho(cut.others)
        while stream.has_for_paho:
            self._check(self._client.loop_read())
        if not stream.has_more:
            self._check(self._client.loop_misc())
        if not self._subscribed and time.monotonic() > self._began + GREETING_S:
            raise ConnectionFailedError(f"it does not let us in within {GREETING_S:g} s")
        return cut

    def queue(self, packets: bytes) -> None:
        """Packets to send with the next `write`."""
        self._stream.send(packets)

    def write(self) -> None:
        """Sends what waits, as far as the broker takes it."""
        if self._client.want_write():
            self._check(self._client.loop_write())
        self._stream.flush()

    def ping(self) -> None:
        """Shows the broker that we live, while nothing is read and paho would miss the answers."""
        now = time.monotonic()
        if now >= self._pinged_at + KEEPALIVE_S / 3:
            self._pinged_at = now
            self._stream.send(_PINGREQ)

    def say(self, status: wire.CollectorStatus) -> MQTTMessageInfo:
        """Publishes our status, retained."""
        return self._client.publish(*self._status(status), qos=1, retain=True)

    def say_online(self, at: int) -> MQTTMessageInfo:
        """We listen."""
        return self.say(msgspec.structs.replace(self._will, online=True, at=at))

    def say_offline(self, at: int) -> MQTTMessageInfo:
        """We stop."""
        return self.say(msgspec.structs.replace(self._will, at=at))

    def disconnect(self) -> None:
        """Says goodbye, so that the will is not published."""
        self._client.disconnect()

    def close(self) -> None:
        """Ends it without a word."""
        self._selector.close()
        if self._client.stream is not None:
            self._client.stream.close()

    def _status(self, status: wire.CollectorStatus) -> tuple[str, bytes]:
        return str(wire.CollectorTopic(self._fleet)), wire.encode(status)

    def _let_in(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _: Properties | None
    ) -> None:
        if reason.is_failure:
            raise ConnectionFailedError(f"it does not let us in: {reason}")
        client.subscribe([(wire.subscription(self._fleet, channel), 1) for channel in CHANNELS])

    def _granted(
        self, _client: Client, _data: object, _id: int, reasons: list[ReasonCode], _: Properties | None
    ) -> None:
        for channel, reason in zip(CHANNELS, reasons, strict=True):
            if reason.is_failure:
                topic = wire.subscription(self._fleet, channel)
                raise ConnectionFailedError(f"it does not let us subscribe to {topic}: {reason}")
        self._subscribed = True

    def _check(self, outcome: MQTTErrorCode) -> None:
        if outcome is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise ConnectionFailedError(error_string(outcome))


class _Paho(Client):
    """paho-mqtt over a `Stream`."""

    stream: Stream | None = None

    def _create_socket(self) -> "SocketLike":
        sock = super()._create_socket()
        assert isinstance(sock, socket.socket)  # noqa: S101 - no websocket was asked for
        self.stream = Stream(sock)
        return self.stream
