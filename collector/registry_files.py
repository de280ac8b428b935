"""Registry files: read as a whole, and written whole or not at all."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from collector.registry import Kind, Reading, Record, RegistryError, joined, read
from collector.registry.reading import Form, form_of_file, refused
from collector.registry.writing import to_csv, to_yaml

MAX_BYTES: Final = 64 * 1024 * 1024


class RegistryFileError(Exception):
    """A file that cannot be written; the message says why."""


def read_files(paths: Iterable[Path], kind: Kind | None = None) -> Reading:
    """What all of these files say together, and everything that is wrong with them."""
    return joined([_read(path, kind) for path in paths])


def _read(path: Path, kind: Kind | None) -> Reading:
    source = str(path)
    if form_of_file(source) is None:
        return refused(source, 0, RegistryError("suffix"))
    try:
        if path.stat().st_size > MAX_BYTES:
            return refused(source, 0, RegistryError("too_large", most=MAX_BYTES // 2**20))
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        return refused(source, 0, RegistryError("unreadable", reason=error.strerror))
    except UnicodeDecodeError as error:
        return refused(source, 0, RegistryError("not_utf8", reason=error.reason, at=error.start))
    return read(text, source, kind)


def write(contents: Mapping[Kind, Sequence[Record]], out: Path, form: Form) -> list[Path]:
    """One YAML file, or a CSV a kind in a folder; answers which. Raises `RegistryFileError`."""
    if form == "yaml":
        return [_written(out, to_yaml(contents))]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RegistryFileError(f"{out}: cannot be made: {error.strerror or error}") from None
    return [_written(out / f"{kind.plural}.csv", to_csv(kind, contents.get(kind, ()))) for kind in Kind]


def _written(path: Path, text: str) -> Path:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(path)
    except OSError as error:
        raise RegistryFileError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    return path
