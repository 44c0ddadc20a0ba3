"""What every command pays for before it does anything, and what a test's command is (tests/commands.py)."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import run_volley

LOADED = "import sys, volley.__main__; print(*sys.modules)"
HEAVY = {"aiohttp", "alembic", "arq", "pyarrow", "rich", "sqlalchemy", "structlog", "textual"}
Volley = Callable[..., subprocess.CompletedProcess[str]]


def test_no_command_imports_what_only_others_use() -> None:
    """SQL alone is half a second, at each `volley status` of an operator and at each worker's start."""
    loaded = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout
    assert "producer.cli.app" in loaded.split()
    assert not HEAVY & set(loaded.split())


def test_serve_goes_without_what_only_an_export_in_parquet_needs() -> None:
    """Forty megabytes, in every process that answers."""
    words = "import sys, producer.web.server; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout
    assert "volley.ledger.export" in loaded.split()
    assert not {"pyarrow", "alembic", "textual"} & set(loaded.split())


@pytest.mark.parametrize("words", [["--version"], ["nonsense"], ["db", "current"], ["config", "show"], ["parts"]])
def test_a_forked_command_says_and_answers_what_one_that_is_started_does(words: list[str], tmp_path: Path) -> None:
    given = '{"text": "Hello 你"}\n'
    env = {"PATH": os.environ["PATH"], "VOLLEY_HOME": str(tmp_path)}
    started = run_volley(*words, env=env | {"PYTHONHASHSEED": "1"}, cwd=tmp_path, stdin=given)
    forked = run_volley(*words, env=env, cwd=tmp_path, stdin=given)
    assert vars(forked) == vars(started)


def test_a_forked_command_is_in_its_own_folder_with_its_own_settings_and_leaves_no_trace(
    volley: Volley, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("VOLLEY_ACCOUNT=from-the-folder\n")
    before = dict(os.environ)
    assert "from-the-folder" in volley("config", "show").stdout
    assert "from-outside" in volley("config", "show", VOLLEY_ACCOUNT="from-outside").stdout
    assert "from-the-folder" in volley("config", "show").stdout
    assert dict(os.environ) == before


def test_more_on_stdin_than_a_pipe_holds_comes_through(volley: Volley) -> None:
    done = volley("parts", stdin='{"text": "a"}\n' * 20_000)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 20_000
