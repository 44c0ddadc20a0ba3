"""What a process says to those who watch over it, and that it falls silent when its loop stands still."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.deploy.manager import ManagerSocket
from volley.pulse import Pulse, ask, without_manager

STUCK = """
import asyncio, sys, time
from volley.pulse import Pulse
async def main():
    async with Pulse("worker") as pulse:
        pulse.ready()
        await asyncio.to_thread(sys.stdin.readline)
        pulse.say("now it stands still")
        time.sleep(60)
asyncio.run(main())
"""
"""It stands still once it is told to."""


FED_BY_A_THREAD = """
import asyncio, threading, time
from volley.pulse import Pulse
def feed(pulse):
    while True:
        pulse._manager.tell("WATCHDOG=1")
        time.sleep(0.02)
async def main():
    async with Pulse("worker") as pulse:
        threading.Thread(target=feed, args=(pulse,), daemon=True).start()
        pulse.ready()
        await asyncio.sleep(0.5)
        pulse.say("now it stands still")
        time.sleep(60)
asyncio.run(main())
"""


def settings(manager: ManagerSocket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(manager.path), **more}


async def test_a_manager_hears_ready_once_and_what_is_new_and_not_again_from_one_that_ends(tmp_path: Path) -> None:
    with ManagerSocket(tmp_path) as manager:
        async with Pulse("worker", settings(manager)) as pulse:
            assert manager.listen() == []
            pulse.ready()
            pulse.ready()
            pulse.say("3 ready")
            pulse.say("3 ready")
            pulse.say("two\nlines")
            pulse.stopping(30)
            pulse.ready()
            [beat] = await asyncio.to_thread(ask, 5, role="worker", pid=os.getpid())
            assert beat.says is not None
            assert beat.says["ready"] is False
        stopping = {"STOPPING": "1", "EXTEND_TIMEOUT_USEC": "30000000", "STATUS": "stopping"}
        assert manager.listen() == [{"READY": "1"}, {"STATUS": "3 ready"}, {"STATUS": "two lines"}, stopping]


async def test_the_watchdog_is_fed_thrice_in_its_time_and_only_for_its_own_process(tmp_path: Path) -> None:
    with ManagerSocket(tmp_path) as manager:
        async with Pulse("worker", settings(manager, WATCHDOG_USEC="90000", WATCHDOG_PID=str(os.getpid()))):
            await asyncio.sleep(0.3)
        assert len(manager.all("WATCHDOG")) >= 3
        fed = len(manager.all("WATCHDOG"))
        async with Pulse("worker", settings(manager, WATCHDOG_USEC="90000", WATCHDOG_PID="1")):
            await asyncio.sleep(0.3)
        async with Pulse("worker", settings(manager)):
            await asyncio.sleep(0.1)
        assert len(manager.all("WATCHDOG")) == fed


async def test_an_abstract_manager_is_reached_and_one_that_is_gone_is_in_nobodys_way(tmp_path: Path) -> None:
    async with Pulse("worker", {"NOTIFY_SOCKET": "@volley-nobody-listens"}) as pulse:
        pulse.ready()
    async with Pulse("worker", {"NOTIFY_SOCKET": str(tmp_path / "none"), "WATCHDOG_USEC": "no number"}) as pulse:
        pulse.ready()


def test_a_loop_that_stands_still_feeds_no_watchdog_and_answers_nobody(tmp_path: Path) -> None:
    with ManagerSocket(tmp_path) as manager:
        env = dict(os.environ) | settings(manager, WATCHDOG_USEC="60000")
        process = subprocess.Popen([sys.executable, "-c", STUCK], env=env, stdin=subprocess.PIPE)
        try:
            manager.until("READY")
            [beat] = ask(5, pid=process.pid)
            assert beat.says is not None
            assert beat.says["ready"] is True
            manager.until("WATCHDOG", after=3)
            assert process.stdin is not None
            process.stdin.close()
            manager.until("STATUS", "stands still")
            fed = len(manager.all("WATCHDOG"))
            time.sleep(0.3)
            assert len(manager.all("WATCHDOG")) == fed
            [beat] = ask(0.2, pid=process.pid)
            assert beat.says is None
        finally:
            process.kill()
            process.wait()
    assert ask(1, pid=process.pid) == []


async def test_it_is_silent_while_another_part_of_the_process_stands_still(tmp_path: Path) -> None:
    turns = False
    with ManagerSocket(tmp_path) as manager:
        async with Pulse("serve", settings(manager, WATCHDOG_USEC="60000")) as pulse:
            pulse.also(lambda: turns)
            [beat] = await asyncio.to_thread(ask, 5, role="serve", pid=os.getpid())
            assert beat.says is None
            fed = len(manager.all("WATCHDOG"))
            await asyncio.sleep(0.2)
            assert len(manager.all("WATCHDOG")) == fed
            turns = True
            [beat] = await asyncio.to_thread(ask, 5, role="serve", pid=os.getpid())
            assert beat.says is not None
            await asyncio.to_thread(manager.until, "WATCHDOG", after=fed)


def test_one_that_were_fed_though_its_loop_stands_still_would_be_seen(tmp_path: Path) -> None:
    with ManagerSocket(tmp_path) as manager:
        process = subprocess.Popen([sys.executable, "-c", FED_BY_A_THREAD], env=dict(os.environ) | settings(manager))
        try:
            manager.until("STATUS", "stands still")
            fed = len(manager.all("WATCHDOG"))
            time.sleep(0.3)
            assert len(manager.all("WATCHDOG")) > fed
        finally:
            process.kill()
            process.wait()


async def test_many_processes_answer_each_for_itself() -> None:
    async with Pulse("serve"), Pulse("worker") as worker:
        worker.say("7 ready")
        here = await asyncio.to_thread(ask, 5, pid=os.getpid())
        assert [beat.role for beat in here] == ["serve", "worker"]
        [beat] = await asyncio.to_thread(ask, 5, role="worker", pid=os.getpid())
        assert beat.says == {"role": "worker", "pid": os.getpid(), "ready": False, "status": "7 ready"}


def test_a_socket_that_only_looks_like_ours_is_nobodys_pulse(tmp_path: Path) -> None:
    table = tmp_path / "unix"
    names = (
        "@volley-pulse-worker-x-1f",
        "@volley-pulse-worker",
        "@volley-pulse-worker-7-1f",
        "/run/volley-pulse-worker-8-1f",
    )
    table.write_text("".join(f"0: 00000002 00000000 00010000 0001 01 1 {name}\n" for name in names))
    assert ask(0.1, table=table) == [("worker", 7, None)]


def test_children_do_not_speak_for_the_process_that_is_watched() -> None:
    env = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "2", "HOME": "/"}
    assert without_manager(env) == {"HOME": "/"}


def test_healthy_says_by_its_code_whether_a_process_is_alive(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", STUCK], stdin=subprocess.PIPE)
    command = [sys.executable, "-m", "volley", "healthy", "worker", "--pid", str(process.pid), "--within", "0.3"]
    try:
        while not ask(1, pid=process.pid):
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGSTOP)
        assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 1
    finally:
        process.kill()
        process.wait()
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "volley: no serve or worker runs here\n")
