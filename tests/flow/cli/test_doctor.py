"""`volley doctor` against real processes: a healthy system is said to be, and each fault shows on its own line."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import pytest
import redis

from tests.flow.cli.conftest import World, make_world, wait_until
from tests.sandboxes import sandbox_process
from volley.embedded import EmbeddedValkey, free_port
from volley.outbox.keys import Keys
from volley.sandbox.config import API_KEY, PROFILE_ID
from volley.settings import redis_file

OURS, MINE = "--from", "--to"
PERSON = "+13125550123"
Lines = dict[str, dict[str, str]]


def examine(world: World, *words: str, **settings: str) -> Lines:
    done = world.run("doctor", "--json", *words, **settings)
    assert done.returncode in (0, 1), done.stderr
    answer = json.loads(done.stdout)
    assert answer["ok"] == (done.returncode == 0)
    assert answer["ok"] == all(line["state"] != "failed" for line in answer["checks"])
    return {line["check"]: line for line in answer["checks"]}


def states(lines: Lines, state: str) -> dict[str, str]:
    return {check: line["found"] for check, line in lines.items() if line["state"] == state}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, carrier: dict[str, str]) -> Iterator[World]:
    """`volley up` with a pool whose profile sends its webhooks here."""
    made = make_world(tmp_path_factory.mktemp("clinic"), **carrier)
    try:
        made.start("up")
        wait_until(lambda: made.run("status").returncode == 0)
        assert made.run("numbers", "sync", "--profile", PROFILE_ID).returncode == 0
        change(carrier, webhook_url=f"{made.settings['VOLLEY_PUBLIC_URL']}/webhooks/telnyx/default")
        wait_until(made.workers)
        yield made
    finally:
        change(carrier, webhook_url="")
        made.end()


def change(carrier: dict[str, str], **fields: object) -> None:
    """Changes the profile at the carrier, as its portal would."""

    async def patch() -> None:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        url = f"{carrier['TELNYX_BASE_URL']}/messaging_profiles/{PROFILE_ID}"
        async with aiohttp.request("PATCH", url, json=fields, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    asyncio.run(patch())


@contextmanager
def store(world: World) -> Iterator[redis.Redis]:
    url = redis_file(Path(world.settings["VOLLEY_HOME"])).read_text().strip()
    with redis.Redis.from_url(url) as client:
        yield client


@contextmanager
def configured(world: World, **changes: str) -> Iterator[None]:
    names = {name.replace("_", "-"): value for name, value in changes.items()}
    with store(world) as client:
        before = {name: client.config_get(name)[name] for name in names}
        for name, value in names.items():
            client.config_set(name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                client.config_set(name, value)


SLOW = {"carrier", "Redis barrier"}
"""How fast they are depends on who else works on this machine."""


def test_a_healthy_system_is_said_to_be_so(clinic: World) -> None:
    wait_until(clinic.is_well)
    lines = examine(clinic)
    assert states(lines, "failed") == {}
    assert states(lines, "warning").keys() <= SLOW
    looked = {
        "settings", "secret", "public key", "public address", "API key", "carrier", "clock", f"profile {PROFILE_ID}",
        f"profile {PROFILE_ID}: webhooks", f"profile {PROFILE_ID}: sync", f"profile {PROFILE_ID}: numbers",
        "webhooks: reachable", "webhooks: verified", "webhooks: received", "Redis", "Redis version", "Redis eviction", "Redis persistence",
        "Redis memory", "Redis replication", "Redis clock", "Redis barrier", "workers", "queues", "unknown messages",
        "ledger", "ledger lag", "disk", "idempotency",
    }  # fmt: skip
    assert looked <= lines.keys()
    assert "median of 20" in lines["Redis barrier"]["found"]


def test_people_read_a_line_a_check_with_what_to_do(clinic: World) -> None:
    done = clinic.run("doctor", TELNYX_API_KEY="KEY_WRONG")
    assert done.returncode == 1
    line = next(each for each in done.stdout.splitlines() if " API key " in each)
    assert line.startswith("failed")
    assert "→ set TELNYX_API_KEY" in line
    assert "KEY_WRONG" not in done.stdout + done.stderr


def test_a_key_that_is_refused_or_missing_is_told(clinic: World) -> None:
    wrong = examine(clinic, TELNYX_API_KEY="KEY_WRONG")
    assert wrong["API key"]["state"] == "failed"
    assert "401" in wrong["API key"]["found"]
    assert wrong["carrier"]["found"].startswith("answers in")
    assert "not set" in examine(clinic, TELNYX_API_KEY="")["API key"]["found"]


def test_a_carrier_that_is_away_is_told_and_the_rest_is_still_looked_at(clinic: World) -> None:
    wait_until(clinic.is_well)
    lines = examine(clinic, TELNYX_BASE_URL=f"http://127.0.0.1:{free_port()}/v2")
    assert states(lines, "failed").keys() == {"carrier"}
    assert "median of 20" in lines["Redis barrier"]["found"]


def test_what_is_wrong_with_a_profile_stands_on_its_lines(clinic: World, carrier: dict[str, str]) -> None:
    change(carrier, enabled=False, webhook_url="https://elsewhere.example.com")
    try:
        lines = examine(clinic)
        assert "disabled" in lines[f"profile {PROFILE_ID}"]["found"]
        assert lines[f"profile {PROFILE_ID}"]["state"] == "failed"
        assert "elsewhere" in lines[f"profile {PROFILE_ID}: webhooks"]["found"]
        assert "has changed" in lines[f"profile {PROFILE_ID}: sync"]["found"]
    finally:
        url = f"{clinic.settings['VOLLEY_PUBLIC_URL']}/webhooks/telnyx/default"
        change(carrier, enabled=True, webhook_url=url)


def test_a_profile_that_the_carrier_does_not_have_is_no_fault_where_nothing_sends_with_it(clinic: World) -> None:
    keys = Keys("default")
    with store(clinic) as client:
        client.hset(keys.of("profile"), "40017a00-0000-4000-8000-000000000000", 99)
        try:
            told = examine(clinic)["profile 40017a00-0000-4000-8000-000000000000"]
            assert (told["state"], "nothing here sends with it" in told["found"]) == ("ok", True)
        finally:
            client.hdel(keys.of("profile"), "40017a00-0000-4000-8000-000000000000")


def test_a_redis_that_drops_keys_under_pressure_is_told(clinic: World) -> None:
    with configured(clinic, maxmemory_policy="allkeys-lru"):
        line = examine(clinic)["Redis eviction"]
    assert (line["state"], "allkeys-lru" in line["found"]) == ("failed", True)


def test_a_redis_that_may_forget_is_told(clinic: World) -> None:
    with configured(clinic, appendfsync="everysec"):
        line = examine(clinic)["Redis persistence"]
        relaxed = examine(clinic, VOLLEY_DURABILITY="relaxed")
    assert (line["state"], "everysec" in line["found"]) == ("failed", True)
    assert relaxed["Redis persistence"]["state"] == relaxed["durability"]["state"] == "warning"


def test_a_redis_that_is_nearly_full_is_told(clinic: World) -> None:
    with store(clinic) as client:
        used = client.info("memory")["used_memory"]
    with configured(clinic, maxmemory=str(int(used * 1.15))):
        assert examine(clinic)["Redis memory"]["state"] in ("warning", "failed")


def test_without_a_public_key_every_webhook_would_be_refused(clinic: World) -> None:
    line = examine(clinic, TELNYX_PUBLIC_KEY="")["public key"]
    assert (line["state"], "refused" in line["found"]) == ("failed", True)
    assert examine(clinic, TELNYX_PUBLIC_KEY="nonsense")["settings"]["state"] == "failed"


def test_an_address_at_which_nobody_or_somebody_else_listens_is_told(clinic: World) -> None:
    away = examine(clinic, VOLLEY_PUBLIC_URL=f"http://127.0.0.1:{free_port()}")
    assert away["webhooks: reachable"]["state"] == away["webhooks: verified"]["state"] == "failed"
    with serving(_Anybody) as url:
        other = examine(clinic, VOLLEY_PUBLIC_URL=url)
    assert other["webhooks: reachable"]["state"] == "ok"
    assert "forged webhook was taken" in other["webhooks: verified"]["found"]


def test_a_failover_address_is_looked_at_as_well(clinic: World) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    lines = examine(clinic, VOLLEY_PUBLIC_FAILOVER_URL=away)
    assert lines["failover: reachable"]["state"] == lines["failover: verified"]["state"] == "failed"
    own = examine(clinic, VOLLEY_PUBLIC_FAILOVER_URL=clinic.settings["VOLLEY_PUBLIC_URL"])
    assert own["failover: reachable"]["state"] == own["failover: verified"]["state"] == "ok"
    assert lines["webhooks: reachable"]["state"] == "ok"


@pytest.mark.parametrize(("skew_s", "state", "how"), [(600, "failed", "behind"), (-30, "warning", "ahead of")])
def test_a_clock_that_is_off_is_told(clinic: World, skew_s: int, state: str, how: str) -> None:
    with another_carrier(clock_skew_s=skew_s) as own:
        line = examine(clinic, **own)["clock"]
    assert line["state"] == state
    assert f"{how} the carrier" in line["found"]


def test_a_ledger_that_is_behind_is_told(tmp_path: Path, valkey: EmbeddedValkey, carrier: dict[str, str]) -> None:
    world = make_world(tmp_path, **carrier, VOLLEY_REDIS_URL=valkey.url, VOLLEY_ACCOUNT="default")
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
        client.xadd(Keys("default").ledger, {"k": "moves"}, id="1-1")
    lines = examine(world)
    assert lines["ledger lag"]["state"] == "failed"
    assert lines["workers"]["state"] == "warning"
    assert lines["ledger"]["found"] == "is not there yet"
    assert not (tmp_path / "home" / "ledger.db").exists()


def test_without_redis_the_rest_is_looked_at(tmp_path: Path, carrier: dict[str, str]) -> None:
    world = make_world(tmp_path, **carrier, VOLLEY_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    lines = examine(world)
    assert lines["Redis"]["state"] == "failed"
    assert lines["API key"]["state"] == "ok"
    assert "disk" in lines or "ledger" in lines


def test_settings_that_cannot_be_used_are_the_only_line(tmp_path: Path, carrier: dict[str, str]) -> None:
    world = make_world(tmp_path, **carrier, VOLLEY_CONCURENCY="5")
    lines = examine(world)
    assert lines.keys() == {"settings"}
    assert "unknown setting concurency" in lines["settings"]["found"]


@contextmanager
def another_carrier(**config: object) -> Iterator[dict[str, str]]:
    with sandbox_process("--config", json.dumps(config)) as url:
        yield {"TELNYX_API_KEY": API_KEY, "TELNYX_BASE_URL": url}


@pytest.mark.parametrize(("heeds", "verdict"), [("honoured", "honours"), ("ignored", "ignores")])
def test_a_probe_finds_out_whether_the_key_is_honoured_and_remembers(
    tmp_path: Path, valkey: EmbeddedValkey, heeds: str, verdict: str
) -> None:
    with another_carrier(idempotency=heeds) as own, redis.Redis.from_url(valkey.url) as client:
        client.flushall()
        world = make_world(tmp_path, **own, VOLLEY_REDIS_URL=valkey.url)
        assert world.run("numbers", "sync", "--profile", PROFILE_ID).returncode == 0
        names = [each.decode() for each in client.hkeys(Keys("default").of("senderinfo"))]
        number = next(each for each in names if each.startswith("+"))
        words = ("--probe-idempotency", OURS, number, MINE, PERSON, "--yes")
        assert verdict in examine(world, *words)["idempotency"]["found"]
        assert heeds in examine(world)["idempotency"]["found"]


def test_nothing_is_probed_without_an_agreement_a_sender_and_a_number(clinic: World) -> None:
    for words in ((), (OURS, PERSON), (OURS, PERSON, MINE, PERSON)):
        done = clinic.run("doctor", "--probe-idempotency", *words)
        assert done.returncode == 2, done.stdout
    stranger = clinic.run("doctor", "--probe-idempotency", OURS, "+13125550000", MINE, PERSON, "--yes")
    assert stranger.returncode == 2
    assert "no sender of a pool" in stranger.stderr


class _Anybody(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer(b"{}")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
