"""Who opted out is in the ledger, whoever changed it and in whatever order it comes."""

from itertools import permutations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.flow.ledger.conftest import Feed
from tests.redis.conftest import PROFILE, Rig, sender
from volley.ledger.recorder import Recorder
from volley.ledger.schema import optouts
from volley.outbox.inbound import Said, Word, hear
from volley.outbox.outbox import Outbox

ANNE, BERT, CARL = 12025550100, 12025550101, 12025550102


async def recorded(engine: AsyncEngine) -> dict[int, bool]:
    async with engine.connect() as connection:
        rows = (await connection.execute(select(optouts).where(optouts.c.profile == PROFILE))).all()
    return {row.recipient: bool(row.opted_out) for row in rows}


async def test_every_way_to_opt_out_or_in_again_ends_in_the_ledger(
    outbox: Outbox, recorder: Recorder, engine: AsyncEngine
) -> None:
    await Rig(outbox).sync([sender(1)])
    await outbox.add_optouts(PROFILE, [ANNE, BERT])
    now = (await outbox.redis.time())[0] * 1_000_000
    await hear(outbox, [Said(None, Word(PROFILE, CARL, "stop", now))])
    await recorder.catch_up()
    assert await recorded(engine) == {ANNE: True, BERT: True, CARL: True}
    await outbox.remove_optouts(PROFILE, [ANNE])
    await hear(outbox, [Said(None, Word(PROFILE, CARL, "start", now + 1_000_000))])
    await recorder.catch_up()
    assert await recorded(engine) == {ANNE: False, BERT: True, CARL: False}
    assert await outbox.opted_out(PROFILE, [ANNE, BERT, CARL]) == {BERT}


async def test_a_word_that_came_too_late_to_count_changes_nothing_in_the_ledger_either(
    outbox: Outbox, recorder: Recorder, engine: AsyncEngine
) -> None:
    await Rig(outbox).sync([sender(1)])
    now = (await outbox.redis.time())[0] * 1_000_000
    await hear(
        outbox, [Said(None, Word(PROFILE, ANNE, "start", now)), Said(None, Word(PROFILE, ANNE, "stop", now - 1))]
    )
    await recorder.catch_up()
    assert await recorded(engine) == {ANNE: False}


async def test_an_import_tells_of_those_too_who_were_there(
    outbox: Outbox, recorder: Recorder, engine: AsyncEngine
) -> None:
    """An older release put them there and told nobody."""
    await Rig(outbox).sync([sender(1)])
    await outbox.redis.execute_command("SADD", outbox.keys.of("optout", 1), ANNE)
    assert await outbox.add_optouts(PROFILE, [ANNE]) == 0
    await recorder.catch_up()
    assert await recorded(engine) == {ANNE: True}


async def test_the_last_word_counts_in_any_order_and_of_one_moment_the_stop(
    feed: Feed, recorder: Recorder, engine: AsyncEngine
) -> None:
    for turn, lines in enumerate(permutations((b"1 5", b"0 7", b"1 7", b"0 6"))):
        for line in lines:
            await feed.raw({"v": "1", "k": "optouts", "p": f"{PROFILE} {turn + 1} ".encode() + line})
    await recorder.catch_up()
    held = await recorded(engine)
    assert len(held) == 24
    assert set(held.values()) == {True}


async def test_a_line_that_nobody_can_read_is_set_aside(feed: Feed, recorder: Recorder, engine: AsyncEngine) -> None:
    await feed.raw({"v": "1", "k": "optouts", "p": f"{PROFILE} nobody 1 5"})
    await feed.raw({"v": "1", "k": "optouts", "p": f"{PROFILE} {BERT} 1 5"})
    await recorder.catch_up()
    assert recorder.counts.quarantined == 1
    assert await recorded(engine) == {BERT: True}
