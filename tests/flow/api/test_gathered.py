"""Gathered messages after they have left Redis: over HTTP, and on the command line, they are what they were."""

import json

import pytest

from tests.flow.api.conftest import PROFILE, Office
from tests.flow.cli.conftest import wait_until
from tests.flow.ledger.test_audit import attempt
from tests.redis.conftest import Rig, receipt
from volley.outbox.events import pack
from volley.outbox.outbox import Outbox

PEOPLE = ("+13125550001", "+13125550002")
DAY_US = 86_400_000_000


@pytest.fixture
def forgotten(office: Office) -> tuple[str, list[str]]:
    """A campaign of two messages that the carrier took, and their ids. Redis has them no more."""
    asked = {"profile": PROFILE, "messages": [{"to": to, "text": "Your code is 1234"} for to in PEOPLE]}
    told = office.post("/v1/messages", asked, headers={"Idempotency-Key": "codes"}).json
    name = told["campaign_id"]
    assert office.get(f"/v1/why/{name}").json["waiting"] == 2

    async def send(outbox: Outbox) -> None:
        rig = Rig(outbox)
        for flight in await rig.take_all(2):
            payload = pack([attempt(flight, n) for n in range(len(flight.grants))])
            await rig.settle(flight, "a", payload=payload)

    async def forget(outbox: Outbox) -> int:
        return await outbox.chores.forget(DAY_US, 10, -1_000_000)

    office.outbox(send)
    wait_until(lambda: office.outbox(forget) == 1)
    assert office.outbox(lambda outbox: outbox.campaign(name)) is None
    return name, [each["message_id"] for each in told["messages"]]


def test_what_has_left_redis_is_told_as_before_and_a_receipt_still_counts(
    office: Office, forgotten: tuple[str, list[str]]
) -> None:
    name, (first, second) = forgotten
    shown = office.get(f"/v1/messages/{first}").json
    assert (shown["to"], shown["status"], shown["text"]) == (PEOPLE[0], "submitted", "Your code is 1234")
    told = office.get(f"/v1/campaigns/{name}").json
    assert (told["counts"]["submitted"], told["ledger_answered"]) == (2, True)
    page = office.get(f"/v1/campaigns/{name}/messages").json["messages"]
    assert [each["message_id"] for each in page] == [first, second]
    assert len(office.get(f"/v1/campaigns/{name}/export").body.splitlines()) == 2
    assert office.get("/v1/campaigns").json["campaigns"] == []
    office.outbox(lambda outbox: outbox.apply_receipts([receipt(name, 0, 0)]))
    wait_until(lambda: office.get(f"/v1/messages/{first}").json["status"] == "delivered")

    for what, state in ((first, "delivered"), (second, "submitted"), (name, "finished")):
        over = office.get(f"/v1/why/{what}").json
        assert (over["state"], over["waiting"]) == (state, 0)
        assert [cause["cause"] for cause in over["causes"]] == ["over"]
    assert office.get("/v1/why/0123456789abcdef").problem == "not-found"
    assert json.loads(office.world.run("why", first, "--json").stdout)["state"] == "delivered"

    asked = {"profile": PROFILE, "messages": [{"to": to, "text": "Your code is 1234"} for to in PEOPLE]}
    again = office.post("/v1/messages", asked, headers={"Idempotency-Key": "codes"})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert [each["message_id"] for each in again.json["messages"]] == [first, second]

    audit = office.world.run("audit", "--json")
    assert (audit.returncode, json.loads(audit.stdout)["broken"]) == (0, [])
    late = office.post(f"/v1/campaigns/{name}:retry", {"errors": ["40008"]})
    assert (late.status, late.problem) == (404, "not-found")
