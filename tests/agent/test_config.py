"""The configuration: every value checked, every mistake named with its place."""

from pathlib import Path

import pytest

from agent import outbox
from agent.backoff import FIRST_MS
from agent.config import Config, ConfigError, Given, Pace, Settings, check, read_file, system_tz
from agent.mqtt import Address
from agent.quota import DAY_MS, Quota

LEAST = "fleet: demo\nrobot: r1\nmqtt: mqtt://broker\n"


def configured(tmp_path: Path, text: str) -> Config:
    """The configuration that a file makes."""
    path = tmp_path / "agent.yaml"
    path.write_text(text)
    return check(read_file(path))


def test_the_least_that_is_needed(tmp_path: Path) -> None:
    """Fleet, robot and broker; the rest has defaults."""
    config = configured(tmp_path, LEAST)
    assert (config.fleet, config.robot, config.mqtt) == ("demo", "r1", Address("broker", 1883, False))
    assert (config.interval_s, config.udp, config.tz) == (30.0, ("127.0.0.1", 8125), system_tz())
    assert config.pace == Pace(
        reconnect_within_ms=FIRST_MS, resend_after_ms=outbox.Settings().resend_after_ms
    )
    assert (config.spool, config.socket) == (
        Path("/var/lib/robovitals"),
        Path("/run/robovitals/vitals.sock"),
    )


def test_everything(tmp_path: Path) -> None:
    """Every key of the file; relative paths are relative to it."""
    for name in ("ca.pem", "r1.pem", "r1.key"):
        (tmp_path / name).write_text("")
    config = configured(
        tmp_path,
        "fleet: demo\nrobot: 007\nmqtt: 'mqtts://u:p%40ss@[::1]:9000'\ninterval_s: 0.5\nspool: spool\n"
        "socket: off\nudp: off\ntz: Asia/Shanghai\nlabels: {model: cruzr, firmware: 4.2}\n"
        "tls: {ca: ca.pem, cert: r1.pem, key: r1.key}\ncatalogue: [vendor.yaml]\n",
    )
    assert (config.robot, config.mqtt) == ("007", Address("::1", 9000, True, "u", "p@ss"))
    assert (config.interval_s, config.spool, config.socket, config.udp) == (
        0.5,
        tmp_path / "spool",
        None,
        None,
    )
    assert (config.tz, config.labels) == ("Asia/Shanghai", {"model": "cruzr", "firmware": "4.2"})
    assert (config.tls.ca, config.tls.cert, config.tls.key) == (
        tmp_path / "ca.pem",
        tmp_path / "r1.pem",
        tmp_path / "r1.key",
    )
    assert config.catalogue == (tmp_path / "vendor.yaml",)


def test_flags_go_before_the_file(tmp_path: Path) -> None:
    """A flag replaces the file's value, and adds to its labels."""
    path = tmp_path / "agent.yaml"
    path.write_text(LEAST + "labels: {a: '1', b: '2'}\n")
    flags = Settings(simple={"robot": Given("r2", "--robot")}, labels={"b": Given("3", "--label")})
    config = check(read_file(path).under(flags))
    assert (config.fleet, config.robot, config.labels) == ("demo", "r2", {"a": "1", "b": "3"})


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("", Quota(256_000_000, 30 * DAY_MS, None, 64)),
        ("spool_max_bytes: 64MiB\nspool_max_age: 12h\n", Quota(64 * 2**20, DAY_MS // 2, None, 64)),
        ("spool_max_bytes: 1.5 GB\nspool_max_age: off\n", Quota(1_500_000_000, None, None, 64)),
        ("spool_max_bytes: 4000000\nspool_max_age: 2w\n", Quota(4_000_000, 14 * DAY_MS, None, 64)),
        (
            "disk_keep_free_bytes: 1gb\ndisk_keep_free_inodes: 0\n",
            Quota(keep_free_bytes=10**9, keep_free_inodes=0),
        ),
    ],
)
def test_the_quota_in_units_of_people(tmp_path: Path, text: str, quota: Quota) -> None:
    """Sizes in decimal and binary units, ages in minutes, hours, days, weeks; and what holds by default."""
    assert configured(tmp_path, LEAST + text).quota == quota


WRONG = [
    ("flet: demo", ':1:1: unknown key "flet"; did you mean "fleet"?'),
    ("tls: {crt: x}", ':1:7: unknown key "tls.crt"; did you mean "cert"?'),
    ("fleet: a\nfleet: b", ':2:1: "fleet" is given twice'),
    ("fleet: [a]", ':1:8: "fleet" needs a single value'),
    ("fleet:", ':1:7: "fleet" needs a single value'),
    ("- a", ":1:1: the file must be a mapping of keys to values"),
    ("labels: x", ":1:9: labels must be a mapping of keys to values"),
    ("fleet: {", ":1:9: no valid YAML"),
    ("fleet: Demo", ":1:8: fleet: 'Demo' is no fleet's name"),
    ("robot: a b", ":1:8: robot: 'a b' is no robot's name"),
    ("robot: collector", ":1:8: robot: 'collector' is no robot's name"),
    ("mqtt: broker", ":1:7: mqtt: no MQTT URL: 'broker'; write mqtt://host:1883"),
    ("mqtt: mqtt://u:secret@broker:x", ":1:7: mqtt: no MQTT URL"),
    ("mqtt: mqtt://u:sec#secret@broker", ":1:7: mqtt: no MQTT URL: 'broker'; write"),
    ("mqtt: mqtt://broker:99999", ":1:7: mqtt: no MQTT URL: 'mqtt://broker:99999': Port out of range"),
    ("interval_s: soon", ":1:13: interval_s: 'soon' is no number of seconds"),
    ("interval_s: 0", ":1:13: interval_s: '0' is no number of seconds"),
    ("interval_s: nan", ":1:13: interval_s: 'nan' is no number of seconds"),
    ("resend_after_s: 0", ":1:17: resend_after_s: '0' is no number of seconds from 1 to 3600"),
    ("reconnect_within_s: 61", ":1:21: reconnect_within_s: '61' is no number of seconds from 0.1 to 60"),
    ("spool_max_bytes: lots", ":1:18: spool_max_bytes: 'lots' is no size like 256MB or 64MiB"),
    ("spool_max_bytes: 3MB", ":1:18: spool_max_bytes: '3MB' is too little for a spool; give 4MB or more"),
    ("spool_max_bytes: -256MB", ":1:18: spool_max_bytes: '-256MB' is no size"),
    ("spool_max_age: 30", ":1:16: spool_max_age: '30' is neither an age like 30d or 12h nor off"),
    ("spool_max_age: 0d", ":1:16: spool_max_age: '0d' is neither an age"),
    ("disk_keep_free_bytes: 5%", ":1:23: disk_keep_free_bytes: '5%' is no size like 256MB or 64MiB"),
    ("disk_keep_free_inodes: some", ":1:24: disk_keep_free_inodes: 'some' is no number of inodes"),
    ("udp: 8125", ":1:6: udp: '8125' is neither HOST:PORT nor off"),
    ("udp: a:99999", ":1:6: udp: 'a:99999' is neither HOST:PORT nor off"),
    (
        "tz: Asia/Shangai",
        ":1:5: tz: 'Asia/Shangai' is no time zone like Asia/Shanghai; did you mean \"Asia/Shanghai\"?",
    ),
    ("tls: {ca: nowhere.pem}", ":1:11: tls.ca: no file "),
    ("tls: {ca: ca.pem}\nmqtt: mqtt://h", ":1:11: tls.ca is for mqtts://, but mqtt is mqtt://"),
    ("fleet: demo", "robot is missing: set it in the file, or give --robot"),
]


@pytest.mark.parametrize(("text", "problem"), WRONG, ids=[text for text, _ in WRONG])
def test_names_place_and_value(tmp_path: Path, text: str, problem: str) -> None:
    """One line a mistake: where, what, and what to write instead; never a password."""
    with pytest.raises(ConfigError) as raised:
        configured(tmp_path, text)
    assert any(problem in line for line in raised.value.problems), raised.value.problems
    assert "secret" not in str(raised.value)


def test_tells_all_mistakes_at_once(tmp_path: Path) -> None:
    """Nobody has to run it once for each."""
    with pytest.raises(ConfigError) as raised:
        configured(tmp_path, "fleet: A\nrobot: b c\nmqtt: x\nudp: y\n")
    assert [line.rpartition("agent.yaml:")[2][:2] for line in raised.value.problems] == [
        "1:",
        "2:",
        "3:",
        "4:",
    ]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 5_000, b"\x00", b"a: &a [*a]"])
def test_survives_whatever_a_file_holds(tmp_path: Path, content: bytes) -> None:
    """A file that is no configuration gets a line, not a traceback."""
    (tmp_path / "agent.yaml").write_bytes(content)
    with pytest.raises(ConfigError):
        check(read_file(tmp_path / "agent.yaml"))
