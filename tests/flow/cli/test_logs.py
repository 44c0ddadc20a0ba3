"""All that serve and a worker write to stderr, at its most talkative, in a run with everything that goes wrong."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.flow.cli.conftest import World, make_world, wait_until
from tests.flow.cli.leaked import BARE, CRASHES, KEY, PASSWORD, SECRET, TEXT, TOKEN
from tests.sandboxes import sandbox_process
from volley.embedded import EmbeddedValkey
from volley.sandbox.config import API_KEY, PROFILE_ID, SandboxConfig, dump
from volley.sandbox.fault_rule import FaultRule
from volley.sandbox.signing import Signer

ROOT = Path(__file__).parents[3]
SIGNER = Signer(1)
PEOPLE = [f"+121255501{n:02d}" for n in range(40)]
PERSON, SAID = "+13125550166", "Timbuktu calling"
FAULTS = (
    FaultRule(kind="status", status=400, code="40001", match_to=PEOPLE[1], detail=f"{PEOPLE[1]} cannot: {TEXT}"),
    FaultRule(kind="status", status=500, match_to=PEOPLE[2], first=1),
    FaultRule(kind="lost", match_to=PEOPLE[3], first=1),
    FaultRule(kind="not_json", match_to=PEOPLE[4], first=1),
)


class Run:
    """What ran: the lines of both logs, and whatever must be in neither."""

    def __init__(self, world: World, token: str, senders: list[str]) -> None:
        self.raw = world.log("serve") + (world.folder / "worker.log").read_text()
        self.lines = [json.loads(line) for line in self.raw.splitlines()]
        numbers = [*PEOPLE, PERSON, CRASHES, *senders]
        self.data = [*(each.lstrip("+") for each in numbers), TEXT, SAID, API_KEY, SECRET, quote(SECRET), token]


def found(log: str, data: list[str]) -> set[str]:
    """Which of the data the log holds, also as JSON or an address would write it."""
    forms = ((each, {each, quote(each), json.dumps(each)[1:-1]}) for each in data)
    return {each for each, written in forms if any(form in log for form in written)}


def ask(url: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, named), timeout=30) as answer:
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers)


def received(world: World) -> int:
    """How many receipts are in the ledger."""
    return int(world.health()["recorder"]["receipts"])


def worker(world: World, *words: str) -> subprocess.Popen[bytes]:
    log = (world.folder / "worker.log").open("ab")
    command = [sys.executable, "-m", "tests.flow.cli.careless", *words]
    env = world.env(PYTHONPATH=str(ROOT))
    return subprocess.Popen(command, env=env, cwd=world.folder, stdout=log, stderr=log)


def use(world: World, token: str, ours: str) -> None:
    """Pushes, good and bad ones, single messages, somebody's word, forgeries."""
    url, key = world.settings["VOLLEY_PUBLIC_URL"], {"Authorization": f"Bearer {token}"}
    rows = "\n".join(["to", *PEOPLE, CRASHES, f"+1{TEXT}"]).encode()
    asked = f"{url}/v1/campaigns?profile={PROFILE_ID}&text={quote(TEXT)}"
    status, headers = ask(asked, rows, Content_Type="text/csv", X_Request_Id="push-1", **key)
    assert (status, headers["X-Request-Id"]) == (202, "push-1")
    assert (
        ask(f"{url}/v1/campaigns?profile={PROFILE_ID}&txt={quote(TEXT)}", rows, Content_Type="text/csv", **key)[0]
        >= 400
    )
    assert ask(f"{url}/v1/nothing/{quote(PERSON)}?to={quote(PERSON)}", **key)[0] == 404
    assert ask(f"{url}/v1/campaigns", Authorization=f"Bearer {token}x")[0] == 401
    message = json.dumps({"profile": PROFILE_ID, "to": PEOPLE[5], "text": TEXT}).encode()
    single = {"Content_Type": "application/json", "Idempotency_Key": "one", **key}
    assert ask(f"{url}/v1/messages", message, **single)[0] == 202
    assert ask(url + headers["Location"], X_Request_Id="show-1", **key)[0] == 200
    told = {"from": {"phone_number": PERSON}, "to": [{"phone_number": ours}], "text": SAID, "id": "said"}
    data = {"event_type": "message.received", "id": "e1", "occurred_at": "2026-01-01T00:00:00.000Z", "payload": told}
    hook, body = f"{url}/webhooks/telnyx/default", json.dumps({"data": data}).encode()
    assert ask(hook, body, **SIGNER.headers(body))[0] == 200
    assert ask(hook, body)[0] == 403


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, valkey: EmbeddedValkey) -> Iterator[Run]:
    with sandbox_process("--config", dump(SandboxConfig(faults=FAULTS, pool=(("long_code", 4, 0.0),)))) as url:
        own = {"TELNYX_API_KEY": API_KEY, "TELNYX_BASE_URL": url, "TELNYX_PUBLIC_KEY": SIGNER.public_key}
        more = {"VOLLEY_REDIS_URL": valkey.url, "VOLLEY_SECRET": SECRET, "VOLLEY_LOG_LEVEL": "debug"}
        world = make_world(tmp_path_factory.mktemp("logs"), **own, **more)
        world.start("serve")
        sending = worker(world, "crash")
        try:
            assert world.run("numbers", "sync", "--profile", PROFILE_ID).returncode == 0
            token = world.json("keys", "create", "--name", "a test", "--scope", "send", "--scope", "read")["key"]
            listed = json.loads(world.run("numbers", "list", "--profile", PROFILE_ID, "--json").stdout)["numbers"]
            senders = [each["number"] for each in listed]
            wait_until(world.serves)
            use(world, str(token), senders[0])
            wait_until(lambda: "Careless" in (world.folder / "worker.log").read_text())
            wait_until(lambda: received(world) > len(PEOPLE) // 2)
        finally:
            sending.terminate()
            assert sending.wait(30) == 0
            world.end()
        yield Run(world, str(token), senders)


def test_no_number_text_or_secret_is_in_any_line_of_any_level(run: Run) -> None:
    assert found(run.raw, run.data) == set()


def test_each_line_is_json_and_says_who_speaks(run: Run) -> None:
    assert {line["role"] for line in run.lines} == {"serve", "worker"}
    assert {line["account"] for line in run.lines} == {"default"}
    assert all(line["event"] and line["logger"] and line["timestamp"] for line in run.lines)
    assert all(line["worker"] for line in run.lines if line["event"].endswith("is ready"))


def test_a_crash_says_where_and_of_what_kind_and_which_campaign(run: Run) -> None:
    crash = next(line for line in run.lines if line.get("exception", "").endswith("Careless"))
    assert "careless.py" in crash["exception"]
    assert crash["event"].startswith(f"message {crash['campaign']}-")
    assert crash["flight"]


def test_each_request_is_a_line_with_its_route_and_id(run: Run) -> None:
    [push] = [line for line in run.lines if line.get("request") == "push-1" and "status" in line]
    told = {name: push[name] for name in ("level", "method", "route", "status")}
    assert told == {"level": "info", "method": "POST", "route": "/v1/campaigns", "status": 202}
    assert push["ms"] > 0
    shown = next(line for line in run.lines if line.get("request") == "show-1")
    assert (shown["route"], len(shown["campaign"])) == ("/v1/campaigns/{campaign_id}", 16)
    hooks = [line for line in run.lines if line.get("route") == "/webhooks/telnyx/{account}"]
    assert {line["level"] for line in hooks} == {"debug"}
    assert {line["status"] for line in hooks} == {200, 403}
    assert "no route" in {line.get("route") for line in run.lines}


def leaks(folder: Path, *words: str, **settings: str) -> str:
    env = {"PYTHONPATH": str(ROOT), "VOLLEY_SECRET": SECRET, **settings}
    command = [sys.executable, "-m", "tests.flow.cli.careless", "leak", *words]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    return done.stderr


LEAKED = [CRASHES, BARE, KEY, TOKEN, PASSWORD]


def test_what_is_logged_by_mistake_is_masked_and_what_only_looks_like_it_is_not(tmp_path: Path) -> None:
    for form in ("json", "text"):
        log = leaks(tmp_path, VOLLEY_LOG_FORMAT=form)
        assert found(log, [*LEAKED, TEXT]) == set()
        assert "campaign 0123456789012345 at 1764244045123456 us, entry 1764244045123-0, port 65535" in log
        assert log.count("Careless") >= 4
        assert "ended by what nobody caught" in log


def test_without_masks_and_silence_the_scan_finds_each_of_them(tmp_path: Path) -> None:
    assert found(leaks(tmp_path, "unmasked"), LEAKED) == set(LEAKED)
    assert found(leaks(tmp_path, "talkative"), [*LEAKED, TEXT]) == {TEXT}
