"""The sandbox at the wire: Telnyx's answers, its errors, the official SDK, faults, receipts, and the log of it all."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import telnyx

from volley.sandbox.arrivals import read
from volley.sandbox.config import PROFILE_ID, Pool, ProfileSpec, SandboxConfig
from volley.sandbox.fault_rule import FaultRule
from volley.sandbox.process import SandboxProcess
from volley.sandbox.server import Sandbox

KEY = {"Authorization": "Bearer KEY_SANDBOX"}
TO = "+12025550123"
POOL: Pool = (("long_code", 12, 0), ("toll_free", 3, 0), ("short_code", 1, 0), ("alphanumeric", 1, 0))
CONFIG = SandboxConfig(profiles=(ProfileSpec(pool=POOL),), spare=(("long_code", 2, 0),))
PAYLOAD_FIELDS = [
    "cc", "completed_at", "cost", "cost_breakdown", "direction", "encoding", "errors", "from", "id", "media",
    "messaging_profile_id", "num_chars", "organization_id", "parts", "received_at", "record_type", "sent_at",
    "smart_encoding_applied", "subject", "tags", "tcr_campaign_billable", "tcr_campaign_id",
    "tcr_campaign_registered", "text", "to", "type", "valid_until", "wait_seconds", "webhook_failover_url",
    "webhook_url",
]  # fmt: skip


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=KEY, timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


class Answer:
    def __init__(self, status: int, headers: Any, body: Any) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self) -> str:
        return str(self.body["errors"][0]["code"])


async def ask(http: aiohttp.ClientSession, method: str, url: str, body: object = None, **headers: str) -> Answer:
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.request(method, url, data=data, headers=named) as answer:
        text = await answer.text()
        return Answer(
            answer.status, answer.headers, json.loads(text) if answer.content_type == "application/json" else text
        )


async def send(http: aiohttp.ClientSession, sandbox: Sandbox, text: str = "hello", **rest: object) -> Answer:
    headers = {"Idempotency_Key": str(rest.pop("key"))} if "key" in rest else {}
    body = {"from": sandbox.senders[0], "to": TO, "text": text} | rest
    return await ask(http, "POST", f"{sandbox.url}/messages", body, **headers)


def _schemas() -> dict[str, Any]:
    beside = Path(__file__).parents[2] / "../shared/reference/telnyx-openapi-messaging.json"
    path = Path(os.environ.get("VOLLEY_OPENAPI", beside))
    return dict(json.loads(path.read_text("utf-8"))["components"]["schemas"]) if path.is_file() else {}


def _conforms(value: Any, schema: dict[str, Any], schemas: dict[str, Any], at: str = "") -> None:
    """Types, enumerations and nothing that the schema does not know."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    kinds = {
        "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)
    }  # fmt: skip
    names = schema["type"] if isinstance(schema.get("type"), list) else [schema.get("type", "object")]
    assert any(isinstance(value, kinds[name]) for name in names), (at, value, names)
    assert value is None or value in schema.get("enum", [value]), (at, value)
    if isinstance(value, dict) and "properties" in schema:
        assert value.keys() <= schema["properties"].keys(), (at, value.keys() - schema["properties"].keys())
        for name, inner in value.items():
            _conforms(inner, schema["properties"][name], schemas, f"{at}/{name}")
    for each in value if isinstance(value, list) else []:
        _conforms(each, schema.get("items", {}), schemas, f"{at}[]")


async def test_an_answer_has_every_field_of_the_carrier_s_schema(http: aiohttp.ClientSession) -> None:
    async with Sandbox(CONFIG) as sandbox:
        plain = await send(http, sandbox, 'naïve "quotes" % \\ 🎉', webhook_url="http://127.0.0.1:9/x?a=%20")
        media = await send(http, sandbox, media_urls=["https://example.com/a.png"], subject="Look")
        lists = {
            "PhoneNumberWithMessagingSettings": "phone_numbers/messaging",
            "ShortCode": "short_codes",
            "AlphanumericSenderId": "alphanumeric_sender_ids",
            "MessagingProfile": "messaging_profiles",
        }
        rows = {name: await ask(http, "GET", f"{sandbox.url}/{path}") for name, path in lists.items()}
    schemas = _schemas()
    for answer in (plain, media):
        assert answer.status == 200
        assert sorted(answer.body["data"]) == sorted(PAYLOAD_FIELDS)
        if schemas:
            assert sorted(schemas["OutboundMessagePayload"]["properties"]) == sorted(PAYLOAD_FIELDS)
            _conforms(answer.body["data"], schemas["OutboundMessagePayload"], schemas)
    for name, answer in rows.items():
        assert answer.body["data"], name
        for row in answer.body["data"] if schemas else []:
            _conforms(row, schemas[name], schemas)
    data = plain.body["data"]
    assert (data["text"], data["encoding"], data["parts"]) == ('naïve "quotes" % \\ 🎉', "UCS-2", 1)
    assert data["webhook_url"] == "http://127.0.0.1:9/x?a=%20"
    assert data["cost"] == {"amount": "0.007", "currency": "USD"}
    assert data["valid_until"][:10] >= data["received_at"][:10]
    assert data["received_at"][-6:] == "+00:00"


async def test_the_official_client_sends_and_lists() -> None:
    async with Sandbox(CONFIG) as sandbox:
        client = telnyx.AsyncTelnyx(api_key="KEY_SANDBOX", base_url=sandbox.url, max_retries=0)
        async with client:
            sent = await client.messages.send(to=TO, from_=sandbox.senders[0], text="hi", idempotency_key="a-1")
            again = await client.messages.send(to=TO, from_=sandbox.senders[0], text="hi", idempotency_key="a-1")
            pooled = await client.messages.send_number_pool(to=TO, messaging_profile_id=PROFILE_ID, text="hi")
            shown = await client.messages.retrieve(str(sent.data.id))
            numbers = [
                number.phone_number
                async for number in client.phone_numbers.messaging.list(
                    page_size=4, filter_messaging_profile_id=PROFILE_ID
                )
            ]
            profiles = [profile.id async for profile in client.messaging_profiles.list()]
            with pytest.raises(telnyx.BadRequestError, match="40310"):
                await client.messages.send(to="12025550123", from_=sandbox.senders[0], text="hi")
    assert sent.data.id == again.data.id == shown.data.id
    assert pooled.data.from_.phone_number in sandbox.senders[:15]
    assert numbers == sandbox.senders[:15]
    assert profiles == [PROFILE_ID]


async def test_a_wrong_key_an_unknown_path_and_bad_json_get_the_carrier_s_errors(http: aiohttp.ClientSession) -> None:
    async with Sandbox(CONFIG) as sandbox:
        url = sandbox.url
        wrong = await ask(http, "POST", f"{url}/messages", {}, Authorization="Bearer other")
        lists = await ask(http, "GET", f"{url}/messaging_profiles", Authorization="KEY_SANDBOX")
        path = await ask(http, "GET", f"{url}/nothing")
        message = await ask(http, "GET", f"{url}/messages/5a4db0c5-0000-4000-8000-00000000f00d")
        broken = await ask(http, "POST", f"{url}/messages", b'{"to": ')
        array = await ask(http, "POST", f"{url}/messages", b"[]")
    answers = [(each.status, each.code) for each in (wrong, lists, path, message, broken, array)]
    assert answers == [
        (401, "10009"), (401, "10009"), (404, "10005"), (404, "40303"), (400, "10023"), (400, "10015")
    ]  # fmt: skip
    assert {"code", "title", "detail", "meta"} <= wrong.body["errors"][0].keys()


@pytest.mark.parametrize(
    ("path", "sender"),
    [("long_code", 0), ("short_code", 15), ("alphanumeric_sender_id", 16), ("number_pool", None)],
)
async def test_each_send_endpoint_sends(http: aiohttp.ClientSession, path: str, sender: int | None) -> None:
    async with Sandbox(CONFIG) as sandbox:
        body = {"to": "+447700900123", "text": "hello", "messaging_profile_id": PROFILE_ID}
        if sender is not None:
            body["from"] = sandbox.senders[sender]
        answer = await ask(http, "POST", f"{sandbox.url}/messages/{path}", body)
        arrival = sandbox.arrivals()[0]
    assert answer.status == 200
    assert answer.body["data"]["from"]["phone_number"] == arrival.sender
    assert sender is None or arrival.sender == body["from"]


async def test_lists_page_and_filter_without_gaps(http: aiohttp.ClientSession) -> None:
    async with Sandbox(CONFIG) as sandbox:
        url = f"{sandbox.url}/phone_numbers/messaging"
        pages = [await ask(http, "GET", f"{url}?page[number]={page}&page[size]=5") for page in range(1, 5)]
        toll_free = await ask(http, "GET", f"{url}?filter[type]=tollfree")
        spare = await ask(http, "GET", f"{url}?filter[messaging_profile_id]=null")
        one = await ask(http, "GET", f"{url}?filter[phone_number]=%2B{sandbox.senders[3][1:]}")
        single = await ask(http, "GET", f"{sandbox.url}/phone_numbers/{one.body['data'][0]['id']}/messaging")
        too_many = await ask(http, "GET", f"{url}?page[size]=251")
        unknown = await ask(http, "GET", f"{sandbox.url}/messaging_profiles/none/phone_numbers")
        all_senders = sandbox.senders
    seen = [row["phone_number"] for page in pages for row in page.body["data"]]
    assert seen == all_senders[:15] + all_senders[17:]
    assert pages[0].body["meta"] == {"page_number": 1, "page_size": 5, "total_pages": 4, "total_results": 17}
    assert [row["phone_number"] for row in toll_free.body["data"]] == all_senders[12:15]
    assert [row["phone_number"] for row in spare.body["data"]] == all_senders[17:]
    assert single.body["data"]["phone_number"] == all_senders[3]
    assert (too_many.status, unknown.status) == (400, 404)


async def test_a_repeated_key_gives_the_same_message_and_another_body_is_refused(http: aiohttp.ClientSession) -> None:
    async with Sandbox(CONFIG) as sandbox:
        first, again = [await send(http, sandbox, key="k:1") for _ in range(2)]
        other = await send(http, sandbox, "another text", key="k:1")
        refused = await send(http, sandbox, key="k:2", to="nobody")
        after = await send(http, sandbox, key="k:2")
        results = [each.result for each in sandbox.arrivals()]
    assert first.body == again.body
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert (other.status, other.code) == (422, "10027")
    assert (refused.status, after.status) == (400, 200)
    assert results == ["accepted", "replayed", "refused", "refused", "accepted"]


async def test_a_sandbox_that_ignores_keys_sends_twice(http: aiohttp.ClientSession) -> None:
    async with Sandbox(SandboxConfig(idempotency="ignored")) as sandbox:
        first, again = [await send(http, sandbox, key="k1") for _ in range(2)]
        stats = await ask(http, "GET", f"{sandbox.root}/_sandbox/stats")
    assert first.body["data"]["id"] != again.body["data"]["id"]
    assert (stats.body["accepted"], stats.body["duplicates"]) == (2, 1)


async def test_past_a_number_s_rate_messages_queue_and_past_the_queue_they_are_refused(
    http: aiohttp.ClientSession,
) -> None:
    async with Sandbox(SandboxConfig(pool=(("long_code", 1, 0.01),), queue_cap_s=150)) as sandbox:
        answers = [await send(http, sandbox) for _ in range(3)]
    waits = [answer.body["data"]["wait_seconds"] for answer in answers[:2]]
    assert waits[0] == 0.0
    assert 90 < waits[1] <= 100
    assert answers[1].body["data"]["to"][0]["status"] == "queued"
    assert answers[2].code == "40318"


async def test_too_many_requests_are_told_when_to_come_again(http: aiohttp.ClientSession) -> None:
    async with Sandbox(SandboxConfig(requests_per_window=2, request_window_s=3600)) as sandbox:
        answers = [await send(http, sandbox) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].code == "10011"
    assert 0 < int(answers[2].headers["Retry-After"]) <= 3600
    assert answers[0].headers["x-ratelimit-remaining"] == "1"


@pytest.mark.parametrize(
    ("rule", "accepted"),
    [
        (FaultRule(kind="lost"), 1),
        (FaultRule(kind="lost", reset=True), 1),
        (FaultRule(kind="cut_body"), 1),
        (FaultRule(kind="cut"), 0),
        (FaultRule(kind="hangup"), 0),
    ],
)
async def test_an_answer_that_is_cut_off_is_in_the_log_as_what_it_was(rule: FaultRule, accepted: int) -> None:
    async with Sandbox(CONFIG) as sandbox, aiohttp.ClientSession(headers=KEY) as http:
        sandbox.set_faults(rule)
        with pytest.raises(aiohttp.ClientError):
            await send(http, sandbox)
        sandbox.set_faults()
        assert (await send(http, sandbox)).status == 200
        arrivals = sandbox.arrivals()
    assert [each.result for each in arrivals].count("accepted") == accepted + 1
    assert arrivals[0].fault == ("" if rule.kind == "hangup" else rule.kind)


async def test_a_body_that_is_too_large_is_refused_even_while_it_comes(http: aiohttp.ClientSession) -> None:
    async with Sandbox(CONFIG) as sandbox:
        answer = await ask(http, "POST", f"{sandbox.url}/messages", b"x" * 5_000_000)
    assert answer.status == 413


async def test_a_black_hole_takes_the_message_and_never_answers(http: aiohttp.ClientSession) -> None:
    async with Sandbox(CONFIG) as sandbox:
        sandbox.set_faults(FaultRule(kind="black_hole", first=1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(send(http, sandbox), 0.2)
        assert [each.result for each in sandbox.arrivals()] == ["accepted"]


async def test_faults_are_set_shown_and_taken_back_while_it_runs(http: aiohttp.ClientSession) -> None:
    async with Sandbox(CONFIG) as sandbox:
        url = f"{sandbox.root}/_sandbox/faults"
        rule = {"kind": "status", "status": 429, "code": "40333", "retry_after": 7, "match_to": "+1202*"}
        assert (await ask(http, "PUT", url, [rule])).status == 200
        hit, spared = await send(http, sandbox), await send(http, sandbox, to="+13035550123")
        shown = await ask(http, "GET", url)
        bad = await ask(http, "PUT", url, [{"kind": "earthquake"}])
        await ask(http, "DELETE", url)
        after = await send(http, sandbox)
        arrivals = sandbox.arrivals()
    assert (hit.status, hit.code, hit.headers["Retry-After"]) == (429, "40333", "7")
    assert (spared.status, after.status, bad.status) == (200, 200, 400)
    assert shown.body[0]["kind"] == "status"
    assert [(each.result, each.code) for each in arrivals] == [("refused", "40333"), ("accepted", ""), ("accepted", "")]


async def test_spoilt_answers_are_whole_at_the_wire_and_no_use_above_it(http: aiohttp.ClientSession) -> None:
    async with Sandbox(CONFIG) as sandbox:
        rules = (
            FaultRule(kind="truncated", first=1),
            FaultRule(kind="not_json", first=1),
            FaultRule(kind="status", accept=True),
        )
        sandbox.set_faults(*rules)
        with pytest.raises(json.JSONDecodeError):
            await send(http, sandbox)
        page, error = await send(http, sandbox), await send(http, sandbox)
        results = [each.result for each in sandbox.arrivals()]
    assert (page.status, page.body[:6], error.status, error.code) == (200, "<html>", 500, "10007")
    assert results == ["accepted"] * 3


async def _arrived(sandbox: Sandbox) -> None:
    async with asyncio.timeout(30):
        while True:
            if sandbox.arrivals():
                return
            await asyncio.sleep(0.005)


async def test_a_key_whose_answer_is_held_back_is_in_flight(http: aiohttp.ClientSession) -> None:
    async with Sandbox(CONFIG) as sandbox:
        sandbox.set_faults(FaultRule(kind="latency", ms=(2000, 2000), first=1))
        slow = asyncio.create_task(send(http, sandbox, key="slow"))
        await _arrived(sandbox)
        early = await send(http, sandbox, key="slow")
        first = await slow
        late = await send(http, sandbox, key="slow")
    assert (early.status, early.code) == (409, "10036")
    assert first.body == late.body


async def test_the_log_over_http_and_in_the_file_are_the_same(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with Sandbox(SandboxConfig(log=tmp_path / "arrivals.jsonl", pool=POOL)) as sandbox:
        for turn in range(5):
            await send(http, sandbox, f"text {turn}", key=f"k{turn}", webhook_url="http://127.0.0.1:9/ref")
        await send(http, sandbox, to="nobody")
        pages = [
            await ask(http, "GET", f"{sandbox.root}/_sandbox/arrivals?after={after}&limit=2") for after in (0, 2, 4)
        ]
    served = [json.loads(line) for page in pages for line in page.body.splitlines()]
    stored = [each._asdict() for each in read(tmp_path / "arrivals.jsonl")]
    assert served == stored
    assert [(row["key"], row["reference"], row["status"]) for row in served[4:]] == [
        ("k4", "http://127.0.0.1:9/ref", 200),
        ("", "", 400),
    ]


async def test_with_fsync_what_was_answered_outlives_a_kill(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    config = SandboxConfig(log=tmp_path / "arrivals.jsonl", fsync=True, pool=POOL)
    sandbox, process = Sandbox(config), SandboxProcess(config)
    await process.start()
    url, body = f"{process.url}/messages", {"from": sandbox.senders[0], "to": TO, "text": "hello"}
    answers = await asyncio.gather(*(ask(http, "POST", url, body) for _ in range(50)))
    await process.kill()
    logged = {each.id for each in read(tmp_path / "arrivals.jsonl")}
    assert {answer.body["data"]["id"] for answer in answers} == logged


async def test_a_sandbox_of_its_own_process_knows_its_faults_and_ends_when_told(http: aiohttp.ClientSession) -> None:
    config = SandboxConfig(pool=POOL, faults=(FaultRule(kind="status", status=503, code="10037", first=1),))
    async with SandboxProcess(config) as process:
        body = {"from": Sandbox(config).senders[0], "to": TO, "text": "hello"}
        answers = [await ask(http, "POST", f"{process.url}/messages", body) for _ in range(2)]
        key = await ask(http, "GET", f"{process.root}/_sandbox/public_key")
        pid = process.pid
    assert [answer.status for answer in answers] == [503, 200]
    assert key.body["public_key"] == process.public_key == Sandbox(config).public_key
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
