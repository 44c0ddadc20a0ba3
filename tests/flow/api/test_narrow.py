"""A `volley serve` with narrow bounds, whose ledger falls behind and whose Redis is killed: what it cannot take it refuses, says when
to come again, and keeps nothing of it.
"""

import asyncio
import contextlib
import gzip
import http.client
import json
import random
import select
import sqlite3
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.flow.api.conftest import ALL, PROFILE, Answer, Office, pool
from tests.flow.api.test_messages import send
from tests.flow.api.test_pushes import CSV, campaigns, csv, leftovers, path, people, push, slow
from tests.flow.cli.conftest import make_world, wait_until
from volley.embedded import EmbeddedValkey
from volley.outbox.outbox import Outbox

ROWS, BYTES, BOUND, PUSHES = 50, 20_000, 100, 12


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    asyncio.run(valkey.start())
    bounds = {
        "VOLLEY_API_ROWS": ROWS, "VOLLEY_API_BYTES": BYTES, "VOLLEY_LEDGER_BOUND": BOUND, "VOLLEY_API_PUSHES": PUSHES,
    }  # fmt: skip
    own = {name: str(value) for name, value in bounds.items()}
    world = make_world(tmp_path_factory.mktemp("narrow"), VOLLEY_REDIS_URL=valkey.url, **own)
    found = Office(world, valkey, url=world.settings["VOLLEY_PUBLIC_URL"])
    try:
        world.start("serve")
        wait_until(found.up)
        found.outbox(pool)
        found.key = found.make_key(*ALL)[1]
        yield found
    finally:
        world.end()
        asyncio.run(valkey.stop())


def streamed(office: Office, body: bytes) -> Answer:
    """A body that announces no length."""
    at = urlsplit(office.url)
    line = http.client.HTTPConnection(str(at.hostname), at.port, timeout=30)
    pieces = (body[n : n + 1000] for n in range(0, len(body), 1000))
    with contextlib.suppress(ConnectionError):  # it need not be read to its end
        line.request("POST", path(), pieces, CSV | {"Authorization": f"Bearer {office.key}"}, encode_chunked=True)
    found = line.getresponse()
    answer = Answer(found.status, found.headers, found.read())
    line.close()
    return answer


def wide(size: int) -> bytes:
    """A push of so many bytes in few rows, which cannot be packed to much less."""
    chance = random.Random(size)
    names = "".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(size))
    return "\n".join(["to,name,reference", *(f",{names[n : n + 2000]}," for n in range(0, size, 2000)), ""]).encode()


def refused(narrow: Office, answer: Answer, wanted: tuple[int, str]) -> None:
    assert (answer.status, answer.problem) == wanted, answer.body
    assert leftovers(narrow) == []


def test_one_row_more_than_may_be_is_too_many_and_nothing_of_it_is_taken(narrow: Office) -> None:
    before = campaigns(narrow)
    refused(narrow, push(narrow, csv(people(0, ROWS + 1))), (413, "too-large"))
    more = [{"to": row["to"]} for row in people(0, ROWS + 1)]
    refused(
        narrow, narrow.post("/v1/campaigns", {"profile": PROFILE, "text": "Hi", "recipients": more}), (413, "too-large")
    )
    assert campaigns(narrow) == before
    assert push(narrow, csv(people(0, ROWS))).status == 202


def test_a_body_without_a_length_is_stopped_where_it_is_too_large_packed_or_not(narrow: Office) -> None:
    before = campaigns(narrow)
    refused(narrow, streamed(narrow, wide(3 * BYTES)), (413, "too-large"))
    packed = gzip.compress(wide(3 * BYTES // 2))
    assert len(packed) < BYTES
    refused(narrow, push(narrow, packed, {"Content-Encoding": "gzip"}), (413, "too-large"))
    assert campaigns(narrow) == before
    assert streamed(narrow, csv(people(100))).status == 202


def test_whoever_holds_all_places_but_one_holds_up_nobody_and_who_finds_none_is_told_to_come_again(
    narrow: Office,
) -> None:
    """Each push that comes in holds a thread, and there are more than any default has."""
    first, second = narrow.make_key("send")[1], narrow.make_key("send")[1]
    hanging = []
    try:
        greedy, another = (Office(narrow.world, narrow.valkey, key, narrow.url) for key in (first, second))
        hanging += [slow(greedy, f"hangs{n}", csv(people(200, 20))) for n in range(PUSHES - 1)]
        wait_until(lambda: push(greedy, b"").status == 429)
        assert int(push(greedy, b"").headers["Retry-After"]) >= 1
        assert push(narrow, csv(people(230)), key="between").status == 202
        assert select.select([each.sock for each in hanging], [], [], 0)[0] == [], "none had to end for it"
        hanging.append(slow(another, "last", csv(people(200, 20))))
        wait_until(lambda: push(narrow, csv(people(210))).status == 503)
        answer = push(narrow, csv(people(210)))
        refused(narrow, answer, (503, "try-again-later"))
        assert int(answer.headers["Retry-After"]) >= 1
    finally:
        for each in hanging:
            each.close()
    wait_until(lambda: push(narrow, csv(people(210))).status == 202)


def test_while_the_ledger_is_behind_nothing_is_taken_and_all_is_once_it_is_not(narrow: Office) -> None:
    async def happen(outbox: Outbox) -> None:
        for _ in range(BOUND + 20):
            await outbox.redis.xadd(
                outbox.keys.ledger, {"v": "1", "k": "event", "c": "x", "e": "x", "t": "1", "d": "{}"}
            )

    before = campaigns(narrow)
    books = sqlite3.connect(narrow.world.folder / "home" / "ledger.db", isolation_level=None)
    books.execute("BEGIN IMMEDIATE")
    try:
        narrow.outbox(happen)
        for answer in (
            push(narrow, csv(people(300)), key="behind"),
            send(narrow, "late", to="+13125550320", text="Hi"),
        ):
            refused(narrow, answer, (503, "try-again-later"))
            assert "ledger is behind" in answer.json["detail"]
            assert int(answer.headers["Retry-After"]) >= 1
        assert campaigns(narrow) == before
    finally:
        books.execute("ROLLBACK")
        books.close()
    wait_until(lambda: push(narrow, csv(people(300)), key="behind").status == 202)
    assert send(narrow, "late", to="+13125550320", text="Hi").status == 202


def test_while_redis_is_away_all_say_so_and_what_was_taken_before_is_known_after(narrow: Office) -> None:
    first = push(narrow, csv(people(400)), key="before")
    assert narrow.valkey.process is not None
    narrow.valkey.process.kill()
    narrow.valkey.process.wait()
    answers = [
        push(narrow, csv(people(400)), key="before"),
        push(narrow, csv(people(410)), key="new"),
        send(narrow, "away", to="+13125550420", text="Hi"),
        narrow.get("/v1/campaigns"),
        narrow.call("PATCH", first.json["status_url"], {"rate": "1"}),
        narrow.post(f"{first.json['status_url']}:pause"),
    ]
    for answer in answers:
        assert (answer.status, answer.problem) == (503, "try-again-later"), answer.body
        assert int(answer.headers["Retry-After"]) >= 1
    assert narrow.get("/livez", key="").status == 200
    assert narrow.get("/v1/campaigns", key="").status == 401, "who asks is still looked at"
    asyncio.run(narrow.valkey.start())
    wait_until(lambda: narrow.get("/v1/campaigns").status == 200)
    again = push(narrow, csv(people(400)), key="before")
    assert (again.status, again.json, again.headers["Idempotent-Replayed"]) == (202, first.json, "true")
    assert [push(narrow, csv(people(410)), key="new").status, send(narrow, "away", to="+13125550420", text="Hi").status] == [
        202, 202,
    ]  # fmt: skip
    assert leftovers(narrow) == []
    assert json.loads(narrow.get(first.json["status_url"]).body)["state"] == "ready"
