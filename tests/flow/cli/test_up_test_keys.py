"""`volley up` with an account for test keys: pushed over HTTP, delivered by a sandbox of its own, and nothing of it at the carrier."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.flow.cli.conftest import World
from tests.flow.cli.test_up import offspring
from volley.trial import sandbox_file


def wait_until(true: Callable[[], object]) -> None:
    """Patient: twice as many processes as elsewhere start at once."""
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.1)


def ask(world: World, key: str, path: str, body: object = None, name: str = "") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Idempotency-Key": name or "none"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{world.settings['VOLLEY_PUBLIC_URL']}{path}", data, headers), timeout=30
        ) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
    except OSError:
        return 0, {}  # it does not listen yet


def taken(world: World) -> int:
    """Messages that the live carrier has got since it was started."""
    root = world.settings["TELNYX_BASE_URL"].removesuffix("/v2")
    with urllib.request.urlopen(f"{root}/_sandbox/stats", timeout=30) as answer:
        return int(json.loads(answer.read())["accepted"])


def toll_free(world: World, profile: str) -> str:
    """A number of the live account that no sandbox of `volley up` has by itself."""
    root = world.settings["TELNYX_BASE_URL"].removesuffix("/v2")
    with urllib.request.urlopen(f"{root}/_sandbox/profiles/{profile}", timeout=30) as answer:
        numbers = json.loads(answer.read())["numbers"]
    return next(str(each["number"]) for each in numbers if each["type"] == "toll_free")


def made(world: World, *options: str) -> str:
    words = ("keys", "create", "--name", "shop", "--scope", "send", "--scope", "read", *options)
    return str(world.json(*words)["key"])


def test_a_test_keys_messages_are_delivered_and_never_reach_the_carrier(world: World, profile: str) -> None:
    world.settings["VOLLEY_TEST_ACCOUNT"] = "trial"
    process = world.start("up")
    wait_until(lambda: "serving on" in world.log("up"))
    wait_until(lambda: ask(world, "", "/v1/campaigns")[0] == 401)
    wait_until(lambda: world.run("numbers", "sync", "--profile", profile).returncode == 0)
    before, trial = taken(world), made(world, "--test")
    assert trial.startswith("vk_test_")
    text = {"profile": profile, "text": "Your code is 1234"}
    answers: list[tuple[int, Any]] = []

    def accepted() -> bool:
        answers.append(ask(world, trial, "/v1/messages", text | {"to": "+13125550100"}, "one"))
        return answers[-1][0] == 202

    wait_until(accepted)
    number = toll_free(world, profile)
    from_live = text | {"to": "+13125550101", "from": number}
    wait_until(lambda: ask(world, trial, "/v1/messages", from_live, "two")[0] == 202)
    again, sent = ask(world, trial, "/v1/messages", from_live, "two")
    assert again == 202
    names = [answers[-1][1]["messages"][0]["message_id"], sent["messages"][0]["message_id"]]
    for name in names:
        wait_until(lambda name=name: ask(world, trial, f"/v1/messages/{name}")[1]["status"] == "delivered")
    assert ask(world, trial, f"/v1/messages/{names[1]}")[1]["from"] == number
    assert taken(world) == before
    assert world.json("cost")["totals"] == [], "the live books know nothing of it"
    live = made(world)
    assert ask(world, live, f"/v1/messages/{names[0]}")[0] == 404

    assert ask(world, live, "/v1/messages", text | {"to": "+13125550102"}, "one")[0] == 202
    wait_until(lambda: taken(world) == before + 1)

    family = offspring(process)
    process.terminate()
    assert process.wait(60) == 0
    assert not any(child.is_running() for child in family.values())
    assert not sandbox_file(world.folder / "home").exists()


@pytest.mark.parametrize("role", ["worker", "serve"])
def test_a_process_of_the_test_account_without_its_sandbox_does_not_start(world: World, role: str) -> None:
    """It has the live key and the live address in its settings, and takes neither."""
    done = world.run(
        role, VOLLEY_ACCOUNT="trial", VOLLEY_TEST_ACCOUNT="trial", VOLLEY_REDIS_URL="redis://127.0.0.1:9/0"
    )
    assert done.returncode == 2
    assert "base_url of its own" in done.stderr
