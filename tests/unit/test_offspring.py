"""Processes that a nursery forks are told of as those that an interpreter starts for, and none outlives who began it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.offspring import ROOT, Forked, Process, begin

WAITS = "import time; print('here', flush=True); time.sleep(60)"
BEGINNER = f"""
import os, sys, time
from pathlib import Path
from tests.offspring import begin
print(begin([sys.executable, "-c", {WAITS!r}], env={{"PATH": os.environ["PATH"]}}, cwd=Path.cwd(), stdout=2).pid, flush=True)
time.sleep(60)
"""


def begun(folder: Path, code: str, **env: str) -> tuple[Process, str]:
    """It, and the first line that it says."""
    reading, writing = os.pipe()
    with open(reading) as said:
        try:
            command = [sys.executable, "-c", code]
            process = begin(command, env={"PATH": os.environ["PATH"], **env}, cwd=folder, stdout=writing)
        finally:
            os.close(writing)
        return process, said.readline().strip()


def test_it_has_its_own_folder_environment_and_session(tmp_path: Path) -> None:
    code = (
        "import os, sys; print(os.getcwd(), os.environ['MINE'], os.getsid(0) == os.getpid(), len(os.environ), sys.argv)"
    )
    process, said = begun(tmp_path, code, MINE="yes")
    assert isinstance(process, Forked)
    assert said == f"{tmp_path} yes True 2 ['-c']"
    assert process.wait(30) == 0


@pytest.mark.parametrize(("code", "ended"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)])
def test_how_it_ended_is_told(tmp_path: Path, code: str, ended: int) -> None:
    process, _ = begun(tmp_path, code)
    assert (process.wait(30), process.poll(), process.returncode) == (ended, ended, ended)


def test_who_goes_on_has_not_ended_and_a_signal_reaches_it(tmp_path: Path) -> None:
    process, _ = begun(tmp_path, WAITS)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.terminate()
    assert process.wait(30) == -signal.SIGTERM
    process.kill()  # nobody: it has ended


def test_what_an_interpreter_reads_at_its_start_is_its_own(tmp_path: Path) -> None:
    process, said = begun(tmp_path, "import sys; print(sys.flags.hash_randomization)", PYTHONHASHSEED="0")
    assert (process.wait(30), said) == (0, "0")


def test_modules_of_another_place_are_those_of_that_place(tmp_path: Path) -> None:
    (tmp_path / "volley.py").write_text("WHOSE = 'an older release'")
    process, said = begun(tmp_path, "import volley; print(volley.WHOSE)", PYTHONPATH=str(tmp_path))
    assert (process.wait(30), said) == (0, "an older release")
    assert not isinstance(process, Forked)


def test_it_does_not_outlive_who_began_it(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", BEGINNER], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as beginner:
        assert beginner.stdout is not None
        child = psutil.Process(int(beginner.stdout.readline()))
        assert child.is_running()
        beginner.kill()
        psutil.wait_procs([child], timeout=30)
        assert not child.is_running()
