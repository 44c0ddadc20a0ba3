"""12: the carrier takes a message and its answer is of no use; a complete status line of success is enough all the same."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson
from aiohttp import web

from tests.chaos.oracle import accepted, identified, message_of
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.sandbox.config import ReceiptSpec
from volley.sandbox.fault_rule import FaultRule

DEFERRED = ReceiptSpec(mode="defer")
"""The carrier's reports come when we ask for them: what is known without them is looked at first."""

HARMED = tuple(FaultRule(kind=kind, every=6) for kind in ("truncated", "not_json", "cut_body", "lost"))
HUGE = b'{"data": {"id": "' + b"9" * (1 << 20) + b'"}}'
ODD = (
    HUGE,
    b"{}",
    b"[]",
    b"null",
    b'{"data": null}',
    b'{"data": {"id": 17, "parts": "many", "cost": [], "to": "x"}}',
    b'{"data": {"id": null, "parts": -3, "cost": {"amount": "free", "currency": 4}}}',
    b'{"errors": []}',
)
"""Bodies that stand in for what the carrier said, each under a status of success."""


@asynccontextmanager
async def _odd_carrier(play: Stage) -> AsyncIterator[str]:
    """Between worker and carrier: passes every POST on, and answers with the next of ODD in place of every second answer."""
    seen = 0
    async with aiohttp.ClientSession() as session:

        async def pass_on(request: web.BaseRequest) -> web.Response:
            nonlocal seen
            raw = await request.read()
            heads = {name: value for name, value in request.headers.items() if name.lower() != "host"}
            async with session.post(play.sandbox.root + request.path_qs, data=raw, headers=heads) as answer:
                body = await answer.read()
            seen += 1
            if seen % 2 == 0:
                body = ODD[seen // 2 % len(ODD)]
            return web.Response(status=answer.status, body=body, content_type="application/json")

        runner = web.ServerRunner(web.Server(pass_on))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v2"
        finally:
            await runner.cleanup()


async def _harmed(run: Run, *how: str) -> None:
    people = run.pick(300, 3_000)
    receipts = DEFERRED if not run.control else ReceiptSpec(mode="off")
    async with stage(receipts=receipts, idempotency="ignored") as play:
        await play.serve()
        await play.fail(*HARMED)
        await play.worker(*how)
        await play.push(people)
        await play.drained(people / 80 + 60)
        cut = {message_of(each) for each in accepted((await play.books()).arrivals) if each.fault == "lost"}
        counts = await play.counts()
        run.did(f"of {people} answers every sixth cut short, no JSON, cut in its body, cut before its status line")
        if not run.control:
            good = counts == {"submitted": people - len(cut), "unknown": len(cut)}
            run.expect("unknown are exactly those without a status line", good, f"{counts}, {len(cut)} without")
        await _told(run, play, "harmed")


async def _odd(run: Run) -> None:
    people = run.pick(200, 2_000)
    async with stage(receipts=DEFERRED, idempotency="ignored") as play, _odd_carrier(play) as url:
        await play.serve()
        await play.worker(TELNYX_BASE_URL=url)
        await play.push(people)
        await play.drained(people / 80 + 60)
        counts = await play.counts()
        run.did(f"every second of {people} answers of 1 MB or of another shape")
        run.expect("all of them count as taken", counts == {"submitted": people}, counts)
        nameless = (await play.books()).ledger or {}
        missing = sum(1 for row in nameless.values() if not row.carrier_id)
        run.expect("the odd ones are without the carrier's id at first", missing > 0, f"{missing} of {people}")
        await _told(run, play, "odd")


async def _told(run: Run, play: Stage, case: str) -> None:
    """The carrier reports; then everything is known."""
    if not run.control:
        await play.carrier("POST", "/_sandbox/receipts", orjson.dumps({"limit": 1_000_000}))
        await play.drained(60, resolved=True)
        await play.receipted()
        run.judged([identified(await play.books())], case)
    run.judged(await play.judge(unknown_allowed=run.control, priced=not run.control), case)


async def _control(run: Run) -> None:
    await _harmed(run, "--without", "perhaps")


@experiment(
    12,
    "answers that are cut, no JSON, huge or of another shape",
    control=_control,
    without="PerhapsSent: no answer counts as not sent",
    reds=("D",),
)
async def bad_answers(run: Run) -> None:
    await _harmed(run)
    await _odd(run)
