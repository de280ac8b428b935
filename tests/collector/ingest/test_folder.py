"""The data folder belongs to one process."""

from pathlib import Path

import pytest

from collector.folder import Folder, FolderError, FolderInUseError


def test_second_user_learns_who_the_first_is(tmp_path: Path) -> None:
    """The message names folder and process; afterwards the folder is free again."""
    folder = Folder(tmp_path)
    with (
        folder.locked(),
        pytest.raises(FolderInUseError, match=r"is in use by pid \d+"),
        Folder(tmp_path).locked(),
    ):
        pass
    with folder.locked():
        pass


def test_address_is_announced_while_it_serves(tmp_path: Path) -> None:
    """Commands of the same user find the running collector by its folder, and may ask it; others may not."""
    folder = Folder(tmp_path)
    assert (folder.served_at(), folder.operator_token()) == (None, None)
    with folder.announced("http://127.0.0.1:1", "secret"):
        assert Folder(tmp_path).served_at() == "http://127.0.0.1:1"
        assert Folder(tmp_path).operator_token() == "secret"
        assert (tmp_path / "collector.json").stat().st_mode & 0o077 == 0
    assert (folder.served_at(), folder.operator_token()) == (None, None)


def test_damaged_announcement_is_none(tmp_path: Path) -> None:
    """A file cut short by a power cut stops nothing."""
    (tmp_path / "collector.json").write_text('{"pid": 1, "ht')
    assert Folder(tmp_path).served_at() is None


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """One line says which and what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="give another --data"):
        Folder(tmp_path / "file" / "data").create()
