"""A campaign that a worker sent and of which no webhook told: the carrier's records complete the ledger."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import redis.asyncio
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.bill.reconcile import Wish, days_ago, reconcile
from tests.flow.worker.conftest import World, eventually, people
from volley.embedded import EmbeddedValkey
from volley.ledger.engine import open_ledger, upgrade
from volley.ledger.recorder import Recorder
from volley.ledger.schema import messages, receipts
from volley.message import parse_message_id
from volley.money import micros
from volley.sandbox.config import API_KEY, PROFILE_ID, ReceiptSpec
from volley.sandbox.fault_rule import FaultRule
from volley.settings import Settings

N = 120


@pytest.fixture
async def world(tmp_path: Path, db: redis.asyncio.Redis, valkey: EmbeddedValkey) -> AsyncIterator[World]:
    made = World(tmp_path, valkey)
    try:
        yield made
    finally:
        await made.end()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    found = open_ledger(Settings(home=tmp_path / "home").ledger)
    await upgrade(found)
    yield found
    await found.dispose()


class Office:
    """Reconciles as the command does, while a recorder runs as in `volley serve`."""

    def __init__(self, world: World, engine: AsyncEngine) -> None:
        self.world = world
        self.engine = engine
        self.settings = Settings.model_validate(
            {
                "home": world.folder / "home",
                "redis_url": world.valkey.url,
                "telnyx_api_key": API_KEY,
                "telnyx_base_url": world.sandbox.url,
            }
        )

    async def reconcile(self, *, fix: bool = True, **wish: Any) -> dict[str, Any]:
        fields = {"since_us": days_ago(1), "until_us": None, "profile": None, "grace_us": 0, **wish}
        async with self.recording():
            return await reconcile(self.settings, self.world.outbox, Wish(fix=fix, **fields))

    @contextlib.asynccontextmanager
    async def recording(self) -> AsyncIterator[None]:
        recorder = Recorder(self.world.outbox, self.engine, name="tests")
        task = asyncio.create_task(recorder.run())
        try:
            yield
            await eventually(self.recorded)
        finally:
            recorder.stop()
            await task

    async def recorded(self) -> bool:
        return not await self.world.outbox.ledger_length()

    async def statuses(self) -> dict[str, int]:
        async with self.engine.connect() as connection:
            query = select(messages.c.status, func.count()).group_by(messages.c.status)
            return {row[0]: row[1] for row in await connection.execute(query)}

    async def everything(self) -> list[Any]:
        async with self.engine.connect() as connection:
            return [list((await connection.execute(select(table))).all()) for table in (messages, receipts)]

    async def forge(self, **forgery: Any) -> None:
        url = f"{self.world.sandbox.root}/_sandbox/records"
        async with aiohttp.request("PUT", url, data=orjson.dumps(forgery)) as answer:
            assert answer.status == 200, await answer.text()


@pytest.fixture
async def office(world: World, engine: AsyncEngine) -> Office:
    """A campaign has been sent and recorded, no webhook came, and every message has had its end at the carrier."""
    spec = ReceiptSpec(
        mode="off", sent_after_s=0.01, done_after_s=(0.02, 0.05), failed=0.2, unconfirmed=0.1, silent=0.1
    )
    await world.begin(receipts=spec)
    made = Office(world, engine)
    await world.worker()
    await world.until(await world.push(people(N)))
    await asyncio.sleep(1.1)  # the seconds of the period are whole ones
    async with made.recording():
        pass
    return made


async def test_records_fill_in_status_and_final_cost_where_no_webhook_came(office: Office) -> None:
    assert await office.statuses() == {"submitted": N}
    answer = await office.reconcile()
    assert (answer["agree"], answer["matched"], answer["filled"]) == (True, N, N)
    statuses = await office.statuses()
    assert statuses.keys() == {"delivered", "undelivered", "unconfirmed"}
    assert sum(statuses.values()) == N
    async with office.engine.connect() as connection:
        ranks = set((await connection.execute(select(messages.c.cost_rank))).scalars())
        total = await connection.scalar(select(func.sum(messages.c.cost_micros)))
    assert ranks == {3}
    (bill,) = answer["sums"]
    assert (bill["profile"], bill["messages"], bill["records"], bill["difference"]) == (PROFILE_ID, N, N, "0.00")
    assert total == micros(bill["theirs"])


async def test_doing_it_again_changes_nothing(office: Office) -> None:
    await office.reconcile()
    before = await office.everything()
    again = await office.reconcile()
    assert (again["agree"], again["matched"], again["filled"]) == (True, N, 0)
    assert await office.everything() == before


async def test_what_is_wrong_with_a_bill_is_told_line_by_line(office: Office, tmp_path: Path) -> None:
    await office.reconcile()
    ids = [arrival.id for arrival in office.world.arrivals()]
    foreign = {"uuid": "4f0a0000-0000-4000-8000-000000000001", "direction": "outbound", "cli": "+13125550001"}
    foreign |= {"cld": "+13125550002", "status": "delivered", "parts": 1, "cost": "0.5", "currency": "USD"}
    created = datetime.now(UTC) - timedelta(seconds=1)
    await office.forge(
        drop=[ids[0]],
        change={ids[1]: {"parts": 9}, ids[2]: {"cost": "1.25"}},
        add=[foreign | {"profile_id": PROFILE_ID, "created_at": created.isoformat()}],
    )
    out = tmp_path / "differences.jsonl"
    answer = await office.reconcile(out=out)
    found = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    assert not answer["agree"]
    assert {(each["kind"], each["carrier_id"]) for each in found} == {
        ("missing_at_carrier", ids[0]),
        ("parts", ids[1]),
        ("cost", ids[2]),
        ("missing_here", foreign["uuid"]),
    }
    assert answer["differences"] == found


async def test_messages_whose_answer_was_lost_are_named_beside_their_records_and_stay_unknown(
    world: World, engine: AsyncEngine
) -> None:
    await world.begin(receipts=ReceiptSpec(mode="off", sent_after_s=0.01, done_after_s=(0.02, 0.05)))
    await world.fail(FaultRule(kind="lost", first=5))
    office = Office(world, engine)
    await world.worker()
    counts = await world.until(await world.push(people(40)))
    assert counts == {"submitted": 35, "unknown": 5}
    await asyncio.sleep(1.1)
    async with office.recording():
        pass
    answer = await office.reconcile()
    assert (answer["matched"], answer["missing_here"], answer["likely_answers"]) == (35, 5, 5)
    for each in answer["differences"]:
        place = parse_message_id(each["likely_answer"])
        assert each["to"] == f"+{people(40)[place.offset]}"
        assert each["only_candidate"]
    assert await office.statuses() == {"delivered": 35, "unknown": 5}
