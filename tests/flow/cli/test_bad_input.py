"""What is wrong is one line that says what to do, an exit code that programs can use, and nothing half-done."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.cli.conftest import World, nothing_is_left, wait_until
from volley.embedded import EmbeddedValkey, free_port

GOOD = "to,name\n+12125550100,Ann\n"


def refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """One line on stderr with these words in it, nothing on stdout, and this exit code."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("volley: ")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


def send(world: World, *words: str, rows: str | bytes = GOOD) -> subprocess.CompletedProcess[str]:
    (world.folder / "list.csv").write_bytes(rows if isinstance(rows, bytes) else rows.encode())
    return world.run("send", "list.csv", "--yes", *words)


def test_no_redis_named(world: World, profile: str) -> None:
    refused(send(world, "--profile", profile, "--text", "hi"), 2, "VOLLEY_REDIS_URL", "volley up")


def test_redis_away(world: World, profile: str) -> None:
    world.settings["VOLLEY_REDIS_URL"] = f"redis://:hush@127.0.0.1:{free_port()}/0"
    for words in (("status",), ("numbers", "list"), ("worker",), ("campaigns", "pause", "0" * 16)):
        done = world.run(*words)
        refused(done, 75, "no Redis at 127.0.0.1")
        assert "hush" not in done.stderr
    refused(send(world, "--profile", profile, "--text", "hi"), 75)


def test_no_profile(desk: World) -> None:
    refused(send(desk, "--text", "hi"), 2, "--profile")
    refused(send(desk, "--profile", " ", "--text", "hi"), 2, "no profile")
    refused(send(desk, "--profile", "unheard-of", "--text", "hi"), 2, "unheard-of", "volley numbers sync")
    refused(desk.run("numbers", "sync", "--profile", "unheard-of"), 2, "unheard-of")
    nothing_is_left(desk)


def test_unknown_sender(desk: World, profile: str) -> None:
    refused(send(desk, "--profile", profile, "--text", "hi", "--from", "+12125559999"), 2, "+12125559999", "sync")
    nothing_is_left(desk)


def test_empty_pool(world: World, valkey: EmbeddedValkey, profile: str) -> None:
    port = free_port()
    (world.folder / "home" / "volley.toml").write_text("[accounts.other]\n")
    world.settings["VOLLEY_ACCOUNT"] = "other"
    world.settings |= {"VOLLEY_REDIS_URL": valkey.url, "TELNYX_BASE_URL": f"http://127.0.0.1:{port}/v2"}
    world.start("sandbox", "--port", str(port), "--pool", "long_code=0@1")
    wait_until(lambda: world.run("numbers", "sync", "--profile", profile).returncode != 75)
    refused(world.run("numbers", "sync", "--profile", profile), 2, "is empty", "assign numbers")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("phone,name\n+12125550100,Ann\n", ("`to`", "phone")),
        (b"to,name\n+12125550100,Jos\xe9\n", ("not UTF-8", "line 2")),
        ("to,name\n+12125550100," + "x" * (10 << 20) + "\n", ("line 2", "longer")),
        ("to,name\n+12125550100,\0\n", ("NUL",)),
        ('to,name\n+12125550100,"Ann\n', ("quote",)),
        ("", ("empty",)),
    ],
    ids=["no column to", "not UTF-8", "a cell of 10 MB", "NUL", "an open quote", "empty"],
)
def test_an_unusable_file(desk: World, profile: str, rows: str | bytes, words: tuple[str, ...]) -> None:
    refused(send(desk, "--profile", profile, "--text", "hi", rows=rows), 2, *words)
    nothing_is_left(desk)


def test_a_file_that_is_not_there(desk: World, profile: str) -> None:
    refused(desk.run("send", "none.csv", "--yes", "--profile", profile, "--text", "hi"), 2, "none.csv", "No such file")
    refused(desk.run("send", ".", "--yes", "--profile", profile, "--text", "hi"), 2, "directory")
    refused(send(desk, "--profile", profile, "--template", "@none.txt"), 2, "none.txt")


@pytest.mark.parametrize(
    ("template", "word"), [("Hi {nickname}", "nickname"), ("Hi {name", "{"), ("Hi {}", "{"), ("Hi }", "}")]
)
def test_an_unusable_template(desk: World, profile: str, template: str, word: str) -> None:
    done = send(desk, "--profile", profile, "--template", template)
    refused(done, 2, word)
    assert "sync" not in done.stderr
    nothing_is_left(desk)


def test_a_text_over_ten_parts(desk: World, profile: str) -> None:
    refused(send(desk, "--profile", profile, "--text", "x" * 1531), 2, "11 parts")
    nothing_is_left(desk)


def test_a_file_of_which_no_row_can_be_sent(desk: World, profile: str) -> None:
    done = send(desk, "--profile", profile, "--text", "hi", "--json", rows="to\nnobody\n")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["campaign_id"], found["accepted"], found["rejected"]) == (None, 0, 1)


def test_both_or_neither_of_text_and_template(desk: World, profile: str) -> None:
    refused(send(desk, "--profile", profile), 2, "text", "template")
    refused(send(desk, "--profile", profile, "--text", "a", "--template", "b"), 2, "not both")


@pytest.mark.parametrize(
    ("option", "word"),
    [
        ("--region XX", "XX"),
        ("--priority soon", "soon"),
        ("--encoding latin1", "latin1"),
        ("--weight 0", "weight"),
        ("--expires tomorrow", "tomorrow"),
        ("--expires 2020-01-01", "time zone"),
        ("--expires 2020-01-01T00:00+00:00", "over"),
    ],
)
def test_an_option_out_of_range(desk: World, profile: str, option: str, word: str) -> None:
    refused(send(desk, "--profile", profile, "--text", "hi", *option.split()), 2, word)
    nothing_is_left(desk)


def test_a_wrong_api_key(desk: World, profile: str) -> None:
    desk.settings["TELNYX_API_KEY"] = "KEY_WRONG"
    done = desk.run("numbers", "sync", "--profile", profile)
    refused(done, 2, "TELNYX_API_KEY")
    assert "KEY_WRONG" not in done.stderr
    desk.settings["TELNYX_API_KEY"] = ""
    refused(desk.run("numbers", "sync", "--profile", profile), 2, "TELNYX_API_KEY")
    assert len(json.loads(desk.run("numbers", "list", "--json").stdout)["numbers"]) == 24


def test_the_carrier_away(desk: World, profile: str) -> None:
    desk.settings["TELNYX_BASE_URL"] = f"http://127.0.0.1:{free_port()}/v2"
    refused(desk.run("numbers", "sync", "--profile", profile), 75, "cannot be reached")


@pytest.fixture
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that writes to the disk once a second."""
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("forgetful"), appendfsync="everysec")
    asyncio.run(valkey.start())
    yield valkey.url
    asyncio.run(valkey.stop())


def test_a_redis_that_may_forget_is_refused_unless_the_risk_is_taken(
    world: World, forgetful: str, profile: str
) -> None:
    world.settings["VOLLEY_REDIS_URL"] = forgetful
    for words in (("worker",), ("serve",), ("status",), ("numbers", "sync", "--profile", profile)):
        done = world.run(*words)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith("volley: ")
        assert "appendfsync always" in done.stderr
    refused(send(world, "--profile", profile, "--text", "hi"), 2, "appendfsync always", "VOLLEY_DURABILITY")
    relaxed = world.run("numbers", "sync", "--profile", profile, VOLLEY_DURABILITY="relaxed")
    assert relaxed.returncode == 0


def test_a_ledger_that_cannot_be_opened_or_is_none(desk: World) -> None:
    (desk.folder / "notes.txt").write_text("this is no database at all, and never was one\n" * 100)
    for place, word in (("notes.txt", "no SQLite database"), ("notes.txt/in/ledger.db", "name another folder")):
        url = f"sqlite+aiosqlite:///{desk.folder / place}"
        for words in (("campaigns",), ("export", "x"), ("cost",)):
            refused(desk.run(*words, VOLLEY_LEDGER_URL=url), 2, word)


@pytest.mark.parametrize("words", [("sned",), ("send",), ("export", "x", "--format", "xml"), ("cost", "--by", "mood")])
def test_usage_is_a_line_too(world: World, words: tuple[str, ...]) -> None:
    refused(world.run(*words), 2)


def test_unusable_opt_outs(desk: World, profile: str) -> None:
    refused(desk.run("optouts", "import", "none.txt", "--profile", profile), 2, "none.txt")
    refused(desk.run("optouts", "import", "-", "--profile", "unheard-of", stdin="+12125550100\n"), 2, "unheard-of")
    (Path(desk.folder) / "latin.txt").write_bytes(b"\xe9")
    refused(desk.run("optouts", "import", "latin.txt", "--profile", profile), 2, "not UTF-8")
