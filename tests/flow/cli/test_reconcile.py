"""`volley reconcile` as people run it, beside `volley up` and a carrier that nobody else uses."""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.flow.cli.conftest import World, make_world, wait_until
from tests.sandboxes import sandbox_process
from volley.sandbox.config import API_KEY, PROFILE_ID
from volley.sandbox.signing import Signer

N = 40
CSV = "to\n" + "\n".join(f"+1312555{1000 + i}" for i in range(N))


@dataclass
class Books:
    world: World
    root: str

    def reconcile(self, *words: str) -> tuple[int, dict[str, Any]]:
        done = self.world.run("reconcile", "--grace", "0", "--json", *words)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode, json.loads(done.stdout)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, {"Authorization": f"Bearer {API_KEY}"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def records(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.ask("GET", "/v2/detail_records?filter[record_type]=messaging&page[size]=50")[
            "data"
        ]
        return rows


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """A campaign was sent and all its receipts have come by webhook."""
    with sandbox_process("--pool", "long_code=8@0") as url:
        own = {"TELNYX_API_KEY": API_KEY, "TELNYX_BASE_URL": url, "TELNYX_PUBLIC_KEY": Signer(1).public_key}
        world = make_world(tmp_path_factory.mktemp("books"), **own)
        try:
            world.start("up")
            wait_until(lambda: world.run("status").returncode == 0)
            assert world.run("numbers", "sync", "--profile", PROFILE_ID).returncode == 0
            words = ("send", "-", "--profile", PROFILE_ID, "--text", "hello", "--yes", "--wait")
            campaign = world.json(*words, stdin=CSV)["campaign_id"]
            wait_until(lambda: world.json("campaigns", "show", str(campaign))["counts"].get("delivered") == N)  # type: ignore[index]
            yield Books(world, url.removesuffix("/v2"))
        finally:
            world.end()


def test_a_bill_that_is_right_is_said_to_be(books: Books) -> None:
    code, answer = books.reconcile()
    assert (code, answer["agree"], answer["matched"], answer["filled"]) == (0, True, N, 0)
    assert [each["difference"] for each in answer["sums"]] == ["0.00"]
    assert answer["differences"] == []


def test_a_bill_that_is_wrong_ends_with_one_and_a_file_has_every_line(books: Books) -> None:
    first, second = (record["uuid"] for record in books.records()[:2])
    books.ask("PUT", "/_sandbox/records", {"drop": [first], "change": {second: {"cost": "9.99"}}})
    try:
        code, answer = books.reconcile("--no-fix", "--out", "differences.jsonl")
        people = books.world.run("reconcile", "--grace", "0", "--no-fix")
    finally:
        books.ask("DELETE", "/_sandbox/records")
    lines = [json.loads(line) for line in (books.world.folder / "differences.jsonl").read_text().splitlines()]
    assert (code, answer["missing_at_carrier"], answer["cost_differs"]) == (1, 1, 1)
    assert sorted((line["kind"], line["carrier_id"]) for line in lines) == [
        ("cost", second),
        ("missing_at_carrier", first),
    ]
    assert people.returncode == 1
    assert "they differ" in people.stdout
    assert second in people.stdout


def test_a_period_in_which_nothing_was_sent_agrees(books: Books) -> None:
    code, answer = books.reconcile("--since", "2020-01-01", "--until", "2020-01-02")
    assert (code, answer["records"], answer["sums"]) == (0, 0, [])


def test_what_cannot_be_asked_is_refused_with_what_to_write(books: Books) -> None:
    for words in (
        ("--since", "yesterday"),
        ("--since", "2020-01-02", "--until", "2020-01-01"),
        ("--since", "2020-01-01", "--days", "2"),
    ):
        done = books.world.run("reconcile", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "--since" in done.stderr


def test_a_profile_that_nobody_has_is_not_said_to_agree(books: Books) -> None:
    done = books.world.run("reconcile", "--profile", "4001-mistyped")
    assert (done.returncode, done.stdout) == (2, "")
    assert "4001-mistyped is not known" in done.stderr


def test_without_a_carrier_it_says_so(books: Books) -> None:
    done = books.world.run("reconcile", TELNYX_BASE_URL="http://127.0.0.1:9/v2")
    assert done.returncode == 75
