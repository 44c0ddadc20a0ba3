"""Detail records: each message once, priced, with filters, pages and forgeries, as the official client reads them."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import telnyx

from volley.sandbox.config import PROFILE_ID, Price, ReceiptSpec, Tariff

PERSON = "+12025550123"


async def records(world: Any, **filters: Any) -> list[Any]:
    filters = {"record_type": "messaging"} | filters
    return [each async for each in world.client.detail_records.list(filter=filters, page_size=50)]


async def send(world: Any, to: str = PERSON, text: str = "hello", **rest: Any) -> Any:
    sent = await world.client.messages.send(from_=world.sandbox.senders[0], to=to, text=text, **rest)
    return sent.data


async def settled(world: Any, count: int) -> list[Any]:
    """All records, once there are so many and each has its last word."""
    found: list[Any] = []
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = await records(world)
        if len(found) == count and all(each.completed_at for each in found):
            return found
    raise AssertionError(f"{len(found)} records")


async def test_a_record_says_what_the_message_was_and_what_it_cost(opened: Any, hooks: Any) -> None:
    tariff = Tariff(price=Price("0.004", "0.003"), final=Price("0.004", "0.0045"))
    world = await opened(config={"tariff": tariff}, name="Orders")
    sent = await send(world, text="a" * 200, webhook_url=f"{hooks.url}/hook?ref=7")
    final = (await hooks.wait(1, "message.finalized"))[0]
    record = (await settled(world, 1))[0]
    assert (record.uuid, record.cli, record.cld) == (sent.id, world.sandbox.senders[0], PERSON)
    assert (record.status, record.direction, record.message_type, record.parts) == ("delivered", "outbound", "SMS", 2)
    assert (record.cost, record.rate, record.carrier_fee) == ("0.0170", "0.004", "0.0045")
    assert record.cost == final.payload["cost"]["amount"]
    assert (record.profile_id, record.profile_name, record.country_code) == (PROFILE_ID, "Orders", "US")
    assert record.delivery_status_webhook_url == f"{hooks.url}/hook?ref=7"
    assert (record.errors, record.tags) == ([], "sandbox,long_code")


@pytest.mark.parametrize(
    ("receipts", "status", "errors"),
    [
        ({"failed": 1.0, "error_codes": ("40008",)}, "failed", ["40008"]),
        ({"unconfirmed": 1.0}, "dlr_unconfirmed", []),
    ],
)
async def test_a_record_ends_as_the_message_did(
    opened: Any, receipts: dict[str, Any], status: str, errors: list[str]
) -> None:
    spec = ReceiptSpec(sent_after_s=0.0, done_after_s=(0.0, 0.0), **receipts)
    world = await opened(config={"receipts": spec})
    await send(world)
    record = (await settled(world, 1))[0]
    assert (record.status, record.errors) == (status, errors)


async def test_what_stays_at_sent_times_out_and_what_waits_in_a_queue_has_no_record(opened: Any) -> None:
    spec = ReceiptSpec(sent_after_s=0.0, silent=1.0)
    world = await opened(config={"receipts": spec}, pool=(("long_code", 1, 0.01),))
    first, _waiting = await send(world), await send(world)
    found = await records(world)
    assert [(each.uuid, each.status, each.completed_at) for each in found] == [(first.id, "dlr_timeout", None)]


async def test_records_come_late_when_told_so(opened: Any) -> None:
    world = await opened(config={"records_lag_s": 3.0})
    sent = await send(world)
    assert await records(world) == []
    end = time.monotonic() + 30
    while not (found := await records(world)):
        assert time.monotonic() < end
    assert [each.uuid for each in found] == [sent.id]


async def test_people_s_texts_and_mms_have_records_too(opened: Any) -> None:
    world = await opened()
    said = (await world.says("hello back"))[0]
    sent = await send(world, media_urls=["https://example.com/a.png"])
    await settled(world, 2)
    inbound = (await records(world, direction="inbound"))[0]
    mms = (await records(world, message_type="MMS"))[0]
    assert (inbound.uuid, inbound.cli, inbound.cld) == (said["id"], PERSON, world.sandbox.senders[0])
    assert (inbound.status, inbound.cost) == ("received", "0.004")
    assert (mms.uuid, mms.cost, mms.parts) == (sent.id, "0.020", 1)


async def test_a_scheduled_message_has_a_record_once_sent_and_a_cancelled_one_never(opened: Any) -> None:
    world = await opened(config={"schedule_min_s": 0.0, "cancel_min_s": 0.0})
    soon = datetime.now(UTC) + timedelta(seconds=3)
    sent, cancelled = await send(world, send_at=soon), await send(world, send_at=soon)
    await world.client.messages.cancel_scheduled(str(cancelled.id))
    assert await records(world) == []
    assert [each.uuid for each in await settled(world, 1)] == [sent.id]


async def test_filters_narrow_by_any_attribute(opened: Any) -> None:
    world = await opened()
    people = [f"+1202555{turn:04d}" for turn in range(10)] + [f"+1303555{turn:04d}" for turn in range(5)]
    ids = [(await send(world, to=person, text="a" * (1 + 160 * (turn % 3)))).id for turn, person in enumerate(people)]
    every = await settled(world, 15)
    middle = every[7].created_at
    counts = {
        "starts": len(await records(world, cld={"starts_with": "+1202"})),
        "ends": len(await records(world, cld={"ends_with": "0004"})),
        "contains": len(await records(world, cld={"contains": "3555"})),
        "exact": len(await records(world, cld=people[3])),
        "uuid": [each.uuid for each in await records(world, uuid=ids[2])],
        "parts": len(await records(world, parts={"gte": "2"})),
        "cheap": len(await records(world, cost={"lt": "0.01"})),
        "since": len(await records(world, created_at={"gte": middle.isoformat()})),
        "before": len(await records(world, created_at={"lt": middle.isoformat()})),
        "today": len(await records(world, date_range="today")),
        "days": len(await records(world, date_range="last_3_days")),
        "last_week": len(await records(world, date_range="last_week")),
        "failed": len(await records(world, status="failed")),
        "profile": len(await records(world, profile_id=PROFILE_ID)),
    }
    assert counts.pop("since") + counts.pop("before") == 15
    assert counts.pop("last_week") in (0, 15)
    assert counts == {
        "starts": 10, "ends": 2, "contains": 5, "exact": 1, "uuid": [ids[2]], "parts": 10, "cheap": 5, "today": 15,
        "days": 15, "failed": 0, "profile": 15,
    }  # fmt: skip


async def test_records_are_sorted_paged_by_fifty_and_hold_still_while_they_are_read(opened: Any) -> None:
    world = await opened()
    ids = [(await send(world, to=f"+1202555{turn:04d}")).id for turn in range(60)]
    await settled(world, 60)
    listing = world.client.detail_records
    first = await listing.list(filter={"record_type": "messaging"}, sort=["created_at"], page_size=25)
    late = (await send(world)).id
    rest = [each async for each in first]
    assert [each.uuid for each in rest][:60] == ids
    assert late not in {each.uuid for each in rest}
    assert (first.meta.total_results, first.meta.total_pages) == (60, 3)
    with pytest.raises(telnyx.BadRequestError, match="10033"):
        await listing.list(filter={"record_type": "messaging"}, page_size=51)
    with pytest.raises(telnyx.BadRequestError, match="10004"):
        await listing.list()
    for filters in ({"mood": "x"}, {"created_at": {"gte": "soon"}}, {"date_range": "once"}, {"cld": {"like": "x"}}):
        with pytest.raises(telnyx.BadRequestError):
            await listing.list(filter={"record_type": "messaging"} | filters)


async def test_the_report_tells_the_same_in_its_own_words(opened: Any) -> None:
    world = await opened(name="Orders")
    sent = await send(world, text="a" * 200)
    await world.says("thanks")
    await settled(world, 2)
    reports = world.client.reports
    every = await reports.list_mdrs()
    out = (await reports.list_mdrs(direction="OUTBOUND", status="DELIVERED", profile="Orders", cld=PERSON)).data
    none = await reports.list_mdrs(end_date="2020-01-01T00:00:00Z")
    assert (every.meta.total_results, none.data) == (2, [])
    assert [(each.id, each.status, each.direction, each.cost) for each in out] == [
        (sent.id, "DELIVERED", "OUTBOUND", "0.014")
    ]
    assert float(out[0].rate) * out[0].parts == float(out[0].cost)


async def test_records_are_forged_on_command(opened: Any) -> None:
    world = await opened()
    gone, changed, same = [await send(world) for _ in range(3)]
    await settled(world, 3)
    foreign = {"uuid": "5a4db0c5-0000-4000-8000-0000000000ff", "cld": "+12025550199", "cost": "1.5", "parts": 3,
               "direction": "outbound", "status": "delivered", "created_at": datetime.now(UTC).isoformat()}  # fmt: skip
    forgery = {"drop": [gone.id], "change": {changed.id: {"parts": 9, "cost": "9.99"}}, "add": [foreign]}
    counts = await world.control("PUT", "records", forgery)
    found = {each.uuid: each for each in await records(world, date_range="today")}
    dear = [each.uuid for each in await records(world, cost={"gte": "1"})]
    await world.control("DELETE", "records")
    after = await records(world)
    assert counts == {"drop": 1, "change": 1, "add": 1}
    assert found.keys() == {changed.id, same.id, foreign["uuid"]}
    assert (found[changed.id].parts, found[changed.id].cost, found[same.id].parts) == (9, "9.99", 1)
    assert set(dear) == {changed.id, foreign["uuid"]}
    assert len(after) == 3
