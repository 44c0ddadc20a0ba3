"""All of it over HTTP on either ledger: pushed, delivered, read, exported, asked again, audited, and told when Redis forgot it."""

import asyncio
import io
import json
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pyarrow.parquet
import pytest

from tests.flow.api.conftest import Answer, Office
from tests.flow.cli.conftest import make_world, wait_until
from tests.postgres import Postgres
from tests.sandboxes import sandbox_process
from volley.embedded import EmbeddedValkey
from volley.outbox.outbox import Outbox
from volley.sandbox.config import API_KEY, PROFILE_ID
from volley.sandbox.signing import Signer

PEOPLE = [{"to": f"+1312555{n:04d}", "reference": f"r{n}"} for n in range(100, 106)]
DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def carrier() -> Iterator[dict[str, str]]:
    with sandbox_process("--pool", "long_code=20@0") as url:
        yield {"TELNYX_API_KEY": API_KEY, "TELNYX_BASE_URL": url, "TELNYX_PUBLIC_KEY": Signer(1).public_key}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def books(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, carrier: dict[str, str]
) -> Iterator[Office]:
    """`volley serve` and a worker, with this ledger; the carrier is a sandbox."""
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    asyncio.run(valkey.start())
    own = {"VOLLEY_REDIS_URL": valkey.url, "VOLLEY_SECRET": "a secret of this office"}
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        server.query("CREATE DATABASE flows")
        own["VOLLEY_LEDGER_URL"] = server.url("flows")
    world = make_world(tmp_path_factory.mktemp(request.param), **carrier, **own)
    found = Office(world, valkey, url=world.settings["VOLLEY_PUBLIC_URL"])
    world.start("serve")
    world.start("worker")
    wait_until(found.up)
    assert world.run("numbers", "sync", "--profile", PROFILE_ID).returncode == 0
    scopes = [word for scope in ("send", "read", "ops") for word in ("--scope", scope)]
    found.key = str(world.json("keys", "create", "--name", "books", *scopes)["key"])
    yield found
    world.end()
    asyncio.run(valkey.stop())


def push(office: Office, key: str, **options: Any) -> Any:
    body = {"profile": PROFILE_ID, "text": f"Hello {key}", "recipients": PEOPLE, **options}
    told = office.post("/v1/campaigns", body, headers={"Idempotency-Key": key})
    assert told.status == 202, told.body
    return told


def counts(office: Office, name: str) -> dict[str, int]:
    return {status: n for status, n in office.get(f"/v1/campaigns/{name}").json["counts"].items() if n}


def forget(office: Office, *names: str) -> None:
    """Their retention is over, as soon as the ledger has all of them."""

    async def work(outbox: Outbox) -> bool:
        await outbox.chores.forget(-1_000_000, 100, -1_000_000)
        return [await outbox.campaign(name) for name in names] == [None] * len(names)

    wait_until(lambda: office.outbox(work))


def all_of_it(books: Office, name: str) -> list[Any]:
    """Its messages, once everything that tells of them says the same."""
    page = books.get(f"/v1/campaigns/{name}/messages?limit=4").json
    rest = books.get(f"/v1/campaigns/{name}/messages?cursor={page['next']}").json
    messages = page["messages"] + rest["messages"]
    assert [each["to"] for each in messages] == [each["to"] for each in PEOPLE]
    assert {each["status"] for each in messages} == {"delivered"}
    path = f"/v1/campaigns/{name}/export"
    exported = [json.loads(line) for line in books.get(path).body.splitlines()]
    assert exported == messages
    assert len(books.get(f"{path}?format=csv").body.splitlines()) == len(PEOPLE) + 1
    table = pyarrow.parquet.read_table(io.BytesIO(books.get(f"{path}?format=parquet").body))
    assert table["reference"].to_pylist() == [each["reference"] for each in PEOPLE]
    shown = books.get(f"/v1/messages/{messages[0]['message_id']}").json
    assert (shown["status"], shown["text"]) == ("delivered", "Hello spring")
    again = push(books, "spring")
    assert (again.json["campaign_id"], again.headers["Idempotent-Replayed"]) == (name, "true")
    other = books.post(
        "/v1/campaigns",
        {"profile": PROFILE_ID, "text": "Another", "recipients": PEOPLE},
        headers={"Idempotency-Key": "spring"},
    )
    assert other.problem == "idempotency-key-taken"
    audit = books.world.run("audit", "--json")
    assert (audit.returncode, json.loads(audit.stdout)["broken"]) == (0, [])
    return messages


def test_what_is_pushed_is_delivered_read_asked_again_and_told_after_redis_forgot_it(books: Office) -> None:
    told = push(books, "spring")
    name = told.json["campaign_id"]
    wait_until(lambda: counts(books, name) == {"delivered": len(PEOPLE)})

    before = all_of_it(books, name)
    events = books.get(f"/v1/events?campaign={name}&limit=1000").json["events"]
    types = [each["type"] for each in events]
    assert types.count("message.delivered") == len(PEOPLE)
    assert "campaign.finished" in types
    spent = books.get(f"/v1/campaigns/{name}").json["cost"]
    assert books.world.json("cost", "--by", "campaign")["rows"][0]["cost"] == spent["amount"]  # type: ignore[index]
    forget(books, name)
    assert all_of_it(books, name) == before
    past = books.get(f"/v1/campaigns/{name}").json
    assert (past["state"], past["counts"]["delivered"], past["cost"]) == ("finished", len(PEOPLE), spent)
    assert books.get(f"/v1/why/{name}").json["state"] == "finished"


def fault(carrier: Mapping[str, str], *rules: Mapping[str, object]) -> None:
    """What the carrier does to sends from now on; none: it does them all."""
    control(carrier, "faults", json.dumps(rules).encode(), "PUT")


def control(carrier: Mapping[str, str], path: str, body: bytes | None = None, method: str = "GET") -> bytes:
    url = f"{carrier['TELNYX_BASE_URL'].removesuffix('/v2')}/_sandbox/{path}"
    with urllib.request.urlopen(urllib.request.Request(url, body, method=method), timeout=10) as answer:
        found: bytes = answer.read()
        return found


def arrived(carrier: Mapping[str, str], name: str) -> Mapping[str, list[tuple[str, str]]]:
    """What the carrier did with each POST of a campaign, and its key, by person."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in control(carrier, "arrivals?limit=100000").splitlines():
        each = json.loads(line)
        if each["key"].startswith(f"{name}-"):
            found.setdefault(each["to"], []).append((each["result"], each["key"].rpartition("-")[2]))
    return found


def test_what_failed_goes_once_more_by_its_error_and_all_else_is_left_alone(
    books: Office, carrier: dict[str, str]
) -> None:
    """Asked twice at one time, and again when it is over: each of them is one POST more, and is paid for once."""
    (first, second, other), well = (each["to"] for each in PEOPLE[:3]), [each["to"] for each in PEOPLE[3:]]
    rules = [{"kind": "status", "status": 400, "code": "40310", "match_to": to} for to in (first, second)]
    fault(carrier, *rules, {"kind": "status", "status": 400, "code": "40301", "match_to": other})
    name = push(books, "once more").json["campaign_id"]
    wait_until(lambda: counts(books, name) == {"refused": 3, "delivered": 3})
    paid = Decimal(books.get(f"/v1/campaigns/{name}").json["cost"]["amount"])
    fault(carrier)

    def again(_: object = None) -> Answer:
        return books.post(f"/v1/campaigns/{name}:retry", {"errors": ["40310"]})

    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(again, range(2)))
    assert {each.status for each in answers} <= {200, 422}, "who began earlier may be told to leave it to the other"
    assert sum(each.json["messages"] for each in answers if each.status == 200) == 2
    wait_until(lambda: counts(books, name) == {"refused": 1, "delivered": 5})
    assert again().json["messages"] == 0
    found = dict(arrived(carrier, name))
    assert [found.pop(to) for to in (first, second)] == [[("refused", "g0"), ("accepted", "g1")]] * 2
    assert found == {other: [("refused", "g0")]} | {to: [("accepted", "g0")] for to in well}
    assert Decimal(books.get(f"/v1/campaigns/{name}").json["cost"]["amount"]) * 3 == paid * 5
    lines = [json.loads(line) for line in books.get(f"/v1/campaigns/{name}/export").body.splitlines()]
    assert {each["to"]: (each["status"], each["attempts"]) for each in lines} == {
        **dict.fromkeys(well, ("delivered", 1)), other: ("refused", 1), **dict.fromkeys((first, second), ("delivered", 2))
    }  # fmt: skip
    assert json.loads(books.world.run("audit", name, "--json").stdout)["broken"] == []


def test_single_messages_are_told_from_the_ledger_once_they_have_left_redis(books: Office) -> None:
    asked = {"profile": PROFILE_ID, "to": "+13125550200", "text": "Your code is 1234"}
    told = books.post("/v1/messages", asked, headers={"Idempotency-Key": "code"}).json
    message = told["messages"][0]["message_id"]
    wait_until(lambda: books.get(f"/v1/messages/{message}").json["status"] == "delivered")
    forget(books, told["campaign_id"])
    assert books.get(f"/v1/messages/{message}").json["status"] == "delivered"
    assert books.get(f"/v1/why/{message}").json["state"] == "delivered"
    again = books.post("/v1/messages", asked, headers={"Idempotency-Key": "code"})
    assert again.json["messages"] == told["messages"]
    assert json.loads(books.world.run("audit", "--json").stdout)["broken"] == []


def test_a_budget_stops_the_next_message_and_what_it_has_cost_stands_in_the_ledger(books: Office) -> None:
    asked = {"profile": PROFILE_ID, "text": "Hello capped", "recipients": PEOPLE}
    forecast = books.post("/v1/campaigns?dry_run=true", asked).json
    price = float(forecast["estimated_cost"]["amount"]) / len(PEOPLE)
    name = push(books, "capped", budget=f"{2.5 * price:.6f}").json["campaign_id"]
    wait_until(lambda: counts(books, name).get("delivered") == 2)
    assert counts(books, name) == {"delivered": 2, "ready": len(PEOPLE) - 2}
    assert float(books.get(f"/v1/campaigns/{name}").json["budget_left"]["amount"]) < price
    assert books.call("PATCH", f"/v1/campaigns/{name}", {"budget": f"{20 * price:.6f}"}).status == 200
    wait_until(lambda: counts(books, name) == {"delivered": len(PEOPLE)})
    done = books.world.json("actions")["actions"]
    assert {"push", "change"} <= {each["what"] for each in done}  # type: ignore[index, attr-defined]
