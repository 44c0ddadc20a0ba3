"""Test keys go to an account of their own: what they push is in no live place, and what is live they cannot see."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.flow.api.conftest import ALL, PROFILE, Office, pool
from tests.flow.cli.conftest import make_world, wait_until
from volley.embedded import EmbeddedValkey
from volley.errors import UnusableInput
from volley.settings import Account, Settings

SANDBOX = "http://127.0.0.1:9/v2"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    asyncio.run(valkey.start())
    world = make_world(tmp_path_factory.mktemp("two"), VOLLEY_REDIS_URL=valkey.url, VOLLEY_TEST_ACCOUNT="trial")
    with (world.folder / "home" / "volley.toml").open("a") as file:
        file.write(f'[accounts.trial]\nbase_url = "{SANDBOX}"\n')
    found = Office(world, valkey, url=world.settings["VOLLEY_PUBLIC_URL"])
    world.start("serve")
    wait_until(found.up)
    for account in ("default", "trial"):
        found.outbox(pool, account)
    found.key = found.make_key(*ALL)[1]
    yield found
    world.end()
    asyncio.run(valkey.stop())


def test_nothing_of_a_test_key_reaches_the_live_account(two: Office) -> None:
    _, trial = two.make_key(*ALL, mode="test")
    assert trial.startswith("vk_test_")
    headers = {"Idempotency-Key": "t1"}
    push = {"profile": PROFILE, "text": "Hello", "recipients": [{"to": "+13125550100"}]}
    one = {"profile": PROFILE, "to": "+13125550101", "text": "Hello"}
    with redis.Redis.from_url(two.valkey.url) as client:
        before = {
            name: client.dump(name)
            for name in client.keys("volley:{default}:*")
            if b"campaign" in name or b"chunk" in name
        }  # type: ignore[union-attr]
        told = two.post("/v1/campaigns", push, key=trial, headers=headers)
        assert told.status == 202, told.body
        assert two.post("/v1/messages", one, key=trial, headers={"Idempotency-Key": "t2"}).status == 202
        after = {
            name: client.dump(name)
            for name in client.keys("volley:{default}:*")
            if b"campaign" in name or b"chunk" in name
        }  # type: ignore[union-attr]
        assert before == after
        assert client.zcard("volley:{trial}:campaigns") == client.zcard("volley:{trial}:gathered") == 1
    name = told.json["campaign_id"]
    assert two.get(f"/v1/campaigns/{name}", key=trial).status == 200
    assert two.get(f"/v1/campaigns/{name}").problem == "not-found"
    assert two.post(f"/v1/campaigns/{name}:cancel").problem == "not-found"
    live = two.post("/v1/campaigns", push, headers=headers).json["campaign_id"]
    assert live != name
    assert two.get(f"/v1/campaigns/{live}", key=trial).problem == "not-found"
    assert two.post(f"/v1/campaigns/{live}:cancel", key=trial).problem == "not-found"


def test_what_the_page_about_going_live_says_is_so(two: Office) -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "from-test-key-to-live.md").read_text("utf-8")
    script = "\n".join(re.findall(r"^```bash\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)).replace(
        "\npush ", "\necho; push "
    )
    own = {"SMS_API_URL": two.url, "PROFILE": PROFILE, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=two.world.folder, env=two.world.env(**own)
    )
    assert done.returncode == 0, done.stderr + done.stdout
    trial, dry, own_phone, live = (json.loads(line) for line in done.stdout.splitlines() if line)
    assert [each["accepted"] for each in (trial, dry, own_phone, live)] == [2, 2, 1, 2]
    assert dry["campaign_id"] is None
    assert len({each["campaign_id"] for each in (trial, own_phone, live)}) == 3
    assert two.get(f"/v1/campaigns/{live['campaign_id']}").status == 200
    assert two.get(f"/v1/campaigns/{trial['campaign_id']}").problem == "not-found"


def test_rejected_rows_of_live_pushes_are_not_for_test_keys(two: Office) -> None:
    _, trial = two.make_key(*ALL, mode="test")
    people = [{"to": "+13125550102"}, {"to": "12"}]
    for key, other in ((two.key, trial), (trial, two.key)):
        told = two.post("/v1/campaigns", {"profile": PROFILE, "text": "Rows", "recipients": people}, key=key).json
        assert two.get(told["rejects_url"], key=key).status == 200
        assert two.get(told["rejects_url"], key=other).problem == "not-found"


def test_a_test_key_without_its_account_opens_nothing(office: Office) -> None:
    _, trial = office.make_key(*ALL, mode="test")
    answer = office.get("/v1/campaigns", key=trial)
    assert (answer.status, answer.problem) == (403, "missing-scope")


@pytest.mark.parametrize(
    "account",
    [
        None,
        Account(),
        Account(base_url="https://api.telnyx.com/v2"),
        Account(base_url="https://eu.API.telnyx.com:443/v2"),
        Account(base_url="https://live.example.com/v2"),
    ],
)
def test_a_test_account_that_could_cost_money_is_refused(account: Account | None) -> None:
    accounts = {"live": Account(base_url="https://live.example.com/v2")} | ({"trial": account} if account else {})
    with pytest.raises(UnusableInput):
        Settings(accounts=accounts, test_account="trial").of_tests()
    with pytest.raises(UnusableInput):
        Settings(test_account="default").of_tests()


def test_the_books_of_tests_are_no_part_of_the_live_ones() -> None:
    settings = Settings(accounts={"trial": Account(base_url=SANDBOX)}, test_account="trial")
    assert settings.of_tests().ledger != settings.ledger
    assert settings.of_tests().current.base_url == SANDBOX
