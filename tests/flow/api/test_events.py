"""The feed over HTTP: page by page and live, from the same cursor the same."""

import json
import socket
import time
from collections.abc import Iterator
from itertools import islice
from urllib.parse import urlsplit

import pytest

from tests.flow.api.conftest import PROFILE, Office
from tests.flow.cli.conftest import wait_until

PERSON = 12025550100


def opt_out(office: Office, first: int, count: int) -> None:
    people = list(range(first, first + count))
    office.outbox(lambda outbox: outbox.add_optouts(PROFILE, people))


class Live:
    """A reader of the stream, on a socket of its own."""

    def __init__(self, office: Office, query: str = "", **headers: str) -> None:
        where = urlsplit(office.url)
        assert where.hostname
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.socket.settimeout(20)
        self.socket.connect((where.hostname, where.port))
        own = {"Host": "x", "Authorization": f"Bearer {office.key}", "Accept": "text/event-stream"} | headers
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in own.items())
        self.socket.sendall(f"GET /v1/events{query} HTTP/1.1\r\n{lines}\r\n".encode())

    def events(self) -> Iterator[dict[str, object]]:
        with self.socket.makefile("rb") as lines:
            for line in lines:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    def take(self, count: int) -> list[dict[str, object]]:
        return list(islice(self.events(), count))


def test_a_replay_by_cursor_is_what_was_seen_live(office: Office) -> None:
    start = office.get("/v1/events?cursor=latest").json["next_cursor"]
    live = Live(office, f"?cursor={start}&types=optout.*")
    opt_out(office, PERSON, 5)
    seen = live.take(5)
    assert [event["type"] for event in seen] == ["optout.added"] * 5
    assert office.get(f"/v1/events?cursor={start}&types=optout.*").json["events"] == seen
    piece = office.get(f"/v1/events?cursor={start}&types=optout.added&limit=2").json
    assert (piece["events"], piece["next_cursor"]) == (seen[:2], seen[1]["id"])
    assert Live(office, Last_Event_ID=str(seen[1]["id"])).take(3) == seen[2:]


@pytest.mark.parametrize("query", ["cursor=nonsense", "types=nothing.at_all", "limit=0", "campaign=x"])
def test_what_is_no_question_is_told(office: Office, query: str) -> None:
    assert office.get(f"/v1/events?{query}").problem == "invalid"


def test_a_cursor_of_another_ledger_is_gone(office: Office) -> None:
    assert office.get("/v1/events?cursor=999999999.1").status == 410
    assert office.get("/v1/events?cursor=999999999.1").problem == "gone"


def test_the_feed_needs_a_key_that_may_read(office: Office) -> None:
    _, token = office.make_key("send")
    wait_until(lambda: office.get("/v1/events", key=token).status == 403)


def test_a_stream_ends_soon_after_its_key_was_revoked(office: Office) -> None:
    name, token = office.make_key("read")
    wait_until(lambda: office.get("/v1/events?limit=1", key=token).status == 200)
    live = Live(office, "?cursor=latest", Authorization=f"Bearer {token}", Connection="close")
    assert live.socket.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    assert office.world.json("keys", "revoke", name)["state"] == "revoked"
    began = time.monotonic()
    while live.socket.recv(1 << 16):
        assert time.monotonic() - began < 20, "it goes on"


def test_a_reader_that_takes_nothing_is_cut_off_and_goes_on_by_its_cursor(office: Office) -> None:
    """The socket's buffers fill up; then the server waits five seconds."""
    start = office.get("/v1/events?cursor=latest").json["next_cursor"]
    slow = Live(office, f"?cursor={start}")
    opt_out(office, 12025600000, 60_000)
    wait_until(lambda: _is_cut(slow.socket))
    assert len(office.get(f"/v1/events?cursor={start}&limit=1000").json["events"]) == 1000


def _is_cut(reader: socket.socket) -> bool:
    """Linux' TCP_INFO: its first byte is the connection's state, 1 while it is established."""
    return reader.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1
