"""What people hear who ask why: the bottleneck that is known to be there, its numbers, and an end that comes when it was said."""

import asyncio

import pytest

from producer.sight.facts import Money
from producer.sight.overview import status as told
from producer.sight.sight import Sight
from producer.sight.why import Answer, why
from tests.redis.conftest import PROFILE, Rig, chunk_of, people, sender
from tests.redis.test_quiet_hours import CLOSED, OPEN, plan_all, windows
from tests.redis.test_quiet_hours import push as quiet_push
from volley.campaign import Campaign
from volley.errors import UnusableInput
from volley.outbox.dispatch import CREDIT_US, Flight
from volley.sender import Sender, carrier_pool

SHOWN = {"host": "h", "pid": 1, "started_us": 1, "in_flight": 0, "rate": 0}
HOUR_US = 3_600_000_000


@pytest.fixture
async def fleet(rig: Rig) -> Rig:
    """With a worker that lives and takes nothing."""
    await rig.outbox.chores.show("w1", SHOWN)
    return rig


async def ask(rig: Rig, what: Campaign | str) -> Answer:
    return await why(Sight(rig.outbox, "test"), rig.outbox, what if isinstance(what, str) else what.id)


def causes(answer: Answer) -> dict[str, str]:
    """The first of each kind."""
    return {cause.cause: cause.says for cause in reversed(answer.causes)}


async def push(rig: Rig, n: int, start: int = 0, **fields: object) -> Campaign:
    return await rig.push(chunk_of(people(n, start)), parts=n, **fields)


async def drained_s(rig: Rig, campaign: Campaign) -> tuple[float, float]:
    """Takes and settles until nothing of it is ready: how long that took, and the same without what was lost as no take came in time."""
    began = before = await rig.now_us()
    lost_us = 0
    async with asyncio.timeout(60):
        while (await rig.counts(campaign)).get("ready"):
            flight = await rig.take()
            lost_us += max(0, flight.now_us - before - CREDIT_US)
            before = flight.now_us
            if flight.grants:
                await rig.settle(flight, "a")
            await asyncio.sleep(0.01)
    took_us = before - began
    return took_us / 1e6, (took_us - lost_us) / 1e6


async def test_people_pinned_to_a_slow_sender_are_named_with_its_number_and_its_end(fleet: Rig) -> None:
    await fleet.sync([sender(0, 10), sender(1, 1000)])
    await fleet.rate("a", 10_000)
    pinned = people(30)
    first = await push(fleet, 30, sender=None)
    await drained_s(fleet, first)
    slow = (await fleet.outbox.sender_numbers(), sender(0).number)
    index = next(index for index, number in slow[0].items() if number == slow[1])
    profile = await fleet.outbox.profile_index(PROFILE)
    assert profile is not None
    day = await fleet.now_us() // 86_400_000_000
    for person in pinned:
        await fleet.redis.hset(
            fleet.keys.pin(profile, person),
            mapping={person.to_bytes(8, "big"): index * 100_000 + day},  # type: ignore[dict-item]
        )
    campaign = await fleet.push(chunk_of([*pinned, *people(20, 500)]), parts=50)
    answer = await ask(fleet, campaign)
    said = causes(answer)["pinned"]
    assert said.startswith(f"30 messages are pinned to {sender(0).number}, 10/s: ends ")
    assert answer.causes[0].cause == "pinned", "the last to end comes first"
    assert answer.seconds is not None
    took, punctual = await drained_s(fleet, campaign)
    assert answer.seconds * 0.6 <= took
    assert punctual <= answer.seconds * 1.3 + 0.5


@pytest.mark.parametrize(
    ("bucket", "rate", "fields", "cause", "words"),
    [
        ("a", 20, {}, "account_rate", "the account's 20/s"),
        ("p1", 20, {}, "profile_rate", "the profile's 20/s"),
        ("a", 10_000, {"rate_milli": 20_000}, "campaign_rate", "its own cap, 20/s"),
        ("m", 20, {"media": ("https://example.com/a.png",)}, "mms_rate", "20 MMS a second"),
    ],
)
async def test_the_narrowest_rate_is_named_and_its_end_comes(
    fleet: Rig, bucket: str, rate: float, fields: dict[str, object], cause: str, words: str
) -> None:
    await fleet.sync([sender(n, 1000, mms=True) for n in range(3)])
    await fleet.rate("a", 10_000)
    await fleet.rate(bucket, rate)
    campaign = await push(fleet, 40, **fields)
    answer = await ask(fleet, campaign)
    [flow] = [each for each in answer.causes if each.cause == cause]
    assert words in flow.says
    assert flow.says.startswith("40 messages go at")
    assert answer.seconds == pytest.approx(2.0, abs=0.1)
    took, punctual = await drained_s(fleet, campaign)
    assert answer.seconds * 0.6 <= took
    assert punctual <= answer.seconds * 1.3 + 0.5


async def test_a_small_pool_is_the_bottleneck_where_it_is_one(fleet: Rig) -> None:
    await fleet.pool(2, rate=10)
    campaign = await push(fleet, 40)
    answer = await ask(fleet, campaign)
    assert "its pool of 2 senders, 20/s" in causes(answer)["senders"]
    assert answer.seconds == pytest.approx(2.0, abs=0.1)


async def test_a_campaign_beside_others_hears_what_it_has_of_the_rate(fleet: Rig) -> None:
    await fleet.pool(3)
    await fleet.rate("a", 40)
    campaign = await push(fleet, 20, weight=1)
    await push(fleet, 90, 100, weight=3)
    said = causes(await ask(fleet, campaign))["account_rate"]
    assert "of which it has 10/s beside other campaigns" in said


async def test_what_holds_everything_is_told_first_and_nobody_knows_the_end(rig: Rig) -> None:
    await rig.pool()
    campaign = await push(rig, 5)
    answer = await ask(rig, campaign)
    assert (answer.causes[0].cause, answer.seconds) == ("no_worker", None)
    await rig.outbox.chores.show("w1", {**SHOWN, "quiet": 1})
    answer = await ask(rig, campaign)
    assert (answer.causes[0].cause, answer.seconds) == ("no_worker", None)
    assert answer.causes[0].says.startswith("every worker is quiet")
    await rig.outbox.chores.show("w1", {**SHOWN, "quiet": 0})
    assert (await ask(rig, campaign)).seconds is not None
    await rig.outbox.dispatch.trip(await rig.now_us(), "HTTP 503")
    answer = await ask(rig, campaign)
    assert answer.causes[0].says.startswith("the carrier does not answer (HTTP 503)")
    assert answer.seconds is None


async def test_a_ledger_that_is_behind_is_told(fleet: Rig) -> None:
    await fleet.pool()
    campaign = await push(fleet, 5)
    fleet.outbox.ledger_bound = 0
    answer = await ask(fleet, campaign)
    assert answer.causes[0].says.startswith("the ledger is behind")
    assert answer.seconds is None


async def test_rests_of_account_and_profile_put_off_the_end(fleet: Rig) -> None:
    await fleet.pool()
    campaign = await push(fleet, 5)
    await fleet.outbox.dispatch.rest("p1", await fleet.now_us() + HOUR_US, "spend limit")
    answer = await ask(fleet, campaign)
    assert "rests until" in answer.causes[0].says
    assert "spend limit" in answer.causes[0].says
    assert answer.seconds == pytest.approx(3600, abs=5)


async def test_a_resting_or_missing_sender_of_its_own_is_named(fleet: Rig) -> None:
    await fleet.pool(2)
    campaign = await push(fleet, 4, sender=sender(1).number)
    assert f"named for {sender(1).number}, 1000/s" in causes(await ask(fleet, campaign))["named"]
    index = next(i for i, number in (await fleet.outbox.sender_numbers()).items() if number == sender(1).number)
    await fleet.outbox.dispatch.rest(f"s{index}", await fleet.now_us() + 30_000_000, "40318 queue full")
    assert "rests until" in causes(await ask(fleet, campaign))["rest"]
    await fleet.sync([sender(0)])
    assert "not in the pool" in causes(await ask(fleet, campaign))["sender_left"]


async def taken(rig: Rig) -> Flight:
    """One message, as soon as the rate lets it go."""
    for _ in range(500):
        if (flight := await rig.take(1)).grants:
            return flight
        await asyncio.sleep(0.02)
    raise AssertionError("nothing was granted")


async def test_pause_start_retry_unserved_unknown_and_expiry_are_told(fleet: Rig) -> None:
    await fleet.sync([sender(0, 10, reach="US")], {"long_code": 1}, routes={"GB": ("short_code",)})
    await fleet.rate("a", 1000)
    campaign = await fleet.push(
        chunk_of([*people(60), 447700900001]), parts=61, expires_us=await fleet.now_us() + 3_000_000
    )
    await fleet.settle(await taken(fleet), "?")
    await fleet.settle(await taken(fleet), ".", delay_us=60_000_000)
    said = causes(await ask(fleet, campaign))
    assert said["unserved"].startswith("1 messages go to countries that no sender")
    assert said["unknown"].startswith("of 1 messages nobody knows")
    assert "will not be sent by then" in said["expiry"]
    assert said["retry"].startswith("1 messages rest between two attempts, the first until ")
    await fleet.outbox.pause(campaign.id)
    answer = await ask(fleet, campaign)
    assert (answer.state, answer.seconds) == ("paused", None)
    assert causes(answer)["paused"] == f"it is paused: volley campaigns resume {campaign.id}"
    later = await push(fleet, 2, 300, start_us=await fleet.now_us() + HOUR_US)
    answer = await ask(fleet, later)
    assert causes(answer)["window"].startswith("2 messages wait for its start at ")
    assert answer.seconds == pytest.approx(3600, abs=5)
    message = await ask(fleet, f"{later.id}-0-1")
    assert message.causes[0].says.startswith("its campaign waits for its start at ")
    assert message.seconds == pytest.approx(3600, abs=5)


async def test_a_profile_and_a_message_may_be_asked_about_too(fleet: Rig) -> None:
    await fleet.pool(2, rate=10)
    campaign = await push(fleet, 20)
    profile = await ask(fleet, PROFILE)
    assert (profile.kind, profile.waiting) == ("profile", 20)
    assert any(cause.says.startswith(f"campaign {campaign.id}: 20 messages go at") for cause in profile.causes)
    assert profile.seconds is not None
    message = await ask(fleet, f"{campaign.id}-0-3")
    assert (message.kind, message.waiting) == ("message", 1)
    assert "it is in the lane of" in message.causes[0].says
    await drained_s(fleet, campaign)
    assert causes(await ask(fleet, PROFILE)) == {"nothing": "nothing of it waits"}


async def test_what_nobody_knows_is_an_error_that_says_so(fleet: Rig) -> None:
    with pytest.raises(UnusableInput, match="no campaign, message or profile"):
        await ask(fleet, "0000000000000000")


async def test_asking_writes_nothing(fleet: Rig) -> None:
    await fleet.pool()
    campaign = await push(fleet, 5)

    async def writes() -> int:
        return int((await fleet.redis.info("persistence"))["rdb_changes_since_last_save"])

    before = await writes()
    await ask(fleet, campaign)
    assert await writes() == before


async def test_a_budget_that_is_spent_is_told_and_nobody_knows_when_there_is_more(fleet: Rig) -> None:
    await fleet.pool(2)
    chunk = chunk_of(people(9))
    campaign = await fleet.open(chunk, budget_micros=4 * 4000 + 100, estimated_micros=36_000, parts=9)
    await fleet.outbox.seal(campaign, key_ttl_s=60, prices={"US": 4000})
    await fleet.plan(campaign, 0, chunk)
    flight = await fleet.take()
    assert len(flight.grants) == 4
    answer = await ask(fleet, campaign)
    assert answer.seconds is None
    assert causes(answer)["budget"].startswith("5 messages wait for more budget (0.0001 USD is left)")
    assert not [cause.says for cause in answer.causes if cause.ends or "ends" in cause.says]
    message = await ask(fleet, f"{campaign.id}-0-8")
    assert message.causes[0].says.startswith("its campaign waits for more budget (0.0001 USD is left)")
    assert message.seconds is None
    facts = await Sight(fleet.outbox, "test").facts()
    assert (facts.total.waits.budget, facts.total.due) == (5, 0)
    assert (facts.total.eta_seconds, facts.campaigns[0].eta_seconds) == (None, None)
    [held] = facts.campaigns
    assert (held.budget, held.budget_left) == (Money("0.0161", "USD"), Money("0.0001", "USD"))
    assert (facts.spend[0].budget_micros, facts.spend[0].budget_left_micros) == (16_100, 100)
    assert held.why.startswith("more budget")


async def test_people_for_whom_it_is_night_are_told_apart_from_those_who_wait_for_a_rate(fleet: Rig) -> None:
    await fleet.pool(2)
    campaign = await quiet_push(fleet, 5, 5, groups=(1, 0))
    await windows(fleet, campaign, OPEN, CLOSED)
    assert await plan_all(fleet, campaign, 5, 5) == [1]
    waits = (await Sight(fleet.outbox, "test").facts()).total.waits
    assert (waits.window, waits.rate, waits.retry) == (5, 5, 0)
    answer = await ask(fleet, campaign)
    assert causes(answer)["quiet_hours"].startswith("5 messages wait until the quiet hours of their people end")
    assert answer.seconds is None
    await fleet.redis.zadd(fleet.keys.of("asleep"), {campaign.id: await fleet.now_us() + HOUR_US})
    waits = (await Sight(fleet.outbox, "test").facts()).total.waits
    assert (waits.window, waits.due) == (10, 0), "all of it sleeps"


async def test_what_waits_by_its_terms_is_through_once_it_has_gone_and_keeps_no_queue_waiting(fleet: Rig) -> None:
    await fleet.pool(2)
    campaign = await quiet_push(fleet, 5, groups=(0,))
    await windows(fleet, campaign, CLOSED)
    await plan_all(fleet, campaign, 5)
    assert await fleet.take() is not None
    status = await told(fleet.outbox, "test", relaxed=False)
    assert (status["queues"][0]["depth"], status["queues"][0]["eta_seconds"]) == (5, None)
    [listed] = status["campaigns"]
    assert listed["waits_for"].startswith("the end of its recipients' quiet hours")
    assert listed["eta_seconds"] > 60
    await push(fleet, 4, 100)
    assert (await told(fleet.outbox, "test", relaxed=False))["queues"][0]["eta_seconds"] < 60


async def test_the_senders_that_are_counted_are_numbers(fleet: Rig) -> None:
    await fleet.sync([sender(0), sender(1), Sender(carrier_pool(PROFILE), "carrier_pool", PROFILE, rate_milli=1000)])
    campaign = await push(fleet, 3)
    assert "its pool of 2 senders" in causes(await ask(fleet, campaign))["senders"]
