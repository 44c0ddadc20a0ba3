"""What failed for good goes once more where a person wants it: under a new key, and never what somebody may have got."""

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from producer.push.redrive import refs, stored
from producer.push.retry import retry, why_failed
from tests.flow.sending.conftest import US, Opening, Scene
from tests.flow.sending.test_redrive import keys
from volley.errors import TryAgainLater, UnusableInput
from volley.ledger.dead import Corpse
from volley.outbox.chunks import decode
from volley.outbox.events import ReceiptRecord
from volley.state import RETRIES_ARG

BLOCKED = {"errors": [{"code": "40310", "title": "Invalid 'to' address"}]}
PEOPLE = [US + n for n in range(4)]


async def opened(opening: Opening) -> tuple[Scene, str]:
    """Four messages: two are refused for good, two are submitted; the chunk has left Redis."""
    scene: Scene = await opening()
    await scene.sync("long_code")
    scene.wire.refusals["POST"] = [(400, BLOCKED)] * 2
    campaign_id = await scene.sent(await scene.push(PEOPLE))
    return scene, campaign_id


async def by_status(scene: Scene, campaign_id: str, status: str) -> list[dict[str, Any]]:
    return [line for line in (await scene.export(campaign_id)).values() if line["status"] == status]


def told(line: dict[str, Any], status: str, code: str = "") -> ReceiptRecord:
    campaign, chunk, offset = line["message_id"].rsplit("-", 2)
    now = time.time_ns() // 1000
    return ReceiptRecord(
        f"{status}-{line['carrier_id']}", "message.finalized", now, now, campaign, int(chunk), int(offset), line["carrier_id"],
        status, line["from"] or "", line["to"], "GSM-7", 1, 4000, -1, -1, "USD", now, now, code, code and "why",
    )  # fmt: skip


async def work(scene: Scene, campaign_id: str) -> None:
    async with scene.working():
        await scene.until_settled(campaign_id)
    await scene.recorder.catch_up()


async def again(scene: Scene, campaign_id: str, *codes: str) -> int:
    return (await retry(scene.settings, scene.outbox, campaign_id, codes, patience_s=0.2)).messages


async def test_what_was_refused_goes_under_a_new_key_and_all_else_is_left_alone(opening: Opening) -> None:
    scene, campaign_id = await opened(opening)
    refused = [line["to"] for line in await by_status(scene, campaign_id, "refused")]
    [reason] = await why_failed(scene.settings, campaign_id)
    assert (reason.status, reason.error_code, reason.messages) == ("refused", "40310", 2)
    assert await again(scene, campaign_id, "40008") == 0
    assert await again(scene, campaign_id, "40310") == 2
    assert {line["to"] for line in await by_status(scene, campaign_id, "ready")} == set(refused)
    await work(scene, campaign_id)
    lines = await scene.export(campaign_id)
    assert {to: (line["status"], keys(scene, to)) for to, line in lines.items()} == {
        to: ("submitted", ["g0", "g1"] if to in refused else ["g0"]) for to in lines
    }
    view = await scene.outbox.campaign(campaign_id)
    assert view is not None
    assert {status: n for status, n in view.counts.items() if n} == {"submitted": 4}


async def test_what_was_not_delivered_goes_once_more_and_old_receipts_say_nothing_of_it(opening: Opening) -> None:
    scene, campaign_id = await opened(opening)
    lost, arrived = await by_status(scene, campaign_id, "submitted")
    await scene.outbox.apply_receipts([told(lost, "delivery_failed", "40001"), told(arrived, "delivered")])
    await scene.recorder.catch_up()
    assert await again(scene, campaign_id, "40001") == 1
    assert [line["to"] for line in await by_status(scene, campaign_id, "ready")] == [lost["to"]]
    stale = told(lost, "delivery_failed", "40001")._replace(event_id="once more")
    await scene.outbox.apply_receipts([stale, told(lost, "sent")])
    assert [line["to"] for line in await by_status(scene, campaign_id, "ready")] == [lost["to"]]
    await work(scene, campaign_id)
    assert keys(scene, lost["to"]) == ["g0", "g1"]
    assert keys(scene, arrived["to"]) == ["g0"]
    line = (await scene.export(campaign_id))[lost["to"]]
    assert (line["status"], line["attempts"]) == ("submitted", 2)
    assert line["carrier_id"] != lost["carrier_id"]
    await scene.outbox.apply_receipts([stale._replace(event_id="and again")])
    assert (await scene.export(campaign_id))[lost["to"]]["status"] == "submitted"
    await scene.outbox.apply_receipts([told(line, "delivered")])
    assert (await scene.export(campaign_id))[lost["to"]]["status"] == "delivered"


async def test_what_was_delivered_after_all_is_not_sent_again(opening: Opening) -> None:
    """The carrier contradicts itself while the message waits."""
    scene, campaign_id = await opened(opening)
    lost, _ = await by_status(scene, campaign_id, "submitted")
    await scene.outbox.apply_receipts([told(lost, "delivery_failed", "40001")])
    await scene.recorder.catch_up()
    assert await again(scene, campaign_id, "40001") == 1
    await scene.outbox.apply_receipts([told(lost, "delivered")])
    await work(scene, campaign_id)
    assert keys(scene, lost["to"]) == ["g0"]
    assert (await scene.export(campaign_id))[lost["to"]]["status"] == "delivered"


async def test_who_has_read_an_older_ledger_sends_nobody_twice(opening: Opening) -> None:
    """One reads that a message was not delivered; another retries it, and it goes; only then the first one acts."""
    scene, campaign_id = await opened(opening)
    lost, _ = await by_status(scene, campaign_id, "submitted")
    await scene.outbox.apply_receipts([told(lost, "delivery_failed", "40001")])
    await scene.recorder.catch_up()
    turn = int(await scene.outbox.scripts.durable("retry", campaign_id, ""))
    assert await again(scene, campaign_id, "40001") == 1
    await work(scene, campaign_id)
    async with scene.working():
        blob = await stored(scene.outbox, scene.reader._engine, campaign_id, 0)
        offset = int(lost["message_id"].rsplit("-", 1)[1])
        packed = refs(0, decode(blob), [Corpse(offset, 1)])
        late = ("retry", campaign_id, turn, RETRIES_ARG, 0, 8, packed, "a", b"")
        assert await scene.outbox.scripts.durable(*late) == -3
        await scene.until_settled(campaign_id)
    assert len(keys(scene, lost["to"])) == 2


async def test_what_is_delivered_after_the_ledger_was_read_is_not_sent_again(opening: Opening) -> None:
    """Its chunk has left Redis, where nothing is left of it that could say so."""
    scene, campaign_id = await opened(opening)
    lost, _ = await by_status(scene, campaign_id, "submitted")
    await scene.outbox.apply_receipts([told(lost, "delivery_failed", "40001")])
    await scene.recorder.catch_up()
    turn = int(await scene.outbox.scripts.durable("retry", campaign_id, ""))
    await scene.outbox.apply_receipts([told(lost, "delivered")])
    blob = await stored(scene.outbox, scene.reader._engine, campaign_id, 0)
    packed = refs(0, decode(blob), [Corpse(int(lost["message_id"].rsplit("-", 1)[1]), 1)])
    late = ("retry", campaign_id, turn, RETRIES_ARG, 0, 8, packed, "a", b"")
    assert await scene.outbox.scripts.durable(*late) == 0
    await scene.recorder.catch_up()
    assert await again(scene, campaign_id, "40310") == 2, "of all others nothing is held back"
    assert campaign_id.encode() not in await scene.outbox.redis.zrange(scene.outbox.keys.of("retried"), 0, -1)
    await scene.recorder.catch_up()
    assert (await scene.export(campaign_id))[lost["to"]]["status"] == "delivered"


async def test_nothing_is_retried_while_the_ledger_is_behind(opening: Opening) -> None:
    scene, campaign_id = await opened(opening)
    lost, _ = await by_status(scene, campaign_id, "submitted")
    await scene.outbox.apply_receipts([told(lost, "delivery_failed", "40001")])
    with pytest.raises(TryAgainLater, match="volley serve"):
        await again(scene, campaign_id, "40001", "40310")
    assert len(scene.wire.posts) == 4


async def test_what_nobody_knew_of_at_some_time_is_left_alone(opening: Opening) -> None:
    """The answer was lost: the message may have been there before the attempt that failed."""
    scene, campaign_id = await opened(opening)
    lost, other = await by_status(scene, campaign_id, "submitted")
    index, offset = (int(part) for part in lost["message_id"].rsplit("-", 2)[1:])
    await scene.outbox.apply_receipts([told(line, "delivery_failed", "40001") for line in (lost, other)])
    from volley.outbox.events import MOVE, NOBODY

    moved = MOVE.pack(campaign_id.encode(), index, offset, b"?", NOBODY, 1)
    entry = {"v": "1", "k": "moves", "p": moved, "w": "reap", "t": "1"}
    await scene.outbox.redis.xadd(scene.outbox.keys.ledger, entry)  # type: ignore[attr-defined]
    await scene.recorder.catch_up()
    result = await retry(scene.settings, scene.outbox, campaign_id, ["40001"])
    assert (result.messages, result.uncertain) == (1, 1)


async def test_nothing_of_a_campaign_that_is_over_is_retried(opening: Opening) -> None:
    scene, campaign_id = await opened(opening)
    with pytest.raises(UnusableInput, match="name the errors"):
        await again(scene, campaign_id)
    await scene.outbox.cancel(campaign_id)
    with pytest.raises(UnusableInput, match="cancelled"):
        await again(scene, campaign_id, "40310")
    with pytest.raises(UnusableInput, match="no campaign"):
        await again(scene, "0" * 16, "40310")


async def test_the_command_tells_the_classes_and_retries_them(
    opening: Opening, volley: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    scene, campaign_id = await opened(opening)
    env = {"VOLLEY_REDIS_URL": scene.settings.redis_url, "VOLLEY_LEDGER_URL": scene.settings.ledger}
    listed = json.loads(volley("campaigns", "retry", campaign_id, "--json", **env).stdout)["failed"]
    assert [(each["status"], each["error_code"], each["messages"]) for each in listed] == [("refused", "40310", 2)]
    assert "40310" in volley("campaigns", "retry", campaign_id, **env).stdout
    unasked = volley("campaigns", "retry", campaign_id, "--error", "40310", **env)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    done = volley("campaigns", "retry", campaign_id, "--error", "40310", "--yes", "--json", **env)
    assert json.loads(done.stdout) == {"campaign_id": campaign_id, "messages": 2, "uncertain": 0}
