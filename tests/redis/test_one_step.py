"""A push of a few messages: its chunk is stored in the very step that seals it, or nothing of it is there."""

import pytest

from tests.redis.conftest import PROFILE, Rig, chunk_of, people
from volley.campaign import Campaign, new_campaign_id
from volley.embedded import EmbeddedValkey
from volley.errors import TryAgainLater, UnusableInput
from volley.outbox.chunks import decode, encode
from volley.outbox.connect import client
from volley.outbox.outbox import Outbox
from volley.outbox.pushes import Chunk, Claimed
from volley.outbox.scripts import BarrierFailed

CHUNK = chunk_of(people(3))
LAST = Chunk(0, encode(CHUNK), len(CHUNK))


def campaign(**fields: object) -> Campaign:
    facts = {"profile": PROFILE, "template": "hello", "accepted": len(CHUNK), "chunks": 1, **fields}
    return Campaign(new_campaign_id(), **facts)  # type: ignore[arg-type]


async def kept(rig: Rig, name: str) -> list[int]:
    keys = rig.keys
    held = (keys.chunk(name, 0), keys.of("states", f"{name}:0"), keys.campaign(name))
    return [int(await rig.redis.execute_command("EXISTS", key)) for key in held]


async def test_it_is_there_as_if_it_had_been_stored_before(rig: Rig) -> None:
    await rig.pool()
    mine = campaign()
    sealed = await rig.outbox.seal(mine, key_ttl_s=60, last=LAST)
    assert (sealed.campaign_id, sealed.existing) == (mine.id, False)
    assert decode(await rig.redis.get(rig.keys.chunk(mine.id, 0)) or b"").to == CHUNK.to
    [flight] = await rig.take_all(3)
    assert len(flight.grants) == 3
    again = await rig.outbox.seal(mine, key_ttl_s=60, last=LAST)
    assert (again.campaign_id, again.existing) == (mine.id, True), "the answer to the first one was lost"
    await rig.check(mine)


@pytest.mark.parametrize("known", [(), ("admit",), ("seal",), ("plan",), ("admit", "seal"), ("seal", "plan")])
async def test_a_server_that_does_not_know_all_scripts_is_told_and_all_is_done_once(
    rig: Rig, known: tuple[str, ...]
) -> None:
    """As after a restart, a failover, or an update of which others have loaded some."""
    await rig.pool()
    await rig.outbox.chores.alive("drain:0")
    await rig.redis.execute_command("SCRIPT", "FLUSH")
    for name in known:
        await rig.redis.script_load(rig.outbox.scripts._sources[name])
    mine = campaign()
    assert await rig.outbox.seal(mine, key_ttl_s=60, last=LAST) == (mine.id, False, True)
    assert await kept(rig, mine.id) == [1, 1, 1]
    assert len((await rig.take()).grants) == 3
    await rig.check(mine)


async def test_a_replica_that_knows_no_script_is_left_as_the_wrong_server(rig: Rig, valkey: EmbeddedValkey) -> None:
    """It confirms no write either; but then nobody would look for the primary."""
    await rig.pool()
    await rig.redis.execute_command("SCRIPT", "FLUSH")
    mine, redis = campaign(), client(valkey.url)
    await rig.redis.execute_command("REPLICAOF", "127.0.0.1", 1)
    try:
        with pytest.raises(TryAgainLater, match="not the primary"):
            await Outbox(redis, "test").seal(mine, key_ttl_s=60, last=LAST)
    finally:
        await rig.redis.execute_command("REPLICAOF", "NO", "ONE")
        await redis.aclose()
    assert await kept(rig, mine.id) == [0, 0, 0]


async def test_it_is_not_told_as_sealed_before_it_is_known_to_be_on_the_disk(rig: Rig) -> None:
    """It ran, and nobody knows whether a crash of the server would leave it there: whoever asks again has what it made."""
    await rig.pool()
    mine = campaign()
    with pytest.raises(BarrierFailed, match="replicas"):
        await Outbox(rig.redis, "test", replicas=1).seal(mine, key_ttl_s=60, last=LAST)
    other = campaign()
    await rig.redis.execute_command("CONFIG", "SET", "appendfsync", "no")
    try:
        with pytest.raises(BarrierFailed, match="on its disk"):
            await rig.outbox.seal(other, key_ttl_s=60, last=LAST)
    finally:
        await rig.redis.execute_command("CONFIG", "SET", "appendfsync", "always")
    for each in (mine, other):
        again = await rig.outbox.seal(each, key_ttl_s=60, last=LAST)
        assert (again.campaign_id, again.existing) == (each.id, True)


async def test_where_another_has_claimed_one_of_its_keys_nothing_of_it_stays(rig: Rig) -> None:
    await rig.pool()
    first = campaign(claims=(("k1", "mark [[0, 0]]"),))
    assert not (await rig.outbox.seal(first, key_ttl_s=60, last=LAST)).existing
    second = campaign(claims=(("k2", "mark [[0, 0]]"), ("k1", "mark [[0, 1]]")))
    with pytest.raises(Claimed) as refused:
        await rig.outbox.seal(second, key_ttl_s=60, last=LAST)
    assert refused.value.key == "k1"
    assert await kept(rig, second.id) == [0, 0, 0]
    assert await rig.outbox.find_key("k1") == (first.id, "mark [[0, 0]]")
    assert await rig.outbox.find_key("k2") is None


@pytest.mark.parametrize(
    ("bounds", "words"), [({"ledger_bound": 1}, "ledger is behind"), ({"memory_high_water": 0}, "full")]
)
async def test_where_its_chunk_is_not_taken_it_is_not_sealed_and_is_told_why(
    rig: Rig, bounds: dict[str, int], words: str
) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(2, 50)))
    await rig.push(chunk_of(people(2, 60)))
    if "memory_high_water" in bounds:
        await rig.redis.execute_command("CONFIG", "SET", "maxmemory", 100_000_000)
    mine = campaign(claims=(("k1", "mark []"),), idempotency_key="its-own")
    try:
        with pytest.raises(TryAgainLater, match=words):
            await Outbox(rig.redis, "test", **bounds).seal(mine, key_ttl_s=60, last=LAST)
    finally:
        await rig.redis.execute_command("CONFIG", "SET", "maxmemory", 0)
    assert await kept(rig, mine.id) == [0, 0, 0]
    assert await rig.outbox.find_key("k1") is None
    assert await rig.outbox.find_key("its-own") is None


async def test_of_a_profile_that_is_not_known_nothing_stays(rig: Rig) -> None:
    await rig.pool()
    mine = campaign(profile="another")
    with pytest.raises(UnusableInput, match="another is not known"):
        await rig.outbox.seal(mine, key_ttl_s=60, last=LAST)
    assert await kept(rig, mine.id) == [0, 0, 0]


async def test_opt_outs_are_those_of_the_profile_also_when_it_has_another_index_than_before(rig: Rig) -> None:
    await rig.pool()
    first, second, third = people(3)
    await rig.outbox.add_optouts(PROFILE, [first])
    for _ in range(2):
        assert await rig.outbox.opted_out(PROFILE, [first, second]) == {first}
    assert await rig.outbox.opted_out("another", [first]) == set()
    await rig.redis.execute_command("FLUSHDB")
    await rig.sync([], profile="another")
    await rig.outbox.add_optouts("another", [third])
    await rig.pool()
    await rig.outbox.add_optouts(PROFILE, [second])
    assert await rig.outbox.opted_out(PROFILE, [first, second, third]) == {second}
    assert await rig.outbox.opted_out("another", [first, second, third]) == {third}
