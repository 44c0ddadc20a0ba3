"""The judge itself: what it lets pass and what it refuses."""

import pytest

from tests.openapi import needs_reference, validate_answer, validate_request, validate_schema

META = {"page_number": 1, "page_size": 20, "total_pages": 0, "total_results": 0}
PROFILE = "16fd2706-8baf-433b-82eb-8c7fada847da"


@pytest.fixture(autouse=True)
def _reference() -> None:
    needs_reference()


def test_real_paths_and_templates_find_the_same_answer() -> None:
    row = {"id": "1", "type": "long-code", "messaging_profile_id": None, "created_at": "2026-01-01T00:00:00+00:00"}
    for path in ("/phone_numbers/{id}/messaging", "http://127.0.0.1:1/v2/phone_numbers/12/messaging?x=1"):
        validate_answer("GET", path, 200, {"data": row})
    validate_answer("GET", "/phone_numbers/messaging", 200, {"data": [row], "meta": META})
    validate_answer("DELETE", "/messaging_tollfree/verification/requests/1", 200, None)
    validate_answer("PATCH", "/messaging_profiles/1", 422, {"errors": [{"code": "10004", "title": "Missing"}]})


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": [], "meta": META},
        {"data": {"type": "fax"}},
        {"data": {"created_at": "2026-01-01T00:00:00"}},
        {"data": {"colour": "red"}},
    ],
)
def test_a_wrong_answer_is_refused(answer: object) -> None:
    with pytest.raises(AssertionError, match="differs from the reference"):
        validate_answer("GET", "/phone_numbers/{id}/messaging", 200, answer)


def test_a_path_or_a_status_that_the_reference_lacks_is_refused() -> None:
    with pytest.raises(AssertionError, match="has no GET /messages"):
        validate_answer("GET", "/messages", 200, {})
    with pytest.raises(AssertionError, match="no answer 302"):
        validate_answer("GET", "/messaging_profiles", 302, {})


def test_requests_are_judged_by_body_and_query() -> None:
    body = {"name": "Shop", "whitelisted_destinations": ["*"], "number_pool_settings": None}
    validate_request("POST", "/messaging_profiles", body)
    validate_request(
        "GET", "/phone_numbers/messaging?filter[type]=tollfree&page[size]=250&filter[phone_number][contains]=1"
    )
    validate_request("GET", "/detail_records?filter[record_type]=messaging&filter[cld]=1&page[size]=50")
    for wrong in (body | {"name": 1}, body | {"colour": 1}, {"name": "Shop"}):
        with pytest.raises(AssertionError, match="differs"):
            validate_request("POST", "/messaging_profiles", wrong)
    with pytest.raises(AssertionError, match="unknown query parameters"):
        validate_request("GET", "/phone_numbers/messaging?filter[kind]=tollfree")


def test_a_schema_may_be_open_for_what_is_seen_on_the_wire_only() -> None:
    validate_schema("MessagingProfile", {"id": PROFILE, "colour": 1}, closed=False)
    with pytest.raises(AssertionError, match="colour"):
        validate_schema("MessagingProfile", {"id": PROFILE, "colour": 1})
    with pytest.raises(AssertionError, match="/id"):
        validate_schema("MessagingProfile", {"id": "16fd2706"})
