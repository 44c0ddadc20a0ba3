"""`volley up`: restarts what crashes, stops in order, leaves nothing behind, and is found by the other commands."""

import contextlib
import os
import signal

import psutil

from tests.flow.cli.conftest import PATIENCE_S, World, wait_until
from tests.offspring import Process
from volley.embedded import free_port

_LONG = b"*3\r\n$5\r\nDEBUG\r\n$5\r\nSLEEP\r\n$3\r\n300\r\n"
"""A file of commands that takes Valkey five minutes to read."""


def offspring(process: Process) -> dict[str, psutil.Process]:
    """serve, worker and valkey-server by name, as far as they run."""
    found = {}
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words = child.cmdline() or ["", "a zombie"]
            found["valkey" if "valkey-server" in words[0] else words[-1]] = child
    return found


def running(world: World) -> Process:
    process = world.start("up")
    wait_until(lambda: {"valkey", "serve", "worker"} <= offspring(process).keys())
    wait_until(lambda: len(world.workers()) == 1)
    wait_until(lambda: "serving on" in world.log("up"))
    return process


def test_sigterm_stops_the_worker_then_serve_then_valkey(world: World) -> None:
    process = running(world)
    family = offspring(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    assert not any(child.is_running() for child in family.values())
    log = world.log("up")
    assert log.index("is ready") < log.index("stopping: the worker") < log.index("has stopped")
    assert log.index("has stopped") < log.index("stopping: {")
    assert "Error" not in log
    assert not (world.folder / "home" / "redis-url").exists()


def test_a_child_that_crashes_is_started_again(world: World) -> None:
    process = running(world)
    for name in ("worker", "serve"):
        old = offspring(process)[name]
        os.kill(old.pid, signal.SIGKILL)
        wait_until(lambda name=name, old=old: offspring(process).get(name, old).pid != old.pid)
        assert f"{name} ended with -9; starting it again" in world.log("up")
    wait_until(lambda: world.run("status").returncode == 0)


def test_a_valkey_that_crashes_comes_back_with_its_data_and_the_others_find_it(world: World, profile: str) -> None:
    process = running(world)
    assert world.run("numbers", "sync", "--profile", profile).returncode == 0
    old = offspring(process)["valkey"]
    os.kill(old.pid, signal.SIGKILL)
    wait_until(lambda: offspring(process).get("valkey", old).pid != old.pid)
    assert "valkey has ended; starting it again" in world.log("up")
    wait_until(lambda: world.run("status").returncode == 0)
    rows = "to\n+12125550100\n+12125550101\n"
    sent = world.json("send", "-", "--profile", profile, "--text", "hi", "--yes", "--wait", stdin=rows)
    assert world.json("campaigns", "show", str(sent["campaign_id"]))["counts"]["ready"] == 0


def test_a_valkey_that_cannot_be_started_for_a_while_is_started_once_it_can(world: World) -> None:
    process = running(world)
    old = offspring(process)["valkey"]
    said = world.folder / "home" / "valkey" / "valkey.log"
    said.rename(said.with_suffix(".old"))
    said.mkdir()
    os.kill(old.pid, signal.SIGKILL)
    wait_until(lambda: "the embedded Valkey cannot be started: " in world.log("up"))
    said.rmdir()
    wait_until(lambda: offspring(process).get("valkey", old).pid != old.pid)
    wait_until(lambda: world.run("status").returncode == 0)


def test_it_is_stopped_while_valkey_reads_its_file(world: World) -> None:
    folder = world.folder / "home" / "valkey"
    folder.mkdir()
    (folder / "appendonly.aof").write_bytes(_LONG)
    process = world.start("up")
    wait_until(lambda: "valkey" in offspring(process))
    family = offspring(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    assert not any(child.is_running() for child in family.values())
    assert world.log("up") == ""


def test_a_data_folder_that_up_makes_is_for_its_owner_alone(world: World) -> None:
    world.settings["VOLLEY_HOME"] = str(world.folder / "made")
    running(world)
    assert (world.folder / "made").stat().st_mode & 0o077 == 0


def test_nothing_outlives_a_supervisor_that_was_killed(world: World) -> None:
    process = running(world)
    family = offspring(process)
    process.kill()
    process.wait()
    wait_until(lambda: not any(child.is_running() for child in family.values()))


def test_what_was_accepted_and_the_secret_survive_a_restart_of_everything(world: World, profile: str) -> None:
    process = running(world)
    secret = world.folder / "home" / "secrets" / "secret"
    first = secret.read_text()
    assert len(first) >= 32
    assert secret.stat().st_mode & 0o077 == 0
    assert world.run("numbers", "sync", "--profile", profile).returncode == 0
    sent = world.json(
        "send", "-", "--profile", profile, "--text", "hi", "--yes", "--wait", stdin="to\n+12125550100\n+12125550101\n"
    )
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    assert world.run("campaigns").returncode == 2  # no Redis is named, and none is up
    running(world)
    counts = world.json("campaigns", "show", str(sent["campaign_id"]))["counts"]
    assert sum(counts.values()) == 2
    assert counts["ready"] == 0
    assert secret.read_text() == first


def test_one_data_folder_is_for_one_at_a_time(world: World) -> None:
    running(world)
    second = world.run("up")
    assert second.returncode == 2
    assert second.stderr.startswith("volley: another volley up runs in ")
    assert second.stderr.count("\n") == 1
    assert world.run("status").returncode == 0


def test_settings_that_a_child_refuses_end_it_all_with_2(world: World) -> None:
    world.settings["TELNYX_API_KEY"] = ""
    done = world.run("up")
    assert done.returncode == 2
    assert "no API key" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("volley: worker cannot start")


def test_a_redis_of_somebody_elses_is_used_and_left_alone(world: World) -> None:
    process = world.start("up", VOLLEY_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    wait_until(lambda: "starting it again" in world.log("up"))
    assert "valkey" not in offspring(process)
