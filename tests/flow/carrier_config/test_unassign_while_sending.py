"""A number is taken out of its profile while a campaign runs on it: nothing goes out from it, is lost, or goes twice."""

import asyncio
import os
import subprocess
from collections import Counter

from tests.commands import run_volley
from tests.flow.worker.conftest import World, people
from tests.flow.worker.conftest import world as world
from volley.sandbox.arrivals import read
from volley.sandbox.config import API_KEY, PROFILE_ID

SETTINGS = 'sticky = "always"\n'
RATES = "[rates]\naccount = 100000\nlong_code = 15\n"


async def command(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    (world.folder / "home" / "volley.toml").write_text(SETTINGS + RATES)
    env = {
        "PATH": os.environ["PATH"],
        "VOLLEY_HOME": str(world.folder / "home"),
        "VOLLEY_REDIS_URL": world.valkey.url,
        "TELNYX_API_KEY": API_KEY,
        "TELNYX_BASE_URL": world.sandbox.url,
    }
    done = await asyncio.to_thread(run_volley, "numbers", *words, env=env)
    assert done.returncode == 0, done.stderr
    return done


def sent_from(world: World) -> Counter[str]:
    """How much each number sent, accepted or not."""
    assert world.config.log is not None
    return Counter(arrival.sender for arrival in read(world.config.log))


async def test_a_number_that_is_unassigned_sends_nothing_more_and_its_messages_leave_from_others(world: World) -> None:
    await world.begin(rate=6)
    await world.worker()
    await world.until(await world.push(people(60)))
    gone = world.numbers[0]
    assert any(number == gone for number in (await world.pinned()).values())
    campaign = await world.push(people(500))
    await world.until(campaign, left=485)
    await command(world, "unassign", gone)
    before = sent_from(world)
    assert before[gone] > 0
    assert (await world.view(campaign)).waiting > 0
    assert await world.until(campaign) == {"submitted": 500}
    assert sent_from(world)[gone] == before[gone]
    assert world.reached() == {person: 2 if person in people(60) else 1 for person in people(500)}
    assert sent_from(world).total() == len(world.arrivals()) == 560
    theirs = [person for person, number in (await world.pinned()).items() if number == gone][:20]
    await world.until(await world.push(theirs))
    assert sent_from(world)[gone] == before[gone]
    pinned = await world.pinned()
    assert gone not in [pinned[person] for person in theirs]


async def test_many_are_unassigned_at_once_and_one_that_comes_back_sends_again(world: World) -> None:
    await world.begin(rate=6)
    await world.worker()
    campaign = await world.push(people(400))
    await world.until(campaign, left=385)
    gone = world.numbers[:2]
    await command(world, "unassign", *gone)
    before = sent_from(world)
    assert await world.until(campaign) == {"submitted": 400}
    assert {number: sent_from(world)[number] for number in gone} == {number: before[number] for number in gone}
    await command(world, "assign", gone[0], "--profile", PROFILE_ID)
    assert await world.until(await world.push(people(100, 1000))) == {"submitted": 100}
    assert sent_from(world)[gone[0]] > before[gone[0]]
    assert sent_from(world)[gone[1]] == before[gone[1]]
    assert world.reached() == dict.fromkeys(people(400) + people(100, 1000), 1)
    assert sent_from(world).total() == 500
