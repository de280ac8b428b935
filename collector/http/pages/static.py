"""What every page fetches beside itself: styles, scripts and pictures, notices."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from collector.http.pages.frame import STATIC, UnknownPageError, render

router = APIRouter(include_in_schema=False)
_YEAR_S: Final = 365 * 24 * 3_600
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@router.get("/notices")
def notices_alone(request: Request) -> Response:
    """What is wrong with the collector, for the place on every page that says so."""
    return render(request, "notices.html")


@router.get("/static/{name:path}")
def static(name: str) -> Response:
    """Styles, scripts and pictures; an address with the file's hash never changes its content."""
    file = (STATIC / name).resolve()
    if not file.is_relative_to(STATIC.resolve()) or not file.is_file():
        raise UnknownPageError("error.404_text")
    cached = {"Cache-Control": f"public, max-age={_YEAR_S}, immutable"}
    return FileResponse(file, media_type=_TYPES.get(file.suffix, "text/plain"), headers=cached)
