"""Settings: every value is checked, and named where it is wrong."""

from pathlib import Path

import pytest

from collector.config import (
    BrokerAddress,
    ConfigError,
    HttpAddress,
    Tls,
    parse_age,
    parse_broker,
    parse_http,
    tls_context,
)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://h", BrokerAddress("h", 1883)),
        ("mqtt://h:1/", BrokerAddress("h", 1)),
        ("mqtts://h", BrokerAddress("h", 8883, secure=True)),
        ("mqtt://u:p%40ss@[::1]:5", BrokerAddress("::1", 5, user="u", password="p@ss")),
    ],
)
def test_broker_addresses(url: str, address: BrokerAddress) -> None:
    """The usual forms of an MQTT URL."""
    assert parse_broker(url) == address


@pytest.mark.parametrize(
    "url", ["", "h:1883", "http://h", "mqtt://", "mqtt://h:x", "mqtt://h:99999", "mqtt://h/a"]
)
def test_what_is_no_broker_address(url: str) -> None:
    """One line shows what one looks like."""
    with pytest.raises(ConfigError, match="write mqtt://host:1883"):
        parse_broker(url)


def test_passwords_are_not_shown() -> None:
    """Neither in an error nor in what is logged."""
    with pytest.raises(ConfigError) as raised:
        parse_broker("http://user:secret@h")
    assert "secret" not in str(raised.value)
    with pytest.raises(ConfigError) as raised:
        parse_broker("mqtt://user:secret#1@h")
    assert "secret" not in str(raised.value)
    assert "secret" not in str(parse_broker("mqtt://user:secret@h"))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:80", "http://127.0.0.1:80"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::1]:80", "http://[::1]:80"),
        ("[::]:80", "http://[::1]:80"),
    ],
)
def test_http_addresses(text: str, url: str) -> None:
    """What is listened on, and what to open on this machine."""
    assert parse_http(text).url == url


@pytest.mark.parametrize("text", ["", "80", ":80", "h:", "h:x", "h:70000", "h:-1"])
def test_what_is_no_http_address(text: str) -> None:
    """One line shows what one looks like."""
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:8080"):
        parse_http(text)


def test_port_0_becomes_the_one_taken() -> None:
    """The address to open has the real port."""
    assert HttpAddress("127.0.0.1", 0).bound_to(4711).url == "http://127.0.0.1:4711"


def test_tls_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """A missing CA is told with its name; files for TLS beside a URL without it are no oversight to hide."""
    missing = Tls(ca=tmp_path / "ca.pem")
    assert tls_context(parse_broker("mqtt://h"), Tls()) is None
    with pytest.raises(ConfigError, match="write mqtts://"):
        tls_context(parse_broker("mqtt://h"), missing)
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        tls_context(parse_broker("mqtts://h"), missing)


@pytest.mark.parametrize(("text", "ms"), [("1d", 86_400_000), ("400d", 34_560_000_000), ("forever", None)])
def test_ages(text: str, ms: int | None) -> None:
    """How long something is kept: days, or without end."""
    assert parse_age("--keep-samples", text) == ms


@pytest.mark.parametrize("text", ["", "d", "0d", "-1d", "1.5d", "5w", "400", "99999d", "²d"])
def test_what_is_no_age(text: str) -> None:
    """The flag and the value are named, and what one looks like."""
    with pytest.raises(
        ConfigError, match=r"--keep-samples .* is no age; write days, such as 400d, or forever"
    ):
        parse_age("--keep-samples", text)
