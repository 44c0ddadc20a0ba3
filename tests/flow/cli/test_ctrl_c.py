"""Ctrl-C while a command waits for a person: it ends at the first one, and nothing is half done."""

import signal

import pytest

from tests.flow.cli.conftest import World, nothing_is_left, wait_until
from tests.terminals import CTRL_C, PATIENCE_S, Terminal, begun, waiting_bytes

INTERRUPTED = 130
ROWS = "to\n+12125550100\n+12125550101\n"
MANY = "to\nnobody\n" + "".join(f"+1212555{n:04}\n" for n in range(10_000)) * 3
"""Several blocks of a read, many chunks, and something to reject."""


def at(world: World, *words: str) -> Terminal:
    return Terminal(*words, env=world.env(TERM="dumb"), cwd=world.folder)


def send(world: World, file: str, profile: str, *words: str) -> tuple[str, ...]:
    (world.folder / "list.csv").write_text(ROWS)
    return ("send", file, "--profile", profile, "--text", "hi", *words)


def test_ctrl_c_at_the_question_of_a_push_ends_it_and_nothing_is_sent(desk: World, profile: str) -> None:
    with at(desk, *send(desk, "list.csv", profile)) as terminal:
        terminal.shows("send? [y/N]")
        terminal.types(CTRL_C)
        assert terminal.ends() == 1
        assert "volley: stopped" in terminal.shown
    nothing_is_left(desk)


def test_a_push_ends_with_a_no(desk: World, profile: str) -> None:
    with at(desk, *send(desk, "list.csv", profile)) as terminal:
        terminal.shows("send? [y/N]")
        terminal.types("n\n")
        assert terminal.ends() == 1
        assert "nothing was sent" in terminal.shown
    nothing_is_left(desk)


def test_a_push_goes_on_with_a_yes(desk: World, pool: str, profile: str) -> None:
    desk.settings["VOLLEY_REDIS_URL"] = pool.removesuffix("/0") + "/1"  # the others find nothing in theirs
    assert desk.run("numbers", "sync", "--profile", profile).returncode == 0
    with at(desk, *send(desk, "list.csv", profile)) as terminal:
        terminal.shows("2 recipients, 2 parts")
        terminal.shows("send? [y/N]")
        terminal.types("y\n")
        assert terminal.ends() == 0
    assert [each["accepted"] for each in desk.json("campaigns")["campaigns"]] == [2]  # type: ignore[attr-defined]


def test_ctrl_c_at_the_question_of_a_profiles_removal_ends_it_and_it_stays(desk: World, profile: str) -> None:
    with at(desk, "profiles", "delete", profile) as terminal:
        terminal.shows("[y/N]")
        terminal.types(CTRL_C)
        assert terminal.ends() == 1
        assert "volley: stopped" in terminal.shown
    assert desk.json("profiles", "show", profile)["profile_id"] == profile


def test_ctrl_c_ends_a_push_of_what_is_typed(desk: World, profile: str) -> None:
    with at(desk, *send(desk, "-", profile, "--yes")) as terminal:
        terminal.types(ROWS)
        terminal.shows("+12125550101")  # the terminal's own echo
        terminal.has_read()
        terminal.types(CTRL_C)
        assert terminal.ends() == INTERRUPTED
    nothing_is_left(desk)


@pytest.mark.parametrize("rows", [ROWS, MANY], ids=["before its first row", "in the midst"])
def test_ctrl_c_ends_a_push_of_a_pipe_that_stays_open_and_nothing_of_it_is_left(
    desk: World, profile: str, rows: str
) -> None:
    words = send(desk, "-", profile, "--yes", "--idempotency-key", "mine")
    with begun(*words, env=desk.env(), cwd=desk.folder) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            process.stdin.write(rows.encode())
            process.stdin.flush()
            wait_until(lambda: waiting_bytes(process.stdin.fileno()) == 0)
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == INTERRUPTED
        finally:
            process.kill()
        assert process.stderr.read() == b""
    nothing_is_left(desk)
