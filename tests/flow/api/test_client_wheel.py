"""The client as other projects get it: a wheel in an environment of its own, without anything of what sends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.api.conftest import PROFILE, Office

SOURCE = Path(__file__).parents[3] / "clients" / "python"
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
