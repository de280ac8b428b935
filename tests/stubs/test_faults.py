"""Faults by name: what is taken, and what a wrong name is answered."""

from pathlib import Path

import pytest

from firmware_stubs.faults import FaultError, choose, down, kinds, parse, parse_file
from firmware_stubs.local import AddressError, udp, unix
from firmware_stubs.supervisor import FaultFile


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("face_errors", "face_errors"),
        (" relocalization_failing\n", "relocalization_failing"),
        ("module_down:vision", "module_down:vision"),
        ("module_down.asr", "module_down:asr"),
    ],
)
def test_faults_by_name(text: str, fault: str) -> None:
    """A fault is named as in the simulator."""
    assert parse(text) == fault


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("face_erors", "did you mean 'face_errors'?"),
        ("module_down", "say which module"),
        ("module_down:lidar", "is no fault"),
        ("robot_silent", "'vitals-stubs faults' lists them"),
        ("", "is no fault"),
    ],
)
def test_wrong_names_are_refused_with_a_hint(text: str, answer: str) -> None:
    """What is no fault of a firmware module is refused, with the nearest name."""
    with pytest.raises(FaultError, match=answer.replace("?", r"\?")):
        parse(text)


def test_every_listed_fault_parses() -> None:
    """What `vitals-stubs faults` lists can be asked for."""
    assert all(parse(kind.fault) == kind.fault for kind in kinds())


def test_a_fault_file_has_one_a_line() -> None:
    """Comments and empty lines are passed over; a wrong line is named."""
    text = "# since Monday\nface_errors\n\nmodule_down:asr  # crashed\n"
    assert parse_file("f", text) == {"face_errors", "module_down:asr"}
    with pytest.raises(FaultError, match=r"f\.txt:2: 'x y' is no fault"):
        parse_file("f.txt", "face_errors\nx y\n")


def test_modules_that_are_down() -> None:
    """`module_down` takes its module away, other faults none."""
    assert down(frozenset({"module_down:asr", "face_errors"})) == {"asr"}


def test_modules_are_chosen_by_name() -> None:
    """In their own order, whatever the order asked for; an unknown one is refused."""
    assert [module.name for module in choose(["asr", "vision"])] == ["vision", "asr"]
    with pytest.raises(FaultError, match="no module is called 'lidar'"):
        choose(["lidar"])


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """Faults come and go with the file; a mistake leaves them as they were and is said once."""
    path, said = tmp_path / "faults", list[str]()
    file = FaultFile(path, said.append)
    assert file.look() == frozenset()
    path.write_text("face_errors\n")
    assert file.look() == {"face_errors"}
    path.write_text("face_errors\nnonsense!\n")
    assert file.look() == file.look() == {"face_errors"}
    path.write_bytes(b"\xff\xfe")
    assert file.look() == {"face_errors"}
    path.unlink()
    assert file.look() == frozenset()
    assert len(said) == 4
    assert f"{path}:2: 'nonsense!'" in said[1]


@pytest.mark.parametrize(
    "text", ["", "8125", "127.0.0.1", "127.0.0.1:", ":8125", "h:0", "h:65536", "h:-1", "h:٣"]
)
def test_wrong_addresses_are_refused(text: str) -> None:
    """An address is HOST:PORT, or there is one line that says so."""
    with pytest.raises(AddressError, match="write HOST:PORT"):
        udp(text)


def test_addresses() -> None:
    """Host and port, IPv6 in brackets, or a path that fits a Unix socket."""
    assert udp("127.0.0.1:8125").target == ("127.0.0.1", 8125)
    assert udp("[::1]:8125").target == ("::1", 8125)
    assert unix(Path("/run/x.sock")).target == "/run/x.sock"
    with pytest.raises(AddressError, match="107 bytes"):
        unix(Path("/" + "x" * 107))
