"""`volley numbers doctor` and `sync` as people and programs see them, against a sandbox in which some numbers cannot send."""

import asyncio
import json
from collections.abc import Callable, Iterator
from subprocess import CompletedProcess

import pytest

from tests.sandboxes import Sandbox
from volley.embedded import EmbeddedValkey
from volley.sandbox.config import API_KEY, NumberPool, ProfileSpec, SandboxConfig
from volley.sandbox.number_spec import FeatureSet, NumberChange

SHOP, BANK = "5a4db0c5-0000-4000-8000-000000000001", "5a4db0c5-0000-4000-8000-000000000002"
POOL = (("long_code", 30, 0), ("toll_free", 2, 0), ("short_code", 1, 0), ("alphanumeric", 1, 0))
STATES = {place: NumberChange(features={"sms": None}) for place in range(25)} | {
    25: NumberChange(registration="PENDING_ASSIGNMENT", features={"sms": FeatureSet(international_outbound=False)}),
    30: NumberChange(registration="Rejected"),
}
CONFIG = SandboxConfig(
    profiles=(
        ProfileSpec(id=SHOP, pool=POOL, number_pool=NumberPool(sticky_sender=True)),
        ProfileSpec(id=BANK, name="Bank", pool=(("long_code", 1, 0),), webhook_url="https://bank.example/hooks"),
    ),
    spare=(("long_code", 1, 0),),
    states=STATES,
)
Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def carrier() -> Iterator[Sandbox]:
    sandbox = Sandbox(CONFIG)
    with asyncio.Runner() as runner:
        runner.run(sandbox.start())
        yield sandbox
        runner.run(sandbox.stop())


@pytest.fixture
def numbers(volley: Run, carrier: Sandbox, valkey: EmbeddedValkey) -> Run:
    def run(*words: str) -> CompletedProcess[str]:
        settings = {"TELNYX_API_KEY": API_KEY, "TELNYX_BASE_URL": carrier.url, "VOLLEY_REDIS_URL": valkey.url}
        return volley("numbers", *words, **settings)

    return run


def test_every_number_of_the_account_is_judged_and_counted_by_cause(numbers: Run) -> None:
    done = numbers("doctor", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    found = json.loads(done.stdout)
    assert len(found["numbers"]) == found["summary"]["numbers"] == 36
    causes = found["summary"]["causes"]
    assert {name: causes[name] for name in ("no_sms", "campaign_pending", "toll_free_rejected", "no_profile")} == {
        "no_sms": 25,
        "campaign_pending": 1,
        "toll_free_rejected": 1,
        "no_profile": 1,
    }
    assert found["summary"]["not_ready"] == 28
    assert found["summary"]["ready"] == sum(each["ready"] for each in found["numbers"]) == 8
    worst = found["numbers"][0]["findings"][0]
    assert worst == worst | {"cause": "no_sms", "blocking": True}
    assert worst["says"]
    assert worst["remedy"]
    assert {each["type"]: each["reach"] for each in found["numbers"] if each["ready"]} == {
        "long_code": "*",
        "toll_free": "*",
        "short_code": "US",
        "alphanumeric": "!CA,PR,US",
    }


def test_a_profile_in_order_is_code_0(numbers: Run) -> None:
    done = numbers("doctor", "--profile", BANK)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 of 1 can send" in done.stdout
    assert "ready      everywhere" in done.stdout


def test_text_has_a_line_a_number_and_each_cause_once_with_what_to_do(numbers: Run) -> None:
    said = numbers("doctor", "--profile", SHOP).stdout
    assert said.count("NOT READY") == 27
    assert said.count("\nno_sms (25, blocks): ") == 1
    assert said.count("enable messaging for it in the portal") == 1


def test_a_number_is_judged_for_the_profile_that_was_asked_for(numbers: Run) -> None:
    number = json.loads(numbers("doctor", "--profile", BANK, "--json").stdout)["numbers"][0]["number"]
    assert numbers("doctor", number).returncode == 0
    assert numbers("doctor", number[1:]).returncode == 0
    assert numbers("doctor", number, "--profile", BANK).returncode == 0
    other = numbers("doctor", number, "--profile", SHOP, "--json")
    assert other.returncode == 1
    [found] = json.loads(other.stdout)["numbers"]
    assert [each["cause"] for each in found["findings"] if each["blocking"]] == ["other_profile"]


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("+13125559999", "not_found"),
        ("99999", "short_code_unprovisioned"),
        ("Nobody", "alphanumeric_unregistered"),
        ("NO-BODY", "alphanumeric_invalid"),
    ],
)
def test_what_is_in_no_list_is_told_what_that_may_mean(numbers: Run, name: str, cause: str) -> None:
    done = numbers("doctor", name, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    [found] = json.loads(done.stdout)["numbers"]
    assert [each["cause"] for each in found["findings"]] == [cause]
    assert all(each["remedy"] for each in found["findings"])


def test_a_profile_that_is_not_there_and_a_refused_key_are_one_line_and_code_2(
    numbers: Run, volley: Run, carrier: Sandbox
) -> None:
    done = numbers("doctor", "--profile", "nobody", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no messaging profile 'nobody'" in done.stderr
    for words in (("+12015550100", "--profile", "nope"), ("",), (" ",)):
        assert (numbers("doctor", *words).returncode, numbers("doctor", *words).stderr.count("\n")) == (2, 1)
    done = volley("numbers", "doctor", TELNYX_API_KEY="WRONG", TELNYX_BASE_URL=carrier.url)
    assert (done.returncode, done.stdout) == (2, "")
    assert "TELNYX_API_KEY" in done.stderr
    assert volley("numbers", "doctor").returncode == 2


def test_a_sync_names_those_that_are_not_ready_and_where_ours_differs(numbers: Run) -> None:
    done = numbers("sync", "--profile", SHOP, "--json")
    assert done.returncode == 0, done.stderr
    synced = json.loads(done.stdout)
    assert (synced["numbers"], synced["usable"], len(synced["not_ready"])) == (34, 7, 27)
    assert all(set(each) == {"number", "reason", "remedy"} for each in synced["not_ready"])
    assert synced["profile_settings"]["sticky"] is True
    assert synced["warnings"]["no_webhook"] == 33
    assert any("pins are kept for 8 days" in each for each in synced["deviations"])
    said = numbers("sync", "--profile", SHOP).stdout
    assert "7 of 34 numbers can send" in said
    assert "no_webhook 33" in said
    assert "pins are kept for 8 days" in said
    assert said.count("not enabled for SMS") == 20
    assert "… and 7 more: volley numbers doctor" in said
