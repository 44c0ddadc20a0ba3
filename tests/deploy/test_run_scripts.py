"""The run scripts of s6 and runit: clean for shellcheck, and each becomes the very process that its supervisor watches."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.deploy.files import BIN, DEPLOY, path_with_volley
from volley.embedded import EmbeddedValkey
from volley.pulse import ask

RUNS = sorted(DEPLOY.glob("*/volley-*/run"))
SCRIPTS = sorted([*RUNS, *DEPLOY.glob("*/volley-*/finish")])
PATIENCE_S = 45.0


def test_shellcheck_finds_nothing_in_any_of_them() -> None:
    assert len(SCRIPTS) == 8
    assert all(os.access(script, os.X_OK) for script in SCRIPTS)
    done = subprocess.run([BIN / "shellcheck", *SCRIPTS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("supervisor", ["s6", "runit"])
def test_the_run_script_becomes_a_worker_that_ends_in_order(
    supervisor: str, tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    settings = tmp_path / "volley.env"
    settings.write_text(f"TELNYX_API_KEY=KEY-of-nobody\nVOLLEY_REDIS_URL={valkey.url}\n")
    # what s6-supervise and runsv give a service: its own folder, an environment with little in it, no terminal
    env = {"PATH": path_with_volley(), "SETTINGS_FILE": str(settings), "VOLLEY_HOME": str(tmp_path)}
    folder = DEPLOY / supervisor / "volley-worker"
    process = subprocess.Popen(["./run"], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + PATIENCE_S
        while not any(beat.says and beat.says["ready"] for beat in ask(5, role="worker", pid=process.pid)):
            assert time.monotonic() < end, "no worker with the script's own process id is ready"
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()


@pytest.mark.parametrize(("code", "s6"), [(0, 0), (1, 0), (2, 125), (256, 0)])
def test_settings_that_cannot_be_used_are_not_tried_again_and_again(code: int, s6: int) -> None:
    words = [str(code), "15", "volley-worker", "0"]
    assert subprocess.run([DEPLOY / "s6" / "volley-worker" / "finish", *words], check=False).returncode == s6
    runit = [DEPLOY / "runit" / "volley-worker" / "finish", *words[:2]]
    assert subprocess.run(runit, env={"PAUSE_S": "0", **os.environ}, check=False).returncode == 0
