"""What every part of the API may answer beside what was asked for, and how one signs in to it."""

from typing import Any, Final

from fastapi import Depends
from fastapi.security import HTTPBearer

from collector.http.problems import MEDIA_TYPE as PROBLEM


def refusal(about: str) -> dict[str, Any]:
    """What the API's description says of a refusal."""
    return {"description": about, "content": {PROBLEM: {"schema": {"type": "object"}}}}


REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: refusal(about)
    for status, about in {
        400: "The request cannot be read.",
        401: "Nobody is signed in; send a token of the API.",
        403: "The person who asks may not do this.",
        404: "There is no such thing.",
        409: "The alert cannot be so changed now.",
        413: "The body is too large.",
        415: "The body is no JSON.",
        422: "A value cannot be used; `errors` names fields.",
        503: "Store or database cannot answer now; `Retry-After` says when to ask again.",
    }.items()
}
TOKEN: Final = Depends(
    HTTPBearer(auto_error=False, description="A token of the API: `rv_…`, made on the page /me.")
)  # only described here: the gate asks for it
