"""Campaigns looked at and steered over HTTP, and the document that describes all of it."""

from tests.flow.api.conftest import Office
from tests.flow.api.test_keys import some_campaign
from volley.outbox.outbox import Outbox


def test_a_campaign_reads_the_same_over_http_as_on_the_command_line(office: Office) -> None:
    campaign = office.outbox(some_campaign)
    told = office.get(f"/v1/campaigns/{campaign}").json
    shown = office.world.json("campaigns", "show", campaign)
    moving = {"rate", "eta_seconds"}
    assert {n: v for n, v in told.items() if n not in moving} == {n: v for n, v in shown.items() if n not in moving}
    assert sum(told["counts"].values()) == told["accepted"] == 2


def test_the_list_is_read_page_by_page_and_misses_nothing(office: Office) -> None:
    mine = [office.outbox(some_campaign) for _ in range(5)]
    found, cursor = list[str](), ""
    while True:
        page = office.get(f"/v1/campaigns?limit=2{cursor}").json
        found += [each["campaign_id"] for each in page["campaigns"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(found) == len(set(found))
    assert found[:5] == mine[::-1]


def test_pause_resume_and_cancel_are_done_when_they_are_answered(office: Office) -> None:
    campaign = office.outbox(some_campaign)
    states = [office.post(f"/v1/campaigns/{campaign}:{verb}").json for verb in ("pause", "resume", "cancel")]
    assert [each["state"] for each in states] == ["paused", "ready", "cancelled"]
    assert {each["in_flight"] for each in states} == {0}
    again = office.post(f"/v1/campaigns/{campaign}:resume")
    assert (again.status, again.problem) == (409, "conflict")
    assert office.get(f"/v1/campaigns/{campaign}").json["counts"]["cancelled"] == 2


def test_what_is_not_there_is_not_found(office: Office) -> None:
    asked = [office.get("/v1/campaigns/0123456789abcdef"), office.post("/v1/campaigns/0123456789abcdef:pause")]
    assert [(each.status, each.problem) for each in asked] == [(404, "not-found")] * 2


def test_a_change_that_names_nothing_is_told_so_and_is_no_fault_of_ours(office: Office) -> None:
    path = f"/v1/campaigns/{office.outbox(some_campaign)}"
    bare = office.call("PATCH", path)
    assert (bare.status, bare.problem) == (415, "unsupported-type")
    empty = office.call("PATCH", path, {})
    assert (empty.status, empty.json["detail"]) == (422, "body: name what is to change")
    document = office.get("/v1/openapi.json", key="").json
    assert document["paths"]["/v1/campaigns/{campaign_id}"]["patch"]["requestBody"]["required"]


def test_the_document_names_every_operation_and_the_page_needs_nothing_from_elsewhere(office: Office) -> None:
    document = office.get("/v1/openapi.json", key="").json
    assert document["openapi"].startswith("3.1")
    operations = [each for item in document["paths"].values() for each in item.values()]
    names = [each["operationId"] for each in operations]
    assert len(names) == len(set(names))
    assert {"list_campaigns", "show_campaign", "pause_campaign"} <= set(names)
    for name in ("", "/docs.css", "/docs.js"):
        page = office.get(f"/v1/docs{name}", key="")
        assert page.status == 200
        assert b"//" not in page.body.replace(b"// ", b"")
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_who_looks_at_one_campaign_again_and_again_does_not_have_all_of_them_read(office: Office) -> None:
    async def many(outbox: Outbox) -> str:
        return [await some_campaign(outbox) for _ in range(150)][-1]

    async def looked_at(outbox: Outbox) -> int:
        return int((await outbox.redis.info("commandstats"))["cmdstat_hgetall"]["calls"])

    campaign = office.outbox(many)
    told, before = office.get(f"/v1/campaigns/{campaign}").json, office.outbox(looked_at)
    for _ in range(40):
        assert office.get(f"/v1/campaigns/{campaign}").json["counts"] == told["counts"]
    assert office.outbox(looked_at) - before < 20 * 150
