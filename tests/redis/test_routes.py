"""Who may serve which country: nobody's message goes by a sender that may not send there, whatever changes meanwhile."""

import asyncio

from tests.redis.conftest import PROFILE, Rig, chunk_of, people, sender
from tests.redis.test_pool_scripts import evict, senders_of
from volley.campaign import Campaign
from volley.message import MessageId
from volley.outbox.views import pins
from volley.outbox.whereabouts import wait_of


def british(n: int, start: int = 0) -> list[int]:
    return [447400100000 + start + i for i in range(n)]


def mixed(n: int, start: int = 0) -> list[int]:
    return [number for pair in zip(people(n, start), british(n, start), strict=True) for number in pair]


async def sent(rig: Rig, n: int) -> dict[int, int]:
    return {g.to: g.sender for f in await rig.take_all(n) for g in f.grants}


async def ready(rig: Rig, campaign: Campaign) -> int:
    return (await rig.counts(campaign)).get("ready", 0)


async def spin(rig: Rig, campaign: Campaign) -> dict[int, int]:
    """Takes and evicts, as workers and the sweeper do, until nothing more comes: person → sender."""
    held: dict[int, int] = {}
    for _ in range(12):
        held |= {g.to: g.sender for g in (await rig.take()).grants}
        await evict(rig, most=7)
        await rig.check(campaign)
        await asyncio.sleep(0.005)
    return held


async def test_each_country_is_served_by_those_that_reach_it(rig: Rig) -> None:
    await rig.sync([sender(0, reach="GB"), sender(1, reach="!GB"), sender(2)])
    await rig.rate("a", 10_000)
    campaign = await rig.push(chunk_of(mixed(100)))
    held = await sent(rig, 200)
    assert {held[to] for to in british(100)} == {1, 3}
    assert {held[to] for to in people(100)} == {2, 3}
    await rig.check(campaign)


async def test_a_pool_without_differences_has_no_routes_and_one_class(rig: Rig) -> None:
    await rig.sync([sender(0), sender(1, type="toll_free"), sender(2, type="short_code")])
    assert "routes" not in await rig.left()
    assert await rig.redis.hget(rig.keys.of("classes"), "1") == b"any 1"
    await rig.sync([sender(0, reach="GB"), sender(1)])
    assert "routes" in await rig.left()
    await rig.sync([sender(0), sender(1)])
    assert "routes" not in await rig.left()


async def test_a_country_takes_the_types_that_its_route_names(rig: Rig) -> None:
    kinds = [sender(0), sender(1, type="toll_free"), sender(2, type="alphanumeric")]
    await rig.sync(kinds, routes={"GB": ("alphanumeric",), "*": ("long_code", "toll_free")})
    await rig.rate("a", 10_000)
    await rig.push(chunk_of(mixed(100)))
    held = await sent(rig, 200)
    assert {held[to] for to in british(100)} == {3}
    assert {held[to] for to in people(100)} == {1, 2}


async def test_an_alphanumeric_sender_serves_nobody_whose_route_does_not_name_it(rig: Rig) -> None:
    await rig.sync([sender(0), sender(1, type="alphanumeric")])
    await rig.rate("a", 10_000)
    await rig.push(chunk_of(mixed(100)))
    assert await senders_of(rig, 200) == {1}


async def test_weights_hold_among_those_that_reach_a_country(rig: Rig) -> None:
    kinds = [sender(0, reach="US"), sender(1, type="toll_free")]
    await rig.sync(kinds, {"long_code": 3, "toll_free": 1})
    await rig.push(*(chunk_of(mixed(200, 200 * k)) for k in range(5)))
    lanes = {name.split(":")[1]: await rig.redis.llen(key) for name, key in (await rig.ids("lane")).items()}  # type: ignore[attr-defined]
    assert set(lanes) == {"c1.long_code~US", "c1.toll_free"}
    assert 0.70 < lanes["c1.long_code~US"] / 1000 < 0.80


async def test_a_pin_to_a_sender_that_may_not_send_there_is_made_anew(rig: Rig) -> None:
    await rig.sync([sender(0)])
    await rig.rate("a", 10_000)
    await rig.push(chunk_of(mixed(20)))
    await rig.take_all(40)
    await rig.sync([sender(0, reach="US"), sender(1)])
    campaign = await rig.push(chunk_of(mixed(20)))
    held = await sent(rig, 40)
    assert {held[to] for to in people(20)} == {1}
    assert {held[to] for to in british(20)} == {2}
    assert {to: by for (_, to), by in (await pins(rig.redis, rig.keys)).items()} == held
    await rig.check(campaign)


async def test_what_waits_for_a_sender_that_may_no_longer_send_there_goes_by_another(rig: Rig) -> None:
    """Planned into the sender's own lane and into its class's while it could."""
    await rig.sync([sender(0)])
    await rig.rate("a", 10_000)
    await rig.push(chunk_of(british(20)))
    await rig.take_all(20)
    campaign = await rig.push(chunk_of(mixed(40)))
    await rig.sync([sender(0, reach="US"), sender(1, reach="GB")])
    await rig.check(campaign)
    held = await spin(rig, campaign)
    assert {held[to] for to in british(40)} == {2}
    assert {held[to] for to in people(40)} == {1}


async def test_a_class_that_keeps_its_name_and_loses_a_country_sends_nothing_there(rig: Rig) -> None:
    kinds = [sender(0), sender(1, type="toll_free")]
    await rig.sync(kinds, {"long_code": 1, "toll_free": 1}, routes={"GB": ("long_code",)})
    await rig.rate("a", 10_000)
    campaign = await rig.push(chunk_of(british(40)))
    await rig.sync([*kinds, sender(2, reach="FR")], {"long_code": 1, "toll_free": 1}, routes={"GB": ("toll_free",)})
    assert set((await spin(rig, campaign)).values()) == {2}


async def test_a_message_that_nobody_may_send_waits_and_is_sent_when_somebody_may(rig: Rig) -> None:
    await rig.sync([sender(0)])
    await rig.rate("a", 10_000)
    campaign = await rig.push(chunk_of(mixed(30)))
    await rig.sync([sender(0, reach="US")])
    held = await spin(rig, campaign)
    assert set(held) == set(people(30))
    assert await ready(rig, campaign) == 30
    assert (await rig.take()).why == "idle", "nobody spins for what nobody may send"
    assert await rig.outbox.chores.evicted() == []
    await rig.sync([sender(0, reach="US"), sender(1, reach="GB,FR")])
    assert set(await spin(rig, campaign)) == set(british(30))


async def test_another_reason_why_nobody_may_send_them_loses_nobody(rig: Rig) -> None:
    await rig.sync([sender(0, reach="US")])
    await rig.rate("a", 10_000)
    campaign = await rig.push(chunk_of(mixed(10)))
    await rig.sync([sender(0, reach="US"), sender(1, reach="FR")])
    await spin(rig, campaign)
    assert await ready(rig, campaign) == 10
    assert len(await rig.ids("lane")) == 1
    await rig.outbox.cancel(campaign.id)
    assert await rig.counts(campaign) == {"sending": 10, "cancelled": 10}
    assert await rig.ids("lane") == {}


async def test_a_paused_campaign_whose_people_nobody_could_serve_goes_on_when_somebody_can(rig: Rig) -> None:
    await rig.sync([sender(0, reach="US")])
    await rig.rate("a", 10_000)
    campaign = await rig.push(chunk_of(british(10)))
    await rig.outbox.pause(campaign.id)
    await rig.sync([sender(0)])
    await evict(rig)
    await rig.outbox.resume(campaign.id)
    assert set(await spin(rig, campaign)) == set(british(10))


async def test_what_nobody_may_send_keeps_nothing_from_being_planned(rig: Rig) -> None:
    await rig.sync([sender(0, reach="US")])
    chunks = [chunk_of(british(20)), chunk_of(people(5))]
    campaign = await rig.push(*chunks, plan=False)
    await rig.plan(campaign, 0, chunks[0])
    assert (await rig.take(low_water=10)).hungry == [campaign.id]
    assert f"plan:{campaign.id}" in await rig.outbox.chores.due(1)
    await rig.check(campaign)


async def test_status_and_the_message_say_that_nobody_may_send_it(rig: Rig) -> None:
    await rig.sync([sender(0, reach="US")])
    campaign = await rig.push(chunk_of(mixed(3)))
    wait = await wait_of(rig.outbox, MessageId(campaign.id, 0, 3))
    assert "no sender of the pool may send to its country" in wait.why
    assert wait.ahead == 1
    assert (await rig.outbox.profile(PROFILE)).unserved == 3
    assert (await wait_of(rig.outbox, MessageId(campaign.id, 0, 2))).lane == "any~US"


async def test_a_kept_sender_serves_its_people_and_nobody_new(rig: Rig) -> None:
    await rig.sync([sender(0)])
    await rig.rate("a", 10_000)
    await rig.push(chunk_of(people(20)))
    await rig.take_all(20)
    await rig.sync([sender(0, kept=True), sender(1)])
    campaign = await rig.push(chunk_of(people(60)))
    held = await sent(rig, 60)
    assert {held[to] for to in people(20)} == {1}
    assert {held[to] for to in people(40, 20)} == {2}
    await rig.check(campaign)


async def test_a_kept_sender_is_paced_and_keeps_its_people_only_where_it_reaches(rig: Rig) -> None:
    await rig.sync([sender(0)])
    await rig.rate("a", 10_000)
    await rig.push(chunk_of(mixed(10)))
    await rig.take_all(20)
    await asyncio.sleep(0.12)
    await rig.sync([sender(0, rate=2, kept=True, reach="US"), sender(1)])
    await rig.push(chunk_of(mixed(10)))
    held = {g.to: g.sender for g in (await rig.take()).grants}
    assert {held[to] for to in british(10)} == {2}
    assert len([to for to in people(10) if to in held]) <= 1


async def test_the_class_that_a_person_hears_of_is_the_one_that_lua_chose(rig: Rig) -> None:
    reaches = ["US", "GB", "!GB", "*", "US,GB"]
    await rig.sync([sender(n, rate=n + 1, reach=reach) for n, reach in enumerate(reaches)], geomatch=True)
    campaign = await rig.push(chunk_of(mixed(40)))
    lanes = set()
    for offset in range(80):
        lanes.add((await wait_of(rig.outbox, MessageId(campaign.id, 0, offset))).lane)
    assert lanes == {name.split(".")[1] for name in await rig.ids("lane")}


async def test_the_router_says_before_what_lua_does_after(rig: Rig) -> None:
    kinds = [sender(0, reach="US,CA"), sender(1, type="alphanumeric"), sender(2, kept=True)]
    await rig.sync(kinds, routes={"GB": ("alphanumeric",)})
    router = await rig.outbox.router(PROFILE)
    assert (router.types(people(1)[0]), router.types(british(1)[0])) == (("long_code",), ("alphanumeric",))
    assert router.reachable(4915123456789) is False, "its kept sender serves nobody new"
    assert [router.serves(country) for country in ("US", "CA", "GB", "DE", "JM", "JE")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    await rig.sync([sender(0)])
    router = await rig.outbox.router(PROFILE)
    assert router.serves("DE")
    assert router.types(4915123456789) == ("long_code",)
    assert not (await rig.outbox.router("nobody")).reachable(people(1)[0])
