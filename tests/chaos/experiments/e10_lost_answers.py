"""10: the carrier takes a message and its answer is lost. It is asked again only where that cannot make a second one."""

import asyncio

from tests.chaos.oracle import accepted, message_of
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import FIRST_LOOK_S, Stage, stage
from volley.sandbox.config import ReceiptSpec
from volley.sandbox.fault_rule import FaultRule

RECORDS_S = 600.0
RATE = 250.0
"""All of it has gone out before the first message is looked at again, so that what is lost can be counted."""
OFF, DEFERRED = ReceiptSpec(mode="off"), ReceiptSpec(mode="defer")


async def _lose(run: Run, play: Stage, people: int) -> set[object]:
    """A campaign of which every fifth answer is lost; those messages."""
    await play.fail(FaultRule(kind="lost", share=0.2))
    await play.push(people)
    await play.drained(people / 80 + 60)
    await play.fail()
    lost = {message_of(each) for each in accepted((await play.books()).arrivals) if each.fault == "lost"}
    counts = await play.counts()
    run.expect("unknown is what has no answer", counts.get("unknown", 0) == len(lost), f"{counts}, {len(lost)} lost")
    return lost


async def _honoured(run: Run) -> None:
    people = run.pick(300, 2_000)
    async with stage(rate=RATE, account_rate=RATE, receipts=OFF, idempotency="honoured") as play:
        await play.serve()
        await play.probe()
        await play.worker()
        lost = await _lose(run, play, people)
        took_s = await play.drained(FIRST_LOOK_S + people / 50 + 60, resolved=True)
        again = sum(1 for each in (await play.books()).arrivals if each.result == "replayed")
        run.did(
            f"key honoured: {len(lost)} of {people} answers lost, {again} asked again, all known {took_s:.0f} s later"
        )
        run.figures |= {"lost, honoured": len(lost), "repeated": again}
        run.expect("honoured: each is asked once", again == len(lost), f"{again} repeats for {len(lost)}")
        run.judged(await play.judge(), "honoured")


async def _ignored(run: Run) -> None:
    people = run.pick(300, 2_000)
    async with stage(rate=RATE, account_rate=RATE, receipts=DEFERRED, idempotency="ignored") as play:
        await play.serve()
        await play.probe()
        await play.worker()
        lost = await _lose(run, play, people)
        await asyncio.sleep(FIRST_LOOK_S * 1.5)
        unknown = (await play.counts()).get("unknown", 0)
        again = len((await play.books()).arrivals) - people
        run.expect(
            "ignored: they are held, none is asked again", (unknown, again) == (len(lost), 0), f"{unknown}, {again}"
        )
        await play.carrier("POST", "/_sandbox/receipts")
        took_s = await play.drained(60, resolved=True)
        await play.receipted()
        run.did(
            f"key ignored: {len(lost)} of {people} answers lost, held, known {took_s:.0f} s after the webhooks came"
        )
        run.figures |= {"lost, ignored": len(lost)}
        run.judged(await play.judge(), "ignored")


async def _recorded(run: Run) -> None:
    """No receipts, no keys: what is left are the carrier's records, which have no reference of ours."""
    people = 200
    async with stage(receipts=OFF, idempotency="ignored") as play:
        await play.serve()
        await play.probe()
        await play.worker()
        lost = await _lose(run, play, people)
        took_s = await play.drained(RECORDS_S, resolved=True)
        again = len((await play.books()).arrivals) - people
        run.did(f"no receipts: {len(lost)} of {people} answers lost, all known by records {took_s:.0f} s later")
        run.figures |= {"lost, recorded": len(lost)}
        run.expect("recorded: none is asked again", again == 0, f"{again} more POSTs")
        run.judged(await play.judge(), "recorded")


async def _control(run: Run) -> None:
    async with stage(receipts=OFF, idempotency="ignored") as play:
        await play.worker("--without", "perhaps")
        await _lose(run, play, run.pick(150, 1_000))
        run.judged(await play.judge(unknown_allowed=True))


@experiment(
    10,
    "a fifth of the answers lost after the carrier took the message",
    control=_control,
    without="PerhapsSent: no answer counts as not sent",
    reds=("D",),
)
async def lost_answers(run: Run) -> None:
    cases = [_honoured(run), _ignored(run)]
    # records are asked for messages older than two minutes, a few a minute: too long for the short form
    await asyncio.gather(*cases, *([] if run.short else [_recorded(run)]))
