"""Registered campaigns as people hear of them who ask why: the limit that their senders share, their rest, and an end that comes."""

import pytest

from producer.sight.sight import Sight
from tests.redis.conftest import Rig, chunk_of, people, sender
from tests.redis.test_why import HOUR_US, SHOWN, ask, causes, drained_s, push


@pytest.fixture
async def fleet(rig: Rig) -> Rig:
    """Three senders in one registered campaign that may send 20/s together, and a worker that lives and takes nothing."""
    await rig.outbox.chores.show("w1", SHOWN)
    await rig.sync([sender(n, 1000, group="CX1") for n in range(3)])
    await rig.rate("a", 10_000)
    await rig.rate("gCX1", 20)
    return rig


async def test_a_registered_campaign_is_named_where_it_is_the_narrowest_and_its_end_comes(fleet: Rig) -> None:
    campaign = await push(fleet, 40)
    answer = await ask(fleet, campaign)
    said = causes(answer)["group_rate"]
    assert said.startswith(
        "40 messages go at its pool of 3 senders, 20/s, as the registered campaign CX1 has 20/s: ends"
    )
    assert answer.seconds == pytest.approx(2.0, abs=0.1)
    took, punctual = await drained_s(fleet, campaign)
    assert answer.seconds * 0.6 <= took
    assert punctual <= answer.seconds * 1.3 + 0.5


async def test_queues_are_promised_no_more_than_registered_campaigns_let_through(fleet: Rig) -> None:
    await push(fleet, 40)
    facts = await Sight(fleet.outbox, "test").facts()
    assert (facts.queues[0].allowed_rate, facts.queues[0].eta_seconds) == (20, 2.0)
    [view] = await fleet.outbox.profiles()
    assert (view.allowed_rate, view.own_rates[sender(0).number]) == (20, 20)
    await fleet.redis.hdel(fleet.keys.of("rates"), "gCX1")
    assert (await Sight(fleet.outbox, "test").facts()).queues[0].allowed_rate == 3000


async def test_senders_outside_of_it_go_on_at_their_own_rate(fleet: Rig) -> None:
    await fleet.sync([*(sender(n, 1000, group="CX1") for n in range(3)), sender(3, 30)])
    said = causes(await ask(fleet, await push(fleet, 100)))
    assert "its pool of 4 senders, 50/s, as the registered campaign CX1 has 20/s" in said["group_rate"]


async def test_a_campaign_with_a_sender_of_its_own_hears_of_that_ones_registered_campaign(fleet: Rig) -> None:
    campaign = await push(fleet, 40, sender=sender(1).number)
    answer = await ask(fleet, campaign)
    assert "40 messages go at the 20/s of the registered campaign CX1: ends" in causes(answer)["group_rate"]
    assert f"named for {sender(1).number}, 20/s" in causes(answer)["named"]
    assert answer.seconds == pytest.approx(2.0, abs=0.1)


async def test_people_pinned_to_several_of_its_senders_wait_for_what_these_have_together(fleet: Rig) -> None:
    known = people(40)
    await fleet.sync([sender(n, 12, group="CX1") for n in range(3)])
    await drained_s(fleet, await fleet.push(chunk_of(known), parts=40))
    campaign = await fleet.push(chunk_of(known), parts=40)
    answer = await ask(fleet, campaign)
    together = [cause for cause in answer.causes if "together" in cause.says]
    assert len(together) == 1
    assert together[0].says.startswith(
        "40 messages wait for 3 senders of the registered campaign CX1, 20/s together: ends"
    )
    assert answer.seconds == pytest.approx(2.0, abs=0.1)
    took, punctual = await drained_s(fleet, campaign)
    assert answer.seconds * 0.6 <= took
    assert punctual <= answer.seconds * 1.3 + 0.5


async def test_one_that_rests_is_told_with_its_reason_and_whom_it_holds(fleet: Rig) -> None:
    campaign = await push(fleet, 40)
    assert await fleet.outbox.rest(HOUR_US / 1e6, "40018 over its daily limit", number=sender(0).number, group=True)
    answer = await ask(fleet, campaign)
    said = causes(answer)["rest"]
    assert said.startswith("the registered campaign CX1 rests until ")
    assert said.endswith("(40018 over its daily limit), and so do 3 of 3 senders")
    assert answer.seconds is None, "nothing of it goes"
    await fleet.sync([*(sender(n, 1000, group="CX1") for n in range(3)), sender(3, 40)])
    answer = await ask(fleet, campaign)
    assert causes(answer)["group_rest"].endswith("and so do 3 of 4 senders")
    assert answer.seconds is not None, "the fourth goes on"


async def test_rows_that_are_no_messages_are_told_to_whoever_counts_them(fleet: Rig) -> None:
    campaign = await push(fleet, 5, duplicates=3, opted_out=1, rejected=2)
    said = causes(await ask(fleet, campaign))["left_out"]
    assert said == (
        "of its 11 rows these are no messages: 3 the same person again, 1 opted out, 2 cannot be sent (the rejects file says why)"
    )
    await drained_s(fleet, campaign)
    answer = await ask(fleet, campaign)
    assert [cause.cause for cause in answer.causes] == ["over", "left_out"]
    assert "left_out" not in causes(await ask(fleet, await push(fleet, 5, 100)))
