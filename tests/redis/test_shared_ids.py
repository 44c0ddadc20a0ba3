"""An alphanumeric sender ID that several profiles have: a sender of its own in each, and one rate at the carrier."""

from decimal import Decimal

from tests.redis.conftest import OTHER_PROFILE, PROFILE, Rig, chunk_of, people, sender
from volley.campaign import Campaign
from volley.sender import Sender

BOTH = (PROFILE, OTHER_PROFILE)
NAME = "ACME 24"


def acme(profile: str, rate: int = 1000, **fields: object) -> Sender:
    return Sender(NAME, "alphanumeric", profile, rate_milli=rate * 1000, **fields)  # type: ignore[arg-type]


async def synced(rig: Rig, rate: int = 1000) -> None:
    for profile in BOTH:
        await rig.sync([acme(profile, rate)], profile=profile)
    await rig.rate("a", 10_000)


async def named(rig: Rig, profile: str, count: int = 5, start: int = 0) -> Campaign:
    return await rig.push(chunk_of(people(count, start)), profile=profile, sender=NAME)


async def grants(rig: Rig, n: int) -> dict[str, set[int]]:
    """Campaign → indices of its senders."""
    found: dict[str, set[int]] = {}
    for flight in await rig.take_all(n):
        for grant in flight.grants:
            found.setdefault(grant.campaign, set()).add(grant.sender)
    return found


async def test_both_profiles_keep_the_id_however_often_the_other_is_synced(rig: Rig) -> None:
    assert [await rig.outbox.sync_senders(p, [acme(p)]) for p in (*BOTH, *BOTH)] == [(1, 0), (1, 0), (0, 0), (0, 0)]
    views = [view for profile in BOTH for view in await rig.outbox.senders(profile)]
    assert [(view.sender.number, view.sender.profile, view.sender.active) for view in views] == [
        (NAME, profile, True) for profile in BOTH
    ]
    assert len({view.index for view in views}) == 2


async def test_each_campaign_goes_by_its_own_profiles_sender_and_grants_name_the_plain_id(rig: Rig) -> None:
    await synced(rig)
    campaigns = [await named(rig, profile) for profile in BOTH]
    sent = await grants(rig, 10)
    members = await rig.outbox.dispatch.members()
    for campaign, profile in zip(campaigns, BOTH, strict=True):
        [index] = sent[campaign.id]
        member = members[index]
        assert (member.number, member.type) == (NAME, "alphanumeric")
        assert member.profile_index == await rig.outbox.profile_index(profile)
    assert set((await rig.outbox.sender_numbers()).values()) == {NAME}


async def test_one_profile_loses_the_id_and_the_other_goes_on(rig: Rig) -> None:
    await synced(rig)
    waiting = await named(rig, PROFILE)
    assert await rig.outbox.sync_senders(PROFILE, [sender(0)]) == (1, 1)
    going = await named(rig, OTHER_PROFILE)
    assert set(await grants(rig, 5)) == {going.id}
    seen = {
        view.sender.profile: view.sender.active for view in await rig.outbox.senders() if view.sender.number == NAME
    }
    assert seen == {PROFILE: False, OTHER_PROFILE: True}
    await rig.check(waiting, going)


async def test_an_id_is_withdrawn_from_one_profile_alone(rig: Rig) -> None:
    await synced(rig)
    assert await rig.outbox.withdraw([acme(OTHER_PROFILE)]) == 1
    going, waiting = [await named(rig, profile) for profile in BOTH]
    assert set(await grants(rig, 5)) == {going.id}
    await rig.check(going, waiting)


async def test_an_id_rests_for_one_profile_alone(rig: Rig) -> None:
    await synced(rig)
    assert await rig.outbox.rest(60, "told by a receipt", profile=PROFILE, number=NAME)
    assert not await rig.outbox.rest(60, "whose?", number=NAME)
    waiting, going = [await named(rig, profile) for profile in BOTH]
    assert set(await grants(rig, 5)) == {going.id}
    [rest] = await rig.outbox.rests()
    assert (rest.what, rest.name) == ("sender", NAME)
    await rig.check(waiting, going)


async def test_the_ids_rate_holds_over_all_its_profiles(rig: Rig) -> None:
    await synced(rig, rate=10)
    await rig.outbox.set_rates(Decimal(1000), {}, campaigns={})
    for profile in BOTH:
        await named(rig, profile, 40)
    moments = sorted(grant.moment_us for flight in await rig.take_all(20) for grant in flight.grants)
    assert moments[-1] - moments[0] >= 19 * 100_000 - 300_000


async def test_what_an_earlier_release_kept_under_the_plain_id_is_taken_over(rig: Rig) -> None:
    await synced(rig)
    key = rig.keys.of("senderinfo")
    held = await rig.redis.hget(key, f"{NAME}@{OTHER_PROFILE}")
    await rig.redis.hdel(key, f"{NAME}@{PROFILE}", f"{NAME}@{OTHER_PROFILE}")
    await rig.redis.hset(key, NAME, held)
    for profile in BOTH:
        await rig.outbox.sync_senders(profile, [acme(profile)])
    assert sorted(view.sender.profile for view in await rig.outbox.senders()) == sorted(BOTH)
    assert NAME.encode() not in await rig.redis.hgetall(key)
