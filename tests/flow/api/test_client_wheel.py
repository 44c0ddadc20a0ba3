"""The client as other projects get it: a wheel in an environment of its own, without anything of what sends. And the how-tos."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.api.conftest import PROFILE, Office

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "clients" / "python"
ABSENT = ("redis", "arq", "sqlalchemy", "aiohttp", "volley", "producer", "phonenumbers")
PROGRAM = """
import importlib.util, json, sys
from volley_client import Client
url, key, profile = sys.argv[1:]
with Client(url, key) as volley:
    pushed = volley.push([{"to": "+13125552900", "name": "Ann"}], profile=profile, template="Hi {name}")
there = [name for name in %r if importlib.util.find_spec(name)]
print(json.dumps({"campaign": pushed.id, "there": there, "from": sys.modules["volley_client"].__file__}))
"""


def pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("other project")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(SOURCE))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    found = folder / "venv" / "bin" / "python"
    [wheel] = folder.glob("*.whl")
    pip("--python", str(found), "install", "--no-compile", str(wheel))
    return found


def test_it_pushes_from_an_environment_that_has_no_redis_and_nothing_else_of_ours(
    office: Office, python: Path, tmp_path: Path
) -> None:
    command = [str(python), "-I", "-c", PROGRAM % (ABSENT,), office.url, office.key, PROFILE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["there"] == []
    assert "site-packages" in told["from"]
    assert office.get(f"/v1/campaigns/{told['campaign']}").json["accepted"] == 1
    assert (Path(told["from"]).parent / "py.typed").is_file()


TYPED = """
from decimal import Decimal
from typing import assert_type

from volley_client import AsyncClient, Campaign, Client, Facts, Money, Pushed, VolleyError


def push(url: str, key: str) -> Decimal:
    with Client(url, key) as volley:
        pushed = volley.push([{"to": "+12025550111", "name": "Ann"}], profile="p", template="Hi {name}", budget=Decimal(5))
        assert_type(pushed, Pushed)
        assert_type(pushed.id, str)
        assert_type(volley.facts(), Facts)
        done = volley.wait_until_done(pushed.id, lambda each: print(each.rate), timeout_s=60)
        assert_type(done, Campaign)
        assert_type(done.cost, Money)
        return done.cost.amount


async def waits(url: str, key: str) -> list[str]:
    async with AsyncClient(url, key) as volley:
        try:
            return [cause.says for cause in (await volley.why("06h1")).causes]
        except VolleyError as error:
            assert_type(error.idempotency_key, str | None)
            return []


def wrong(volley: Client) -> None:
    volley.push([], profile="p", text="t", pirority="urgent")
    volley.push([], profile="p", text="t", priority="soon")
    volley.wait_until_done(7)
"""


def test_its_types_hold_in_another_project_and_refuse_what_is_wrong(python: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(TYPED)
    own = ["--config-file", os.devnull, "--cache-dir", str(tmp_path / "cache"), "--no-error-summary"]
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python), *own, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    first = 1 + TYPED.splitlines().index("def wrong(volley: Client) -> None:")
    found = [
        (int(line.split(":")[1]) - first, line.rpartition("[")[2])
        for line in done.stdout.splitlines()
        if ": error:" in line
    ]
    assert found == [(1, "call-arg]"), (2, "arg-type]"), (3, "arg-type]")], done.stdout + done.stderr


def fenced(name: str, language: str) -> str:
    """The blocks of a how-to, one after the other."""
    text = (ROOT / "docs" / "how-to" / name).read_text("utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found, name
    return "\n".join(found)


def run(command: list[str], office: Office, folder: Path) -> str:
    own = {"SMS_API_URL": office.url, "SMS_API_KEY": office.key, "PROFILE": PROFILE, "PATH": os.environ["PATH"]}
    more = {"PYTHONPATH": str(ROOT / "examples" / "airflow"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=own | more, timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_what_the_curl_page_says_is_so(office: Office, tmp_path: Path) -> None:
    said = run(["bash", "-euo", "pipefail", "-c", fenced("push-from-curl.md", "bash")], office, tmp_path)
    assert '"state":"paused"' in said
    assert '"state":"ready"' in said
    assert "campaign.accepted" in said
    assert '"message_id"' in said


def test_what_the_python_page_says_is_so(office: Office, python: Path, tmp_path: Path) -> None:
    said = run([str(python), "-c", fenced("push-from-python.md", "python")], office, tmp_path)
    assert said.startswith("3 messages, 3 parts, ")
    assert "campaign." in said


def test_a_dag_run_that_is_tried_again_pushes_once(office: Office, python: Path, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("to,name\n+13125550160,Ann\nnobody,Bob\n")
    assert run([str(python), "-c", fenced("push-from-airflow.md", "python")], office, tmp_path) == "goes on\n"
    assert "nobody" in (tmp_path / "people.rejected.csv").read_text()
    dag = ROOT / "examples" / "airflow" / "volley_dag.py"
    compile(dag.read_text("utf-8"), str(dag), "exec")
