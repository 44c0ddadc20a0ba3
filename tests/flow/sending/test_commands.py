"""`volley send` after a real `volley numbers sync`: the options reach the wire, and people see what a push would be."""

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from producer.push.request import PushResult
from tests.flow.sending.conftest import CA, DE, GB, US, Opening, Scene
from volley.embedded import EmbeddedValkey
from volley.sandbox.config import API_KEY, PROFILE_ID, ProfileSpec

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Awaitable[Done]]
POOL = (("long_code", 2, 0), ("toll_free", 1, 0), ("alphanumeric", 1, 0))


@pytest.fixture
def command(valkey: EmbeddedValkey, volley: Callable[..., Done]) -> Callable[[Scene], Run]:
    """Commands of a scene's own Redis and carrier; `people` are on stdin."""

    def of(scene: Scene) -> Run:
        env = {"VOLLEY_REDIS_URL": valkey.url, "VOLLEY_HOME": str(scene.settings.home)}
        env |= {"TELNYX_API_KEY": API_KEY, "TELNYX_BASE_URL": scene.wire.url}

        async def run(*words: str, people: tuple[int, ...] = ()) -> Done:
            rows = "".join(f"+{number}\n" for number in people)
            return await asyncio.to_thread(volley, *words, stdin=f"to\n{rows}", **env)

        return run

    return of


async def synced(scene: Scene, run: Run) -> None:
    done = await run("numbers", "sync", "--profile", PROFILE_ID)
    assert done.returncode == 0, done.stderr


def send(*words: str) -> tuple[str, ...]:
    return ("send", "-", "--profile", PROFILE_ID, "--yes", *words)


async def test_after_a_sync_each_way_of_sending_reaches_the_wire(
    opening: Opening, command: Callable[[Scene], Run]
) -> None:
    scene = await opening({"profiles": (ProfileSpec(pool=POOL),)})
    run = command(scene)
    await synced(scene, run)
    [name], number = scene.pool["alphanumeric"], scene.pool["long_code"][0]
    mms = ("--media", "https://cdn.example.com/a.jpg", "--media", "https://cdn.example.com/b.jpg", "--no-media-check")
    ways: dict[str, tuple[str, ...]] = {
        "/messages": ("--text", "1", "--from", number),
        "/messages/number_pool": ("--text", "2", "--carrier-pool"),
        "/messages/alphanumeric_sender_id": ("--text", "3", "--from", name, "--fallback", number),
        "/messages/schedule": ("--text", "4", "--send-at", "2099-01-01T00:00Z"),
    }
    for path, words in ways.items():
        to = GB if "alphanumeric" in path else US
        done = await run(*send(*words), "--json", people=(to,))
        if path == "/messages/schedule":
            assert (done.returncode, "5 days ahead at most" in done.stderr) == (2, True)
            continue
        assert done.returncode == 0, done.stderr
        await scene.sent(PushResult(campaign_id=json.loads(done.stdout)["campaign_id"]))
        assert scene.wire.posts[-1].path == path
    done = await run(*send("--subject", "News", *mms), "--json", people=(US,))
    await scene.sent(PushResult(campaign_id=json.loads(done.stdout)["campaign_id"]))
    last = scene.wire.posts[-1].body
    assert (len(last["media_urls"]), last["subject"]) == (2, "News")


async def test_a_push_follows_the_profile_as_the_last_sync_found_it(
    opening: Opening, command: Callable[[Scene], Run]
) -> None:
    spec = ProfileSpec(
        pool=POOL,
        whitelisted_destinations=("US", "GB"),
        smart_encoding=True,
        daily_spend_limit="0.01",
        daily_spend_limit_enabled=True,
    )
    scene = await opening({"profiles": (spec,)})
    run = command(scene)
    await synced(scene, run)
    done = await run(*send("--text", "It’s here", "--dry-run", "--json"), people=(US, US + 1, CA, DE))
    told = json.loads(done.stdout)
    assert (done.returncode, told["accepted"], told["rejected"]) == (3, 2, 2)
    assert told["forecast"]["encodings"] == {"GSM-7": 2, "UCS-2": 0}
    assert "daily spend limit of 0.01 USD" in done.stderr
    assert "row 4: the profile does not allow CA" in done.stderr


async def test_a_dry_run_shows_routes_and_counts_to_people(scene: Scene, command: Callable[[Scene], Run]) -> None:
    await scene.sync("long_code", "toll_free", "alphanumeric", mms=True)
    run = command(scene)
    words = ("--from", scene.pool["alphanumeric"][0], "--fallback", scene.pool["toll_free"][0])
    shown = (await run(*send("--text", "Hi", "--dry-run", *words), people=(US, GB, DE))).stdout
    assert lines_of(shown)["by alphanumeric"] == "2"
    assert lines_of(shown)["by toll_free"] == "1"
    assert lines_of(shown)["by the fallback number"] == "1"
    mms = ("--media", "https://cdn.example.com/a.jpg", "--no-media-check", "--mms-fallback", "sms")
    shown = (await run(*send("--text", "Hi", "--dry-run", *mms), people=(US, GB, DE))).stdout
    assert (lines_of(shown)["MMS"], lines_of(shown)["GSM-7"]) == ("1", "2")
    assert lines_of(shown)["by long_code or toll_free"] == "3"


def lines_of(shown: str) -> dict[str, str]:
    pairs = (line.rsplit("  ", 1) for line in shown.splitlines() if "  " in line)
    return {name.strip(): value.strip() for name, value in pairs}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--text", "Hi", "--from", "Far too long"), 2, "1 to 11 characters"),
        (("--text", "Hi", "--carrier-pool", "--from", "+13125550100"), 2, "only one of them"),
        (("--text", "Hi", "--fallback", "+13125550100"), 2, "stands in for an alphanumeric sender"),
        (("--media", "file:///etc/passwd"), 2, "no link that the carrier can fetch"),
        (("--text", "Hi", "--subject", "S"), 2, "belongs to an MMS"),
        (("--text", "Hi", "--send-at", "2030-01-31T18:00"), 2, "needs a time zone"),
        ((), 2, "give either a text"),
    ],
)
async def test_what_cannot_work_is_refused_in_one_line(
    scene: Scene, command: Callable[[Scene], Run], words: tuple[str, ...], code: int, says: str
) -> None:
    await scene.sync("long_code")
    done: Any = await command(scene)(*send(*words), people=(US,))
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert says in done.stderr
