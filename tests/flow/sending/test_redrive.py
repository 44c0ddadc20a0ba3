"""What was dead goes once more: under a new key, with its attempts counted on, even when its chunk has left Redis."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from producer.push.redrive import redrive
from tests.flow.sending.conftest import PROFILE_ID, US, Opening, Scene
from volley.errors import TryAgainLater, UnusableInput

INVALID = {"errors": [{"code": "40008", "title": "Undeliverable"}]}
PEOPLE = [US + n for n in range(4)]


async def with_dead(opening: Opening, **fields: Any) -> tuple[Scene, str]:
    """A campaign that is over: two of its four messages are dead, and the ledger has it all."""
    scene: Scene = await opening(max_attempts=1)
    await scene.sync("long_code")
    scene.wire.refusals["POST"] = [(400, INVALID)] * 2
    campaign_id = await scene.sent(await scene.push(PEOPLE, **fields))
    assert await scene.outbox.redis.get(scene.outbox.keys.chunk(campaign_id, 0)) is None, "its chunk has left Redis"
    return scene, campaign_id


def keys(scene: Scene, to: str) -> list[str]:
    return [each.key.rpartition("-")[2] for each in scene.wire.posts if each.body["to"] == to]


async def test_what_was_dead_is_sent_under_a_new_key_and_all_else_is_left_alone(opening: Opening) -> None:
    scene, campaign_id = await with_dead(opening)
    dead = [to for to, line in (await scene.export(campaign_id)).items() if line["status"] == "dead"]
    assert len(dead) == 2
    assert (await redrive(scene.settings, scene.outbox, campaign_id)).as_json() == {"messages": 2, "unrecorded": 0}
    assert {line["status"] for to, line in (await scene.export(campaign_id)).items() if to in dead} == {"ready"}
    assert (await redrive(scene.settings, scene.outbox, campaign_id)).messages == 0
    async with scene.working():
        await scene.until_settled(campaign_id)
    lines = await scene.export(campaign_id)
    assert {line["status"] for line in lines.values()} == {"submitted"}
    assert {to: (lines[to]["attempts"], keys(scene, to)) for to in lines} == {
        to: (2, ["g0", "g1"]) if to in dead else (1, ["g0"]) for to in lines
    }
    view = await scene.outbox.campaign(campaign_id)
    assert view is not None
    assert {status: n for status, n in view.counts.items() if n} == {"submitted": 4}
    assert await scene.outbox.redis.get(scene.outbox.keys.chunk(campaign_id, 0)) is None, "it has left Redis again"


async def test_what_is_dead_again_can_be_redriven_again(opening: Opening) -> None:
    scene, campaign_id = await with_dead(opening)
    await redrive(scene.settings, scene.outbox, campaign_id)
    scene.wire.refusals["POST"] = [(400, INVALID)] * 2
    async with scene.working():
        await scene.until_settled(campaign_id)
    await scene.recorder.catch_up()
    assert (await redrive(scene.settings, scene.outbox, campaign_id)).messages == 2
    async with scene.working():
        await scene.until_settled(campaign_id)
    lines = await scene.export(campaign_id)
    assert sorted((line["status"], line["attempts"]) for line in lines.values()) == [
        ("submitted", 1), ("submitted", 1), ("submitted", 3), ("submitted", 3),
    ]  # fmt: skip


async def test_nothing_of_a_campaign_that_is_over_is_redriven(opening: Opening) -> None:
    scene, campaign_id = await with_dead(opening)
    await scene.outbox.cancel(campaign_id)
    with pytest.raises(UnusableInput, match="cancelled"):
        await redrive(scene.settings, scene.outbox, campaign_id)
    with pytest.raises(UnusableInput, match="no campaign"):
        await redrive(scene.settings, scene.outbox, "0" * 16)
    assert len(scene.wire.posts) == 4


async def test_with_redis_full_a_redrive_is_refused_and_nothing_has_changed(opening: Opening) -> None:
    scene, campaign_id = await with_dead(opening)
    await scene.outbox.redis.execute_command("CONFIG", "SET", "maxmemory", "1mb")
    try:
        with pytest.raises(TryAgainLater, match="memory"):
            await redrive(scene.settings, scene.outbox, campaign_id)
    finally:
        await scene.outbox.redis.execute_command("CONFIG", "SET", "maxmemory", 0)
    assert (await redrive(scene.settings, scene.outbox, campaign_id)).messages == 2


async def test_the_commands_list_the_dead_and_redrive_them(
    opening: Opening, volley: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    scene, campaign_id = await with_dead(opening)
    env = {"VOLLEY_REDIS_URL": scene.settings.redis_url, "VOLLEY_LEDGER_URL": scene.settings.ledger}
    listed = json.loads(volley("campaigns", "dead", campaign_id, "--json", **env).stdout)["dead"]
    assert [(each["error_code"], each["attempts"], each["why"]) for each in listed] == [
        ("40008", 1, "its attempts are spent")
    ] * 2
    assert "40008" in volley("campaigns", "dead", campaign_id, **env).stdout
    unasked = volley("campaigns", "redrive", campaign_id, **env)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    done = volley("campaigns", "redrive", campaign_id, "--yes", "--json", **env)
    assert json.loads(done.stdout) == {"campaign_id": campaign_id, "messages": 2, "unrecorded": 0}
    assert volley("campaigns", "dead", "0" * 16, **env).returncode == 2
    shown = json.loads(volley("campaigns", "show", campaign_id, "--json", **env).stdout)
    assert (shown["counts"]["ready"], shown["set_aside"], shown["profile"]) == (2, [], PROFILE_ID)
