"""A recording of everything stored, and the alert log, as downloads."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from fastapi.responses import StreamingResponse

from collector.http.services import Services
from rules.recording import Header

MEDIA_TYPE: Final = "application/vnd.apache.parquet"
LINES: Final = "application/jsonl"
_PORTION: Final = 1024 * 1024


def recording(services: Services) -> StreamingResponse:
    """The recording as one Parquet file; blocks while the store writes it."""
    file = _written(services)
    headers = {
        "Content-Length": str(os.fstat(file.fileno()).st_size),
        "Content-Disposition": 'attachment; filename="robovitals.parquet"',
    }
    return StreamingResponse(_portions(file), headers=headers, media_type=MEDIA_TYPE)


def alert_log(services: Services) -> StreamingResponse:
    """The lines of the alert log that were committed by now."""
    lines = (f"{line}\n" for line in services.relational.alert_log())
    headers = {"Content-Disposition": 'attachment; filename="alerts.jsonl"'}
    return StreamingResponse(lines, headers=headers, media_type=LINES)


def _written(services: Services) -> IO[bytes]:
    """An open file without a name: it is gone with whoever reads it, however that ends."""
    header = Header(tuple(services.relational.listening()), services.relational.roster().robots)
    with tempfile.TemporaryDirectory(prefix="robovitals-export-", dir=services.scratch) as folder:
        path = Path(folder) / "recording.parquet"
        services.store.export(path, header)
        return path.open("rb")


def _portions(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while portion := file.read(_PORTION):
            yield portion
