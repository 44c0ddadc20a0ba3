"""STOP and START: in whatever order and however often they arrive, the opt-outs end as if they had arrived in order."""

import itertools

import pytest

from tests.redis.conftest import OTHER_PROFILE, PROFILE, Rig, chunk_of, people
from volley.outbox.inbound import REMEMBERED_US, Heard, InboundRecord, Said, Word, hear, keep, person, unpack

ADA = 12025550000


def text(event_id: str = "event-1", words: str = "hello", keyword: str = "") -> InboundRecord:
    return InboundRecord(event_id, 1, 2, "carrier-1", PROFILE, f"+{ADA}", "+12025559000", words, [], keyword)


def word(keyword: str, at_us: int, profile: str = PROFILE) -> Said:
    return Said(None, Word(profile, ADA, keyword, at_us))


async def out(rig: Rig) -> bool:
    return ADA in await rig.outbox.opted_out(PROFILE, [ADA])


ORDERS = list(itertools.permutations([("stop", 1), ("start", 2), ("stop", 3), ("start", 3)]))


@pytest.mark.parametrize("order", ORDERS)
async def test_words_count_in_the_order_in_which_they_were_said(rig: Rig, order: tuple[tuple[str, int], ...]) -> None:
    await rig.pool()
    now = await rig.now_us()
    for keyword, at in (*order, *order):
        await hear(rig.outbox, [word(keyword, now + at)])
    assert await out(rig)
    await hear(rig.outbox, [word("start", now + 4)])
    assert not await out(rig)


@pytest.mark.parametrize("order", ORDERS[::5])
async def test_it_is_the_same_when_they_come_in_one_write(rig: Rig, order: tuple[tuple[str, int], ...]) -> None:
    await rig.pool()
    now = await rig.now_us()
    heard = await hear(rig.outbox, [word(keyword, now + at) for keyword, at in order])
    assert await out(rig)
    assert heard.added - heard.removed == 1


async def test_a_start_that_is_older_than_anything_remembered_removes_nobody(rig: Rig) -> None:
    await rig.pool()
    now = await rig.now_us()
    await rig.outbox.add_optouts(PROFILE, [ADA])
    await hear(rig.outbox, [word("start", now - REMEMBERED_US - 1)])
    assert await out(rig)
    await hear(rig.outbox, [word("start", now)])
    assert not await out(rig)


async def test_a_stop_counts_however_late_it_comes(rig: Rig) -> None:
    await rig.pool()
    await hear(rig.outbox, [word("stop", await rig.now_us() - 2 * REMEMBERED_US)])
    assert await out(rig)


async def test_words_are_forgotten_in_time_and_opt_outs_are_not(rig: Rig) -> None:
    await rig.pool()
    now = await rig.now_us()
    await hear(rig.outbox, [word("stop", now)])
    said = rig.keys.of("said")
    [who] = await rig.redis.zrange(said, 0, -1)
    await rig.redis.zadd(said, {who.decode(): now - REMEMBERED_US - 10_000_000})
    await hear(rig.outbox, [Said(text(), None)])
    assert await rig.redis.zrange(said, 0, -1) == []
    assert await out(rig)


async def test_a_word_is_for_one_profile(rig: Rig) -> None:
    await rig.pool()
    await rig.sync([], profile=OTHER_PROFILE)
    await hear(rig.outbox, [word("stop", await rig.now_us())])
    assert await rig.outbox.opted_out(OTHER_PROFILE, [ADA]) == set()


async def test_a_text_for_a_profile_that_nobody_synced_is_kept_and_counted(rig: Rig) -> None:
    said = Said(text(words="STOP", keyword="stop"), Word("nobody's", ADA, "stop", 1))
    assert await hear(rig.outbox, [said]) == Heard(1, 0, 1)
    told = {fields[b"k"]: fields[b"p"] for _, fields in await rig.redis.xrange(rig.keys.ledger)}  # type: ignore[attr-defined]
    assert unpack(told[b"inbound"]) == [said.record]
    assert told[b"optouts"] == f"nobody's {ADA} 1 1".encode()


async def test_what_people_said_to_a_profile_counts_from_its_first_sync_on(rig: Rig) -> None:
    await rig.pool()
    for keyword, at in (("start", 5), ("stop", 6), ("start", 4)):
        assert (await hear(rig.outbox, [word(keyword, at, OTHER_PROFILE)])).unknown == 1
    assert await rig.outbox.profile_index(OTHER_PROFILE) is None
    await rig.sync([], profile=OTHER_PROFILE)
    assert await rig.outbox.opted_out(OTHER_PROFILE, [ADA]) == {ADA}
    assert not await out(rig)
    await hear(rig.outbox, [word("start", await rig.now_us(), OTHER_PROFILE)])
    assert await rig.outbox.opted_out(OTHER_PROFILE, [ADA]) == set()
    assert sorted(await rig.redis.hkeys(rig.keys.of("sequence"))) == [b"profile", b"sender"]


async def test_a_word_for_no_profile_at_all_is_counted_and_no_more(rig: Rig) -> None:
    assert await hear(rig.outbox, [word("stop", 1, "")]) == Heard(0, 0, 1)
    assert await rig.redis.keys(rig.keys.of("optout", "*")) == []


async def test_words_are_told_to_the_ledger_where_they_count(rig: Rig) -> None:
    await rig.pool()
    now = await rig.now_us()
    await hear(rig.outbox, [word("stop", now)])
    assert await rig.outbox.ledger_length() == 1
    await hear(rig.outbox, [word("stop", now - 1)])
    assert await rig.outbox.ledger_length() == 1


async def test_whoever_says_stop_while_a_message_waits_does_not_get_it(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    await hear(rig.outbox, [Said(text(words="STOP", keyword="stop"), Word(PROFILE, ADA, "stop", await rig.now_us()))])
    flights = await rig.take_all(2)
    assert ADA not in [grant.to for flight in flights for grant in flight.grants]
    assert await rig.counts(campaign) == {"opted_out": 1, "sending": 2}


async def test_what_cannot_be_read_is_kept_while_there_is_room(rig: Rig) -> None:
    assert await keep(rig.outbox, b"\xffsms_id=1", "no event")
    [(_, fields)] = await rig.redis.xrange(rig.keys.ledger)  # type: ignore[attr-defined]
    assert (fields[b"k"], fields[b"b"], fields[b"e"]) == (b"unreadable", b"\xffsms_id=1", b"no event")
    rig.outbox.ledger_bound = 1
    assert not await keep(rig.outbox, b"more", "no event")


@pytest.mark.parametrize(
    ("number", "expected"),
    [("+12025550000", ADA), ("12345", None), ("+0123456789", None), ("ACME", None), ("", None), ("+" + "1" * 40, None)],
)
def test_only_a_whole_number_is_a_person(number: str, expected: int | None) -> None:
    assert person(number) == expected


async def test_a_stop_that_comes_late_does_not_undo_what_was_removed_by_hand(rig: Rig) -> None:
    await rig.pool()
    before = await rig.now_us()
    await hear(rig.outbox, [word("stop", before)])
    await rig.outbox.remove_optouts(PROFILE, [ADA])
    await hear(rig.outbox, [word("stop", before)])
    assert not await out(rig)
    await hear(rig.outbox, [word("stop", await rig.now_us() + 1)])
    assert await out(rig)
