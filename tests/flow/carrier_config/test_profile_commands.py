"""`volley profiles` against a sandbox: every setting gets there and back, and nothing changes that was not named."""

import json
from typing import Any

from tests.flow.carrier_config.conftest import NEWS, SHOP, Office, Pooled
from volley.carrier import profiles_api
from volley.carrier.api import TelnyxApi
from volley.sandbox.config import API_KEY

WISHES = [
    *("--name", "Spring sale", "--destination", "us", "--destination", "DE,CA", "--disabled"),
    *("--webhook-url", "https://sms.example.com/a", "--failover-url", "https://sms.example.com/b"),
    *("--long-code-weight", "2", "--toll-free-weight", "0.5", "--sticky", "--geomatch", "--skip-unhealthy"),
    *("--spend-limit", "49.90", "--smart-encoding", "--mobile-only", "--mms-fallback", "--mms-transcoding"),
    *("--alpha-sender", "ACME 24"),
]
WANTED = {
    "name": "Spring sale",
    "whitelisted_destinations": ["US", "DE", "CA"],
    "enabled": False,
    "webhook_url": "https://sms.example.com/a",
    "webhook_failover_url": "https://sms.example.com/b",
    "number_pool_settings": {
        "long_code_weight": 2,
        "toll_free_weight": 0.5,
        "sticky_sender": True,
        "geomatch": True,
        "skip_unhealthy": True,
    },
    "daily_spend_limit": "49.90",
    "daily_spend_limit_enabled": True,
    "smart_encoding": True,
    "mobile_only": True,
    "mms_fall_back_to_sms": True,
    "mms_transcoding": True,
    "alpha_sender": "ACME 24",
}


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in ("updated_at", "senders")}


async def test_a_profile_is_made_with_all_its_settings_and_shown(office: Office) -> None:
    made = await office.json("profiles", "create", *WISHES)
    assert {name: made[name] for name in WANTED} == WANTED
    shown = await office.json("profiles", "show", made["profile_id"])
    assert without_times(shown) == without_times(made)
    assert shown["senders"] == {"alphanumeric": 1}
    listed = await office.json("profiles", "list")
    assert [row["name"] for row in listed["profiles"]] == ["Shop", "News", "Spring sale"]
    few = await office.json("profiles", "list", "--contains", "sale")
    assert [row["profile_id"] for row in few["profiles"]] == [made["profile_id"]]


async def test_show_counts_the_senders_of_each_type(office: Office) -> None:
    shown = await office.json("profiles", "show", SHOP)
    assert shown["senders"] == {"long_code": 4, "toll_free": 2, "alphanumeric": 1}
    plain = await office.volley("profiles", "show", SHOP)
    assert "toll_free     2" in plain.stdout


UPDATES: list[tuple[list[str], dict[str, Any]]] = [
    (["--name", "New"], {"name": "New"}),
    (["--disabled"], {"enabled": False}),
    (["--spend-limit", "5"], {"daily_spend_limit": "5", "daily_spend_limit_enabled": True}),
    (["--no-pool"], {"number_pool_settings": None}),
    (["--smart-encoding", "--no-mms-fallback"], {"smart_encoding": True, "mms_fall_back_to_sms": False}),
]


async def test_an_update_changes_what_is_named_and_nothing_else(office: Office) -> None:
    held = await office.json("profiles", "show", SHOP)
    for options, changed in UPDATES:
        after = await office.json("profiles", "update", SHOP, *options)
        assert without_times(after) == without_times(held) | changed
        held = after
    assert office.changes() == [("PATCH", f"messaging_profiles/{SHOP}", changed) for _, changed in UPDATES]


async def test_one_setting_of_the_pool_leaves_the_others(office: Office) -> None:
    await office.json("profiles", "update", SHOP, "--toll-free-weight", "7", "--geomatch")
    after = await office.json("profiles", "update", SHOP, "--sticky")
    pool = {
        "long_code_weight": 1,
        "toll_free_weight": 7,
        "sticky_sender": True,
        "geomatch": True,
        "skip_unhealthy": False,
    }
    assert after["number_pool_settings"] == pool
    off = await office.json("profiles", "update", SHOP, "--no-pool")
    assert off["number_pool_settings"] is None


async def test_a_limit_is_lifted_and_set_again(office: Office) -> None:
    await office.json("profiles", "update", SHOP, "--spend-limit", "5")
    lifted = await office.json("profiles", "update", SHOP, "--no-spend-limit")
    assert (lifted["daily_spend_limit"], lifted["daily_spend_limit_enabled"]) == ("5", False)
    assert (await office.json("profiles", "update", SHOP, "--limit-spend"))["daily_spend_limit_enabled"] is True


async def test_a_profile_is_deleted_only_on_a_yes_and_its_numbers_stay(office: Office) -> None:
    refused = await office.volley("profiles", "delete", SHOP)
    assert refused.returncode == 2
    assert "4 long_code, 2 toll_free, 1 alphanumeric" in refused.stderr
    assert "--yes" in refused.stderr
    assert office.changes() == []
    gone = await office.json("profiles", "delete", SHOP, "--yes")
    assert (gone["deleted"], gone["senders"]["long_code"]) == (True, 4)
    assert [row["profile_id"] for row in (await office.json("profiles", "list"))["profiles"]] == [NEWS]
    places = await office.places()
    assert sum(place is None for place in places.values()) == 10
    again = await office.volley("profiles", "delete", SHOP, "--yes")
    assert (again.returncode, "no messaging profile" in again.stderr) == (2, True)


async def test_a_deleted_profile_has_no_pool_and_one_that_the_carrier_keeps_has_it_back(
    office: Office, pooled: Pooled
) -> None:
    await office.json("numbers", "sync", "--profile", SHOP)
    whole = await pooled.active(SHOP)
    office.refuse = "DELETE"
    kept = await office.volley("profiles", "delete", SHOP, "--yes")
    assert (kept.returncode, "the carrier refused" in kept.stderr) == (2, True)
    assert await pooled.active(SHOP) == whole
    office.refuse = ""
    await office.json("profiles", "delete", SHOP, "--yes")
    assert await pooled.active(SHOP) == set()


async def test_of_a_profile_that_the_carrier_has_no_longer_our_pool_is_emptied(office: Office, pooled: Pooled) -> None:
    await office.json("numbers", "sync", "--profile", SHOP)
    async with TelnyxApi(API_KEY, office.url) as api:
        await profiles_api.delete(api, SHOP)
    told = json.loads((await office.volley("doctor", "--json")).stdout)
    assert f"volley profiles delete {SHOP}" in str(told)
    assert (await office.json("profiles", "delete", SHOP, "--yes"))["deleted"] is True
    assert await pooled.active(SHOP) == set()
    assert "nothing here sends with it" in str(json.loads((await office.volley("doctor", "--json")).stdout))
    assert (await office.volley("profiles", "delete", SHOP, "--yes")).returncode == 2


IMPOSSIBLE = [
    (["create", "--name", "x"], "--destination"),
    (["create", "--destination", "US"], "--name"),
    (["create", "--name", "x", "--destination", "US", "--alpha-sender", "TWELVE CHARS"], "--alpha-sender"),
    (["update", SHOP], "nothing to change"),
]


async def test_what_cannot_be_is_refused_before_the_carrier_is_asked(office: Office) -> None:
    for words, says in IMPOSSIBLE:
        done = await office.volley("profiles", *words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert says in done.stderr
    assert office.asked == []


async def test_a_profile_that_is_not_there_is_named(office: Office) -> None:
    name = "5a4db0c5-0000-4000-8000-0000000000ff"
    for command, *options in (["show"], ["update", "--name", "x"], ["delete", "--yes"]):
        done = await office.volley("profiles", command, name, *options)
        assert done.returncode == 2
        assert f"no messaging profile {name!r}" in done.stderr


async def test_a_wrong_key_and_a_carrier_that_is_away(office: Office) -> None:
    wrong = await office.volley("profiles", "list", TELNYX_API_KEY="KEY_WRONG")
    assert (wrong.returncode, "TELNYX_API_KEY" in wrong.stderr, "KEY_WRONG" in wrong.stderr) == (2, True, False)
    await office.sandbox.stop()
    away = await office.volley("profiles", "list", TELNYX_BASE_URL=office.sandbox.url)
    assert (away.returncode, "cannot be reached" in away.stderr) == (75, True)
