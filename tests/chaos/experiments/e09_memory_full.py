"""9: Redis has no memory left: intake is refused, what is in it is sent and settled, and with room again all goes on."""

import asyncio

from tests.chaos.registry import Run, experiment
from tests.chaos.stage import TEMPLATE, Stage, stage
from volley.sandbox.config import PROFILE_ID

FULL, ROOM = "1mb", "0"
REFUSED = 75
"""Exit code of a command that should be tried again later."""
RATE = 100.0


async def _play(run: Run, *how: str) -> None:
    seconds, times = run.pick(10, 30), run.pick(2, 3)
    people = int(1.5 * seconds * times * RATE / 1.15)
    run.settings |= {"messages": people, "times_full": times, "full_s": seconds / 2, "maxmemory_when_full": FULL}
    async with stage(senders=8, rate=RATE / 4, account_rate=RATE) as play:
        await play.serve()
        for _ in range(2):
            await play.worker(*how)
        await play.push(people)
        await play.until_left(people - 100)
        codes, sent, least = [], [], []
        for number in range(times):
            await asyncio.sleep(run.dice.uniform(0.2, 0.4) * seconds)
            await _memory(play, FULL)
            before, keys = await play.counts(), await _chunks(play)
            codes.append(await _push(play, number))
            fresh = await _chunks(play) - keys
            run.expect(f"nothing of push {number + 1} is left behind", not fresh, len(fresh))
            await asyncio.sleep(seconds / 2)
            sent.append((await play.counts()).get("submitted", 0) - before.get("submitted", 0))
            least.append(min(before.get("ready", 0), int(seconds / 4 * RATE / 1.15)))
            await _memory(play, ROOM)
        run.did(f"the memory full {times} times")
        run.expect("intake is refused", set(codes) == {REFUSED}, f"exit codes {codes}")
        goes_on = all(count >= fair for count, fair in zip(sent, least, strict=True))
        run.expect("sending goes on", goes_on, f"{sent} while it was full, at least {least}")
        if not run.control:
            run.expect("with room again a push is taken", await _push(play, times) == 0, "exit code 0")
            await play.drained(people / RATE * 2 + 60)
            await play.receipted()
        run.judged(await play.judge(open_allowed=run.control, priced=not run.control))


async def _memory(play: Stage, most: str) -> None:
    await play.redis.execute_command("CONFIG", "SET", "maxmemory", most)


async def _chunks(play: Stage) -> set[bytes]:
    return set(await play.redis.keys(play.outbox.keys.of("chunk").replace("{", "[{]").replace("}", "[}]") + "*"))


async def _push(play: Stage, number: int) -> int:
    file = play.folder / f"more-{number}.csv"
    rows = "".join(f"+1212557{number}{n:03},N,Bye.\n" for n in range(50))
    file.write_text(f"to,name,more\n{rows}")
    words = ("send", str(file), "--yes", "--profile", PROFILE_ID, "--template", TEMPLATE)
    command = play.start("send", "volley", *words)
    await command.begin()
    return await command.gone()


async def _control(run: Run) -> None:
    await _play(run, "--without", "leave")


@experiment(9, "Redis's memory is full", control=_control, without="the scripts' leave to go on", reds=("sending", "L"))
async def memory_full(run: Run) -> None:
    await _play(run)
