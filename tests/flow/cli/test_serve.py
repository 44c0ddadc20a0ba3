"""`volley serve` from outside: signed webhooks in, a ledger behind, an order to how it stops."""

import asyncio
import json
import signal
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from tests.flow.cli.conftest import PATIENCE_S, World, wait_until
from tests.redis.conftest import Rig, chunk_of
from volley.embedded import EmbeddedValkey, free_port
from volley.outbox.outbox import Outbox
from volley.sandbox.signing import Signer

SIGNER = Signer(1)
PHONE, TEXT = "+12125550142", "a private word"


class Serve:
    """A running `volley serve` and the Valkey behind it."""

    def __init__(self, world: World, valkey: EmbeddedValkey) -> None:
        self.world = world
        self.valkey = valkey
        self.url = world.settings["VOLLEY_PUBLIC_URL"]
        self.process = world.start("serve", VOLLEY_REDIS_URL=valkey.url)
        wait_until(lambda: self.get("/healthz") == 200)

    def health(self) -> dict[str, Any]:
        return self.world.health()

    def text(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            found: str = answer.read().decode()
            return found

    def get(self, path: str) -> int:
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, body: bytes, headers: dict[str, str], account: str = "default") -> int:
        return self._ask(urllib.request.Request(f"{self.url}/webhooks/telnyx/{account}", body, headers))

    def _ask(self, request: urllib.request.Request) -> int:
        """The status of the answer, 0 for none."""
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.world.folder / "home" / "ledger.db") as db:
            return db.execute(query).fetchall()


@pytest.fixture
def serve(world: World, valkey: EmbeddedValkey) -> Iterator[Serve]:
    asyncio.run(_flush(valkey))
    return Serve(world, valkey)


async def _flush(valkey: EmbeddedValkey) -> None:
    async with redis.asyncio.Redis.from_url(valkey.url) as client:
        await client.flushall()


def event(name: str, kind: str = "message.finalized", status: str = "delivered") -> bytes:
    payload = {
        "id": f"carrier-{name}",
        "to": [{"phone_number": PHONE, "status": status}],
        "from": {"phone_number": "+12015550100"},
        "text": TEXT,
        "parts": 1,
    }
    data = {"id": name, "event_type": kind, "occurred_at": "2030-01-31T18:00:00Z", "payload": payload}
    return json.dumps({"data": data}).encode()


def signed(body: bytes) -> dict[str, str]:
    return SIGNER.headers(body)


def test_an_event_that_was_answered_with_200_is_in_the_ledger(serve: Serve) -> None:
    for name in ("one", "two", "one"):
        assert serve.post(event(name), signed(event(name))) == 200
    wait_until(lambda: serve.health()["recorder"]["receipts"] == 3)
    assert serve.rows("select event_id, status from receipts order by 1") == [
        ("one", "delivered"),
        ("two", "delivered"),
    ]


def test_what_the_carrier_did_not_sign_changes_nothing_and_is_counted(serve: Serve) -> None:
    body = event("forged")
    other = Signer(2).headers(body)
    tampered = signed(body)
    old = {**signed(body), "telnyx-timestamp": str(int(time.time()) - 3600)}
    answers = [serve.post(body, {}), serve.post(body, other), serve.post(body + b" ", tampered), serve.post(body, old)]
    assert answers == [403] * 4
    assert serve.health()["webhooks"] == {"refused": 4, "misfit": 3}
    assert serve.stop() == 0
    assert serve.rows("select count(*) from receipts") == [(0,)]


def test_another_account_a_huge_body_and_another_method_are_refused(serve: Serve) -> None:
    body = event("one")
    huge = b"x" * ((1 << 20) + 1)
    assert serve.post(body, signed(body), account="other") == 404
    assert serve.post(huge, signed(huge)) == 413
    assert serve.get("/webhooks/telnyx/default") == 405


def test_signed_events_that_are_not_for_us_are_taken_and_dropped(serve: Serve) -> None:
    unused, broken = event("in", kind="call.initiated"), b"[]"
    assert serve.post(unused, signed(unused)) == 200
    assert serve.post(broken, signed(broken)) == 200
    assert serve.health()["webhooks"] == {"ignored": 1, "unreadable": 1}
    assert serve.health()["unused"] == {"call.initiated": 1}


def test_no_number_and_no_text_is_ever_logged(serve: Serve) -> None:
    for body in (event("one"), event("in", kind="message.received")):
        serve.post(body, signed(body))
        serve.post(body, {})
    assert serve.stop() == 0
    log = serve.world.log("serve")
    assert "stopping" in log
    assert PHONE not in log
    assert TEXT not in log


def test_while_redis_is_away_the_carrier_is_asked_to_come_again(world: World, tmp_path_factory: Any) -> None:
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("own"))
    asyncio.run(valkey.start())
    serve = Serve(world, valkey)
    asyncio.run(valkey.stop())
    body = event("one")
    assert serve.post(body, signed(body)) == 503
    assert serve.get("/healthz") == 503
    asyncio.run(valkey.start())
    wait_until(lambda: serve.post(body, signed(body)) == 200)
    wait_until(lambda: serve.health()["recorder"]["receipts"])
    assert serve.stop() == 0
    asyncio.run(valkey.stop())
    assert serve.rows("select event_id from receipts") == [("one",)]


def test_a_taken_port_is_one_line_and_2(world: World, serve: Serve) -> None:
    done = world.run("serve", VOLLEY_REDIS_URL=serve.valkey.url)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("volley: cannot listen on 127.0.0.1:")


def test_without_a_public_key_every_webhook_is_refused(world: World, valkey: EmbeddedValkey) -> None:
    world.settings["TELNYX_PUBLIC_KEY"] = ""
    serve = Serve(world, valkey)
    body = event("one")
    assert serve.post(body, signed(body)) == 403
    assert "every webhook is refused" in world.log("serve")


def test_either_of_two_public_keys_will_do_while_they_are_changed(world: World, valkey: EmbeddedValkey) -> None:
    world.settings["TELNYX_PUBLIC_KEY"] = f"{Signer(1).public_key},{Signer(2).public_key}"
    serve = Serve(world, valkey)
    body = event("one")
    assert [serve.post(body, Signer(seed).headers(body)) for seed in (1, 2, 3)] == [200, 200, 403]


def test_no_redis_is_75(world: World) -> None:
    done = world.run("serve", VOLLEY_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert done.returncode == 75
    assert done.stderr.count("\n") == 1


def test_what_the_audit_finds_is_an_alarm_everywhere(world: World, valkey: EmbeddedValkey) -> None:
    """A campaign whose sum is wrong: in the log, in /healthz, in /metrics, in status; and volley audit ends with 1."""
    asyncio.run(_flush(valkey))
    campaign = asyncio.run(_broken_campaign(valkey))
    serve = Serve(world, valkey)
    wait_until(lambda: serve.health()["conservation"]["broken"])
    assert campaign in serve.health()["conservation"]["broken"][0]
    metrics = dict(line.rsplit(" ", 1) for line in serve.text("/metrics").splitlines() if not line.startswith("#"))
    assert float(metrics["volley_conservation_breaches"]) > 0
    assert float(metrics["volley_conservation_campaigns"]) == 1
    assert float(metrics["volley_unknown_messages"]) == 0
    assert float(metrics["volley_ledger_lag_seconds"]) >= 0
    assert campaign not in "".join(metrics)
    here = {"VOLLEY_REDIS_URL": valkey.url}
    wait_until(lambda: _told(world, here)["broken"])
    told = _told(world, here)
    assert (told["checked"], told["broken"][0]["campaign_id"]) == (1, campaign)
    assert campaign in world.run("status", **here).stdout
    audit = world.run("audit", campaign, "--json", **here)
    assert audit.returncode == 1
    assert {each["kind"] for each in json.loads(audit.stdout)["broken"]} == {"counters", "states"}
    assert world.run("audit", "0123456789abcdef", **here).returncode == 2
    asyncio.run(_mend(valkey, campaign))
    mended = world.run("audit", **here)
    assert mended.returncode == 0, mended.stdout
    assert serve.stop() == 0
    alarms = [line for line in world.log("serve").splitlines() if '"level": "error"' in line]
    assert 1 <= len(alarms) <= 2
    assert all(campaign in line and PHONE not in line for line in alarms)


def _told(world: World, here: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.run("status", "--json", **here).stdout)["conservation"]
    return found


async def _broken_campaign(valkey: EmbeddedValkey) -> str:
    async with redis.asyncio.Redis.from_url(valkey.url) as client:
        rig = Rig(Outbox(client, "default"))
        await rig.pool()
        campaign = await rig.push(chunk_of([int(PHONE[1:])]), plan=False, created_us=await rig.now_us())
        await client.hincrby(rig.keys.campaign(campaign.id), "na", 1)
        return campaign.id


async def _mend(valkey: EmbeddedValkey, campaign: str) -> None:
    async with redis.asyncio.Redis.from_url(valkey.url) as client:
        await client.hincrby(Outbox(client, "default").keys.campaign(campaign), "na", -1)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A Valkey that may be harmed."""
    server = EmbeddedValkey(tmp_path / "own-valkey")
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


def test_with_redis_away_it_is_alive_and_not_ready_and_goes_on_by_itself(world: World, own: EmbeddedValkey) -> None:
    serve = Serve(world, own)
    assert (serve.get("/livez"), serve.get("/readyz")) == (200, 200)
    assert own.process is not None
    own.process.send_signal(signal.SIGSTOP)
    assert (serve.get("/livez"), serve.get("/readyz"), serve.get("/healthz")) == (200, 503, 503)
    own.process.kill()
    own.process.wait()
    assert (serve.get("/livez"), serve.get("/readyz")) == (200, 503)
    asyncio.run(own.start())
    wait_until(lambda: serve.get("/readyz") == 200)
    wait_until(lambda: serve.post(event("one"), signed(event("one"))) == 200)
    wait_until(lambda: serve.rows("select event_id from receipts") == [("one",)])
    assert serve.stop() == 0
