"""The file of settings: what it means, and what each mistake is told."""

from types import MappingProxyType

import pytest

from collector.notifying import load, sending
from collector.notifying.letter import Kind
from collector.notifying.load import SettingsErrors
from collector.notifying.settings import Settings
from collector.queue import Severity

ENVIRONMENT = MappingProxyType(
    {"TOKEN": "abcdef123", "PASSWORD": "p@ss/w#rd", "WHOLE": "json://127.0.0.1:1/a?b=1"}
)
WHOLE = """
schema: robovitals-notify/1
console: https://vitals.example.com/
language: zh
channels:
  mail: {url: "mailtos://robot:${PASSWORD}@smtp.example.com?from=robot@example.com", language: en}
  ops: feishu://${TOKEN}
  tickets: ${WHOLE}
routes:
- {severity: high, tier: [strategic, key], channels: [owner, ops]}
- {kind: [escalated, resolved], customer: Museum, owner: li, rule: Silent, subsystem: asr, channels: tickets}
quiet_hours:
- {from: "22:00", to: "07:00", tz: Asia/Shanghai, except: critical, channels: ops}
- {from: "00:00", to: "24:00", tz: Asia/Shanghai, days: [sa-su]}
digest: {at: "08:30", tz: Asia/Shanghai, days: mo-fr, channels: [owner]}
"""


def read(text: str) -> Settings:
    """The settings in a text."""
    return load.read("notify.yaml", text.encode(), ENVIRONMENT, sending.unusable)


def test_a_whole_file() -> None:
    """Everything that can be said is understood."""
    found = read(WHOLE)
    assert found.console == "https://vitals.example.com"
    assert {name: channel.language for name, channel in found.channels.items()} == {
        "mail": "en",
        "ops": "zh",
        "tickets": "zh",
    }
    first, second = found.routes
    assert (first.severity, first.tier, first.channels) == (
        Severity.HIGH,
        frozenset({"strategic", "key"}),
        ("owner", "ops"),
    )
    assert (first.kinds, first.customer) == (frozenset(), frozenset())
    assert (second.kinds, second.customer) == (
        frozenset({Kind.ESCALATED, Kind.RESOLVED}),
        frozenset({"Museum"}),
    )
    night, weekend = found.quiet
    assert (night.begin, night.end, night.passes, night.channels) == (
        1320,
        420,
        Severity.CRITICAL,
        frozenset({"ops"}),
    )
    assert (weekend.days, weekend.end, weekend.passes) == (frozenset({5, 6}), 1440, None)
    assert found.digest is not None
    assert (found.digest.minute, found.digest.days, found.digest.channels) == (
        510,
        frozenset(range(5)),
        ("owner",),
    )


def test_secrets_come_from_the_environment_and_are_not_shown() -> None:
    """A part of a URL is encoded for it, a whole URL is taken as it is; neither is in a repr."""
    found = read(WHOLE)
    assert found.channels["mail"].url.startswith("mailtos://robot:p%40ss%2Fw%23rd@smtp.example.com")
    assert found.channels["tickets"].url == ENVIRONMENT["WHOLE"]
    assert ENVIRONMENT["TOKEN"] not in repr(found)


BEGIN = "schema: robovitals-notify/1\nchannels: {ops: 'json://127.0.0.1', mail: 'mailto://u:p@example.com'}\n"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["1:1: the file is empty"]),
        (
            "schema: robovitals-notify/2\n",
            [
                '1:1: a file of settings needs "channels", such as mail: mailtos://…',
                '1:9: must be one of robovitals-notify/1, not "robovitals-notify/2"; '
                'did you mean "robovitals-notify/1"?',
            ],
        ),
        (
            "schema: robovitals-notify/1\nchannels: {ops: 'fieshu://x', Ops!: 'json://a', owner: 'json://a'}\n",
            [
                '2:17: no service "fieshu"; did you mean "feishu"?',
                '2:31: a channel\'s name is of a-z, 0-9, - and _, not "Ops!"',
                '2:49: "owner" is the owner of an alert, reached through the channel "mail"',
            ],
        ),
        (
            "schema: robovitals-notify/1\nchannels: {ops: 'feishu://${TOKEM}', mail: 'json://a'}\n",
            [
                "2:17: the environment has no TOKEM; set it for the collector's settings",
                '2:44: the channel "mail" writes to owners of alerts, and must be mailto:// or mailtos://',
            ],
        ),
        (
            "schema: robovitals-notify/1\nchannels: {ops: 'feishu://'}\nroutes: [{channels: [owner]}]\n",
            [
                "2:17: this URL of feishu:// is not complete; docs/notifications.md shows a whole one",
                '3:22: "owner" is written to through a channel named "mail"; add one',
            ],
        ),
        (
            BEGIN
            + "routes:\n- {severity: hihg, channel: ops}\n- {kind: open, tier: gold, channels: [opps]}\n",
            [
                '4:3: a route needs "channels", such as channels: [owner]',
                '4:14: must be one of critical, high, medium, low, info, not "hihg"; did you mean "high"?',
                '4:20: unknown key "channel"; did you mean "channels"?',
                '5:10: must be one of opened, assigned, escalated, returned, relapsed, resolved, not "open"; '
                'did you mean "opened"?',
                '5:22: must be one of strategic, key, standard, long_tail, not "gold"',
                '5:39: unknown channel "opps"; did you mean "ops"?',
            ],
        ),
        (
            BEGIN + 'quiet_hours:\n- {from: "25:00", to: "07:00", tz: Asia/Shangai, days: [mo-xx]}\n',
            [
                '4:10: must be a time from 00:00 to 24:00, not "25:00"',
                '4:36: no time zone "Asia/Shangai"; write one such as Asia/Shanghai',
                '4:57: must be a weekday (mo, tu, we, th, fr, sa, su) or a range such as mo-fr, not "mo-xx"',
            ],
        ),
        (
            BEGIN + 'quiet_hours:\n- {from: "07:00", to: "07:00", tz: UTC}\nconsole: vitals\n',
            [
                "4:23: the same as from; a whole day is from: 00:00, to: 24:00",
                '5:10: must be the console\'s address, such as https://vitals.example.com, not "vitals"',
            ],
        ),
        (
            BEGIN + "digest: {at: 8, channels: []}\n",
            [
                '3:9: "digest" needs "tz", such as tz: Asia/Shanghai',
                '3:14: must be a time from 00:00 to 24:00, not "8"',
                "3:27: needs at least one channel",
            ],
        ),
        (BEGIN + "rotues: []\n", ['3:1: unknown key "rotues"; did you mean "routes"?']),
    ],
)
def test_every_mistake_is_told_with_its_place(text: str, lines: list[str]) -> None:
    """All of a file's at once, and what to write instead."""
    with pytest.raises(SettingsErrors) as caught:
        read(text)
    assert str(caught.value).splitlines() == [f"notify.yaml:{line}" for line in lines]


def test_no_message_holds_a_secret() -> None:
    """Not even where the URL with it is what is wrong."""
    with pytest.raises(SettingsErrors) as caught:
        read(
            "schema: robovitals-notify/1\nchannels: {ops: 'slack://${TOKEN}/b', x: 'https://example.com/s3cr3t'}\n"
        )
    assert ENVIRONMENT["TOKEN"] not in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert len(caught.value.problems) == 2
