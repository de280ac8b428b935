"""`--store`: what it may say, and what it says of itself."""

import pytest

from collector.stores.address import StoreAddressError, parse_store


@pytest.mark.parametrize(
    ("text", "url", "shown"),
    [
        ("victoriametrics://vm", "http://vm:8428", "victoriametrics://vm:8428"),
        ("victoriametrics://u:p%40@vm:1/a/", "http://vm:1/a", "victoriametrics://vm:1/a"),
        ("victoriametrics+https://[::1]:9", "https://[::1]:9", "victoriametrics+https://[::1]:9"),
        ("influxdb://h/o/b", "http://h:8086", "influxdb://h:8086/o/b"),
        ("influxdb+https://h:1/my%20org/b", "https://h:1", "influxdb+https://h:1/my%20org/b"),
    ],
)
def test_addresses(text: str, url: str, shown: str) -> None:
    """Where HTTP goes, and how it is shown: so that it could be given again, but for secrets."""
    address = parse_store(text)
    assert (address.url, str(address)) == (url, shown)


def test_credentials_are_read_and_not_shown() -> None:
    """A password may have any character, percent-encoded; no representation has it."""
    address = parse_store("victoriametrics://user:p%40ss@vm")
    assert (address.user, address.password) == ("user", "p@ss")
    assert "p@ss" not in f"{address} {address!r}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("postgres://h", "is no store"),
        ("victoriametrics+http2://h", "is no store"),
        ("victoriametrics://", "is no store"),
        ("victoriametrics://h:99999", "is no URL"),
        ("influxdb://h", "names no bucket"),
        ("influxdb://h/o", "names no bucket"),
        ("influxdb://token@h/o/b", "put the token in INFLUXDB_TOKEN"),
        ("victoriametrics://u:secret@h:x", "'h:x' is no URL"),
    ],
)
def test_bad_addresses_are_refused(text: str, said: str) -> None:
    """One line with what was written, without a password, and what to write."""
    with pytest.raises(StoreAddressError) as raised:
        parse_store(text)
    assert said in str(raised.value)
    assert "secret" not in str(raised.value)
