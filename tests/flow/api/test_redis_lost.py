"""Redis is lost and rebuilt from the ledger: what is asked for again has its first answer, and nothing is sent twice."""

import redis

from producer.rebuild.run import Report, Wish, rebuild
from tests.flow.api.conftest import PROFILE, Answer, Office, pool
from tests.flow.api.test_messages import send
from tests.flow.api.test_pushes import campaigns
from tests.flow.cli.conftest import wait_until
from volley.ledger.engine import open_ledger
from volley.outbox.outbox import Outbox
from volley.settings import Settings


def lose_and_rebuild(office: Office) -> Report:
    with redis.Redis.from_url(office.valkey.url) as client:
        client.flushall()
    office.outbox(pool)

    async def work(outbox: Outbox) -> Report:
        engine = open_ledger(f"sqlite+aiosqlite:///{office.world.folder}/home/ledger.db")
        try:
            return await rebuild(Settings(), outbox, engine, Wish())
        finally:
            await engine.dispose()

    return office.outbox(work)


def push(office: Office) -> Answer:
    body = {"profile": PROFILE, "template": "Hi", "recipients": [{"to": "+13125550901"}]}
    return office.post("/v1/campaigns", body, headers={"Idempotency-Key": "spring"})


def settled(office: Office, answer: Answer) -> None:
    """The ledger has it."""
    name = answer.json["campaign_id"]
    wait_until(lambda: office.get(f"/v1/campaigns/{name}/export").status == 200)
    wait_until(lambda: bool(office.get(f"/v1/campaigns/{name}/export").body.strip()))


def cancelled(office: Office, answer: Answer) -> None:
    """It is over, and the ledger knows of it."""
    name = answer.json["campaign_id"]
    office.post(f"/v1/campaigns/{name}:cancel")

    async def sweep(outbox: Outbox) -> object:
        return await outbox.sweep(name, "c")

    office.outbox(sweep)
    wait_until(lambda: b'"cancelled"' in office.get(f"/v1/campaigns/{name}/export").body)


def test_what_is_asked_again_after_redis_was_lost_has_its_first_answer(office: Office) -> None:
    def ask() -> list[Answer]:
        one = send(office, "code", to="+13125550902", text="Your code is 1", reference="o-1")
        two = [("+13125550903", "a"), ("12", "b")]
        return [one, send(office, "two", messages=[{"to": to, "text": text} for to, text in two]), push(office)]

    over = send(office, "over", to="+13125550904", text="Your code is 2")
    cancelled(office, over)
    first = ask()
    for each in first:
        settled(office, each)
    report = lose_and_rebuild(office)
    assert report.complete, report
    assert len(report.campaigns) == 3
    before = campaigns(office)
    again = ask()
    assert [each.status for each in again] == [202] * 3, [each.body for each in again]
    assert [each.headers.get("Idempotent-Replayed") for each in again] == ["true"] * 3
    assert [each.json.get("messages") for each in again] == [each.json.get("messages") for each in first]
    assert [each.json["campaign_id"] for each in again] == [each.json["campaign_id"] for each in first]
    late = send(office, "over", to="+13125550904", text="Your code is 2")
    assert (late.status, late.json) == (202, over.json)
    other = send(office, "code", to="+13125550902", text="Another text")
    assert other.problem == "idempotency-key-taken"
    assert campaigns(office) == before, "nothing was sent again"
