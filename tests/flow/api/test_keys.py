"""Who may do what over HTTP: keys known, unknown, revoked, expired, too fast; and what none of them ever leaves behind."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import psutil

from producer.intake import PushRequest, push
from producer.push.sources import open_source
from tests.flow.api.conftest import PROFILE, Office
from tests.flow.cli.conftest import wait_until
from volley.outbox.outbox import Outbox
from volley.settings import Settings

OPERATIONS = [
    ("GET", "/v1/campaigns"),
    ("GET", "/v1/campaigns/0123456789abcdef"),
    ("POST", "/v1/campaigns/0123456789abcdef:pause"),
    ("POST", "/v1/campaigns/0123456789abcdef:resume"),
    ("POST", "/v1/campaigns/0123456789abcdef:cancel"),
]


async def some_campaign(outbox: Outbox) -> str:
    request = PushRequest(PROFILE, text="Hello", again=True)
    result = await push(outbox, Settings(), request, open_source(BytesIO(b"to\n+13125550100\n+13125550101\n")))
    assert result.campaign_id is not None
    return result.campaign_id


def test_without_a_key_that_is_known_nothing_is_answered(office: Office) -> None:
    token = office.key
    forged = [
        "",
        "vk_live_x",
        token[:-1],
        token[:-1] + ("a" if token[-1] != "a" else "b"),
        token.replace("live", "test"),
    ]
    for method, path in OPERATIONS:
        for key in forged:
            answer = office.call(method, path, key=key)
            assert (answer.status, answer.problem) == (401, "unauthenticated"), (path, key)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    doubled = office.get("/v1/campaigns", key="", headers={"Authorization": f"Basic {token}"})
    assert doubled.status == 401


def test_a_key_does_only_what_its_scopes_say(office: Office) -> None:
    campaign = office.outbox(some_campaign)
    _, reader = office.make_key("read")
    _, sender = office.make_key("send")
    _, operator = office.make_key("ops")
    _, admin = office.make_key("admin")
    assert office.get("/v1/campaigns", key=reader).status == 200
    refused = [office.get("/v1/campaigns", key=key) for key in (sender, operator)]
    refused += [office.post(f"/v1/campaigns/{campaign}:pause", key=key) for key in (reader, sender)]
    assert {(each.status, each.problem) for each in refused} == {(403, "missing-scope")}
    assert office.get(f"/v1/campaigns/{campaign}", key=admin).json["state"] == "ready"
    assert office.post(f"/v1/campaigns/{campaign}:pause", key=operator).json["state"] == "paused"
    assert office.post(f"/v1/campaigns/{campaign}:cancel", key=admin).json["state"] == "cancelled"


def test_an_expired_key_and_a_revoked_one_open_nothing(office: Office) -> None:
    key_id, revoked = office.make_key("read")
    assert office.get("/v1/campaigns", key=revoked).status == 200
    _, brief = office.make_key("read", expires_us=time.time_ns() // 1000 + 8_000_000)
    assert office.get("/v1/campaigns", key=brief).status == 200
    told = office.world.json("keys", "revoke", key_id)
    assert told["state"] == "revoked"
    wait_until(lambda: office.get("/v1/campaigns", key=revoked).status == 401)
    wait_until(lambda: office.get("/v1/campaigns", key=brief).status == 401)


def test_a_key_that_asks_too_fast_is_told_when_to_come_again_and_the_others_are_not(office: Office) -> None:
    _, hasty = office.make_key("read", rate_milli=100)
    answers = [office.get("/v1/campaigns/none", key=hasty) for _ in range(3)]
    late = [each for each in answers if each.status == 429]
    assert late
    assert {each.problem for each in late} == {"too-many-requests"}
    assert int(late[0].headers["Retry-After"]) >= 1
    assert office.get("/v1/campaigns").status == 200


def test_a_key_is_shown_once_and_kept_as_a_hash(office: Office) -> None:
    made = office.world.json(
        "keys", "create", "--name", "shop", "--scope", "send", "--expires", "30d", "--daily", "500"
    )
    token = str(made["key"])
    assert token.startswith("vk_live_")
    assert office.get("/v1/campaigns", key=token).status == 403
    listed = office.world.run("keys", "list", "--json").stdout
    [mine] = [each for each in json.loads(listed)["keys"] if each["id"] == made["id"]]
    assert (mine["name"], mine["scopes"], mine["state"], mine["daily"]) == ("shop", ["send"], "active", 500)
    secret = token.rpartition("_")[2]
    assert secret not in listed
    for path in (office.world.folder / "home").glob("ledger.db*"):
        assert secret.encode() not in path.read_bytes()


def test_guesses_take_no_memory_and_leave_nothing_in_the_log(office: Office) -> None:
    serve = psutil.Process(office.world.started[0].pid)
    before = serve.memory_info().rss
    tokens = [f"vk_live_{n:010d}_{'x' * 43}" for n in range(300)]
    with ThreadPoolExecutor(50) as guessers:
        assert {each.status for each in guessers.map(lambda token: office.get("/v1/campaigns", key=token), tokens)} == {
            401
        }
    assert serve.memory_info().rss - before < 8 << 20
    log = office.world.log("serve")
    assert "vk_" not in log
    assert "Bearer" not in log


def test_errors_below_v1_are_problems_whatever_they_are(office: Office) -> None:
    assert office.get("/v1/nothing").problem == "not-found"
    wrong = office.call("DELETE", "/v1/campaigns")
    assert (wrong.status, wrong.problem) == (405, "method-not-allowed")
    assert "GET" in wrong.headers["Allow"]
    odd = office.get("/v1/campaigns?limit=0&tail=1")
    assert (odd.status, odd.problem) == (422, "invalid")
    assert {each["where"] for each in odd.json["errors"]} == {"query.limit", "query.tail"}
    assert office.get("/v1/campaigns?limit=1&limit=2").problem == "invalid"
    assert office.get("/nothing").headers["Content-Type"].startswith("text/plain")


def test_what_a_key_does_is_in_the_audit_in_its_name(office: Office) -> None:
    campaign = office.outbox(some_campaign)
    key_id, token = office.make_key("ops")
    assert office.post(f"/v1/campaigns/{campaign}:pause", key=token).status == 200
    wait_until(lambda: office.world.json("actions", "--campaign", campaign)["actions"])
    [action] = office.world.json("actions", "--campaign", campaign)["actions"]  # type: ignore[misc]
    assert (action["what"], action["who"]) == ("pause", f"api:{key_id} a test")
