"""Forged, replayed, re-serialised, doubled, huge: refused and counted, nothing changed, memory bounded."""

import gzip
import http.client
import json
import socket
import threading
import time
from urllib.parse import urlsplit

import psutil

from tests.flow.cli.conftest import wait_until
from tests.flow.webhooks.conftest import SIGNER, House, event
from volley.sandbox.signing import Signer

STOP = event(
    "stop",
    "message.received",
    {
        "id": "c-1",
        "from": {"phone_number": "+12025550191"},
        "to": [{"phone_number": "+12025550000"}],
        "messaging_profile_id": "5a4db0c5-0000-4000-8000-000000000001",
        "text": "STOP",
    },
)
HUGE = 10 << 20
LARGEST_GROWTH = 120 << 20
PATH = "/webhooks/telnyx/default"


def raw(house: House, lines: list[tuple[str, str]], body: bytes = STOP) -> int:
    """A request whose headers are exactly these."""
    where = urlsplit(house.url)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=10)
    try:
        connection.putrequest("POST", PATH)
        for name, value in [*lines, ("Content-Length", str(len(body)))]:
            connection.putheader(name, value)
        connection.endheaders(body)
        return connection.getresponse().status
    finally:
        connection.close()


def test_whatever_the_carrier_did_not_sign_is_refused_counted_and_changes_nothing(house: House) -> None:
    good = SIGNER.headers(STOP)
    signature, stamp = good["telnyx-signature-ed25519"], good["telnyx-timestamp"]
    pairs = list(good.items())
    before, refused = house.fingerprint(), house.count("refused")
    answers = [
        house.post(STOP, {}),
        house.post(STOP, Signer(2).headers(STOP)),
        house.post(json.dumps(json.loads(STOP), indent=1).encode(), good),
        house.post(STOP + b" ", good),
        house.post(STOP, {**good, "telnyx-timestamp": str(int(time.time()) - 3600)}),
        house.post(STOP, {**good, "telnyx-timestamp": str(int(time.time()) + 3600)}),
        raw(house, pairs[:1]),
        raw(house, pairs[1:]),
        raw(house, [*pairs, ("telnyx-signature-ed25519", signature)]),
        raw(house, [*pairs, ("Telnyx-Timestamp", stamp)]),
        raw(house, [("telnyx-signature-ed25519", "?" * 88), ("telnyx-timestamp", stamp)]),
    ]
    assert answers == [403] * len(answers)
    assert house.count("refused") == refused + len(answers)
    assert house.fingerprint() == before
    assert house.opted_out() == []


def test_a_compressed_body_is_refused_before_anything_unpacks_it(house: House) -> None:
    bomb = gzip.compress(bytes(HUGE))
    lines = [*SIGNER.headers(bomb).items(), ("Content-Encoding", "gzip")]
    assert raw(house, lines, bomb) == 415


def _pour(house: House, *, chunked: bool, answers: list[int]) -> None:
    where = urlsplit(house.url)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=20)
    piece = b"x" * (64 << 10)
    body = (piece for _ in range(HUGE // len(piece)))
    headers = SIGNER.headers(b"") | ({} if chunked else {"Content-Length": str(HUGE)})
    try:
        connection.request("POST", PATH, body=body, headers=headers, encode_chunked=chunked)
        answers.append(connection.getresponse().status)
    except (ConnectionError, BrokenPipeError, http.client.HTTPException):
        answers.append(413)  # it was hung up on in the middle of its body
    finally:
        connection.close()


def test_fifty_huge_bodies_at_once_are_refused_in_bounded_memory(house: House) -> None:
    serve = psutil.Process(house.serve.pid)
    start, peak = serve.memory_info().rss, 0
    answers: list[int] = []
    pourers = [
        threading.Thread(target=_pour, args=(house,), kwargs={"chunked": n % 2 == 0, "answers": answers})
        for n in range(50)
    ]
    for pourer in pourers:
        pourer.start()
    while any(pourer.is_alive() for pourer in pourers):
        peak = max(peak, serve.memory_info().rss)
        time.sleep(0.01)
    assert answers == [413] * 50
    assert peak - start < LARGEST_GROWTH
    assert house.post(event("after", "call.initiated", {})) == 200


def test_what_cannot_be_read_is_kept_raw_in_quarantine(house: House) -> None:
    body = b"sms_id=8a1&direction=inbound&from=%2B12025550191&body=STOP"
    before = house.count("unreadable")
    assert house.post(body) == 200
    wait_until(lambda: house.rows("select count(*) from quarantine") == [(1,)])
    [(error, fields)] = house.rows("select error, fields from quarantine")
    assert "webhook_api_version" in error
    assert body in fields
    for n in range(130):
        assert house.post(b"%d" % n) == 200
    assert house.count("unreadable") == before + 131
    wait_until(lambda: house.health()["recorder"]["quarantined"] >= 100)
    assert house.rows("select count(*) from quarantine") <= [(200,)], "no more than 100 an hour are kept"


def test_what_comes_to_the_failover_address_is_taken_and_counted_apart(house: House) -> None:
    body = event("over", "call.initiated", {})
    before = house.count("failover")
    assert house.post(body, path="default/failover") == 200
    assert house.post(body, {}, path="default/failover") == 403
    assert house.post(body, path="other/failover") == 404
    assert house.count("failover") == before + 1


def test_events_that_nothing_uses_are_counted_by_a_bounded_number_of_types(house: House) -> None:
    click = {"record_type": "link_clicked", "message_id": "m", "to": "+12025550191", "url": "https://x.example"}
    assert house.post(json.dumps({"data": click}).encode()) == 200
    for n in range(40):
        assert house.post(event(f"odd-{n}", f"odd.type{n}", {})) == 200
    assert house.post(event("odd", "Weird Type +12025550191", {})) == 200
    unused = house.health()["unused"]
    assert unused["link_clicked"] == 1
    assert len(unused) <= 21
    assert not [name for name in unused if " " in name or "2025550191" in name]
    assert sum(unused.values()) == house.count("ignored")


def test_what_is_no_http_is_counted_and_leaves_nothing_in_the_log(house: House) -> None:
    before, log = house.count("malformed"), house.world.log("serve")
    where = urlsplit(house.url)
    for line in ("X-Private: a private word\x01", "Content-Length: 1\r\nContent-Length: 2", f"X-Long: {'a' * 20_000}"):
        with socket.create_connection((str(where.hostname), where.port or 80), timeout=10) as connection:
            connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: here\r\n{line}\r\n\r\n".encode())
            assert connection.recv(100).split()[1] == b"400"
    assert house.count("malformed") == before + 3
    assert house.world.log("serve") == log
