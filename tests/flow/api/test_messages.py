"""Messages over HTTP: gathered and yet each with its own key and answer, never twice, readable at once."""

import contextlib
import http.client
import json
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from tests.flow.api.conftest import ALL, PROFILE, Answer, Office
from tests.flow.api.test_pushes import campaigns, leftovers
from tests.flow.cli.conftest import PATIENCE_S, wait_until
from volley.outbox.outbox import Outbox

_keys = count()


@pytest.fixture(scope="module", autouse=True)
def _quick(office: Office) -> None:
    """These ask as fast as they can, which is more than a key may by default."""
    office.key = office.make_key(*ALL, rate_milli=10**9)[1]


def send(office: Office, key: str | None = None, **fields: Any) -> Answer:
    name = f"m{next(_keys)}" if key is None else key
    return office.post("/v1/messages", {"profile": PROFILE} | fields, headers={"Idempotency-Key": name} if name else {})


def at_once(office: Office, asked: Mapping[str, dict[str, str]]) -> list[Answer]:
    """Key → fields of a request. All of them are there when serve looks: it is stopped while they are sent."""
    at = urlsplit(office.url)
    own = {"Authorization": f"Bearer {office.key}", "Content-Type": "application/json"}
    lines = [http.client.HTTPConnection(str(at.hostname), at.port, timeout=PATIENCE_S) for _ in asked]
    for line in lines:
        line.connect()
    serve = office.world.started[-1]
    serve.send_signal(signal.SIGSTOP)
    try:
        for line, (key, fields) in zip(lines, asked.items(), strict=True):
            body = json.dumps({"profile": PROFILE} | fields)
            line.request("POST", "/v1/messages", body, own | {"Idempotency-Key": key})
    finally:
        serve.send_signal(signal.SIGCONT)
    return [_answer(line) for line in lines]


def _answer(line: http.client.HTTPConnection) -> Answer:
    with contextlib.closing(line):
        answer = line.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


def test_one_text_is_on_the_disk_when_it_is_answered_and_can_be_read_at_once(office: Office) -> None:
    answer = send(office, to="+13125550001", text="Your code is 1234", reference="o-1")
    assert answer.status == 202, answer.body
    [told] = answer.json["messages"]
    assert (told["to"], told["reference"], told["status"]) == ("+13125550001", "o-1", "ready")
    shown = office.get(f"/v1/messages/{told['message_id']}").json
    assert (shown["to"], shown["reference"], shown["status"]) == ("+13125550001", "o-1", "ready")

    def recorded() -> bool:
        return bool(office.get(f"/v1/messages/{told['message_id']}").json["text"] == "Your code is 1234")

    wait_until(recorded)
    assert office.get(f"/v1/campaigns/{answer.json['campaign_id']}").json["priority"] == "urgent"
    assert office.get("/v1/messages/0123456789abcdef-0-0").problem == "not-found"
    assert office.get("/v1/messages/odd").problem == "not-found"


def test_a_key_is_needed_and_makes_a_request_once(office: Office) -> None:
    missing = send(office, "", to="+13125550002", text="Hi")
    assert (missing.status, missing.problem) == (400, "bad-request")
    first = send(office, "once", to="+13125550002", text="Hi")
    before = campaigns(office)
    again = send(office, "once", to="+13125550002", text="Hi")
    assert (again.status, again.json) == (202, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = send(office, "once", to="+13125550002", text="Ho")
    assert (other.status, other.problem) == (422, "idempotency-key-taken")
    assert send(office, "else", to="+13125550002", text="Hi").json["campaign_id"] != first.json["campaign_id"]
    assert campaigns(office) == before + 1


def test_requests_at_once_share_campaigns_and_each_has_its_own_answer(office: Office) -> None:
    before = campaigns(office)

    def one(n: int) -> Answer:
        return send(office, f"many{n}", to=f"+1312556{n:04d}", text=f"Text {n}", reference="the same one")

    with ThreadPoolExecutor(20) as senders:
        answers = list(senders.map(one, range(100)))
    assert {each.status for each in answers} == {202}, {each.body for each in answers if each.status != 202}
    names = [each.json["messages"][0]["message_id"] for each in answers]
    assert len(set(names)) == 100
    made, before = campaigns(office) - before, campaigns(office)
    others = {f"none{n}": {"to": f"+1312557{n:04d}", "text": f"Text {n}"} for n in range(100)}
    assert {each.status for each in at_once(office, others)} == {202}
    assert campaigns(office) - before < 60
    assert made > 60, "those with the same reference never meet"
    shown = office.get(f"/v1/messages/{names[42]}").json
    assert shown["to"] == "+13125560042"


def test_codes_that_expire_some_milliseconds_apart_share_campaigns_too(office: Office) -> None:
    before, second = campaigns(office), (datetime.now(UTC) + timedelta(minutes=10)).replace(microsecond=0)

    def code(n: int) -> dict[str, str]:
        expires = (second + timedelta(milliseconds=n)).isoformat()
        return {"to": f"+1312558{n:04d}", "text": f"Code {n}", "expires": expires}

    answers = at_once(office, {f"code{n}": code(n) for n in range(100)})
    assert {each.status for each in answers} == {202}
    assert campaigns(office) - before < 60
    shown = office.get(f"/v1/campaigns/{answers[99].json['campaign_id']}").json
    assert datetime.fromisoformat(shown["expires"]) == second, "never later than was asked"
    again = send(office, "code7", **code(7))
    assert again.json == answers[7].json


def test_a_worker_is_woken_only_where_none_is_at_work(office: Office) -> None:
    """A campaign of gathered messages is in lanes when it is sealed: a job for each would be the dearest part of it."""

    async def awake(outbox: Outbox) -> None:
        await outbox.chores.alive("drain:0")

    async def asleep(outbox: Outbox) -> None:
        await outbox.chores.done("drain:0")

    def woken(campaign: str) -> bool:
        with redis.Redis.from_url(office.valkey.url) as client:
            return client.exists(f"arq:job:volley:plan:{campaign}") == 1

    office.outbox(asleep)
    name = send(office, to="+13125550020", text="Hi").json["campaign_id"]
    wait_until(lambda: woken(name))
    office.outbox(awake)
    names = [send(office, to="+13125550020", text="Hi").json["campaign_id"] for _ in range(5)]
    office.outbox(asleep)
    last = send(office, to="+13125550020", text="Hi").json["campaign_id"]
    wait_until(lambda: woken(last))
    assert not any(woken(each) for each in names)


def test_a_key_at_once_twenty_times_sends_once(office: Office) -> None:
    with ThreadPoolExecutor(20) as senders:
        answers = list(senders.map(lambda _: send(office, "rush", to="+13125550003", text="Hi"), range(20)))
    assert {each.status for each in answers} <= {202, 409}
    assert {each.problem for each in answers if each.status == 409} <= {"in-progress"}
    assert len({each.json["messages"][0]["message_id"] for each in answers if each.status == 202}) == 1


def test_each_text_of_a_request_is_told_what_became_of_it(office: Office) -> None:
    async def opt_out(outbox: Outbox) -> int:
        return await outbox.add_optouts(PROFILE, [13125550013])

    office.outbox(opt_out)
    texts = [("+13125550010", "a"), ("12", "b"), ("+13125550013", "c"), ("+13125550010", "d"), ("+13125550014", "e")]
    answer = send(office, "mixed", messages=[{"to": to, "text": text} for to, text in texts])
    told = answer.json["messages"]
    assert [each["status"] for each in told] == ["ready", "rejected", "opted_out", "duplicate", "ready"]
    assert [each["message_id"] is None for each in told] == [False, True, True, True, False]
    assert told[1]["reason"]
    assert send(office, "mixed", messages=[{"to": to, "text": text} for to, text in texts]).json == answer.json
    none = send(office, "nobody", to="+13125550013", text="Hi")
    assert (none.status, none.problem) == (422, "nothing-to-send")
    assert none.json["messages"][0]["status"] == "opted_out"
    assert leftovers(office) == []


def test_a_thousand_texts_are_one_request_and_one_more_is_too_many(office: Office) -> None:
    texts = [{"to": f"+1312558{n:04d}", "text": f"Text {n}"} for n in range(1001)]
    assert send(office, messages=texts).problem == "invalid"
    told = send(office, messages=texts[:1000]).json["messages"]
    assert len({each["message_id"] for each in told}) == 1000
    assert office.get(f"/v1/messages/{told[999]['message_id']}").json["to"] == "+13125580999"


def test_what_makes_no_sense_is_refused_and_the_others_go(office: Office) -> None:
    odd: list[dict[str, Any]] = [
        {}, {"to": "+13125550001"}, {"to": "+13125550001", "text": ""}, {"messages": []}, {"to": 1, "text": "x"},
        {"to": "+13125550001", "text": "x", "messages": [{"to": "+13125550001", "text": "x"}]}, {"colour": "red"},
    ]  # fmt: skip
    assert {send(office, **fields).problem for fields in odd} == {"invalid"}
    assert send(office, to="+13125550001", text="x", profile="unknown").problem == "invalid"
    assert send(office, to="+13125550004", text="x").status == 202


def test_a_region_in_small_letters_is_the_same_region(office: Office) -> None:
    """A message that goes must not be answered as one that was refused: it would be sent once more."""
    first = send(office, "small", to="312 555 0006", text="Hi", region="us")
    assert (first.status, first.json["messages"][0]["status"]) == (202, "ready"), first.body
    again = send(office, "small", to="312 555 0006", text="Hi", region="us")
    assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")


def test_messages_wait_for_redis_and_say_so(office: Office) -> None:
    with redis.Redis.from_url(office.valkey.url) as client:
        client.config_set("maxmemory", 1 << 20)
        try:
            answer = send(office, "full", to="+13125550005", text="Hi")
        finally:
            client.config_set("maxmemory", 0)
    assert (answer.status, answer.problem) == (503, "try-again-later")
    assert send(office, "full", to="+13125550005", text="Hi").status == 202
    assert leftovers(office) == []
