"""`volley serve` is told to stop while requests are coming in: they are answered, and what was answered is there afterwards."""

import json
import signal
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from tests.flow.api.conftest import PROFILE, Office, opened
from tests.flow.cli.conftest import PATIENCE_S, wait_until
from volley.outbox import webhooks
from volley.outbox.outbox import Outbox
from volley.sandbox.signing import Signer

SIGNER = Signer(1)
HOOKS = "/webhooks/telnyx/default"


class Asked:
    """A request whose handler has begun, and to which so much of its body was sent."""

    def __init__(
        self, office: Office, where: str, headers: Mapping[str, str], body: bytes, *, share: float = 1
    ) -> None:
        at = urlsplit(office.url)
        self._line = socket.create_connection((str(at.hostname), at.port or 80), timeout=PATIENCE_S)
        own = {
            "Host": "here",
            "Content-Length": str(len(body)),
            "Expect": "100-continue",
            "Connection": "close",
            **headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in own.items())
        self._line.sendall(f"POST {where} HTTP/1.1\r\n{head}\r\n".encode())
        assert self._line.recv(1 << 10).startswith(b"HTTP/1.1 100 ")
        self._line.sendall(body[: int(len(body) * share)])

    def answer(self) -> tuple[int, Any]:
        """Status of its answer, behind which the server closes, and its document if it has one; status 0 where there is none."""
        said = b""
        while piece := self._line.recv(1 << 16):
            said += piece
        self._line.close()
        head, _, body = said.partition(b"\r\n\r\n")
        return (int(head.split()[1]), json.loads(body) if body.startswith(b"{") else None) if said else (0, None)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with opened(tmp_path_factory, TELNYX_PUBLIC_KEY=SIGNER.public_key) as found:
        yield found


def receipt(name: str) -> bytes:
    to = [{"phone_number": "+13125550142", "status": "delivered"}]
    payload = {"id": f"carrier-{name}", "to": to, "from": {"phone_number": "+12015550100"}, "text": "Hi", "parts": 1}
    at = "2030-01-31T18:00:00Z"
    return json.dumps(
        {"data": {"id": name, "event_type": "message.finalized", "occurred_at": at, "payload": payload}}
    ).encode()


def followed(office: Office, where: str) -> socket.socket:
    """A stream that has begun."""
    at = urlsplit(office.url)
    line = socket.create_connection((str(at.hostname), at.port or 80), timeout=PATIENCE_S)
    asks = f"Host: here\r\nAuthorization: Bearer {office.key}\r\nAccept: text/event-stream\r\n"
    line.sendall(f"GET {where} HTTP/1.1\r\n{asks}\r\n".encode())
    assert line.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    return line


def recorded(office: Office) -> list[str]:
    with closing(sqlite3.connect(office.world.folder / "home" / "ledger.db")) as books:
        return [event for (event,) in books.execute("SELECT event_id FROM receipts")]


async def refused(outbox: Outbox) -> int:
    return (await webhooks.counts(outbox.redis, outbox.keys)).get("refused", (0, 0))[0]


def pushed(office: Office, key: str, *, share: float = 1) -> Asked:
    bearer = {"Authorization": f"Bearer {office.key}", "Idempotency-Key": key, "Content-Type": "text/csv"}
    rows = b"to\n+13125550100\n+13125550101\n"
    return Asked(office, f"/v1/campaigns?profile={PROFILE}&text=Hi", bearer, rows, share=share)


def hook(office: Office, signer: Signer, name: str) -> Asked:
    return Asked(office, HOOKS, signer.headers(receipt(name)), receipt(name))


def test_what_is_being_answered_when_it_stops_is_answered_and_there_when_it_is_back(office: Office) -> None:
    """Redis writes nothing meanwhile, so that none is answered before."""
    one = json.dumps({"profile": PROFILE, "to": "+13125550102", "text": "Hi"}).encode()
    keyed = {"Authorization": f"Bearer {office.key}", "Idempotency-Key": "one", "Content-Type": "application/json"}
    serve = office.world.started[-1]
    with redis.Redis.from_url(office.valkey.url) as client:
        client.client_pause(30_000, all=False)
        asked = [pushed(office, "last"), Asked(office, "/v1/messages", keyed, one)]
        asked += [hook(office, Signer(2), "forged")]
        asked += [hook(office, SIGNER, "last")]  # the carrier waits for 2 s and no longer
        serve.send_signal(signal.SIGTERM)
        wait_until(lambda: not office.world.serves())
        client.client_unpause()
    (campaign, message, forged, told) = (each.answer() for each in asked)
    assert (campaign[0], message[0], told[0], forged[0]) == (202, 202, 200, 403)
    assert serve.wait(PATIENCE_S) == 0
    # what it was telling a Redis that wrote nothing may be told once more: it heard no answer
    assert office.outbox(refused) in (1, 2), "what it counted last is told too"
    office.world.start("serve")
    wait_until(office.up)
    assert office.get(campaign[1]["status_url"]).json["accepted"] == 2
    assert office.get(f"/v1/messages/{message[1]['messages'][0]['message_id']}").json["status"] == "ready"
    wait_until(lambda: recorded(office) == ["last"])


def test_who_follows_live_reads_to_the_end_of_the_stream_when_it_stops(office: Office) -> None:
    """Chunks have a last one, without which it was broken off: so was each reader of events, after six seconds without a door."""
    lines = [followed(office, where) for where in ("/v1/events", "/v1/events?cursor=latest", "/v1/facts/stream")]
    serve = office.world.started[-1]
    serve.send_signal(signal.SIGTERM)
    for line in lines:
        said = b""
        while piece := line.recv(1 << 16):
            said = (said + piece)[-5:]
        line.close()
        assert said == b"0\r\n\r\n"
    assert serve.wait(PATIENCE_S) == 0
    office.world.start("serve")
    wait_until(office.up)


def test_a_push_whose_rows_are_still_coming_is_ended_within_seconds_and_nothing_of_it_stays(office: Office) -> None:
    before = office.get("/v1/campaigns").json["campaigns"]
    half = pushed(office, "half", share=0.5)
    serve = office.world.started[-1]
    serve.send_signal(signal.SIGTERM)
    assert half.answer()[0] in (0, 503)
    assert serve.wait(PATIENCE_S) == 0
    office.world.start("serve")
    wait_until(office.up)
    names = [each["campaign_id"] for each in office.get("/v1/campaigns").json["campaigns"]]
    assert names == [each["campaign_id"] for each in before]
