"""The account of test keys: a process of it has no way to the carrier, to live keys, or into the live books."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from producer.trial import PATIENCE, Rounds
from volley.errors import UnusableInput
from volley.outbox.queue import queue_name
from volley.settings import Account, Settings
from volley.trial import sandbox_file

SANDBOX = "http://127.0.0.1:8090/v2"
LIVE = {"telnyx_api_key": SecretStr("KEY_LIVE"), "telnyx_base_url": "https://api.telnyx.com/v2"}


def settings(home: Path, account: str = "default", **trial: Any) -> Settings:
    accounts = {"trial": Account(**trial)} if trial else {}
    return Settings(home=home, account=account, test_account="trial", accounts=accounts, **LIVE)  # type: ignore[arg-type]


def announce(home: Path) -> None:
    found = {"base_url": SANDBOX, "api_key": "KEY_SANDBOX", "public_key": "pk"}
    sandbox_file(home).write_text(json.dumps(found))


def test_the_live_key_and_address_are_for_the_live_account_alone(tmp_path: Path) -> None:
    mine = settings(tmp_path, "trial", base_url=SANDBOX).current
    assert (mine.base_url, mine.api_key, mine.public_key) == (SANDBOX, None, None)
    live = settings(tmp_path, base_url=SANDBOX).current
    assert live.api_key is not None
    assert live.api_key.get_secret_value() == "KEY_LIVE"


def test_the_sandbox_of_a_running_volley_up_is_found_and_one_that_is_named_wins(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="base_url of its own"):
        _ = settings(tmp_path, "trial").current
    announce(tmp_path)
    found = settings(tmp_path, "trial").current
    assert found.api_key is not None
    assert (found.base_url, found.api_key.get_secret_value(), found.public_key) == (SANDBOX, "KEY_SANDBOX", "pk")
    named = settings(tmp_path, "trial", base_url="http://127.0.0.1:8091/v2", api_key="OTHER").current
    assert named.base_url.endswith(":8091/v2")
    assert settings(tmp_path).of_tests().current.base_url == SANDBOX


@pytest.mark.parametrize("account", ["default", "trial"])
def test_an_address_where_a_live_account_sends_is_refused_to_whoever_asks(tmp_path: Path, account: str) -> None:
    for address in ("https://api.telnyx.com/v2", "https://eu.telnyx.com./v2", "https://api.telnyx.com:443"):
        asked = settings(tmp_path, account, base_url=address)
        with pytest.raises(UnusableInput, match="must not send"):
            _ = asked.current if account == "trial" else asked.of_tests()


@pytest.mark.parametrize(
    ("live", "trial"),
    [
        ("postgresql+asyncpg://volley:a@db/volley", "postgresql+asyncpg://tests:b@DB:5432/volley"),
        ("postgresql+psycopg://db/volley", "postgresql+asyncpg://db/volley?ssl=require"),
        ("postgresql+asyncpg:///volley?host=/run", "postgresql+asyncpg://u@/volley?host=/run"),
        ("sqlite+aiosqlite:////data/ledger.db", "sqlite+aiosqlite:////data/../data/ledger.db"),
        ("sqlite+aiosqlite:///ledger.db", "sqlite:///./ledger.db"),
    ],
)
def test_a_live_ledger_takes_no_test_messages(tmp_path: Path, live: str, trial: str) -> None:
    asked = settings(tmp_path, base_url=SANDBOX, ledger_url=trial).model_copy(update={"ledger_url": live})
    with pytest.raises(UnusableInput, match="ledger of a live account"):
        asked.of_tests()
    with pytest.raises(UnusableInput, match="ledger of a live account"):
        _ = asked.model_copy(update={"account": "trial"}).current
    other = asked.model_copy(update={"ledger_url": "postgresql+asyncpg://db/another"})
    assert other.of_tests().ledger == trial
    shop = Account(base_url="https://sms.example.com/v2", ledger_url=trial)
    both = other.model_copy(update={"accounts": {**other.accounts, "shop": shop}})
    with pytest.raises(UnusableInput, match="ledger of a live account"):
        both.of_tests()


def test_a_schema_of_its_own_is_a_ledger_of_its_own(tmp_path: Path) -> None:
    live = "postgresql+asyncpg://db/volley"
    mine = settings(tmp_path, base_url=SANDBOX, ledger_url=f"{live}?options=-csearch_path%3Dtrial")
    assert mine.model_copy(update={"ledger_url": live}).of_tests().ledger.startswith(live)


def test_the_test_account_is_not_the_live_one(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="is the live account"):
        Settings(home=tmp_path, test_account="default").of_tests()


def test_accounts_that_share_a_redis_share_no_queue() -> None:
    names = [queue_name(account, which) for account in ("default", "trial", "shop") for which in "ub"]
    assert len(set(names)) == 6
    assert names[:2] == ["volley:arq:urgent", "volley:arq:bulk"], "releases before know these"


def test_that_test_keys_wait_is_told_where_it_lasts_and_so_is_its_end() -> None:
    told: list[str] = []
    rounds = Rounds(told.append)
    for _ in range(PATIENCE):
        rounds.fails("it only starts")
    rounds.succeeds()
    assert told == []
    for _ in range(3 * PATIENCE):
        rounds.fails("it is away")
    rounds.succeeds()
    rounds.succeeds()
    assert told == ["test keys wait for their pool: it is away", "test keys have their pool now"]
