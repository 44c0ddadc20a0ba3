"""What a person hears of a message that waits: every place it can be in, found with plain reads."""

from tests.redis.conftest import PROFILE, Rig, chunk_of, people, sender
from volley.campaign import Campaign
from volley.message import MessageId
from volley.outbox.lanes import class_of
from volley.outbox.whereabouts import Wait, pinned_sender, wait_of

HOUR_US = 3_600_000_000
FACTS = {"host": "here", "pid": 1, "started_us": 1, "in_flight": 0, "rate": 0}


async def ask(rig: Rig, campaign: Campaign, chunk: int = 0, offset: int = 0) -> Wait:
    return await wait_of(rig.outbox, MessageId(campaign.id, chunk, offset))


async def rest(rig: Rig, bucket: str, reason: str, for_us: int = 2_000_000) -> int:
    until_us = await rig.now_us() + for_us
    await rig.outbox.dispatch.rest(bucket, until_us, reason)
    return until_us


async def index_of(rig: Rig, number: str) -> int:
    return next(index for index, held in (await rig.outbox.sender_numbers()).items() if held == number)


async def pin_by_sending(rig: Rig, person: list[int]) -> None:
    await rig.push(chunk_of(person))
    await rig.settle((await rig.take_all(1))[0], "a")


async def test_a_paused_campaigns_message_says_how_to_go_on(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    await rig.outbox.pause(campaign.id)
    wait = await ask(rig, campaign)
    assert wait.why == f"its campaign is paused: volley campaigns resume {campaign.id}"
    await rig.outbox.resume(campaign.id)
    assert "paused" not in (await ask(rig, campaign)).why


async def test_an_unplanned_message_says_how_many_chunks_are_before_it(rig: Rig) -> None:
    await rig.pool()
    chunks = [chunk_of(people(3, 10 * k)) for k in range(4)]
    campaign = await rig.push(*chunks, plan=False)
    await rig.plan(campaign, 0, chunks[0])
    wait = await ask(rig, campaign, 3)
    assert wait.why.startswith("it is not planned yet: chunks of its campaign before its own: 2")
    assert wait.ahead is None
    assert (await ask(rig, campaign, 0)).ahead == 0


async def test_a_message_between_two_attempts_says_when_it_is_tried_again(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    flight = await rig.take(1)
    await rig.settle(flight, ".", delay_us=60_000_000)
    due_us = (await rig.redis.zrange(rig.keys.of("later"), 0, -1, withscores=True))[0][1]
    wait = await ask(rig, campaign, 0, flight.grants[0].offset)
    assert wait.until_us == due_us
    assert wait.why.startswith("attempt 1 did not send it; it is tried again at ")


async def test_a_resting_senders_lane_says_whose_it_is_and_until_when(rig: Rig) -> None:
    await rig.pool(1)
    number = sender(0).number
    campaign = await rig.push(chunk_of(people(3)), sender=number)
    until_us = await rest(rig, f"s{await index_of(rig, number)}", "40318 queue full")
    wait = await ask(rig, campaign, 0, 2)
    assert (wait.lane, wait.ahead, wait.until_us) == (number, 2, until_us)
    assert f"the sender {number}, named by its campaign" in wait.why
    assert f"the sender {number} rests until" in wait.why
    assert "(40318 queue full)" in wait.why


async def test_a_long_rest_of_a_named_sender_holds_its_messages_and_says_so(rig: Rig) -> None:
    await rig.pool(2)
    number = sender(0).number
    campaign = await rig.push(chunk_of(people(3)), sender=number)
    until_us = await rest(rig, f"s{await index_of(rig, number)}", "blocked", 24 * HOUR_US)
    assert (await ask(rig, campaign)).until_us == until_us


async def test_account_and_profile_rests_are_told_and_the_longest_is_the_moment(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    await rest(rig, "a", "no credit")
    profile = await rig.outbox.profile_index(PROFILE)
    until_us = await rest(rig, f"p{profile}", "disabled", HOUR_US)
    wait = await ask(rig, campaign)
    assert wait.until_us == until_us
    assert "the account rests until" in wait.why
    assert "(disabled)" in wait.why


async def test_a_pinned_persons_message_is_in_the_lane_of_their_sender(rig: Rig) -> None:
    await rig.pool(3)
    person = people(1)
    await pin_by_sending(rig, person)
    number = await pinned_sender(rig.outbox, PROFILE, person[0])
    campaign = await rig.push(chunk_of(people(1, 50) + person))
    wait = await ask(rig, campaign, 0, 1)
    assert (wait.lane, wait.ahead) == (number, 0)
    assert "whom its person is pinned to" in wait.why
    assert (await ask(rig, campaign)).lane == "any"


async def test_a_person_pinned_after_planning_is_still_found_in_the_classes_lane(rig: Rig) -> None:
    await rig.pool(3)
    person = people(1)
    campaign = await rig.push(chunk_of(people(2, 50) + person))
    await rig.outbox.pause(campaign.id)
    await pin_by_sending(rig, person)
    await rig.outbox.resume(campaign.id)
    wait = await ask(rig, campaign, 0, 2)
    assert (wait.lane, wait.ahead) == ("any", 2)


async def test_far_back_in_a_long_lane_its_length_is_the_answer(rig: Rig) -> None:
    await rig.pool()
    chunks = [chunk_of(people(500, 500 * k)) for k in range(3)]
    campaign = await rig.push(*chunks)
    wait = await ask(rig, campaign, 2, 499)
    assert wait.ahead == 1499
    assert "before it: at most 1499" in wait.why


async def test_whoever_opted_out_meanwhile_is_told_of(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    await rig.outbox.add_optouts(PROFILE, people(1))
    assert "opted out meanwhile" in (await ask(rig, campaign)).why
    assert "opted out" not in (await ask(rig, campaign, 0, 1)).why


async def test_no_live_worker_is_a_reason_and_a_live_one_is_none(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    assert "no worker is alive" in (await ask(rig, campaign)).why
    await rig.outbox.chores.show("w1", FACTS)
    assert "no worker" not in (await ask(rig, campaign)).why


async def test_what_is_being_sent_by_now_says_so(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(1)))
    await rig.take()
    assert (await ask(rig, campaign)).state == "sending"


async def test_asking_changes_nothing(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    before = await rig.left()
    await ask(rig, campaign)
    assert await rig.left() == before
    await rig.check(campaign)


async def test_the_class_is_the_one_that_lua_chose(rig: Rig) -> None:
    kinds = {"long_code": 3, "toll_free": 2, "short_code": 1}
    await rig.sync([sender(n, type=kind) for n, kind in enumerate(kinds)], kinds)
    numbers = [*people(60), *(999_999_999_999_000 + n for n in range(60))]
    campaign = await rig.push(chunk_of(numbers))
    found = [(await ask(rig, campaign, 0, offset)).lane for offset in range(len(numbers))]
    assert set(found) == set(kinds)
    assert class_of("any 1", 12025550000, 7) == "any"


async def test_a_sender_that_does_not_serve_every_country_is_in_the_pool_all_the_same(rig: Rig) -> None:
    await rig.sync([sender(0, 0.1, reach="US"), sender(1, 0.1, type="alphanumeric")], sticky=True)
    await rig.rate("a", 1000)
    for number in (sender(0).number, sender(1).number):
        campaign = await rig.push(chunk_of(people(2)), sender=number)
        await rig.take_all(1)
        wait = await ask(rig, campaign, 0, (await rig.states(campaign)).index("."))
        assert "in the pool" not in wait.why
        assert "at its rate, the next sender is free at" in wait.why
