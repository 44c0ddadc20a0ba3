"""MMS have a rate of the account's own: never too fast, nearly all of it used, and a full one holds up nobody's SMS."""

import asyncio
from decimal import Decimal

from tests.redis.conftest import PROFILE, Rig, chunk_of, people, sender
from tests.redis.test_pacing import drain, worst_excess

MEDIA = ("https://example.com/a.jpg",)
FULL_S = 100


async def fill(rig: Rig) -> None:
    """The account's MMS are free only after a while."""
    assert await rig.outbox.rest(FULL_S, "full", mms=True)


async def test_mms_keep_their_rate_and_use_it_while_sms_keep_theirs(rig: Rig) -> None:
    await rig.pool(6, rate=100, account=400)
    await rig.rate("m", 60)
    mms = await rig.push(*(chunk_of(people(400, 400 * k)) for k in range(2)), media=MEDIA)
    sms = await rig.push(*(chunk_of(people(400, 10_000 + 400 * k)) for k in range(2)))
    found, paced_s = await drain(rig, 1.0)
    of = {c.id: [s for s in found if s.campaign == c.id] for c in (mms, sms)}
    assert worst_excess(of[mms.id], 60) <= 0
    assert worst_excess(found, 400) <= 0
    for one in range(1, 7):
        assert worst_excess([s for s in found if s.sender == one], 100) <= 0
    assert len(of[mms.id]) >= 0.98 * 60 * paced_s - 1
    assert len(found) >= 0.98 * 400 * paced_s - 1
    await rig.check(mms, sms)


async def test_many_workers_keep_the_rate_of_mms(rig: Rig) -> None:
    await rig.pool(4, rate=1000)
    await rig.rate("m", 80)
    await rig.push(chunk_of(people(400)), media=MEDIA)
    found = await asyncio.gather(*(drain(rig, 0.6, want=9) for _ in range(5)))
    assert worst_excess([s for one, _ in found for s in one], 80) <= 0


async def test_sms_know_nothing_of_the_rate_of_mms(rig: Rig) -> None:
    await rig.pool(2)
    await rig.rate("m", 1)
    await fill(rig)
    await rig.push(chunk_of(people(90)))
    assert len((await rig.take()).grants) == 90


async def test_mms_that_wait_at_a_sender_let_its_sms_pass(rig: Rig) -> None:
    await rig.pool(1)
    await rig.rate("m", 1)
    await fill(rig)
    number = sender(0).number
    mms = [await rig.push(chunk_of(people(3, 10 * n)), sender=number, media=MEDIA) for n in range(20)]
    sms = await rig.push(chunk_of(people(30, 1000)), sender=number)
    flight = await rig.take()
    assert {g.campaign for g in flight.grants} == {sms.id}
    assert len(flight.grants) == 30
    await rig.check(*mms, sms)
    assert (await rig.take()).grants == []
    later = await rig.push(chunk_of(people(5, 2000)), sender=number)
    assert len((await rig.take()).grants) == 5
    await rig.check(*mms, sms, later)


async def test_many_senders_with_nothing_but_mms_hold_up_no_sender_with_sms(rig: Rig) -> None:
    await rig.pool(60)
    await rig.rate("m", 1)
    await fill(rig)
    mms = [await rig.push(chunk_of(people(2, 10 * n)), sender=sender(n).number, media=MEDIA) for n in range(59)]
    sms = await rig.push(chunk_of(people(4, 5000)), sender=sender(59).number)
    granted: list[str] = []
    for _ in range(14):
        granted += [g.campaign for g in (await rig.take(5)).grants]
    assert granted == [sms.id] * 4
    await rig.check(*mms, sms)


async def test_mms_that_waited_go_when_their_bucket_is_free(rig: Rig) -> None:
    await rig.pool(3)
    await rig.rate("m", 1000)
    await rig.outbox.rest(0.4, "full", mms=True)
    number = sender(0).number
    campaigns = [
        await rig.push(chunk_of(people(20)), media=MEDIA),
        await rig.push(chunk_of(people(20, 100)), sender=number, media=MEDIA),
    ]
    assert (await rig.take()).grants == []
    assert [rest.what for rest in await rig.outbox.rests()] == ["mms"]
    await rig.take_all(40)
    await rig.check(*campaigns)


async def test_mms_are_not_planned_ahead_while_they_wait(rig: Rig) -> None:
    """Idle senders ask for planning; here it would not help them."""
    await rig.pool(3)
    await rig.rate("m", 1000)
    chunks = [chunk_of(people(5)), chunk_of(people(5, 10))]
    campaign = await rig.push(*chunks, plan=False, media=MEDIA)
    await rig.plan(campaign, 0, chunks[0])
    assert (await rig.take()).hungry == [campaign.id], "the bucket is free"
    await fill(rig)
    assert (await rig.take()).hungry == []


async def test_a_campaign_with_its_own_limit_keeps_it_until_it_is_taken_away(rig: Rig) -> None:
    await rig.sync([sender(n, group="CX") for n in range(2)])
    await rig.outbox.set_rates(Decimal(1000), {}, mms=Decimal(15), campaigns={"CX": Decimal("0.5")})
    held = await rig.redis.hgetall(rig.keys.of("rates"))
    assert held == {b"a": b"1000000", b"m": b"15000", b"gCX": b"500"}
    await rig.push(chunk_of(people(40)))
    assert len((await rig.take()).grants) == 1
    await rig.outbox.set_rates(Decimal(1000), {PROFILE: Decimal(7)})
    assert len(await rig.redis.hgetall(rig.keys.of("rates"))) == 4, "what is not named stays"
    await rig.outbox.set_rates(Decimal(1000), {}, campaigns={})
    assert set(await rig.redis.hgetall(rig.keys.of("rates"))) == {b"a", b"m"}


async def test_a_rest_is_for_the_account_a_profile_or_a_number(rig: Rig) -> None:
    await rig.pool(1)
    assert await rig.outbox.rest(10, "over its daily limit", profile=PROFILE)
    assert await rig.outbox.rest(10, "queue full", number=sender(0).number)
    assert await rig.outbox.rest(10, "no credit")
    assert not await rig.outbox.rest(5, "shorter", profile=PROFILE)
    assert not await rig.outbox.rest(10, "whose?", profile="nobody")
    assert not await rig.outbox.rest(10, "whose?", number="+12025551111")
    told = {(rest.what, rest.name, rest.reason) for rest in await rig.outbox.rests()}
    assert told == {
        ("account", "", "no credit"),
        ("profile", PROFILE, "over its daily limit"),
        ("sender", sender(0).number, "queue full"),
    }


async def test_who_opts_in_again_is_taken_off_the_list_once(rig: Rig) -> None:
    await rig.pool()
    await rig.outbox.add_optouts(PROFILE, people(3))
    assert await rig.outbox.remove_optouts(PROFILE, people(2)) == 2
    assert await rig.outbox.remove_optouts(PROFILE, people(3)) == 1
    assert await rig.outbox.remove_optouts(PROFILE, people(3)) == 0
    await rig.push(chunk_of(people(3)))
    assert len((await rig.take()).grants) == 3
