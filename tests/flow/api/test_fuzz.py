"""Every operation of the document, asked with what it allows and with what it does not, by keys of every scope.

No answer is our fault (5xx), none is of a status, type or shape that the document does not have. `make api-fuzz` asks longer.
"""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from producer.access.keys import Scope
from tests.flow.api.conftest import Office

EXAMPLES = int(os.environ.get("API_FUZZ_EXAMPLES", "3"))
"""Of each operation, and each of good and bad, for a key that may do all; of the other scopes a third."""
LONGEST = 64_000
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]


@pytest.fixture(scope="module")
def schema(office: Office) -> BaseSchema:
    found = schemathesis.openapi.from_url(f"{office.url}/v1/openapi.json")
    found.config.max_stream_events = 3  # a stream has said by then who watches, all that is, and what of it changed
    return found


def ask_all(schema: BaseSchema, token: str, mode: GenerationMode, examples: int) -> int:
    """How many operations were asked. Raises what the checks found, all of it."""
    asked = 0
    found: list[Exception] = []
    for each in schema.get_all_operations():
        operation = each.ok()
        asked += 1

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case) -> None:
            response = case.call(headers={"Authorization": f"Bearer {token}"}, timeout=20)
            if len(str(response.request.url)) > LONGEST:
                assert response.status_code == 400, "refused before anybody looks which operation it is"
                return
            case.validate_response(response, checks=CHECKS)

        try:
            ask()
        except Exception as error:
            found.append(error)
    if found:
        raise ExceptionGroup("the document and the answers differ", found)
    return asked


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("scope", ["send", "read", "ops", "admin"])
def test_no_answer_is_our_fault_and_each_is_in_the_document(
    office: Office, schema: BaseSchema, scope: Scope, mode: GenerationMode
) -> None:
    _, token = office.make_key(scope, rate_milli=100_000_000)
    examples = EXAMPLES if scope == "admin" else max(1, EXAMPLES // 3)
    assert ask_all(schema, token, mode, examples) >= 15
