"""The API keeps what its OpenAPI document says, whatever is sent to it."""

from typing import Any, cast

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import positive_data_acceptance

from collector.http.app import create
from collector.http.services import Services
from tests.http.conftest import World
from tests.signing import token_of

EXAMPLES = 30
DOCUMENT = "/api/v1/openapi.json"
METHODS = ("get", "post", "put", "patch", "delete")
OPEN = ("/api/v1/health",)
_described: dict[str, dict[str, Any]] = create(cast(Services, None)).openapi()["paths"]
OPERATIONS = [(path, method) for path, item in _described.items() for method in METHODS if method in item]
load_all_checks()


def cases() -> list[tuple[str, str, GenerationMode]]:
    """Every operation with what its schema allows, and, where it takes anything, with what it forbids."""
    allowed = [(path, method, GenerationMode.POSITIVE) for path, method in OPERATIONS]
    taking = [(p, m) for p, m in OPERATIONS if {"parameters", "requestBody"} & _described[p][m].keys()]
    return [*allowed, *((path, method, GenerationMode.NEGATIVE) for path, method in taking)]


@pytest.mark.parametrize(("path", "method", "mode"), cases())
def test_answers_are_as_described(world: World, path: str, method: str, mode: GenerationMode) -> None:
    """No fault, no status, no form of an answer that the document does not have, and none without a token.

    What a schema allows may still make no sense (a snooze until yesterday): that is no fault.
    """
    world.fires("Silent", "r1", "r2")
    headers = {"Authorization": f"Bearer {token_of(world.services)}"}
    schema = schemathesis.openapi.from_asgi(DOCUMENT, create(world.services), headers=headers)
    schema.config.generation.update(with_security_parameters=False)

    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    def answers(case: Case[Any]) -> None:
        case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

    answers()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_nothing_answers_without_sign_in(stranger: TestClient, path: str, method: str) -> None:
    """401 with the challenge, but for health."""
    body: dict[str, Any] | None = {} if method != "get" else None
    answer = stranger.request(method, path.replace("{", "").replace("}", ""), json=body)
    assert (answer.status_code == 401) == (path not in OPEN), answer.text
