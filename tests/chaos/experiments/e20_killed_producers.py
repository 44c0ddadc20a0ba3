"""20: whenever a producer dies, and however many push the same at once: exactly one campaign, whole or none."""

import asyncio
import csv
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos.oracle import accepted
from tests.chaos.processes import Process
from tests.chaos.producer_at import POINTS
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import TEMPLATE, Stage, stage
from volley.campaign import Campaign
from volley.outbox.chunks import SIZE
from volley.sandbox.config import PROFILE_ID

CLIENTS = 20
SEALED = {"seal-script", "seal", "print"}
"""Points behind which there is a campaign."""
PATIENCE_S = 90


async def _play(run: Run, *without: str) -> None:
    people = run.pick(520, 2_600)
    run.settings |= {"people_a_push": people, "chunks_a_push": -(-people // SIZE), "clients_at_once": CLIENTS}
    async with stage(senders=10, rate=60, account_rate=500) as play:
        await play.serve()
        await play.worker()
        for point, number in [("admit", 2)] if run.control else _everywhere(people):
            await _killed(run, play, people, point, number, *without)
        await _all_at_once(run, play, people, CLIENTS // 4 if run.control else CLIENTS, *without)
        await play.drained()
        await play.receipted()
        run.judged(await play.judge())
        run.expect("nobody twice, over all campaigns", not await _reached_again(play), await _reached_again(play))
        run.expect("what no campaign has is in line to be dropped", not await _strays(play), await _strays(play))


def _everywhere(people: int) -> list[tuple[str, int]]:
    """Every point of a push, and which pass of it."""
    chunks = range(1, -(-people // SIZE) + 1)
    return [*(("admit", number) for number in chunks), *((point, 1) for point in sorted(POINTS.keys() - {"admit"}))]


async def _killed(run: Run, play: Stage, people: int, point: str, number: int, *without: str) -> None:
    """One push that dies at a point, then the same push again, with a key of its own or the one of its content."""
    key = run.dice.choice(("", f"key-{point}-{number}"))
    file = _file(play, people, f"{point}-{number}.csv")
    before = await _ids(play)
    dead = await _send(play, file, key, "--at", point, "--pass", str(number), *without)
    code = await dead.gone(PATIENCE_S)
    case = f"{point} {number}"
    run.did(f"kill -9 at {case}")
    run.expect(f"{case}: it died there", code == -signal.SIGKILL, code)
    made = await _new(play, before)
    right = [each.accepted for each in made] == ([people] if point in SEALED else [])
    run.expect(f"{case}: whole or none", right, [each.accepted for each in made])
    again = await _send(play, file, key, *without)
    code = await again.gone(PATIENCE_S)
    made = await _new(play, before)
    said = _said(again)
    same = [each.id for each in made] == [said.get("campaign_id")] and said.get("accepted") == people
    run.expect(f"{case}: the same again is one campaign", code == 0 and same, (code, [each.accepted for each in made]))


async def _all_at_once(run: Run, play: Stage, people: int, count: int, *without: str) -> None:
    """Clients that all stand just before the seal and go on together; some are killed on the way."""
    file, before, key = _file(play, people, "together.csv"), await _ids(play), "one-key-for-all"
    clients = [await _send(play, file, key, "--at", "seal-before", "--do", "stop", *without) for _ in range(count)]
    await asyncio.gather(*(client.stopped(PATIENCE_S) for client in clients))
    victims = run.dice.sample(clients, count // 4)
    for client in run.dice.sample(clients, count):
        client.signal(signal.SIGCONT)
        if client in victims:
            await asyncio.sleep(run.dice.uniform(0, 0.01))
            client.signal(signal.SIGKILL)
    codes = await asyncio.gather(*(client.gone(PATIENCE_S) for client in clients))
    run.did(f"{count} pushes of one key at once, {len(victims)} of them killed on the way")
    made = await _new(play, before)
    named = {_said(client).get("campaign_id") for client, code in zip(clients, codes, strict=True) if code == 0}
    run.expect("together: one campaign", [each.accepted for each in made] == [people], [each.accepted for each in made])
    run.expect("together: all that live name it", named == {each.id for each in made}, f"{codes.count(0)} × exit 0")
    again = await _send(play, file, key, *without)
    code = await again.gone(PATIENCE_S)
    run.expect("together: the same again is that campaign", code == 0 and len(await _new(play, before)) == 1, code)


def _file(play: Stage, people: int, name: str) -> Path:
    path = play.folder / name
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ("to", "name", "more"))
        writer.writeheader()
        writer.writerows(play.rows(play.people(people)))
    return path


async def _send(play: Stage, file: Path, key: str, *how: str) -> Process:
    words = ["send", str(file), "--yes", "--json", "--profile", PROFILE_ID, "--template", TEMPLATE]
    once = ["--idempotency-key", key] if key else []
    made = play.start("send", "tests.chaos.producer_at", *how, "--", *words, *once)
    await made.begin()
    return made


def _said(client: Process) -> dict[str, Any]:
    """The JSON object that it printed; empty if it did not come so far."""
    text = client.log.read_text()
    if "{" not in text:
        return {}
    found: dict[str, Any] = json.JSONDecoder().raw_decode(text[text.index("{") :])[0]
    return found


async def _ids(play: Stage) -> set[str]:
    return {view.campaign.id for view in await play.outbox.campaigns()}


async def _new(play: Stage, before: set[str]) -> list[Campaign]:
    return [view.campaign for view in await play.outbox.campaigns() if view.campaign.id not in before]


async def _reached_again(play: Stage) -> list[str]:
    people = Counter(each.to for each in accepted((await play.books()).arrivals))
    return [to for to, times in people.items() if times > 1][:5]


async def _strays(play: Stage) -> list[str]:
    """Chunks in Redis that no campaign owns and that are in no line to be dropped."""
    keys = play.outbox.keys
    known = await _ids(play) | {each.decode() for each in await play.redis.zrange(keys.of("open"), 0, -1)}
    found = [name.decode() for name in await play.redis.keys(keys.of("chunk") + "*")]
    return [name for name in found if name.removeprefix(keys.of("chunk")).split(":")[0] not in known][:5]


async def _control(run: Run) -> None:
    """Keys that nobody looks at, and chunks that may go before all of them are there."""
    await _play(run, "--without", "once", "--without", "whole")


@experiment(
    20,
    "producers: kill -9 at each point of a push, and 20 clients with one key at once",
    control=_control,
    without="idempotency keys and the seal of the whole",
)
async def killed_producers(run: Run) -> None:
    await _play(run)
