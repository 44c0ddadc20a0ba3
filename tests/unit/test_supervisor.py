"""Children under supervision: real processes that crash, refuse, and will not stop."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from producer.supervisor import Child, Supervisor
from producer.up import watched
from volley.ending import ended
from volley.errors import UnusableInput, VolleyError

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
)
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]).wait()"


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - other processes make it true
            await asyncio.sleep(0.02)


def text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # not there yet, or a process that has just gone
        return ""


def lives(pid: int) -> bool:
    """A zombie does not."""
    stat = text(Path(f"/proc/{pid}/stat"))
    return bool(stat) and stat.rpartition(")")[2].split()[0] != "Z"


def group_is_empty(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def python(code: str, log: Path | None = None, name: str = "child") -> Child:
    return Child(name, [sys.executable, "-c", code], dict(os.environ), log)


def appended(path: Path, word: str, then: str = "") -> str:
    return f"open({str(path)!r}, 'a').write({word!r} + '\\n'); {then}"


async def test_a_child_that_ends_is_started_again_after_a_pause(tmp_path: Path) -> None:
    said: list[str] = []
    marks = tmp_path / "marks"
    async with Supervisor(said.append, restarts=True) as children:
        child = python(appended(marks, "began", "raise SystemExit(7)"))
        child.pause_s = 0.01
        await children.start(child)
        watching = asyncio.create_task(children.watch())
        await until(lambda: len(text(marks).split()) >= 3)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert said[0] == "child ended with 7; starting it again in 0.01 s"
    assert said[1].endswith("in 0.02 s")


async def test_a_child_that_cannot_be_started_again_is_tried_until_it_can(tmp_path: Path) -> None:
    said: list[str] = []
    marks, script = tmp_path / "marks", tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho began >> {marks}\n")
    script.chmod(0o700)
    async with Supervisor(said.append, restarts=True) as children:
        child = Child("child", [str(script)], dict(os.environ), pause_s=0.01)
        await children.start(child)
        await until(lambda: "began" in text(marks))
        script.rename(tmp_path / "elsewhere")
        watching = asyncio.create_task(children.watch())
        await until(lambda: any("child cannot be started: " in line for line in said))
        begun = len(text(marks).split())
        (tmp_path / "elsewhere").rename(script)
        await until(lambda: len(text(marks).split()) > begun)
        await ended([watching])


async def test_what_goes_on_beside_the_children_begins_again_when_it_fails_and_ends_with_them() -> None:
    begun: list[str] = []

    async def failing() -> None:
        begun.append("failing")
        raise KeyError("unforeseen")

    async def deaf() -> None:
        """As a driver is that is in the midst of a command."""
        begun.append("deaf")
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async with Supervisor(lambda _: None, restarts=True) as children:
        await children.start(python("import time; time.sleep(300)"))
        watching = asyncio.create_task(watched(children, [failing, deaf], again_s=0.01))
        await until(lambda: begun.count("failing") > 2 and "deaf" in begun)
        watching.cancel()
        done, _ = await asyncio.wait([watching], timeout=60)
        assert done


async def test_a_child_that_refuses_its_settings_is_not_tried_again() -> None:
    async with Supervisor(lambda _: None, restarts=True) as children:
        await children.start(python("raise SystemExit(2)"))
        with pytest.raises(UnusableInput, match="child cannot start"):
            await children.watch()


async def test_without_restarts_the_first_that_ends_is_an_error_that_quotes_it(tmp_path: Path) -> None:
    async with Supervisor(lambda _: None, restarts=False) as children:
        await children.start(python("import time; time.sleep(60)", name="steady"))
        await children.start(python("print('one'); print('its last words'); raise SystemExit(3)", tmp_path / "log"))
        with pytest.raises(VolleyError, match="child ended with 3: its last words"):
            await children.watch()


async def test_the_last_one_started_is_the_first_one_stopped(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    code = (
        "import signal, sys, time\ndef end(*_):\n    {mark}\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n{began}\ntime.sleep(60)"
    )
    async with Supervisor(lambda _: None, restarts=True) as children:
        for name in ("first", "second", "third"):
            began = appended(marks, f"+{name}")
            await children.start(python(code.format(mark=appended(marks, f"-{name}"), began=began)))
            await until(lambda name=name: f"+{name}" in text(marks))
    assert marks.read_text().split() == ["+first", "+second", "+third", "-third", "-second", "-first"]


async def test_a_child_that_will_not_stop_is_killed_with_its_own_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = python(PARENT, log)
    await child.start()
    assert child.process is not None
    group = child.process.pid
    await until(lambda: "here" in text(log))
    await child.stop(patience_s=0.2)
    await until(lambda: group_is_empty(group))


async def test_an_interrupted_stop_leaves_nobody_behind(tmp_path: Path) -> None:
    children = Supervisor(lambda _: None, restarts=True)
    logs = [tmp_path / name for name in ("a", "b")]
    for log in logs:
        await children.start(python(STUBBORN, log))
    pids = [child.process.pid for child in children.children if child.process]
    await until(lambda: all("here" in text(log) for log in logs))
    stopping = asyncio.create_task(children.stop())
    await asyncio.sleep(0.1)
    stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)
    await until(lambda: not any(lives(pid) for pid in pids))
