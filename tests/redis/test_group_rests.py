"""A limit of a registered campaign concerns all its senders, and nobody else; and what people see of a rest."""

import pytest

from tests.redis.conftest import OTHER_PROFILE, PROFILE, Rig, chunk_of, people, sender


async def granted(rig: Rig, n: int = 200) -> set[int]:
    return {grant.sender for flight in await rig.take_all(n) for grant in flight.grants}


@pytest.mark.parametrize("told", [0, 1])
async def test_a_registered_campaign_rests_with_all_its_senders_and_no_other(rig: Rig, told: int) -> None:
    await rig.sync([sender(0, group="CX"), sender(1, group="CX"), sender(2)])
    await rig.rate("a", 10_000)
    assert await rig.outbox.rest(60, "40018", number=sender(told).number, group=True)
    assert not await rig.outbox.rest(59, "40018", number=sender(1 - told).number, group=True), "told already"
    campaign = await rig.push(chunk_of(people(200)))
    assert await granted(rig) == {3}
    assert [(rest.what, rest.name) for rest in await rig.outbox.rests()] == [("group", "CX")]
    await rig.check(campaign)


async def test_a_sender_in_no_registered_campaign_rests_alone(rig: Rig) -> None:
    await rig.sync([sender(0), sender(1)])
    await rig.rate("a", 10_000)
    assert await rig.outbox.rest(60, "40018", number=sender(0).number, group=True)
    await rig.push(chunk_of(people(200)))
    assert await granted(rig) == {2}
    assert not await rig.outbox.rest(60, "40018", number="+12025551111", group=True)


async def test_a_queue_knows_how_long_it_rests_by_its_own_rest_or_the_accounts(rig: Rig) -> None:
    await rig.sync([sender(0)])
    await rig.sync([sender(9, profile=OTHER_PROFILE)], profile=OTHER_PROFILE)

    async def rests_s() -> list[int]:
        views = {each.profile: each for each in await rig.outbox.profiles()}
        found = [views[name] for name in (PROFILE, OTHER_PROFILE)]
        return [round((each.rests_until_us - each.now_us) / 1e6) if each.rests_until_us else 0 for each in found]

    assert await rests_s() == [0, 0]
    assert await rig.outbox.rest(600, "40333", profile=PROFILE)
    assert await rests_s() == [600, 0]
    assert await rig.outbox.rest(60, "10011")
    assert await rests_s() == [600, 60]
