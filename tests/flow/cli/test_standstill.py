"""`volley status` says why nothing moves."""

import time
from typing import Any

import pytest
import redis.asyncio

from producer.cli.status import show
from producer.sight.overview import status
from tests.flow.cli.conftest import World
from tests.redis.conftest import PROFILE, Rig, chunk_of, people
from volley.embedded import EmbeddedValkey
from volley.outbox.outbox import Outbox


async def told(rig: Rig, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, object], list[str]]:
    document = await status(rig.outbox, "test", relaxed=False)
    show(document)
    return document, capsys.readouterr().out.splitlines()


async def test_rests_are_told_with_their_names_and_moments(
    db: redis.asyncio.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = Rig(Outbox(db, "test"))
    await rig.pool()
    assert (await told(rig, capsys))[0]["rests"] == []
    until_us = (time.time_ns() // 1_000_000_000 + 86_400) * 1_000_000
    for bucket, reason in (("s1", "40008 not valid"), ("p1", "spend limit"), ("a", "10009 Authentication failed")):
        await rig.outbox.dispatch.rest(bucket, until_us, reason)
    await rig.outbox.dispatch.rest("s2", 1, "this is over")
    document, lines = await told(rig, capsys)
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.000+00:00", time.gmtime(until_us / 1e6))
    number = (await rig.outbox.sender_numbers())[1]
    assert document["rests"] == [
        {"what": "account", "name": "test", "until": moment, "reason": "10009 Authentication failed"},
        {"what": "profile", "name": PROFILE, "until": moment, "reason": "spend limit"},
        {"what": "sender", "name": number, "until": moment, "reason": "40008 not valid"},
    ]
    clock = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(until_us / 1e6))
    assert lines[:3] == [
        f"the account rests until {clock}: 10009 Authentication failed",
        f"profile {PROFILE} rests until {clock}: spend limit",
        f"sender {number} rests until {clock}: 40008 not valid",
    ]


async def test_work_without_a_worker_a_pause_and_a_ledger_that_is_behind_are_told(
    db: redis.asyncio.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = Rig(Outbox(db, "test", ledger_bound=1))
    await rig.pool()
    assert (await told(rig, capsys))[0]["notes"] == []
    campaign = await rig.push(chunk_of(people(3)))
    await rig.outbox.pause(campaign.id)
    _, lines = await told(rig, capsys)
    assert lines[0] == "no worker is running: start volley worker, or volley up"
    assert lines[1].startswith("the ledger is behind: ")
    assert lines[2] == f"campaign {campaign.id} is paused: volley campaigns resume {campaign.id}"


async def test_a_carrier_that_does_not_answer_and_what_was_set_aside_are_told(
    db: redis.asyncio.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = Rig(Outbox(db, "test"))
    await rig.pool()
    campaign = await rig.push(chunk_of(people(20)))
    for _ in range(3):
        await rig.take(2, life_s=-1)
        await rig.outbox.chores.reap(50, -1_000_000)
    await rig.outbox.dispatch.trip(await rig.now_us(), "HTTP 503 Service unavailable")
    document, lines = await told(rig, capsys)
    assert [(rest["what"], rest["name"], rest["reason"]) for rest in document["rests"]] == [  # type: ignore[attr-defined]
        ("carrier", "test", "HTTP 503 Service unavailable")
    ]
    assert lines[0].startswith("the carrier does not answer (HTTP 503 Service unavailable): sending stands still")
    assert lines[1].startswith(f"14 messages of campaign {campaign.id} were set aside")
    assert f"volley campaigns redrive {campaign.id}" in lines[1]


def test_sync_dry_run_and_status_agree_on_what_a_weighted_pool_can_do(
    world: World, valkey: EmbeddedValkey, profile: str
) -> None:
    world.settings["VOLLEY_REDIS_URL"] = valkey.url
    (world.folder / "home" / "volley.toml").write_text("[rates]\naccount = 50\nlong_code = 0.1\ntoll_free = 20\n")
    synced = world.json("numbers", "sync", "--profile", profile)
    assert synced["weights"] == {"long_code": 1, "toll_free": 1}
    rows = "to\n" + "".join(f"+1212555{n:04d}\n" for n in range(40))
    dry: Any = world.json("send", "-", "--profile", profile, "--text", "hi", "--dry-run", stdin=rows)
    queues: Any = world.json("status")["queues"]
    [queue] = [each for each in queues if each["profile"] == profile]
    assert (synced["rate"], synced["allowed"], queue["allowed_rate"]) == (82, 4, 4)
    assert (dry["forecast"]["parts_per_second"], dry["forecast"]["seconds"]) == ("4", 10)
