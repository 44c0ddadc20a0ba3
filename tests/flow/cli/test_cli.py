"""The commands, as people and programs run them against a running `volley up`."""

import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
import redis

from tests.flow.cli.conftest import World, wait_until

HEADER = "to,reference,name\n"


def people(first: int, count: int) -> str:
    """Numbers of a range that is kept for fiction."""
    return HEADER + "".join(f"+1212555{n:04d},R{n},N{n}\n" for n in range(first, first + count))


def push(town: World, profile: str, rows: str, *words: str) -> dict[str, Any]:
    (town.folder / "list.csv").write_text(rows)
    return town.json("send", "list.csv", "--profile", profile, "--template", "Hello {name}", "--yes", *words)


@pytest.fixture(scope="module")
def delivered(town: World, profile: str) -> dict[str, Any]:
    """The answer to a push of 20, all of it delivered by now."""
    pushed = push(town, profile, people(100, 20), "--wait")
    wait_until(lambda: town.json("campaigns", "show", pushed["campaign_id"])["counts"].get("delivered") == 20)
    return pushed


def test_a_push_goes_all_the_way(town: World, delivered: dict[str, Any]) -> None:
    assert set(delivered) == {
        "campaign_id", "accepted", "rejected", "duplicates", "opted_out", "parts", "estimated_cost",
    }  # fmt: skip
    assert [delivered[name] for name in ("accepted", "rejected", "duplicates", "opted_out", "parts")] == [
        20,
        0,
        0,
        0,
        20,
    ]
    assert set(delivered["estimated_cost"]) == {"amount", "currency"}
    listed = next(
        each for each in town.json("campaigns")["campaigns"] if each["campaign_id"] == delivered["campaign_id"]
    )
    assert listed["state"] == "finished"
    assert sum(listed["counts"].values()) == 20
    assert town.json("campaigns", "show", delivered["campaign_id"]) == {**listed, "set_aside": []}


def test_an_export_has_a_line_a_message_in_every_format(town: World, delivered: dict[str, Any], tmp_path: Path) -> None:
    campaign = delivered["campaign_id"]
    rows = [json.loads(line) for line in town.run("export", campaign).stdout.splitlines()]
    assert [row["reference"] for row in rows] == [f"R{n}" for n in range(100, 120)]
    assert {row["status"] for row in rows} == {"delivered"}
    table = csv.DictReader(io.StringIO(town.run("export", campaign, "--format", "csv").stdout))
    assert [row["to"] for row in table] == [row["to"] for row in rows]
    file = tmp_path / "out.parquet"
    assert town.run("export", campaign, "--format", "parquet", "--output", str(file)).returncode == 0
    assert parquet.read_table(file).num_rows == 20
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]
    story = town.json("message", rows[3]["message_id"])
    assert story["text"] == "Hello N103"
    assert [event["event"] for event in story["history"]].count("attempt") == 1
    assert story["cost"] == rows[3]["cost"]
    assert story["waits"] is None
    assert story["sender_why"].startswith("pinned to this person")
    assert "sender_why" in town.run("message", rows[3]["message_id"]).stdout
    told = town.run("message", rows[3]["message_id"]).stdout
    sealed = datetime.fromtimestamp(story["history"][0]["at_us"] / 1e6, UTC).isoformat(timespec="milliseconds")
    assert any(line.startswith(f"{sealed}  sealed ") for line in told.splitlines())


def test_a_dry_run_says_how_many_rejected_rows_it_does_not_name(town: World, profile: str) -> None:
    words = ("send", "-", "--profile", profile, "--text", "hi", "--dry-run", "--json")
    done = town.run(*words, stdin="to\n+12125550100\n" + "nobody\n" * 8)
    assert done.returncode == 3
    named = [line for line in done.stderr.splitlines() if line.startswith("row ")]
    assert f"and {8 - len(named)} more rejected rows" in done.stderr
    assert "more rejected" not in town.run(*words, stdin="to\n+12125550100\nnobody\n").stderr


def test_an_export_whose_reader_has_gone_ends_quietly_and_blames_nobody(town: World, delivered: dict[str, Any]) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "volley", "export", str(delivered["campaign_id"])]
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(
            command, stdout=pipe, stderr=subprocess.PIPE, env=town.env(), cwd=town.folder, check=False
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_costs_are_grouped_and_add_up(town: World, delivered: dict[str, Any]) -> None:
    rows = town.json("cost")["rows"]
    assert next(row["cost"] for row in rows if row["campaign"] == delivered["campaign_id"]) == "0.14"
    totals = [town.json("cost", "--by", by)["totals"] for by in ("day", "sender", "country")]
    assert totals[0] == totals[1] == totals[2]
    assert town.json("cost", "--until", "2020-01-01")["rows"] == []


def test_status_has_the_promised_keys(town: World, profile: str) -> None:
    document = town.json("status")
    assert set(document) == {
        "queues",
        "campaigns",
        "workers",
        "rests",
        "notes",
        "unknown",
        "webhooks",
        "conservation",
        "ledger_lag_seconds",
    }
    queue = next(each for each in document["queues"] if each["profile"] == profile)
    assert {"profile", "depth", "oldest_age_seconds", "rate", "eta_seconds"} <= set(queue)
    assert len(document["workers"]) == 1


def test_relaxed_durability_is_named_in_every_status(town: World) -> None:
    done = town.run("status", "--json", VOLLEY_DURABILITY="relaxed")
    assert json.loads(done.stdout)["durability"]["mode"] == "relaxed"
    assert "durability is relaxed" in town.run("status", VOLLEY_DURABILITY="relaxed").stdout


def test_numbers_show_what_they_are_and_whom_they_serve(town: World, profile: str) -> None:
    push(town, profile, people(400, 30), "--wait")
    numbers = town.json("numbers", "list", "--profile", profile)["numbers"]
    assert len(numbers) == 24
    assert {each["type"] for each in numbers} == {"long_code", "toll_free"}
    assert {each["rate"] for each in numbers} == {100.0}
    assert {each["state"] for each in numbers} == {"active"}
    assert sum(each["pins"] for each in numbers) >= 30
    assert sum(each["sent_today"] for each in numbers) >= 30
    assert {"number", "type", "country", "rate", "state", "pins", "sent_today"} <= set(numbers[0])


def test_opted_out_people_get_nothing(town: World, profile: str) -> None:
    done = town.run(
        "optouts", "import", "-", "--profile", profile, "--json", stdin="+12125550500\n+12125550501\nnobody\n"
    )
    assert done.returncode == 3
    assert json.loads(done.stdout) == {"profile": profile, "numbers": 2, "added": 2, "rejected": 1}
    assert "line 3" in done.stderr
    again = town.json("optouts", "import", "-", "--profile", profile, stdin="to\n+12125550500\n")
    assert again["added"] == 0
    assert set(town.json("optouts", "list", "--profile", profile)["numbers"]) == {"+12125550500", "+12125550501"}
    pushed = push(town, profile, people(500, 3))
    assert (pushed["accepted"], pushed["opted_out"]) == (1, 2)


def test_a_partly_rejected_push_exits_3_and_keeps_the_rows_beside(town: World, profile: str) -> None:
    (town.folder / "mixed.csv").write_text("to\n+12125550600\nnobody\n+12125550600\n")
    done = town.run("send", "mixed.csv", "--text", "hi", "--yes", "--json", "--profile", profile)
    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert (document["accepted"], document["rejected"], document["duplicates"]) == (1, 1, 1)
    assert "row 3: " in done.stderr
    assert "nobody" in (town.folder / "mixed.rejected.csv").read_text()


def test_the_same_push_again_is_the_same_campaign_unless_asked_for(town: World, profile: str) -> None:
    rows = people(700, 2)
    first, second, third = push(town, profile, rows), push(town, profile, rows), push(town, profile, rows, "--again")
    assert first == second
    assert third["campaign_id"] != first["campaign_id"]


def test_a_key_with_another_content_is_refused_with_4(town: World, profile: str) -> None:
    words = ("--profile", profile, "--yes", "--idempotency-key", "once")
    assert town.run("send", "-", "--text", "one", *words, stdin=people(800, 1)).returncode == 0
    done = town.run("send", "-", "--text", "two", *words, stdin=people(800, 1))
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1


def test_pause_resume_and_cancel_say_how_it_stands(town: World, profile: str) -> None:
    rate = ("--profile", profile, "--text", "slow", "--yes")
    pushed = json.loads(town.run("send", "-", *rate, "--json", stdin=people(1000, 8000)).stdout)
    campaign = pushed["campaign_id"]
    assert town.json("campaigns", "pause", campaign)["state"] == "paused"
    wait_until(lambda: town.json("campaigns", "show", campaign)["counts"]["sending"] == 0)
    held = town.json("campaigns", "show", campaign)["counts"]
    assert held["ready"] > 0
    assert town.json("campaigns", "show", campaign)["counts"]["ready"] == held["ready"]
    assert town.json("campaigns", "resume", campaign)["state"] == "ready"
    wait_until(lambda: town.json("campaigns", "show", campaign)["counts"]["ready"] < held["ready"])
    assert town.json("campaigns", "cancel", campaign)["state"] == "cancelled"
    wait_until(lambda: town.json("campaigns", "show", campaign)["counts"]["sending"] == 0)
    counts = town.json("campaigns", "show", campaign)["counts"]
    assert counts["ready"] == 0
    assert counts["cancelled"] > 0
    assert sum(counts.values()) == 8000
    done = town.run("campaigns", "resume", campaign)
    assert done.returncode == 2
    assert "cancelled" in done.stderr


def test_the_audit_log_names_who_did_what(town: World, profile: str) -> None:
    campaign = push(town, profile, people(960, 2))["campaign_id"]
    town.json("campaigns", "cancel", campaign)
    wait_until(lambda: len(town.json("actions", "--campaign", campaign)["actions"]) == 2)  # type: ignore[arg-type]
    cancelled, pushed = town.json("actions", "--campaign", campaign)["actions"]  # type: ignore[misc]
    assert (pushed["what"], cancelled["what"]) == ("push", "cancel")  # type: ignore[has-type]
    assert cancelled["who"].startswith("cli:")  # type: ignore[has-type]
    synced = [each for each in town.json("actions")["actions"] if each["what"] == "numbers_sync"]  # type: ignore[attr-defined]
    assert synced[-1]["detail"]["profile"] == profile
    assert "numbers_sync" in town.run("actions").stdout


def test_a_dry_run_tells_the_price_and_stores_nothing(town: World, profile: str) -> None:
    before = town.json("campaigns")
    (town.folder / "dry.csv").write_text("to,name\n+12125550900,Zoë\n+12125550901,Łukasz\n")
    found = town.json("send", "dry.csv", "--profile", profile, "--template", "Hi {name}", "--dry-run")
    assert found["campaign_id"] is None
    assert found["accepted"] == 2
    assert found["forecast"]["encodings"] == {"GSM-7": 0, "UCS-2": 2}
    assert [each["code"] for each in found["forecast"]["unicode"]] == ["U+00EB", "U+0141"]
    assert town.json("campaigns") == before
    assert (
        "characters that force Unicode"
        in town.run("send", "dry.csv", "--text", "ë", "--dry-run", "--profile", profile).stdout
    )


def test_nobody_is_asked_where_nobody_is(town: World, profile: str) -> None:
    done = town.run("send", "-", "--text", "hi", "--profile", profile, stdin=people(1, 1))
    assert done.returncode == 2
    assert "--yes" in done.stderr


@pytest.mark.parametrize("words", ["campaigns show", "campaigns pause", "campaigns cancel", "export", "message"])
def test_what_does_not_exist_is_named_in_one_line(town: World, words: str) -> None:
    done = town.run(*words.split(), "0123456789abcdef" + ("-0-1" if words == "message" else ""))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("volley: ")
    assert done.stderr.count("\n") == 1


def test_a_campaign_that_left_redis_is_told_from_the_ledger(town: World, profile: str) -> None:
    pushed = push(town, profile, people(100, 3), "--again", "--wait")
    campaign = pushed["campaign_id"]
    wait_until(lambda: town.json("campaigns", "show", campaign)["counts"].get("delivered") == 3)
    before = town.json("campaigns", "show", campaign)
    url = (town.folder / "home" / "redis-url").read_text()
    with redis.Redis.from_url(url) as client:
        assert client.delete(f"volley:{{default}}:campaign:{campaign}") == 1
        client.zrem("volley:{default}:campaigns", campaign)
    after = town.json("campaigns", "show", campaign)
    assert set(after) == set(before)
    same = ("counts", "accepted", "parts", "sent_parts", "cost", "estimated_cost", "profile", "state")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_what_becomes_of_unknown_messages_is_said_at_the_push_and_changed_by_hand(
    town: World, profile: str, delivered: dict[str, Any]
) -> None:
    pushed = push(town, profile, people(300, 1), "--on-unknown", "retry", "--wait")
    name = pushed["campaign_id"]
    shown = town.json("campaigns", "show", name)
    assert (shown["on_unknown"], shown["possibly_twice"], shown["possibly_lost"]) == ("retry", 0, 0)
    told = town.json("campaigns", "unknown", name, "--give-up")
    assert (told["on_unknown"], told["messages"]) == ("give-up", [])
    assert town.json("campaigns", "show", name)["on_unknown"] == "give-up"
    for words in (["campaigns", "unknown", name, "--retry", "--hold"], ["campaigns", "unknown", "0" * 16]):
        assert town.run(*words).returncode == 2
    wrong = town.run("send", "list.csv", "--profile", profile, "--text", "x", "--yes", "--on-unknown", "maybe")
    assert (wrong.returncode, "hold, retry, give-up" in wrong.stderr) == (2, True)
