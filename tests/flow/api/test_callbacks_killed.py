"""`volley serve` killed in the midst of calling back: once it is there again every event comes, under the id and in the body of its first
call, in the order of the feed.
"""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.flow.api.conftest import ALL, Office, pool
from tests.flow.api.test_events import opt_out
from tests.flow.cli.conftest import make_world, wait_until
from tests.offspring import Process
from volley.embedded import EmbeddedValkey

FIRST = 12025570000
EVENTS = 30


class Receiver(ThreadingHTTPServer):
    """Takes what comes once it is `open`, and tells of each answer (`answered`)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Take)
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.open, self.answered = threading.Event(), threading.Event()
        self.open.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def bodies(self) -> dict[str, set[bytes]]:
        """Of each id."""
        found: dict[str, set[bytes]] = {}
        for headers, body in self.calls:
            found.setdefault(headers["webhook-id"], set()).add(body)
        return found

    @property
    def events(self) -> list[str]:
        """Ids of events, in the order in which they came first."""
        return list(
            dict.fromkeys(event["id"] for _, body in self.calls for event in json.loads(body)["data"]["events"])
        )


class Take(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.server.open.wait()
        try:
            self.send_response(204)
            self.end_headers()
        except ConnectionError:
            return  # who called is dead
        self.server.answered.set()

    def log_message(self, *_words: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.open.set()
    made.shutdown()
    made.server_close()


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    asyncio.run(valkey.start())
    own = {"VOLLEY_REDIS_URL": valkey.url, "VOLLEY_SECRET": "a secret of this desk", "VOLLEY_CALLBACKS_LOCAL": "true"}
    world = make_world(tmp_path_factory.mktemp("desk"), **own)
    try:
        yield Office(world, valkey, url=world.settings["VOLLEY_PUBLIC_URL"])
    finally:
        world.end()
        asyncio.run(valkey.stop())


def started(desk: Office) -> Process:
    process = desk.world.start("serve")
    wait_until(desk.up)
    return process


def killed(desk: Office, process: Process) -> None:
    """The lease of who is dead is over: nobody need wait for that."""
    process.kill()
    process.wait()
    books = sqlite3.connect(desk.world.folder / "home" / "ledger.db")
    with books:
        books.execute("UPDATE callbacks SET held_us = 0")
    books.close()


def test_every_event_is_delivered_whenever_serve_is_killed(desk: Office, receiver: Receiver) -> None:
    serve = started(desk)
    desk.outbox(pool)
    desk.key = desk.make_key(*ALL)[1]
    url = f"http://127.0.0.1:{receiver.server_port}/in"
    made = desk.post("/v1/callbacks", {"url": url, "types": ["optout.*"]}).json
    start = desk.get("/v1/events?cursor=latest").json["next_cursor"]

    receiver.open.clear()
    opt_out(desk, FIRST, EVENTS)
    wait_until(lambda: receiver.calls)
    killed(desk, serve)  # nobody has answered
    [(unanswered, _)] = receiver.calls
    receiver.open.set()
    serve = started(desk)
    wait_until(lambda: [headers["webhook-id"] for headers, _ in receiver.calls].count(unanswered["webhook-id"]) == 2)

    wait_until(lambda: len(receiver.events) == EVENTS)
    receiver.answered.clear()
    opt_out(desk, FIRST + EVENTS, EVENTS)
    assert receiver.answered.wait(60)
    killed(desk, serve)  # it was answered this moment, and may have been written down or not
    opt_out(desk, FIRST + 2 * EVENTS, EVENTS)  # while nobody is there
    started(desk)

    def all_delivered() -> bool:
        [mine] = desk.get("/v1/callbacks").json["callbacks"]
        return (mine["delivered"], mine["waiting"], mine["dead"]) == (3 * EVENTS, 0, 0)

    wait_until(all_delivered)
    feed = desk.get(f"/v1/events?cursor={start}&types=optout.*&limit=1000").json["events"]
    assert receiver.events == [event["id"] for event in feed]
    assert len(feed) == 3 * EVENTS
    assert {len(bodies) for bodies in receiver.bodies.values()} == {1}, "an id has one body, whoever calls"
    told = [event["id"] for [body] in receiver.bodies.values() for event in json.loads(body)["data"]["events"]]
    assert len(told) == len(set(told)), "an event has one id of a call"
    for headers, body in receiver.calls:
        Webhook(made["secret"]).verify(body, headers)
