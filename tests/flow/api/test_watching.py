"""Streams over HTTP, of facts and of events: for keys that hold, and for so many readers as there is room for."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from tests.flow.api.conftest import Office
from tests.flow.cli.conftest import wait_until

FACTS, EVENTS = "/v1/facts/stream", "/v1/events?cursor=latest"
PLACES = {FACTS: 50, EVENTS: 100}


def opened(office: Office, where: str, key: str) -> tuple[socket.socket, bytes]:
    """A stream, and how its answer begins."""
    at = urlsplit(office.url)
    line = socket.create_connection((str(at.hostname), at.port or 80), timeout=30)
    head = f"GET {where} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nAccept: text/event-stream\r\n"
    line.sendall(f"{head}Connection: close\r\n\r\n".encode())
    return line, line.recv(1 << 16)


def seated(office: Office, where: str, key: str) -> socket.socket:
    """A stream, once there is room: who has just left is noticed a moment later."""
    began = time.monotonic()
    while not (found := opened(office, where, key))[1].startswith(b"HTTP/1.1 200 "):
        found[0].close()
        assert time.monotonic() - began < 30, f"its place stays taken: {found[1]!r}"
        time.sleep(0.1)
    return found[0]


@contextlib.contextmanager
def full(office: Office, where: str, key: str) -> Iterator[Callable[[], None]]:
    """As many streams as there are places; what is given lets one go."""
    lines: list[socket.socket] = []
    try:
        for _ in range(PLACES[where]):
            line, said = opened(office, where, key)
            lines.append(line)
            assert said.startswith(b"HTTP/1.1 200 "), said
        yield lambda: lines.pop().close()
    finally:
        for line in lines:
            line.close()


@pytest.mark.parametrize("where", PLACES)
def test_one_watcher_too_many_is_told_to_come_again_and_has_room_once_another_leaves(
    office: Office, where: str
) -> None:
    _, key = office.make_key("read", rate_milli=100_000_000)
    with full(office, where, key) as leave:
        late, said = opened(office, where, key)
        late.close()
        assert said.startswith(b"HTTP/1.1 429 ")
        assert b"\r\nRetry-After: 10\r\n" in said
        assert office.get("/v1/campaigns", key=key).status == 200, "whoever does not watch is served"
        leave()
        seated(office, where, key).close()


@pytest.mark.parametrize("where", PLACES)
def test_who_watches_sees_nothing_more_soon_after_their_key_was_revoked(office: Office, where: str) -> None:
    name, key = office.make_key("read")
    wait_until(lambda: office.get("/v1/campaigns", key=key).status == 200)
    line = seated(office, where, key)
    assert office.world.json("keys", "revoke", name)["state"] == "revoked"
    began = time.monotonic()
    while line.recv(1 << 16):
        assert time.monotonic() - began < 20, "it goes on"
    line.close()


def test_no_answer_leaves_anything_that_another_site_could_act_with(office: Office) -> None:
    """No cookie, and no leave for scripts of other origins: a browser acts only for a page that has been given a key."""
    elsewhere = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    asked = [office.call(method, "/v1/sending:stop", key="", headers=elsewhere) for method in ("OPTIONS", "POST")]
    assert [each.status for each in asked] == [405, 401]
    asked += [office.get(where, headers=elsewhere) for where in ("/", "/v1/campaigns", "/v1/docs")]
    for answer in asked:
        names = {name.lower() for name in answer.headers}
        assert "set-cookie" not in names
        assert not [name for name in names if name.startswith("access-control-")]
    stop = office.call(
        "POST", "/v1/sending:stop", key="", headers={"Cookie": f"key={office.key}; session={office.key}"}
    )
    assert stop.status == 401
