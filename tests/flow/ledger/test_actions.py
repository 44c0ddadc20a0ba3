"""Who did what is recorded together with what was done, once, and by whom."""

import contextlib

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.flow.ledger.conftest import Feed
from tests.redis.conftest import PROFILE, Rig, chunk_of, people, sender
from volley.errors import UnusableInput
from volley.ledger.actions import note
from volley.ledger.documents import Document
from volley.ledger.engine import writing
from volley.ledger.reader import Reader
from volley.ledger.recorder import Recorder
from volley.ledger.schema import actions
from volley.outbox.doubts import change_policy
from volley.outbox.outbox import Outbox

ANNE = 12025550100


class Log:
    """The audit log, as the recorder has it by now."""

    def __init__(self, recorder: Recorder, engine: AsyncEngine) -> None:
        self._recorder, self._engine = recorder, engine

    async def read(self, campaign_id: str | None = None) -> list[Document]:
        await self._recorder.catch_up()
        return (await Reader(self._engine).actions(campaign_id))[::-1]

    async def said(self, campaign_id: str | None = None) -> list[tuple[str, str]]:
        return [(action["who"], action["what"]) for action in await self.read(campaign_id)]


@pytest.fixture
def log(recorder: Recorder, engine: AsyncEngine) -> Log:
    return Log(recorder, engine)


async def test_each_action_is_recorded_with_who_did_it(outbox: Outbox, log: Log) -> None:
    rig = Rig(outbox.by("billing"))
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    await outbox.by("cli:ada@desk").pause(campaign.id)
    await outbox.by("billing").resume(campaign.id)
    action = outbox.by("ops").action("on_unknown", campaign.id, on_unknown="retry")
    await change_policy(outbox.scripts, campaign.id, "retry", action)
    await outbox.by("ops").cancel(campaign.id)
    found = await log.read(campaign.id)
    assert [(each["who"], each["what"]) for each in found] == [
        ("billing", "push"),
        ("cli:ada@desk", "pause"),
        ("billing", "resume"),
        ("ops", "on_unknown"),
        ("ops", "cancel"),
    ]
    assert found[0]["detail"] == {"accepted": 3, "profile": PROFILE}
    assert found[3]["detail"] == {"on_unknown": "retry"}
    assert all(each["campaign_id"] == campaign.id and each["at"].endswith("+00:00") for each in found)


async def test_what_changes_nothing_is_no_action(outbox: Outbox, log: Log) -> None:
    rig = Rig(outbox)
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    ops = outbox.by("ops")
    await ops.pause(campaign.id)
    await ops.pause(campaign.id)
    await ops.cancel(campaign.id)
    await ops.cancel(campaign.id)
    with pytest.raises(UnusableInput):
        await ops.resume(campaign.id)
    assert await log.said() == [("ops", "pause"), ("ops", "cancel")]


async def test_what_nobody_did_is_not_in_the_log(outbox: Outbox, log: Log) -> None:
    rig = Rig(outbox)
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    await outbox.sweep(campaign.id, "e")
    await outbox.record_action("nothing", campaign.id)
    assert await log.said() == []


async def test_opt_outs_by_hand_are_recorded_without_a_number(outbox: Outbox, log: Log) -> None:
    await Rig(outbox).sync([sender(1)])
    ops = outbox.by("ops")
    await ops.add_optouts(PROFILE, [ANNE, *range(12025560000, 12025561500)])
    await ops.remove_optouts(PROFILE, [ANNE])
    found = await log.read()
    assert [(each["what"], each["detail"]) for each in found] == [
        ("opt_out", {"profile": PROFILE, "people": 1501}),
        ("opt_in", {"profile": PROFILE, "people": 1}),
    ]
    assert await outbox.opted_out(PROFILE, [ANNE, 12025560000]) == {12025560000}


async def test_an_entry_that_comes_twice_is_one_action(outbox: Outbox, feed: Feed, log: Log) -> None:
    await outbox.by("ops").record_action("key_made", name="crm")
    [(entry_id, fields)] = await outbox.redis.xrange(outbox.keys.ledger)
    await log.read()
    await feed.raw(fields, entry_id.decode().split("-")[0] + "-9999")
    assert await log.said() == [("ops", "key_made"), ("ops", "key_made")]  # another entry is another action
    await feed.client.delete(outbox.keys.ledger)
    await feed.raw(fields, entry_id.decode())
    assert await log.said() == [("ops", "key_made"), ("ops", "key_made")]


async def test_an_action_on_the_ledger_is_in_the_transaction_that_does_it(engine: AsyncEngine, log: Log) -> None:
    async with writing(engine) as connection:
        await note(connection, "ops", "callback_add", url="https://example.com/in")
    with contextlib.suppress(LookupError):
        async with writing(engine) as connection:
            await note(connection, "ops", "callback_remove")
            raise LookupError
    assert await log.said() == [("ops", "callback_add")]


async def test_actions_of_one_moment_are_told_once_each_on_pages_that_end_among_them(engine: AsyncEngine) -> None:
    rows = [
        {"id": f"{n}-0", "at_us": 7 + n // 5, "who": "ops", "what": f"w{n}", "campaign_id": "", "detail": "{}"}
        for n in range(9)
    ]
    async with writing(engine) as connection:
        await connection.execute(insert(actions), rows)
    reader, told, place = Reader(engine), list[str](), None
    while True:
        found, place = await reader.actions_page(None, None, place, 2)
        told += [each["what"] for each in found]
        if place is None:
            break
    assert told == [f"w{n}" for n in range(8, -1, -1)]
