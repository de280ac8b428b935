"""The wire contract between agent and collector: topics, messages, limits, encode and decode.

A message is JSON in UTF-8, zlib-compressed where it is long and that is smaller; the first byte (0x78)
tells. A live sample goes plain, so that an installer can read along with `mosquitto_sub`. The topic
carries version, fleet and robot, and the robot in the topic is the robot. Whatever arrives, `decode`
answers with a message or with `Refused`, and never raises.

A `Samples` message holds consecutive samples of one epoch: its first has the number `seq`, the next
`seq + 1`, and so on. `first` is the oldest sample that the agent still has, so a hole below it is
declared lost.
"""

import re
import sys
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Literal, TypeVar

import msgspec

VERSION = "v1"
MAX_MESSAGE = 256 * 1024
MAX_INFLATED = 1024 * 1024
MAX_SAMPLES = 500
COMPRESS_OVER = 4 * 1024
MAX_METRICS = 2_000
MAX_STRING = 256
_ZLIB = 0x78
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FLEET = re.compile(r"[a-z0-9-]{1,32}")
_ROBOT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_names: set[str] = set()  # that were found to be names of metrics: a fleet says few, over and over
_NAMES_KEPT = 10_000
_topics: dict[str, "Topic"] = {}  # that were taken apart before: of each robot the same come over and over
_TOPICS_KEPT = 500_000

Text = Annotated[str, msgspec.Meta(max_length=MAX_STRING)]
Identity = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_STRING)]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Channel = Literal["hello", "status", "samples", "receipt", "command"]
CHANNELS: tuple[Channel, ...] = ("hello", "status", "samples", "receipt", "command")


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    robot: Text | None = None  # needless, as the topic says it; refused where it differs


class Hello(_Message, frozen=True, kw_only=True):
    """Sent by the agent on every connect: who it is, and which samples it holds (`first` … `next - 1`)."""

    session: Count
    boot: Text
    epoch: Identity
    agent: Text
    interval_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)]
    tz: Text
    labels: dict[Text, Text]
    first: Number
    next: Number
    at: Milliseconds


class Status(_Message, frozen=True, kw_only=True):
    """Whether the agent is connected; its will says `online: false`, and counts only for its `session`."""

    online: bool
    session: Count
    at: Milliseconds


class Sent(msgspec.Struct, frozen=True, gc=False):
    """The clocks at the moment of sending: wall `t`, since boot `up` (both ms), and the boot's id."""

    t: Milliseconds
    up: Milliseconds
    boot: Text


class End(msgspec.Struct, frozen=True, omit_defaults=True):
    """A boot that is over: how long it was up at its last sample, when it began if its clock ever knew."""

    boot: Text
    up: Milliseconds
    began: Milliseconds | None = None


class Sample(msgspec.Struct, frozen=True, gc=False):
    """Every counter `c` and gauge `g` the robot knew at wall time `t`, `up` ms after boot, by subsystem."""

    t: Milliseconds
    up: Milliseconds
    boot: Text
    synced: bool
    c: dict[Text, dict[Text, Count]]
    g: dict[Text, dict[Text, float]]


def many(kind: type[msgspec.Struct]) -> object:
    """The type of a message's samples."""
    return Annotated[list[kind], msgspec.Meta(min_length=1, max_length=MAX_SAMPLES)]  # type: ignore[valid-type]


class Samples(_Message, frozen=True, kw_only=True):
    """Consecutive samples of one epoch, from number `seq` on; the agent holds none below `first`.

    Where some are of an earlier boot than `sent`, `ends` tells the boots since then that are over, oldest
    first; those after the message's own that never knew the time may be one, of their lengths together.
    """

    epoch: Identity
    first: Number
    seq: Number
    sent: Sent
    samples: Annotated[list[Sample], msgspec.Meta(min_length=1, max_length=MAX_SAMPLES)]
    ends: Annotated[list[End], msgspec.Meta(max_length=MAX_SAMPLES + 2)] = []


class Receipt(_Message, frozen=True, kw_only=True):
    """All samples of `epoch` up to `stored_until` are in the store, or declared lost."""

    epoch: Identity
    stored_until: Count


class Command(_Message, frozen=True, kw_only=True):
    """Something the collector asks of the agent; `kind` says what."""

    id: Identity
    kind: Identity


class CollectorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the collector listens; a new `session` means it was restarted."""

    online: bool
    session: Text
    at: Milliseconds


RobotMessage = Hello | Status | Samples | Receipt | Command
Message = RobotMessage | CollectorStatus
Reason = Literal["topic", "too_large", "compression", "not_json", "schema", "identity", "limits"]
_TYPES: dict[str, type[RobotMessage]] = {
    "hello": Hello,
    "status": Status,
    "samples": Samples,
    "receipt": Receipt,
    "command": Command,
}
_CHANNELS: dict[str, Channel] = {channel: channel for channel in CHANNELS}
_DECODERS = {channel: msgspec.json.Decoder(message) for channel, message in _TYPES.items()}
_COLLECTOR_DECODER = msgspec.json.Decoder(CollectorStatus)
_ENCODER = msgspec.json.Encoder()


class Topic(msgspec.Struct, frozen=True, gc=False):
    """`vitals/v1/<fleet>/<robot>/<channel>`."""

    fleet: str
    robot: str
    channel: Channel

    def __str__(self) -> str:
        return f"vitals/{VERSION}/{self.fleet}/{self.robot}/{self.channel}"


@dataclass(frozen=True, slots=True)
class CollectorTopic:
    """`vitals/v1/<fleet>/collector/status`: the one topic of the collector itself."""

    fleet: str

    def __str__(self) -> str:
        return f"vitals/{VERSION}/{self.fleet}/collector/status"


class Received(msgspec.Struct, frozen=True, gc=False):
    """A message that keeps the contract."""

    topic: Topic | CollectorTopic
    message: Message


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that breaks the contract: the kind of reason (to count by) and the detail (to read)."""

    reason: Reason
    detail: str


def is_fleet(name: str) -> bool:
    """Whether a fleet can be called so."""
    return _FLEET.fullmatch(name) is not None


def is_robot(name: str) -> bool:
    """Whether a robot can be called so; `collector` is taken by the collector's own topic."""
    return _ROBOT.fullmatch(name) is not None and name != "collector"


def subscription(fleet: str, channel: Channel) -> str:
    """The topic filter for one channel of all robots of a fleet."""
    return f"vitals/{VERSION}/{fleet}/+/{channel}"


def parse_topic(topic: str) -> Topic | CollectorTopic | Refused:
    """Takes a topic apart."""
    known = _topics.get(topic)
    return known if known is not None else _parse_topic(topic)


def _parse_topic(topic: str) -> Topic | CollectorTopic | Refused:
    match topic.split("/"):
        case ["vitals", version, fleet, "collector", "status"] if version == VERSION and is_fleet(fleet):
            return CollectorTopic(fleet)
        case ["vitals", version, fleet, robot, channel] if version == VERSION and channel in _TYPES:
            if is_fleet(fleet) and is_robot(robot):
                return _kept(topic, Topic(fleet, sys.intern(robot), _CHANNELS[channel]))
    return Refused("topic", f"no topic of this contract: {topic[:MAX_STRING]!r}")


def _kept(topic: str, parsed: Topic) -> Topic:
    if len(_topics) >= _TOPICS_KEPT:
        _topics.clear()
    _topics[topic] = parsed
    return parsed


def encode(message: Message) -> bytes:
    """The message as it goes over the wire: plain up to `COMPRESS_OVER` bytes, else the smaller form."""
    plain = _ENCODER.encode(message)
    if len(plain) <= COMPRESS_OVER:
        return plain
    packed = zlib.compress(plain)
    return packed if len(packed) < len(plain) else plain


def decode(
    topic: str, payload: bytes, known: "msgspec.json.Decoder[Samples] | None" = None
) -> Received | Refused:
    """Reads a message of whatever bytes; says why if it is none.

    `known` decodes samples of known metrics, quicker; what it does not take is read as if it were not there.
    """
    place = parse_topic(topic)
    if isinstance(place, Refused):
        return place
    plain = _inflate(payload)
    if isinstance(plain, Refused):
        return plain
    if isinstance(place, CollectorTopic):
        status = _parse(_COLLECTOR_DECODER, plain)
        return status if isinstance(status, Refused) else _broken_text(status) or Received(place, status)
    message = _message(place.channel, plain, known)
    if isinstance(message, Refused):
        return message
    return _broken_rule(place, message) or Received(place, message)


def _message(
    channel: Channel, plain: bytes, known: "msgspec.json.Decoder[Samples] | None"
) -> RobotMessage | Refused:
    if known is None or channel != "samples":
        return _general(channel, plain)
    try:
        return known.decode(plain)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _general(channel, plain)


def _general(channel: Channel, plain: bytes) -> RobotMessage | Refused:
    message = _parse(_DECODERS[channel], plain)
    return (_broken_metrics(message) or message) if isinstance(message, Samples) else message


def _inflate(payload: bytes) -> bytes | Refused:
    if len(payload) > MAX_MESSAGE:
        return Refused("too_large", f"{len(payload)} bytes; {MAX_MESSAGE} are allowed")
    if not payload or payload[0] != _ZLIB:
        return payload
    inflator = zlib.decompressobj()
    try:
        plain = inflator.decompress(payload, MAX_INFLATED + 1)
    except zlib.error as error:
        return Refused("compression", f"no zlib stream: {error}")
    if len(plain) > MAX_INFLATED:
        return Refused("too_large", f"over {MAX_INFLATED} bytes when decompressed")
    if not inflator.eof or inflator.unused_data:
        return Refused("compression", "the zlib stream is cut short or followed by other bytes")
    return plain


_T = TypeVar("_T")


def _parse(decoder: msgspec.json.Decoder[_T], plain: bytes) -> _T | Refused:
    try:
        return decoder.decode(plain)
    except msgspec.ValidationError as error:
        return Refused("schema", str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Refused("not_json", str(error))


def _broken_rule(topic: Topic, message: RobotMessage) -> Refused | None:
    if message.robot is not None and message.robot != topic.robot:
        return Refused("identity", f"robot {message.robot!r} in a message on the topic of {topic.robot!r}")
    if isinstance(message, Hello) and message.first > message.next:
        return Refused("limits", f"first {message.first} is above next {message.next}")
    if isinstance(message, Samples) and message.first > message.seq:
        return Refused("limits", f"first {message.first} is above seq {message.seq}")
    return _broken_text(message)


def _broken_text(message: Message) -> Refused | None:
    if isinstance(message, Samples) and not message.ends and len(message.samples) == 1:  # nearly all messages
        boot = message.samples[0].boot
        if boot == message.sent.boot and _is_plain(message.epoch) and _is_plain(boot):
            return None
    for text in _texts(message):
        if not text.isascii() and len(text.encode()) > MAX_STRING:
            return Refused("limits", f"{text[:32]!r}… has over {MAX_STRING} bytes")
        if "\0" in text:
            return Refused("limits", f"{text!r} has a NUL, which no database can be trusted to keep")
    return None


def _is_plain(text: str) -> bool:
    """Whether a text within `MAX_STRING` characters is within as many bytes, and has no NUL."""
    return text.isascii() and text.isprintable()


def _texts(message: Message) -> Iterable[str]:
    """The free texts of a message; names of metrics are judged by `_NAME`."""
    match message:
        case Hello():
            labels = (*message.labels.keys(), *message.labels.values())
            return (message.epoch, message.boot, message.agent, message.tz, *labels)
        case Samples():
            ended = (end.boot for end in message.ends)
            return {message.epoch, message.sent.boot, *(sample.boot for sample in message.samples), *ended}
        case Receipt():
            return (message.epoch,)
        case Command():
            return (message.id, message.kind)
        case CollectorStatus():
            return (message.session,)
        case Status():
            return ()


def _broken_metrics(message: Samples) -> Refused | None:
    for number, sample in enumerate(message.samples, message.seq):
        counters, gauges = sample.c.values(), sample.g.values()
        if sum(map(len, counters)) + sum(map(len, gauges)) > MAX_METRICS:
            return Refused("limits", f"sample {number} has over {MAX_METRICS} metrics")
        if not _names.issuperset(chain(sample.c, sample.g, *counters, *gauges)):
            for name in chain(sample.c, sample.g, *counters, *gauges):
                if not _is_name(name):
                    return Refused("limits", f"sample {number}: {name!r} is no metric's name")
    return None


def _is_name(name: str) -> bool:
    if name in _names:
        return True
    if not _NAME.fullmatch(name):
        return False
    if len(_names) >= _NAMES_KEPT:
        _names.clear()
    _names.add(name)
    return True
