"""Every operation of the route table, asked without a key, with keys that are none any more, and with a key of each scope: exactly
what the document says of it. And bodies that come too slowly to ever end.
"""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from producer.access import register
from producer.access.keys import SCOPES, Scope, make
from producer.web.routes import JSON, Route
from producer.web.table import TABLE
from tests.flow.api.conftest import PROFILE, Answer, Office
from tests.flow.api.test_pushes import CSV, campaigns, leftovers, path
from volley.ledger.engine import open_ledger

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NOBODY = "0123456789abcdef"
FAST = 100_000_000


def place(route: Route) -> str:
    """Of things that there are not."""
    pieces = route.path.split("{")
    return pieces[0] + "".join(NOBODY + piece.partition("}")[2] for piece in pieces[1:])


def ask(office: Office, method: str, where: str, key: str = "", body: bytes | None = None) -> Answer:
    """As it answers at once: of a stream that has no end the body is left."""
    at = urlsplit(office.url)
    line = http.client.HTTPConnection(str(at.hostname), at.port, timeout=30)
    own = {"Authorization": f"Bearer {key}"} if key else {}
    line.request(method, where, body, own | ({"Content-Type": JSON} if body is not None else {}))
    found = line.getresponse()
    live = found.headers.get_content_type() == "text/event-stream"
    answer = Answer(found.status, found.headers, b"" if live else found.read())
    line.close()
    return answer


def asked(office: Office, route: Route, key: str) -> Answer:
    body = b"{}" if route.body or route.bodies else None
    return ask(office, route.method, place(route), key, body)


def kept_key(office: Office, **fields: Any) -> str:
    """A key that may do all, stored as it would be later."""
    key, token = make("default", "of the past", frozenset(SCOPES), time.time_ns() // 1000)

    async def store() -> None:
        engine = open_ledger(f"sqlite+aiosqlite:///{office.world.folder}/home/ledger.db")
        await register.add(engine, replace(key, **fields))
        await engine.dispose()

    asyncio.run(store())
    return token


@dataclass
class Trickle:
    """A request whose body comes a byte at a time, until it is cut off; `silent`: it does not come at all; `stays`: it would go on
    though it has its answer.
    """

    office: Office
    where: str
    key: str
    kind: str
    silent: bool = False
    stays: bool = False
    closed: bool = False
    said: bytes = b""
    sent: int = 0
    thread: threading.Thread = field(default_factory=threading.Thread)

    def begin(self) -> "Trickle":
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def run(self) -> None:
        at = urlsplit(self.office.url)
        head = f"POST {self.where} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.office.key}\r\nIdempotency-Key: {self.key}\r\n"
        with socket.create_connection((str(at.hostname), at.port or 80), timeout=0.25) as line:
            line.sendall(f"{head}Content-Type: {self.kind}\r\nContent-Length: 100000\r\n\r\n".encode())
            while b"\r\n\r\n" not in self.said:
                try:
                    if not self.silent:
                        line.sendall(b" ")
                        self.sent += 1
                    self.said += line.recv(65536)
                except TimeoutError:
                    continue
            line.settimeout(20)
            if not self.stays:
                line.shutdown(socket.SHUT_WR)
            while more := line.recv(65536):
                self.said += more
            self.closed = True

    @property
    def answer(self) -> Answer:
        """Once the connection is closed."""
        self.thread.join(60)
        assert self.closed, "nobody closed the connection"
        head, _, body = self.said.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        return Answer(int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body)


@pytest.fixture(scope="module")
def slow(office: Office) -> Mapping[str, Trickle]:
    """They begin while everything else is asked."""
    return {
        "csv": Trickle(office, path(), "slow-csv", "text/csv").begin(),
        "silent": Trickle(office, path(), "slow-nothing", "text/csv", silent=True).begin(),
        "messages": Trickle(office, "/v1/messages", "slow-messages", JSON, stays=True).begin(),
    }


@pytest.fixture(scope="module")
def document(office: Office, slow: Mapping[str, Trickle]) -> dict[str, Any]:
    return ask(office, "GET", "/v1/openapi.json").json


def test_the_document_has_every_route_with_its_scope_and_there_are_no_others(
    office: Office, document: dict[str, Any]
) -> None:
    told = {(method.upper(), where) for where, methods in document["paths"].items() for method in methods}
    assert told == {(route.method, route.path) for route in TABLE}
    for route in TABLE:
        assert document["paths"][route.path][route.method.lower()]["description"].endswith(f"Scope: {route.scope}.")
    assert document["security"] == [{"apiKey": []}]
    for where in document["paths"]:
        own = [route for route in TABLE if route.path == where]
        for method in set(METHODS) - {route.method for route in own}:
            answer = ask(office, method, place(own[0]))
            assert answer.status == 405, (method, where)
            assert set(answer.headers["Allow"].split(",")) == {route.method for route in own}


def test_no_route_answers_without_a_key_that_holds_now(office: Office, document: dict[str, Any]) -> None:
    token, now_us = office.key, time.time_ns() // 1000
    keys = {
        "none": "",
        "unknown": f"vk_live_{'0' * 10}_{'x' * 43}",
        "wrong secret": token[:-1] + ("a" if token[-1] != "a" else "b"),
        "for tests": token.replace("live", "test"),
        "revoked": kept_key(office, revoked_us=now_us - 1),
        "expired": kept_key(office, expires_us=now_us - 1),
        "of another account": kept_key(office, account="other"),
    }
    before = campaigns(office)
    for route in TABLE:
        for what, key in keys.items():
            answer = asked(office, route, key)
            assert (answer.status, answer.problem) == (401, "unauthenticated"), (route.operation, what)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert ask(office, "GET", "/v1/campaigns", kept_key(office)).status == 200, "made as they were, and it holds"
    assert campaigns(office) == before


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_opens_the_routes_of_its_scope_and_no_other(
    office: Office, document: dict[str, Any], scope: Scope
) -> None:
    _, token = office.make_key(scope, rate_milli=FAST)
    opened = set()
    for route in TABLE:
        answer = asked(office, route, token)
        if route.scope == scope or scope == "admin":
            described = document["paths"][route.path][route.method.lower()]["responses"][str(answer.status)]
            assert answer.status not in (401, 403), route.operation
            assert answer.headers["Content-Type"].split(";")[0] in described["content"], route.operation
            opened.add(route.operation)
        else:
            assert (answer.status, answer.problem) == (403, "missing-scope"), route.operation
            assert answer.json["detail"] == f"{route.operation} needs a key with scope {route.scope}"
    assert opened
    assert ask(office, "GET", "/v1/sending", office.key).json["stopped"] is False, "what was stopped was resumed"


@pytest.mark.parametrize("which", ["csv", "silent", "messages"])
def test_a_body_that_comes_a_byte_at_a_time_is_cut_off_and_nothing_of_it_is_sent(
    office: Office, document: dict[str, Any], slow: Mapping[str, Trickle], which: str
) -> None:
    trickle = slow[which]
    answer = trickle.answer
    assert (answer.status, answer.problem) == (408, "too-slow"), answer.body
    assert "408" in document["paths"][urlsplit(trickle.where).path]["post"]["responses"]
    assert 0 < trickle.sent < 1000 or trickle.silent
    assert leftovers(office) == []
    again = {"Idempotency-Key": trickle.key, "Content-Type": trickle.kind}
    one = {"profile": PROFILE, "to": "+13125550777", "text": "Your code is 1"}
    body = json.dumps(one).encode() if which == "messages" else b"to,name\n+13125550777,Ann\n"
    assert office.post(trickle.where, body, headers=again).status == 202, "the key is free, and there is room"


def test_the_root_and_an_expectation_that_nobody_knows_are_answered_in_problems(office: Office) -> None:
    assert (office.get("/v1").status, office.get("/v1").problem) == (404, "not-found")
    one = {"profile": PROFILE, "to": "+13125550777", "text": "Your code is 1"}
    headers = {"Idempotency-Key": "expected", "Expect": "foo"}
    answer = office.post("/v1/messages", one, headers=headers)
    assert (answer.status, answer.problem) == (417, "expectation-failed")
    where = urlsplit(office.url)
    with socket.create_connection((str(where.hostname), where.port or 80), timeout=10) as line:
        head = f"POST /v1/messages HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {office.key}\r\nContent-Type: application/json\r\n"
        line.sendall(f"{head}Content-Length: 2\r\nIdempotency-Key: x\r\nExpect: 100-continue\r\n\r\n".encode())
        assert line.recv(100).startswith(b"HTTP/1.1 100 ")
        line.sendall(b"{}")
        assert line.recv(100).startswith(b"HTTP/1.1 422 ")


def test_a_refusal_names_fields_and_no_options_of_the_command_line(office: Office) -> None:
    asked = urlencode({"profile": PROFILE, "text": "Hi", "subject": "About it"})
    told = office.post(f"/v1/campaigns?{asked}", b"to\n+13125550777\n", headers=CSV)
    assert (told.status, told.problem) == (422, "invalid")
    assert told.json["detail"] == "a subject belongs to an MMS: add `media`, or leave the subject out"
