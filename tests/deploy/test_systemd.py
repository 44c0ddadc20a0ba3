"""The systemd units: what systemd-analyze says of them, and that a worker starts under what they forbid."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.files import BIN, DEPLOY, INSTALLED
from tests.deploy.manager import ManagerSocket
from volley.embedded import EmbeddedValkey

MOST_EXPOSURE = 15
"""Tenths, as systemd-analyze counts them."""
SERVICES = ("volley-serve.service", "volley-worker@1.service", "volley-worker@2.service")
_PR_SET_NO_NEW_PRIVS, _PR_SET_MDWE, _PR_MDWE_REFUSE_EXEC_GAIN = 38, 65, 1


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, of a `volley` that is installed here."""
    assert shutil.which("systemd-analyze"), "apt-get install systemd"
    for path in (DEPLOY / "systemd").iterdir():
        if path.suffix in (".service", ".target"):
            (tmp_path / path.name).write_text(path.read_text("utf-8").replace(INSTALLED, str(BIN / "volley")))
    for name in SERVICES[1:]:
        (tmp_path / name).symlink_to("volley-worker@.service")
    return tmp_path


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def complaints(folder: Path) -> str:
    done = analyze("verify", "--man=no", str(folder / "volley.target"), *(str(folder / name) for name in SERVICES))
    # what systemd has to say of this machine's own units is not ours
    return "\n".join(line for line in done.stderr.splitlines() if "volley" in line)


def exposed(folder: Path) -> int:
    """The code of `security`: not 0 where one is more exposed than the limit."""
    paths = [str(folder / name) for name in SERVICES]
    return analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", "--no-pager", *paths).returncode


def test_systemd_understands_every_line(units: Path) -> None:
    assert complaints(units) == ""


def test_the_services_are_exposed_to_little(units: Path) -> None:
    assert exposed(units) == 0


def test_both_checks_can_fail(units: Path) -> None:
    worker = units / "volley-worker@.service"
    text = worker.read_text()
    worker.write_text(text.replace("WatchdogSec=30", "WatchdogSecs=30"))
    assert "WatchdogSecs" in complaints(units)
    worker.write_text(text.replace("CapabilityBoundingSet=\n", "").replace("PrivateUsers=yes\n", ""))
    assert exposed(units) != 0


def test_a_worker_starts_under_systemds_rules_for_memory_and_privileges_with_its_secrets_in_credentials(
    tmp_path: Path, valkey: EmbeddedValkey
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o700)
    for name, value in {
        "telnyx_api_key": "KEY-of-nobody",
        "redis_url": valkey.url,
        "secret": "",
        "telnyx_public_key": "",
    }.items():
        (credentials / name).write_text(value)
    with ManagerSocket(tmp_path) as manager:
        env = {
            "PATH": os.environ["PATH"],
            "VOLLEY_HOME": str(tmp_path / "home"),
            "CREDENTIALS_DIRECTORY": str(credentials),
            "NOTIFY_SOCKET": str(manager.path),
            "WATCHDOG_USEC": "30000000",
        }
        command = [sys.executable, "-m", "volley", "worker"]
        worker = subprocess.Popen(command, env=env, cwd=tmp_path, preexec_fn=_hardened(), umask=0o077)
        try:
            manager.until("READY")
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(45) == 0
        finally:
            worker.kill()


def _hardened() -> Callable[[], None]:
    """MemoryDenyWriteExecute and NoNewPrivileges, as the kernel has them."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def harden() -> None:
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        prctl(_PR_SET_MDWE, _PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)

    return harden
