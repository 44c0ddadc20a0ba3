"""Whatever the order, however often: the ledger ends the same."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, select
from sqlalchemy.ext.asyncio import AsyncEngine

from volley.ledger import schema
from volley.ledger.engine import writing

TABLES = (
    schema.messages,
    schema.attempts,
    schema.receipts,
    schema.moves,
    schema.carrier_ids,
    schema.campaigns,
    schema.campaign_events,
    schema.chunks,
    schema.quarantine,
)
PEOPLE = st.integers(0, 5)
MOMENTS = st.integers(1, 4)
Write = Callable[[Any, Any], Awaitable[object]]


@st.composite
def attempts(draw: st.DrawFn) -> Write:
    number, at, state = draw(st.integers(1, 3)), draw(MOMENTS), draw(st.sampled_from(".?axoecz-"))
    people = draw(st.lists(PEOPLE, min_size=1, max_size=3, unique=True))
    changes = {"sender": f"+1202555900{number}", "parts": number, "estimated_micros": 4000 * number}

    async def write(feed: Any, push: Any) -> None:
        # what an attempt was is settled by when it was taken: two tellings of one differ in their state only
        told = push.attempt if (number + at) % 2 else push.failed
        records = [told(i, attempt=number, at=10 * number + at, **changes) for i in people]
        await feed.attempts(*records, states=state * len(records))

    return write


@st.composite
def receipts(draw: st.DrawFn) -> Write:
    i, at = draw(PEOPLE), draw(MOMENTS)
    status = draw(st.sampled_from(["sent", "queued", "delivered", "delivery_failed", "delivery_unconfirmed"]))
    cost, parts, ours = draw(st.sampled_from([-1, 4200, 8400])), draw(st.integers(0, 2)), draw(st.booleans())
    stranger, late_us = draw(st.booleans()), draw(st.integers(0, 2))

    async def write(feed: Any, push: Any) -> None:
        facts = {"cost_micros": cost, "rate_micros": cost, "parts": parts, "event_id": f"{i}{at}{status}{cost}{parts}"}
        facts |= {"received_us": push.campaign.created_us + late_us}
        if not ours:
            facts |= {"campaign": "", "chunk": 0, "offset": 0}
        if not ours and stranger:
            facts |= {"carrier_id": "of another system", "event_id": f"stranger {facts['event_id']}"}
        await feed.receipts(push.receipt(i, at, status, **facts))

    return write


@st.composite
def moves(draw: st.DrawFn) -> Write:
    people, at = draw(st.lists(PEOPLE, min_size=1, max_size=4, unique=True)), draw(MOMENTS)
    state, why = draw(
        st.sampled_from([("?", "reap"), ("a", "reap"), ("c", "cancel"), ("e", "expire"), ("o", "opt_out")])
    )

    async def write(feed: Any, push: Any) -> None:
        await feed.moves(push, state, *people, why=why, at=at)

    return write


@st.composite
def campaign_events(draw: st.DrawFn) -> Write:
    state, at = draw(st.sampled_from(["paused", "resumed", "cancelled"])), draw(MOMENTS)

    async def write(feed: Any, push: Any) -> None:
        await feed.campaign(push, state, at)

    return write


async def seal(feed: Any, push: Any) -> None:
    await feed.sealed(push)


async def dump(engine: AsyncEngine) -> dict[str, list[Any]]:
    """All rows, sorted; moves without the ids of their entries, as here a repetition is a new entry."""
    found = {}
    async with engine.connect() as connection:
        for table in TABLES:
            rows = [row._asdict() for row in await connection.execute(select(table))]
            kept = {str(sorted((k, v) for k, v in row.items() if k != "entry_id")) for row in rows}
            found[table.name] = sorted(kept)
    return found


async def clear(engine: AsyncEngine) -> None:
    async with writing(engine) as connection:
        for table in TABLES:
            await connection.execute(delete(table))


ENTRIES = st.lists(
    st.one_of(attempts(), receipts(), moves(), campaign_events(), st.just(seal)), min_size=1, max_size=12
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_any_order_and_any_repetition_end_in_the_same_rows(recorder, feed, engine, push, data):
    entries = data.draw(ENTRIES)
    await clear(engine)
    for write in entries:
        await write(feed, push)
    await recorder.catch_up()
    once = await dump(engine)
    again = data.draw(st.permutations(entries + data.draw(st.lists(st.sampled_from(entries), max_size=5))))
    breaks = data.draw(st.sets(st.integers(0, len(again)), max_size=4))
    await clear(engine)
    for at, write in enumerate(again):
        await write(feed, push)
        if at in breaks:
            await recorder.catch_up()
    await recorder.catch_up()
    assert await dump(engine) == once
    assert recorder.counts.quarantined == 0


@pytest.mark.parametrize("receipt_first", [True, False])
async def test_a_receipt_without_our_reference_finds_its_message_by_the_carriers_id(
    recorder, feed, engine, push, receipt_first
):
    stray = push.receipt(0, campaign="", chunk=0, offset=0)
    writes = [feed.receipts(stray), feed.attempts(push.attempt(0))]
    for write in writes if receipt_first else reversed(writes):
        await write
        await recorder.catch_up()
    found = await dump(engine)
    assert "('status', 'delivered')" in found["messages"][0]
    assert f"('campaign_id', '{push.campaign.id}')" in found["receipts"][0]


async def test_a_receipt_of_nobody_we_know_is_kept(recorder, feed, engine, push):
    await feed.receipts(push.receipt(0, campaign="", chunk=0, offset=0))
    await recorder.catch_up()
    found = await dump(engine)
    assert (len(found["messages"]), len(found["receipts"])) == (0, 1)


@pytest.mark.parametrize("sealed_first", [True, False])
async def test_a_message_known_by_a_move_alone_gets_its_person_from_the_chunk(
    recorder, feed, engine, push, sealed_first
):
    writes = [feed.sealed(push), feed.moves(push, "?", 4, why="reap")]
    for write in writes if sealed_first else reversed(writes):
        await write
        await recorder.catch_up()
    async with engine.connect() as connection:
        row = (await connection.execute(select(schema.messages))).one()
    assert (row.recipient, row.reference, row.country, row.encoding) == (12025550104, "ref-4", "US", "GSM-7")
    assert (row.status, row.sender, row.attempts) == ("unknown", "+12025559001", 1)


@pytest.mark.parametrize("end", ["cancelled", "expired", "opted_out", "dead", "unknown"])
async def test_accepted_merges_over_every_end_but_a_refusal(recorder, feed, engine, push, end):
    state = {"cancelled": "c", "expired": "e", "opted_out": "o", "dead": "z", "unknown": "?"}[end]
    await feed.moves(push, state, 0)
    await recorder.catch_up()
    assert f"('status', '{end}')" in (await dump(engine))["messages"][0]
    await feed.attempts(push.attempt(0))
    await recorder.catch_up()
    assert "('status', 'submitted')" in (await dump(engine))["messages"][0]


@pytest.mark.parametrize("final", ["delivered", "delivery_failed", "delivery_unconfirmed"])
async def test_no_later_word_of_the_way_undoes_a_final_status(recorder, feed, engine, push, final):
    await feed.attempts(push.attempt(0))
    await feed.receipts(push.receipt(0, 3, final))
    await recorder.catch_up()
    before = (await dump(engine))["messages"]
    await feed.receipts(push.receipt(0, 8, "sent", cost_micros=-1, parts=0))
    await feed.moves(push, "c", 0, at=9)
    await recorder.catch_up()
    assert (await dump(engine))["messages"] == before


@pytest.mark.parametrize("final_first", [True, False])
async def test_the_final_cost_replaces_the_answers_and_is_counted_once(recorder, feed, engine, push, final_first):
    writes = [feed.attempts(push.attempt(0, cost_micros=4100)), feed.receipts(push.receipt(0, 2, cost_micros=9900))]
    for write in reversed(writes) if final_first else writes:
        await write
        await recorder.catch_up()
    async with engine.connect() as connection:
        costs = list(await connection.scalars(select(schema.messages.c.cost_micros)))
    assert costs == [9900]


@pytest.mark.parametrize("states", [("paused", "resumed"), ("resumed", "paused")])
async def test_of_two_changes_at_one_moment_the_same_one_stays_in_any_order(recorder, feed, engine, push, states):
    for state in states:
        await feed.campaign(push, state, at=2)
        await recorder.catch_up()
    assert "('state', 'resumed')" in (await dump(engine))["campaigns"][0]


@pytest.mark.parametrize("receipt_first", [True, False])
async def test_a_move_and_a_receipt_of_one_moment_leave_the_same_row(recorder, feed, engine, push, receipt_first):
    writes = [feed.receipts(push.receipt(0, 1, "sent")), feed.moves(push, "a", 0, why="reap", at=1)]
    for write in writes if receipt_first else reversed(writes):
        await write
        await recorder.catch_up()
    async with engine.connect() as connection:
        row = (await connection.execute(select(schema.messages))).one()
    assert (row.status, row.error_text) == ("submitted", None)


async def test_a_receipt_leaves_the_index_of_people_alone(recorder, feed, engine, push):
    await feed.attempts(push.attempt(0))
    await recorder.catch_up()
    said: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    await feed.receipts(push.receipt(0))
    await recorder.catch_up()
    changed = [each.partition("DO UPDATE SET")[2] for each in said if each.startswith("INSERT INTO messages ")]
    # SQLite writes an index again for every column that is set, whatever its value becomes
    assert len(changed) == 1
    assert "recipient =" not in changed[0]


async def test_a_receipt_without_a_moment_is_of_when_it_came(recorder, feed, engine, push):
    await feed.attempts(push.attempt(0))
    await feed.receipts(push.receipt(0, occurred_us=-1))
    await recorder.catch_up()
    async with engine.connect() as connection:
        row = (await connection.execute(select(schema.messages))).one()
    assert (row.submitted_us, row.completed_us) == (push.attempt(0).answered_us, push.receipt(0).received_us)
