"""sync, rest, wake, evict: senders come, go, rest and change, and no message is stuck or sent by the wrong one."""

import asyncio

from tests.redis.conftest import OTHER_PROFILE, PROFILE, Rig, chunk_of, people, sender
from volley.outbox.rests import lift
from volley.outbox.views import pins

LONG_US = 60_000_000


async def rest(rig: Rig, bucket: str, seconds: float, *, evicts: bool = False) -> None:
    until = await rig.now_us() + int(seconds * 1e6)
    await rig.outbox.scripts.run("rest", bucket, until, "why", 0 if evicts else LONG_US)


async def evict(rig: Rig, most: int = 500) -> None:
    for owner in await rig.outbox.chores.evicted():
        while await rig.outbox.chores.evict(owner, most) >= most:
            pass


async def senders_of(rig: Rig, n: int) -> set[int]:
    return {g.sender for f in await rig.take_all(n) for g in f.grants}


async def test_new_senders_join_and_missing_ones_leave(rig: Rig) -> None:
    assert await rig.outbox.sync_senders(PROFILE, [sender(0), sender(1)]) == (2, 0)
    assert await rig.outbox.sync_senders(PROFILE, [sender(1), sender(2)]) == (1, 1)
    assert await rig.outbox.sync_senders(PROFILE, [sender(0), sender(1), sender(2)]) == (0, 0)
    assert {v.sender.number: v.index for v in await rig.outbox.senders(PROFILE)} == {
        sender(0).number: 1, sender(1).number: 2, sender(2).number: 3,
    }  # fmt: skip
    await rig.rate("a", 1000)
    await rig.push(chunk_of(people(300)))
    assert await senders_of(rig, 300) == {1, 2, 3}


async def test_a_sender_that_left_sends_nothing_and_its_people_move(rig: Rig) -> None:
    await rig.pool(2)
    await rig.push(chunk_of(people(20)))
    await rig.take_all(20)
    campaign = await rig.push(chunk_of(people(20)))
    await rig.sync([sender(1)])
    assert await rig.outbox.chores.evicted() != []
    await evict(rig, most=3)
    await rig.check(campaign)
    assert await rig.outbox.chores.evicted() == []
    assert await senders_of(rig, 20) == {2}
    assert set((await pins(rig.redis, rig.keys)).values()) == {2}


async def test_a_sender_that_left_is_shown_as_out_of_the_pool_and_counted_once(rig: Rig) -> None:
    await rig.sync([sender(0), sender(1)])
    assert await rig.outbox.sync_senders(PROFILE, [sender(1)]) == (0, 1)
    assert await rig.outbox.sync_senders(PROFILE, [sender(1)]) == (0, 0)
    seen = {v.sender.number: (v.sender.active, v.reason) for v in await rig.outbox.senders(PROFILE)}
    assert seen == {sender(0).number: (False, "it is no longer in the profile"), sender(1).number: (True, "")}
    await rig.sync([sender(0), sender(1)])
    assert all(v.sender.active and not v.reason for v in await rig.outbox.senders(PROFILE))


async def test_a_withdrawn_sender_sends_nothing_until_a_sync_and_its_people_move(rig: Rig) -> None:
    await rig.pool(3)
    await rig.push(chunk_of(people(30)))
    await rig.take_all(30)
    campaign = await rig.push(chunk_of(people(30)))
    await rest(rig, "s2", 3600, evicts=True)
    assert await rig.outbox.withdraw([sender(0), sender(1), sender(7)]) == 1
    await evict(rig, most=7)
    await rig.check(campaign)
    assert await senders_of(rig, 30) == {3}
    held = [view for view in await rig.outbox.senders(PROFILE) if not view.sender.active]
    assert {(view.sender.number, view.reason) for view in held} == {
        (sender(n).number, "it is being taken out of the profile") for n in (0, 1)
    }
    await rig.sync([sender(0), sender(1), sender(2)])
    await rig.push(chunk_of(people(400, 100)))
    assert await senders_of(rig, 400) >= {1, 2}


async def test_an_inactive_sender_is_not_used(rig: Rig) -> None:
    await rig.pool(1)
    await rig.sync([sender(0, active=False), sender(1)])
    await rig.push(chunk_of(people(5)))
    assert await senders_of(rig, 5) == {2}


async def test_a_changed_rate_holds_from_the_next_message_on(rig: Rig) -> None:
    await rig.pool(1, rate=1000)
    await rig.push(chunk_of(people(50)))
    await rig.sync([sender(0, rate=1)])
    assert len((await rig.take()).grants) == 1
    assert len((await rig.take()).grants) == 0


async def test_when_types_become_one_class_nothing_stays_behind(rig: Rig) -> None:
    kinds = [sender(0), sender(1, type="toll_free")]
    await rig.sync(kinds, {"long_code": 1, "toll_free": 1})
    await rig.rate("a", 1000)
    campaign = await rig.push(chunk_of(people(40)))
    await rig.sync(kinds)
    first = len((await rig.take()).grants)
    await evict(rig)
    await rig.check(campaign)
    await rig.take_all(40 - first)


async def test_people_pinned_to_a_sender_that_changes_its_class_keep_it(rig: Rig) -> None:
    kinds = [sender(0), sender(1, type="toll_free")]
    await rig.sync(kinds)
    await rig.rate("a", 1000)
    await rig.push(chunk_of(people(20)))
    held = {g.to: g.sender for f in await rig.take_all(20) for g in f.grants}
    campaign = await rig.push(chunk_of(people(20)))
    await rig.sync(kinds, {"long_code": 1, "toll_free": 1})
    await evict(rig)
    await rig.check(campaign)
    assert {g.to: g.sender for f in await rig.take_all(20) for g in f.grants} == held


async def test_a_type_whose_last_sender_goes_leaves_its_messages_to_the_others(rig: Rig) -> None:
    await rig.sync([sender(0), sender(1, type="toll_free")], {"long_code": 1, "toll_free": 1})
    await rig.rate("a", 1000)
    campaign = await rig.push(chunk_of(people(40)))
    await rig.sync([sender(0)], {"long_code": 1, "toll_free": 1})
    await rig.take()
    await evict(rig)
    await rig.check(campaign)
    while waiting := (await rig.counts(campaign)).get("ready", 0):
        assert await senders_of(rig, waiting) == {1}


async def test_a_paused_campaign_whose_class_went_goes_on_when_it_is_resumed(rig: Rig) -> None:
    kinds = [sender(0), sender(1, type="toll_free")]
    await rig.sync(kinds, {"long_code": 1, "toll_free": 1})
    await rig.rate("a", 1000)
    campaign = await rig.push(chunk_of(people(10)))
    await rig.outbox.pause(campaign.id)
    for _ in range(2):
        await rig.take()
    await rig.sync(kinds)
    for _ in range(2):
        await rig.take()
        await evict(rig)
    await rig.outbox.resume(campaign.id)
    await rig.take(1)
    await evict(rig)
    await rig.take_all((await rig.counts(campaign)).get("ready", 0))


async def test_a_sender_that_moves_to_another_profile_leaves_its_people_behind(rig: Rig) -> None:
    await rig.pool(2)
    await rig.push(chunk_of(people(20)))
    await rig.take_all(20)
    campaign = await rig.push(chunk_of(people(20)))
    await rig.sync([sender(0, profile=OTHER_PROFILE)], profile=OTHER_PROFILE)
    await evict(rig)
    await rig.check(campaign)
    assert await senders_of(rig, 20) == {2}
    theirs = await rig.push(chunk_of(people(5)), profile=OTHER_PROFILE)
    assert await senders_of(rig, 5) == {1}
    await rig.check(campaign, theirs)
    for _ in range(3):
        flight = await rig.take()
    assert flight.why == "idle"


async def test_a_sender_that_rests_is_granted_nothing_and_then_goes_on(rig: Rig) -> None:
    await rig.pool(1)
    await rig.push(chunk_of(people(5)))
    await rest(rig, "s1", 0.5)
    assert (await rig.take()).grants == []
    [view] = await rig.outbox.senders(PROFILE)
    assert (view.reason, view.stopped_until_us > 0) == ("why", True)
    assert await senders_of(rig, 5) == {1}
    await asyncio.sleep(0.06)
    assert await rig.outbox.chores.wake() == 1
    [view] = await rig.outbox.senders(PROFILE)
    assert (view.reason, view.stopped_until_us) == ("", 0)


async def test_a_sender_that_rests_long_gives_its_people_to_others(rig: Rig) -> None:
    await rig.pool(2)
    await rig.push(chunk_of(people(20)))
    await rig.take_all(20)
    campaign = await rig.push(chunk_of(people(20)))
    await rest(rig, "s1", 100, evicts=True)
    await evict(rig)
    await rig.check(campaign)
    assert await senders_of(rig, 20) == {2}
    assert await rig.outbox.chores.wake() == 0


async def test_after_a_long_rest_a_sender_works_again(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(5)))
    await rest(rig, "s1", 0.05, evicts=True)
    assert (await rig.take()).grants == []
    await asyncio.sleep(0.06)
    assert await rig.outbox.chores.wake() == 1
    await rig.check(campaign)
    assert await senders_of(rig, 5) == {1}


async def test_a_campaign_that_named_a_sender_waits_for_its_rest_and_goes_on(rig: Rig) -> None:
    await rig.pool(2)
    campaign = await rig.push(chunk_of(people(5)), sender=sender(0).number)
    await rest(rig, "s1", 0.05, evicts=True)
    assert (await rig.take()).grants == []
    await evict(rig)
    await asyncio.sleep(0.06)
    await rig.outbox.chores.wake()
    await rig.check(campaign)
    assert await senders_of(rig, 5) == {1}


async def test_a_campaign_that_named_a_sender_goes_on_when_an_operator_brings_it_back(rig: Rig) -> None:
    await rig.pool(2)
    campaign = await rig.push(chunk_of(people(5)), sender=sender(0).number)
    await rig.sync([sender(1)])
    await rig.take()
    await evict(rig)
    await rig.sync([sender(0), sender(1)])
    await rig.check(campaign)
    assert await senders_of(rig, 5) == {1}


async def test_a_woken_sender_serves_what_was_not_moved_in_time(rig: Rig) -> None:
    await rig.pool(2)
    await rig.push(chunk_of(people(20)))
    await rig.take_all(20)
    campaign = await rig.push(chunk_of(people(20)))
    await rest(rig, "s1", 0.05, evicts=True)
    first = len((await rig.take()).grants)
    await asyncio.sleep(0.06)
    await rig.outbox.chores.wake()
    await rig.check(campaign)
    await rig.take_all(20 - first)


async def test_a_short_rest_does_not_end_a_long_one(rig: Rig) -> None:
    await rig.pool(1)
    await rig.push(chunk_of(people(5)))
    await rest(rig, "s1", 100, evicts=True)
    await rest(rig, "s1", 0.01)
    await asyncio.sleep(0.02)
    assert await rig.outbox.chores.wake() == 0
    assert (await rig.take()).grants == []


async def test_a_sender_that_an_operator_takes_out_and_back_rests_no_more(rig: Rig) -> None:
    await rig.pool(1)
    await rest(rig, "s1", 100, evicts=True)
    await rig.sync([sender(0, active=False)])
    await rig.sync([sender(0)])
    await rig.push(chunk_of(people(5)))
    assert await senders_of(rig, 5) == {1}


async def test_a_sender_that_left_while_it_rested_does_not_wake_into_the_pool(rig: Rig) -> None:
    await rig.pool(2)
    await rest(rig, "s1", 0.01, evicts=True)
    await rig.sync([sender(1)])
    await asyncio.sleep(0.02)
    await rig.outbox.chores.wake()
    await rig.push(chunk_of(people(60)))
    assert await senders_of(rig, 60) == {2}


async def test_a_rest_asked_for_after_a_sender_left_does_not_bring_it_back(rig: Rig) -> None:
    await rig.pool(2)
    await rig.sync([sender(1)])
    await rest(rig, "s1", 0.01)
    await asyncio.sleep(0.02)
    await rig.outbox.chores.wake()
    await rig.push(chunk_of(people(60)))
    assert await senders_of(rig, 60) == {2}


async def test_neither_rest_nor_sync_gives_a_sender_its_rate_anew(rig: Rig) -> None:
    """A long message has used up a minute of a slow sender: coming back early does not pay for it."""
    for leave_and_return in ("rest", "sync"):
        await rig.redis.execute_command("FLUSHALL")
        await rig.pool(1, rate=0.1)
        await rig.push(chunk_of(people(2), parts=10))
        assert len((await rig.take()).grants) == 1
        if leave_and_return == "rest":
            await rest(rig, "s1", 0.01, evicts=True)
            await asyncio.sleep(0.02)
            await rig.outbox.chores.wake()
        else:
            await rig.sync([])
            await rig.sync([sender(0, rate=0.1)])
        assert (await rig.take()).grants == [], leave_and_return


async def test_sync_does_not_wake_a_sender_that_rests(rig: Rig) -> None:
    await rig.pool(1)
    await rest(rig, "s1", 100, evicts=True)
    await rig.sync([sender(0)])
    await rig.push(chunk_of(people(5)))
    assert (await rig.take()).grants == []


async def test_an_account_or_profile_that_rests_holds_all_its_campaigns(rig: Rig) -> None:
    for bucket in ("a", "p1"):
        await rig.redis.execute_command("FLUSHALL")
        await rig.pool(2)
        await rig.push(chunk_of(people(5)))
        await rest(rig, bucket, 0.8)
        assert (await rig.take()).grants == [], bucket
        await rest(rig, bucket, 0.01)  # a shorter one ends nothing
        await asyncio.sleep(0.03)
        assert (await rig.take()).grants == [], bucket
        await rig.take_all(5)


async def test_a_limit_shared_by_senders_of_a_registered_campaign_rests_for_all_of_them(rig: Rig) -> None:
    await rig.sync([sender(0, group="CX"), sender(1, group="CX"), sender(2)])
    await rig.rate("a", 1000)
    await rig.rate("gCX", 1)
    await rig.push(chunk_of(people(30)))
    await rest(rig, "gCX", 100)
    assert await senders_of(rig, 30) == {3}


async def test_a_bucket_nobody_knows_changes_nothing(rig: Rig) -> None:
    await rig.pool(1)
    await rest(rig, "s99", 0.0)
    await rig.outbox.chores.wake()
    await rig.push(chunk_of(people(5)))
    assert await senders_of(rig, 5) == {1}


async def test_a_withdrawn_sender_that_has_gone_is_said_to_have_gone(rig: Rig) -> None:
    await rig.pool(2)
    await rig.outbox.withdraw([sender(0)])
    await rig.sync([sender(1)])
    reasons = {view.sender.number: view.reason for view in await rig.outbox.senders(PROFILE)}
    assert reasons == {sender(0).number: "it is no longer in the profile", sender(1).number: ""}


async def test_a_profile_whose_rest_is_lifted_goes_on_at_once_and_at_its_rate(rig: Rig) -> None:
    await rig.pool(1)
    await rig.rate("p1", 100)
    campaign = await rig.push(chunk_of(people(20)))
    assert await rig.outbox.rest(3600, "40312 disabled", profile=PROFILE)
    assert not (await rig.take()).grants
    assert await lift(rig.outbox.scripts, 1)
    assert not await lift(rig.outbox.scripts, 1)
    assert await rig.outbox.rests() == []
    moments = sorted(grant.moment_us for flight in await rig.take_all(20) for grant in flight.grants)
    assert moments[-1] - moments[0] >= 19 * 10_000 - 300_000
    await rig.check(campaign)
