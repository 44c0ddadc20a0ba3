"""What is kept for a while goes by itself, also where whoever was to clear it away never comes."""

from producer.access.keys import make
from producer.web.pushing import Allowance
from tests.redis.conftest import Rig, chunk_of, people
from volley.outbox import hours

DAY_S = 86_400
NIGHT = "21:00-08:00"


async def ends_in_s(rig: Rig, name: str, *ids: object) -> int:
    """-1: never, -2: it is not there."""
    return int(await rig.redis.execute_command("TTL", rig.keys.of(name, *ids)))


async def test_what_was_retried_is_forgotten_where_nobody_retries_any_more(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(1)))
    await rig.redis.zadd(rig.keys.of("retried"), {"of long ago": 1})
    await rig.outbox.scripts.durable("retry", campaign.id, "")
    assert await rig.redis.zrange(rig.keys.of("retried"), 0, -1) == [campaign.id.encode()]
    assert 8 * DAY_S - 60 < await ends_in_s(rig, "retried") <= 8 * DAY_S


async def test_windows_of_a_push_that_is_never_sealed_end_and_those_of_a_campaign_stay(rig: Rig) -> None:
    """Its producer died between the two."""
    await rig.pool(1)
    zones = ("America/New_York",)
    await hours.reckon(rig.outbox.scripts, "0123456789abcdef", NIGHT, zones, (0,))
    assert 0 < await ends_in_s(rig, "hours", "0123456789abcdef") <= 7200
    campaign = await rig.push(chunk_of(people(1)), quiet_hours=NIGHT, zones=zones, chunk_zones=(0,))
    assert await ends_in_s(rig, "hours", campaign.id) == -1
    await hours.again(rig.outbox.scripts, campaign.id)
    assert await ends_in_s(rig, "hours", campaign.id) == -1


async def test_what_a_key_has_pushed_in_a_day_is_forgotten_whoever_counted_it_first(rig: Rig) -> None:
    who, _ = make("test", "shop", frozenset({"send"}), 1, daily=10)
    allowance = Allowance(rig.outbox, who)
    [day] = {allowance._name}
    await rig.redis.execute_command("HINCRBY", day, who.id, 2)  # who has counted these died before it said until when
    await allowance.take(3)
    assert 0 < int(await rig.redis.execute_command("TTL", day)) <= 2 * DAY_S
    await rig.redis.delete(day)
    await allowance.give_back()
    assert 0 < int(await rig.redis.execute_command("TTL", day)) <= 2 * DAY_S
