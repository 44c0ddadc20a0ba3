"""Campaigns pushed over HTTP: the same whatever they come in, once whatever is repeated, whole or not at all, and bounded."""

import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import redis
from backports import zstd

from tests.flow.api.conftest import PROFILE, Answer, Office
from tests.flow.cli.conftest import wait_until
from volley.embedded import free_port
from volley.outbox.outbox import Outbox

HELLO = {"profile": PROFILE, "template": "Hi {name}, wie geht’s?"}
CSV = {"Content-Type": "text/csv"}
LINES = {"Content-Type": "application/x-ndjson"}


def people(start: int, count: int = 3, name: str = "Ann") -> list[dict[str, str]]:
    return [{"to": f"+1312555{n:04d}", "name": name, "reference": f"r{n}"} for n in range(start, start + count)]


def csv(rows: Sequence[dict[str, str]]) -> bytes:
    return "\n".join(["to,name,reference", *(f"{r['to']},{r['name']},{r['reference']}" for r in rows), ""]).encode()


def lines(rows: Sequence[dict[str, str]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def path(**options: Any) -> str:
    return f"/v1/campaigns?{urlencode(HELLO | options, doseq=True)}"


def push(
    office: Office, body: bytes, headers: dict[str, str] | None = None, *, key: str | None = None, **options: Any
) -> Answer:
    own = CSV | (headers or {}) | ({"Idempotency-Key": key} if key else {})
    return office.post(path(**options), body, headers=own)


SEALED = ("campaigns", "gathered")
"""Where a campaign is listed, once."""


def campaigns(office: Office) -> int:
    with redis.Redis.from_url(office.valkey.url) as client:
        return sum(int(client.zcard(f"volley:{{default}}:{name}")) for name in SEALED)  # type: ignore[arg-type]


def leftovers(office: Office) -> list[bytes]:
    """What an unsealed push has in Redis."""
    with redis.Redis.from_url(office.valkey.url) as client:
        sealed = {each for name in SEALED for each in client.zrange(f"volley:{{default}}:{name}", 0, -1)}  # type: ignore[union-attr]
        names = [name.split(b":")[3] for name in client.keys("volley:{default}:chunk:*")]  # type: ignore[union-attr]
        return [name for name in names if name not in sealed] + list(client.zrange("volley:{default}:open", 0, -1))  # type: ignore[arg-type]


def test_csv_json_lines_and_json_plain_or_packed_come_to_the_same(office: Office) -> None:
    shapes = [
        (csv, CSV, None), (csv, CSV, "gzip"), (csv, CSV, "zstd"), (lines, LINES, None), (lines, LINES, "zstd"),
    ]  # fmt: skip
    packers = {"gzip": gzip.compress, "zstd": zstd.compress}
    answers = []
    for n, (shape, kind, packed) in enumerate(shapes):
        body = packers[packed](shape(people(n * 10))) if packed else shape(people(n * 10))
        answers.append(push(office, body, kind | ({"Content-Encoding": packed} if packed else {})))
    answers.append(office.post("/v1/campaigns", HELLO | {"recipients": people(60)}))
    for answer in answers:
        assert answer.status == 202, answer.body
        told = answer.json
        assert (told["accepted"], told["parts"], told["rejected"], told["notes"]) == (3, 3, 0, [])
        assert told["estimated_cost"]["currency"] == "USD"
        assert answer.headers["Location"] == told["status_url"]
        shown = office.get(told["status_url"]).json
        assert (shown["accepted"], shown["state"]) == (3, "ready")


def test_rows_that_cannot_be_sent_are_told_with_reasons_and_the_rest_go(office: Office) -> None:
    rows = [*people(100), {"to": "12", "name": "=cmd|' /C calc'!A0", "reference": "x"}, *people(100, 1)]
    rows.append({"to": "+13125550199", "name": "Bo", "reference": "r100"})
    told = push(office, csv(rows)).json
    assert (told["accepted"], told["rejected"], told["duplicates"]) == (3, 2, 1)
    assert [each["row"] for each in told["rejected_rows"]] == [5, 7]
    assert "reference" in told["rejected_rows"][1]["reason"]
    file = office.get(told["rejects_url"])
    assert file.headers["Content-Type"].startswith("text/csv")
    assert b"'=cmd" in file.body
    assert b"+13125550199" in file.body
    assert office.get("/v1/campaigns/0123456789abcdef/rejects.csv").problem == "not-found"
    assert office.get("/v1/campaigns/..%2F..%2Fvolley/rejects.csv").status == 404


def test_a_push_of_which_nothing_can_be_sent_is_a_problem_and_no_campaign(office: Office) -> None:
    before = campaigns(office)
    answer = push(office, b"to,name\n12,Ann\n")
    assert (answer.status, answer.problem) == (422, "nothing-to-send")
    assert answer.json["rejected_rows"][0]["row"] == 2
    assert (campaigns(office), leftovers(office)) == (before, [])


def test_a_dry_run_tells_what_it_would_be_and_leaves_nothing(office: Office) -> None:
    with redis.Redis.from_url(office.valkey.url) as client:
        before = client.keys()
        answer = push(office, csv([*people(200), {"to": "12", "name": "", "reference": ""}]), key="dry", dry_run="true")
        assert answer.status == 200, answer.body
        added = {name.split(b":")[2] for name in set(client.keys()) - set(before)}  # type: ignore[arg-type]
    assert added <= {b"conservation", b"history", b"serves"}, "serve writes these by itself"
    told = answer.json
    assert (told["campaign_id"], told["accepted"], told["rejected"]) == (None, 3, 1)
    assert told["forecast"]["parts_histogram"] == {"1": 3}
    assert told["forecast"]["unicode"][0]["character"] == "’"
    assert told["finishes"] is not None


def test_the_same_key_and_content_is_the_same_answer_and_another_content_is_refused(office: Office) -> None:
    body, before = csv([*people(300), {"to": "12", "name": "x", "reference": "y"}]), campaigns(office)
    first = push(office, body, key="same", priority="urgent")
    again = push(office, gzip.compress(body), {"Content-Encoding": "gzip"}, key="same", priority="urgent")
    assert (again.status, again.json) == (202, first.json)
    assert (first.headers["Idempotent-Replayed"], again.headers["Idempotent-Replayed"]) == (None, "true")
    others = [
        push(office, csv(people(310)), key="same", priority="urgent"),
        push(office, body, key="same", priority="bulk"),
        push(office, body, key="same", priority="urgent", template="Hello {name}"),
        push(office, body, key="same", priority="urgent", expires="2031-01-01T00:00:00+00:00"),
    ]
    assert {(each.status, each.problem) for each in others} == {(422, "idempotency-key-taken")}
    assert (campaigns(office), leftovers(office)) == (before + 1, [])


def slow(office: Office, key: str, body: bytes) -> http.client.HTTPConnection:
    """A push that has begun and not ended."""
    where = urlsplit(office.url)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=30)
    connection.putrequest("POST", path())
    headers = {
        "Authorization": f"Bearer {office.key}",
        **CSV,
        "Idempotency-Key": key,
        "Content-Length": str(2 * len(body)),
    }
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    return connection


def test_a_key_that_is_busy_is_told_so_until_it_is_not(office: Office) -> None:
    body = csv(people(400, 1000))
    connection = slow(office, "busy", body)
    wait_until(lambda: push(office, csv(people(400)), key="busy").status == 409)
    answer = push(office, csv(people(400)), key="busy")
    assert answer.problem == "in-progress"
    assert answer.headers["Retry-After"] == "1"
    connection.close()
    wait_until(lambda: push(office, csv(people(400)), key="busy").status == 202)


def test_a_client_that_goes_away_midway_leaves_nothing_behind(office: Office) -> None:
    before = campaigns(office)
    connection = slow(office, "gone", csv(people(1500, 6000, "Ann" * 50)))
    wait_until(lambda: leftovers(office))
    connection.close()
    wait_until(lambda: not leftovers(office))
    assert campaigns(office) == before
    files = list((office.world.folder / "home" / "rejects").rglob("*[!v]"))
    assert not [each for each in files if each.is_file() and each.suffix != ".csv"]


def test_one_key_at_two_serves_at_once_and_after_a_restart_is_one_campaign(office: Office) -> None:
    port, before = free_port(), campaigns(office)
    second = office.world.start("serve", VOLLEY_SERVE_PORT=str(port))
    other = Office(office.world, office.valkey, office.key, f"http://127.0.0.1:{port}")
    wait_until(lambda: other.up())
    body = csv(people(2500, 800))
    with ThreadPoolExecutor(6) as pushers:
        work = [pushers.submit(push, (office, other)[n % 2], body, None, key="two") for n in range(6)]
        answers = [each.result() for each in work]
    assert {each.status for each in answers} <= {202, 409, 429, 503}
    second.terminate()
    second.wait(30)
    last = push(office, body, key="two")
    ids = {each.json["campaign_id"] for each in [*answers, last] if each.status == 202}
    assert ids == {last.json["campaign_id"]}
    assert (campaigns(office), leftovers(office)) == (before + 1, [])


def bomb() -> bytes:
    return gzip.compress(b"to,name\n" + (b"+13125550100," + b"x" * 1500 + b"\n") * 20_000)


def far_reaching() -> bytes:
    """A push of nobody in particular, to unpack which one would have to hold 128 MB."""
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    return packer.compress(b"to,name\n+13125550600,Ann\n") + packer.flush()


@pytest.mark.parametrize(
    ("body", "headers", "wanted"),
    [
        (bomb(), {"Content-Encoding": "gzip"}, (413, "too-large")),
        (zstd.compress(b"to,name\n" + (b" " * 1000 + b"\n") * 30_000), {"Content-Encoding": "zstd"}, (413, "too-large")),
        (gzip.compress(csv(people(500)), mtime=0)[:-9], {"Content-Encoding": "gzip"}, (400, "bad-request")),
        (zstd.compress(csv(people(500, 900)))[:-9], {"Content-Encoding": "zstd"}, (400, "bad-request")),
        (b"plain", {"Content-Encoding": "gzip"}, (400, "bad-request")),
        (b"x", {"Content-Encoding": "br"}, (415, "unsupported-type")),
        (b"x", {"Content-Type": "text/html"}, (415, "unsupported-type")),
        (b"", {}, (422, "invalid")),
        (b"name\nAnn\n", {}, (422, "invalid")),
        (b"to,name\n+13125550100,\xff\n", {}, (422, "invalid")),
        (b"to," + b",".join(b"c%d" % n for n in range(300)) + b"\n", {}, (413, "too-large")),
        (b"to,name\n+13125550100," + b"x" * 200_000 + b"\n", {}, (422, "invalid")),
        (far_reaching(), {"Content-Encoding": "zstd"}, (400, "bad-request")),
        (b" " * ((4 << 20) + 1), {"Content-Type": "application/json"}, (413, "too-large")),
        (b"{", {"Content-Type": "application/json"}, (400, "bad-request")),
        (b'{"recipients":"all"}', {"Content-Type": "application/json"}, (422, "invalid")),
        (b'{"recipients":[{"to":"+13125550100"}],"colour":1}', {"Content-Type": "application/json"}, (422, "invalid")),
    ],
)  # fmt: skip
def test_bodies_that_are_damaged_or_know_no_bound_are_refused(
    office: Office, body: bytes, headers: dict[str, str], wanted: tuple[int, str]
) -> None:
    before = campaigns(office)
    answer = push(office, body, headers)
    assert (answer.status, answer.problem) == wanted
    assert (campaigns(office), leftovers(office)) == (before, [])


def test_a_body_that_announces_too_much_is_refused_before_it_comes(office: Office) -> None:
    where = urlsplit(office.url)
    head = f"POST {path()} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {office.key}\r\nContent-Type: text/csv\r\n"
    with socket.create_connection((str(where.hostname), where.port or 80), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {3 << 30}\r\n\r\nto".encode())
        assert connection.recv(100).split()[1] == b"413"


def test_what_contradicts_itself_is_refused_with_its_place(office: Office) -> None:
    both = push(office, csv(people(600)), text="Hello")
    assert (both.status, both.problem) == (422, "invalid")
    odd = push(office, csv(people(600)), priority="soon", weight="0")
    assert {each["where"] for each in odd.json["errors"]} == {"query.priority", "query.weight"}
    assert push(office, csv(people(600)), profile="unknown").problem == "invalid"
    assert push(office, csv(people(600)), key="k" * 300).problem == "invalid"


def test_a_key_sends_no_more_a_day_than_it_may_and_what_was_not_sent_does_not_count(office: Office) -> None:
    _, token = office.make_key("send", daily=700)

    def mine(start: int, count: int) -> Answer:
        headers = CSV | {"Idempotency-Key": f"daily-{start}-{count}"}
        return office.post(path(), csv(people(start, count)), headers=headers, key=token)

    refused = mine(3000, 1200)
    assert (refused.status, refused.problem) == (429, "too-many-requests")
    assert int(refused.headers["Retry-After"]) <= 86_400
    assert leftovers(office) == []
    assert mine(3000, 700).status == 202
    assert mine(3000, 700).status == 202, "the same again is no new push"
    assert mine(3700, 1).status == 429


def test_a_push_without_a_key_that_only_repeats_one_is_answered_whatever_is_left_of_the_day(office: Office) -> None:
    _, token = office.make_key("send", daily=700)

    def mine(start: int, count: int) -> Answer:
        return office.post(path(), csv(people(start, count)), headers=CSV, key=token)

    first = mine(6000, 700)
    again = mine(6000, 700)
    assert (first.status, again.status, again.json["campaign_id"]) == (202, 202, first.json["campaign_id"])
    refused = mine(6000, 701)
    assert (refused.status, refused.problem) == (429, "too-many-requests")
    assert office.post(path(again="true"), csv(people(6000, 700)), headers=CSV, key=token).status == 429
    assert leftovers(office) == []


def test_a_full_redis_is_503_and_nothing_stays(office: Office) -> None:
    with redis.Redis.from_url(office.valkey.url) as client:
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 1.05))  # type: ignore[index]
        try:
            answer = push(office, csv(people(4000)))
        finally:
            client.config_set("maxmemory", 0)
    assert (answer.status, answer.problem) == (503, "try-again-later")
    assert int(answer.headers["Retry-After"]) >= 1
    assert leftovers(office) == []
    assert push(office, csv(people(4000))).status == 202


def test_a_test_send_reaches_the_testers_with_the_first_texts_and_nobody_else(office: Office) -> None:
    told = push(office, csv(people(5000, 100)), test_to=["+12025550111", "+12025550112"]).json
    assert told["accepted"] == 2

    async def held(outbox: Outbox) -> tuple[list[int], tuple[str, ...]]:
        from volley.outbox.chunks import decode

        blob = await outbox.redis.get(outbox.keys.chunk(told["campaign_id"], 0))
        view = await outbox.campaign(told["campaign_id"])
        assert blob is not None
        assert view is not None
        return decode(blob).to, view.campaign.tags

    assert office.outbox(held) == ([12025550111, 12025550112], ("test",))


def test_a_row_that_no_tester_can_get_is_refused_with_its_own_reason(office: Office) -> None:
    """Objects that cannot be read are one cell, in which the reason stands: no tester's number goes there."""
    rows: list[Any] = [{"to": 1.5}, 5, *people(5200, 2), {"to": 2.5}]
    told = push(office, lines(rows), LINES, test_to=["+12025550113", "+12025550114"]).json
    assert (told["accepted"], told["rejected"]) == (2, 2)
    assert [(each["row"], "neither" in each["reason"]) for each in told["rejected_rows"]] == [(1, True), (2, False)]
    assert "+1202" not in str(told["rejected_rows"])


def test_webhooks_health_and_reads_are_answered_while_pushes_hang(office: Office) -> None:
    hanging = [slow(office, f"hang{n}", csv(people(7000 + 10 * n))) for n in range(3)]
    try:
        full = push(office, csv(people(7100)))
        assert (full.status, full.problem) == (429, "too-many-requests")
        begin = time.monotonic()
        assert office.get("/livez", key="").status == 200
        assert office.get("/v1/campaigns").status == 200
        assert time.monotonic() - begin < 10
    finally:
        for each in hanging:
            each.close()
    wait_until(lambda: push(office, csv(people(7100))).status == 202)
    assert threading.active_count() < 50


def test_nothing_of_a_push_is_in_the_log(office: Office) -> None:
    log = office.world.log("serve")
    assert "1312555" not in log
    assert "Bearer" not in log
    assert "Traceback" not in log
