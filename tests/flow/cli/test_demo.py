"""The demo: a report that adds up, an exit code that means something, and nobody left behind however it ends."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.cli.conftest import PATIENCE_S, wait_until


def started_in(folder: Path) -> list[str]:
    """Processes whose temporary folder is this one."""
    mark = f"TMPDIR={folder}\0".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes() + b"\0":
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [words for words in found if words]


def begun(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "volley", "demo", *words, "--json"],
        env={
            **os.environ,
            "TMPDIR": str(tmp_path),
            "VOLLEY_REDIS_URL": "redis://nowhere:1/0",
            "TELNYX_API_KEY": "real",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = begun(tmp_path, "--rows", "60")
    yield process
    process.kill()
    process.communicate()


def test_the_demo_keeps_its_promises_whatever_this_machine_is_set_to(
    demo: subprocess.Popen[str], tmp_path: Path
) -> None:
    out, err = demo.communicate(timeout=90)
    assert demo.returncode == 0, err
    report = json.loads(out)
    assert len(report["checks"]) == 6
    assert all(check["kept"] for check in report["checks"])
    for campaign in report["campaigns"]:
        assert sum(campaign["statuses"].values()) == campaign["accepted"] > 0
        assert sum(campaign["messages_by_parts"].values()) == campaign["accepted"]
        assert not {"ready", "sending", "submitted"} & set(campaign["statuses"])
    assert report["pins"]["same"] == report["pins"]["people"] > 0
    assert {each["type"] for each in report["senders"]} == {"long_code", "toll_free"}
    assert len(report["senders"]) >= 20
    assert started_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_demo_that_is_stopped_leaves_nobody_behind(
    demo: subprocess.Popen[str], tmp_path: Path, signum: signal.Signals
) -> None:
    wait_until(lambda: any("worker" in words for words in started_in(tmp_path)))
    demo.send_signal(signum)
    assert demo.wait(PATIENCE_S) != 0
    wait_until(lambda: started_in(tmp_path) == [])
    if signum != signal.SIGKILL:
        assert "Traceback" not in demo.communicate()[1]
        assert list(tmp_path.iterdir()) == []


def test_a_demo_that_is_kept_goes_on_with_its_dashboard_and_settings_until_it_is_stopped(tmp_path: Path) -> None:
    demo = begun(tmp_path, "--rows", "20", "--keep")
    try:
        assert demo.stdout is not None
        assert demo.stderr is not None
        report = json.loads(demo.stdout.readline())
        assert all(check["kept"] for check in report["checks"])
        said = iter(demo.stderr.readline, "")
        address = next(line for line in said if line.startswith("the dashboard: ")).split()[-1]
        folder = next(line for line in said if " cd " in line).split(" cd ")[1].split(" && ")[0]
        with urllib.request.urlopen(f"{address}readyz", timeout=10) as answer:
            assert answer.status == 200
        env = {"PATH": os.environ["PATH"]}
        status = subprocess.run(
            [sys.executable, "-m", "volley", "campaigns", "--json"],
            cwd=folder,
            env=env,
            capture_output=True,
            check=True,
        )
        assert len(json.loads(status.stdout)["campaigns"]) == 2
        demo.send_signal(signal.SIGINT)
        assert demo.wait(PATIENCE_S) == 0
    finally:
        demo.kill()
        demo.communicate()
    assert started_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
