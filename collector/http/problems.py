"""Every refusal as problem details (RFC 9457): what is wrong, with which value, and what to do."""

from collections.abc import Mapping
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA_TYPE: Final = "application/problem+json"
_SHOWN: Final = 100
_UNREADABLE: Final = "There was an error parsing the body"  # FastAPI's, of what its parser gives up on
_PLACES: Final = frozenset({"body", "query", "path", "header"})


class Problem(HTTPException):
    """A request that is refused; `more` are further members of the answer."""

    def __init__(self, status: HTTPStatus, detail: str, **more: Any) -> None:
        super().__init__(status, detail)
        self.more = more


def invalid(field: str, message: str) -> Problem:
    """A value that cannot be used: 422, naming its field."""
    error = {"field": field, "message": message}
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {message}", errors=[error])


def missing(what: str, name: object) -> Problem:
    """Something that does not exist: 404."""
    return Problem(HTTPStatus.NOT_FOUND, f"there is no {what} {shown(name)}")


def shown(given: object) -> str:
    """A value as a message quotes it: short."""
    text = repr(given)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def did_you_mean(name: str, known: Mapping[str, object] | list[str]) -> str:
    """`; did you mean 'x'?` where something known is close to `name`, else nothing."""
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def answer(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """Problem details as a response."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse({**body, **more}, status, headers, media_type=MEDIA_TYPE)


def of_http(request: Request, error: HTTPException) -> JSONResponse:
    """The answer to a refusal by us or by the framework."""
    if isinstance(error, Problem):
        return answer(error.status_code, error.detail, error.headers, **error.more)
    return answer(error.status_code, _framework_detail(request, error), error.headers)


def of_validation(error: RequestValidationError) -> JSONResponse:
    """The answer to a request with values that cannot be used: all of them at once."""
    errors = [_field_error(each) for each in error.errors()]
    if any(each["type"] == "json_invalid" for each in error.errors()):
        return answer(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {errors[0]['message']}")
    detail = "; ".join(f"{each['field']}: {each['message']}" for each in errors)
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


def of_store(cause: str) -> JSONResponse:
    """The answer when store or database cannot do its work at the moment."""
    detail = f"the store cannot answer now: {cause}; try again"
    return answer(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "5"})


def of_fault() -> JSONResponse:
    """The answer when we are at fault; the log says more, the client learns nothing."""
    detail = "the collector failed at this request; its log says why"
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def _framework_detail(request: Request, error: HTTPException) -> str:
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return f"there is nothing at {shown(request.url.path)}; /api/v1/openapi.json lists what there is"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = (error.headers or {}).get("Allow", "another method")
            return f"{request.method} does not work on {shown(request.url.path)}; use {allowed}"
        case HTTPStatus.BAD_REQUEST if error.detail == _UNREADABLE:
            return "the body cannot be read; send JSON in UTF-8, without endless numbers or nesting"
    return str(error.detail)


def _field_error(error: Mapping[str, Any]) -> dict[str, str]:
    location = [str(part) for part in error["loc"]]
    field = ".".join(location[1:] if location[0] in _PLACES else location) or location[0]
    return {"field": field, "message": _message(error)}


def _message(error: Mapping[str, Any]) -> str:
    given = shown(error.get("input"))
    match error["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return f"is not known here, with value {given}"
        case "json_invalid":
            return str(error.get("ctx", {}).get("error", error["msg"]))
        case "value_error":
            return f"{error['ctx']['error']}"
        case "literal_error" | "enum":
            return f"{given} is not known; use {error['ctx']['expected']}"
    return f"{_lowered(error['msg'])}, not {given}"


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]
