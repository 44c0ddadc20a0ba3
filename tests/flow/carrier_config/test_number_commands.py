"""`volley numbers` against a sandbox: what the carrier has, and senders on their way between profiles."""

import json

import pytest

from producer.pool.carrier_numbers import Filter, listed, one
from tests.flow.carrier_config.conftest import NEWS, SHOP, Office, Pooled
from volley.carrier.api import TelnyxApi
from volley.errors import UnusableInput
from volley.sandbox.config import API_KEY

LONG_CODES = [f"+1{area}5550100" for area in (201, 202, 203, 205)]
TOLL_FREE = ["+18005550100", "+18335550100"]
SPARE = ["+12075550100", "+12085550100", "+12095550100"]
ELSEWHERE = "+14155550199"


async def test_the_list_is_what_the_carrier_has(office: Office) -> None:
    places = await office.places()
    assert [number for number, place in places.items() if place == SHOP] == [*LONG_CODES, *TOLL_FREE, "Sandbox 01"]
    assert [number for number, place in places.items() if place is None] == [*SPARE, "55502"]


FILTERED = [
    (Filter(profile=NEWS), ["+12065550100", "55501"]),
    (Filter(unassigned=True), [*SPARE, "55502"]),
    (Filter(kind="toll_free"), TOLL_FREE),
    (Filter(kind="toll_free", profile=NEWS), []),
    (Filter(kind="short_code"), ["55501", "55502"]),
    (Filter(kind="alphanumeric"), ["Sandbox 01"]),
    (Filter(contains="+1205"), ["+12055550100"]),
    (Filter(contains="550"), [*LONG_CODES, "+12065550100", *SPARE, *TOLL_FREE, "55501", "55502"]),
]


async def test_the_list_is_filtered(office: Office) -> None:
    async with TelnyxApi(API_KEY, office.url) as api:
        for wanted, found in FILTERED:
            assert sorted([row["number"] async for row in listed(api, wanted)]) == sorted(found), wanted
    lines = await office.volley("numbers", "list", "--carrier", "--type", "toll-free", "--contains", "800", "--jsonl")
    assert [json.loads(line)["number"] for line in lines.stdout.splitlines()] == TOLL_FREE[:1]


NOWHERE = {
    ELSEWHERE: "no messaging number of this account",
    "99999": "no short code",
    "Nobody": "no alphanumeric ID",
    ELSEWHERE[1:]: f"is written [+]{ELSEWHERE[1:]}",
    "5a4db0c5-0000-4000-8000-0000000000ff": "nothing with the id",
    "what?": "is no sender",
}


async def test_one_sender_is_shown_with_every_field_by_name_or_id(office: Office) -> None:
    shown = await office.json("numbers", "show", TOLL_FREE[0])
    fields = shown["carrier"]
    assert (shown["number"], shown["type"], shown["pool"]) == (TOLL_FREE[0], "toll_free", None)
    assert (fields["messaging_profile_id"], fields["country_code"]) == (SHOP, "US")
    assert fields["features"]["sms"]["domestic_two_way"] is True
    assert fields["health"]["success_ratio"] == 0.94
    assert fields["eligible_messaging_products"] == ["A2P"]
    by_id = await office.json("numbers", "show", fields["id"])
    assert by_id == shown
    async with TelnyxApi(API_KEY, office.url) as api:
        for name in ("55501", "Sandbox 01"):
            assert (await one(api, None, name))["number"] == name
        for name, says in NOWHERE.items():
            with pytest.raises(UnusableInput, match=says):
                await one(api, None, name)
    done = await office.volley("numbers", "show", ELSEWHERE)
    assert (done.returncode, done.stdout) == (2, "")


async def test_one_number_is_assigned_by_one_request(office: Office) -> None:
    found = await office.json("numbers", "assign", SPARE[0], "--profile", NEWS)
    assert (found["done"], found["failed"], found["orders"]) == ([SPARE[0]], [], [])
    ((method, path, body),) = office.changes()
    assert (method, path.startswith("phone_numbers/"), body) == ("PATCH", True, {"messaging_profile_id": NEWS})
    assert (await office.places())[SPARE[0]] == NEWS
    await office.json("numbers", "assign", SPARE[0], "--profile", NEWS)
    assert len(office.changes()) == 1


async def test_many_are_assigned_by_an_order_that_is_followed_to_its_end(office: Office) -> None:
    file = office.folder / "numbers.txt"
    file.write_text("\n".join([*SPARE, *LONG_CODES, LONG_CODES[0]]))
    found = await office.json("numbers", "assign", "--file", "numbers.txt", "--profile", NEWS)
    assert (found["done"], found["failed"], found["repeated"]) == ([*SPARE, *LONG_CODES], [], 1)
    assert [change[:2] for change in office.changes()] == [("POST", "messaging_numbers_bulk_updates")]
    places = await office.places()
    assert {places[number] for number in (*SPARE, *LONG_CODES)} == {NEWS}
    (order,) = found["orders"]
    assert sorted((await office.json("numbers", "order", order))["success"]) == sorted(found["done"])
    back = await office.json("numbers", "unassign", "--file", "-", stdin="\n".join(SPARE))
    assert (back["profile"], back["done"]) == (None, SPARE)
    places = await office.places()
    assert {places[number] for number in SPARE} == {None}


async def test_what_cannot_be_assigned_is_told_with_its_reason_and_the_rest_goes(office: Office) -> None:
    busy = b'{"eligible_messaging_products": [], "messaging_product": "P2P"}'
    await office.put(f"/_sandbox/numbers/{SPARE[2]}", busy)
    words = (SPARE[0], SPARE[1], SPARE[2], ELSEWHERE, "99999")
    done = await office.volley("numbers", "assign", *words, "--profile", NEWS)
    assert done.returncode == 3
    assert "2 of 5 are in" in done.stdout
    reasons = dict(line.split(": ", 1) for line in done.stderr.splitlines() if ": " in line)
    assert reasons.keys() == {SPARE[2], ELSEWHERE, "99999"}
    assert "another product" in reasons[SPARE[2]]
    assert "no messaging number of this account" in reasons[ELSEWHERE]
    assert "no short code of this account" in reasons["99999"]
    alone = await office.volley("numbers", "assign", ELSEWHERE, "--profile", NEWS)
    assert alone.returncode == 1
    refused = await office.volley("numbers", "assign", SPARE[2], "--profile", NEWS)
    assert (refused.returncode, "the carrier refused" in refused.stderr) == (1, True)


async def test_short_codes_and_alphanumeric_ids_move_too(office: Office) -> None:
    found = await office.json("numbers", "assign", "55501", "ACME 24", "Sandbox 01", "--profile", SHOP)
    assert sorted(found["done"]) == ["55501", "ACME 24", "Sandbox 01"]
    places = await office.places()
    assert (places["55501"], places["ACME 24"]) == (SHOP, SHOP)
    other = await office.json("numbers", "assign", "ACME 24", "--profile", NEWS, "--us-fallback", LONG_CODES[0])
    assert other["done"] == ["ACME 24"]
    shown = await office.json("numbers", "show", "ACME 24")
    assert {row["messaging_profile_id"]: row["us_long_code_fallback"] for row in shown["carrier"]} == {
        SHOP: None,
        NEWS: LONG_CODES[0],
    }
    torn = await office.volley("numbers", "unassign", "55501", "ACME 24")
    assert torn.returncode == 3
    assert "ACME 24: it is in 2 profiles: name one with --profile" in torn.stderr
    await office.json("numbers", "unassign", "ACME 24", "--profile", SHOP)
    await office.json("numbers", "unassign", "ACME 24")
    places = await office.places()
    assert ("ACME 24" in places, places["55501"]) == (False, None)


async def test_a_dry_run_tells_and_changes_nothing(office: Office) -> None:
    words = (SPARE[0], LONG_CODES[0], "55501", "ACME 24", ELSEWHERE)
    done = await office.volley("numbers", "assign", *words, "--profile", SHOP, "--dry-run")
    assert done.returncode == 3
    told = {line[: line.rindex("  ")].strip()[:12].strip(): line.split()[-1] for line in done.stdout.splitlines()[1:]}
    assert told == {SPARE[0]: SHOP, LONG_CODES[0]: "stays", "55501": SHOP, "ACME 24": SHOP, ELSEWHERE: "cannot"}
    assert office.changes() == []


async def test_what_stands_in_another_profile_than_named_stays(office: Office) -> None:
    found = await office.json("numbers", "unassign", LONG_CODES[0], SPARE[0], "55501", "--profile", NEWS, code=3)
    assert found["done"] == ["55501"]
    reasons = {each["number"]: each["reason"] for each in found["failed"]}
    assert reasons == {
        LONG_CODES[0]: f"it is in profile {SHOP}, not in {NEWS}",
        SPARE[0]: f"it is in no profile, not in {NEWS}",
    }


UNUSABLE = [
    (["assign", SPARE[0], SPARE[1][1:], "--profile", SHOP], f"write {SPARE[1]}"),
    (["assign", SPARE[0], "--file", "garbage.txt", "--profile", SHOP], "line 2: "),
    (["assign", SPARE[0], SPARE[1], "--profile", "5a4db0c5-0000-4000-8000-0000000000ff"], "no messaging profile"),
    (["unassign", LONG_CODES[0], "--profile", "nobody"], "no messaging profile 'nobody'"),
    (["assign", "ACME", "--us-fallback", "+447400123456", "--profile", SHOP], "no US number"),
    (["assign", SPARE[0], "--us-fallback", SPARE[1], "--profile", SHOP], "for alphanumeric IDs"),
    (["list", "--unassigned", "--profile", SHOP], "one of them"),
    (["order", "nothing"], "no order 'nothing'"),
]


async def test_unusable_input_is_one_line_and_changes_nothing(office: Office) -> None:
    (office.folder / "garbage.txt").write_text(f"{SPARE[1]}\n<html>\n")
    for words, says in UNUSABLE:
        done = await office.volley("numbers", *words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
        assert says in done.stderr
    assert office.changes() == []


async def test_a_carrier_that_is_away_has_been_asked_for_nothing(office: Office) -> None:
    await office.sandbox.stop()
    done = await office.volley("numbers", "unassign", LONG_CODES[0], TELNYX_BASE_URL=office.sandbox.url)
    assert (done.returncode, "cannot be reached" in done.stderr) == (75, True)


async def test_the_pool_follows_what_is_assigned_and_unassigned(office: Office, pooled: Pooled) -> None:
    await office.json("numbers", "sync", "--profile", NEWS)
    found = await office.json("numbers", "assign", *SPARE[:2], LONG_CODES[0], "--profile", NEWS)
    assert [synced["profile"] for synced in found["synced"]] == [NEWS]
    assert await pooled.active(NEWS) == {"+12065550100", "55501", *SPARE[:2], LONG_CODES[0]}
    await office.json("numbers", "assign", "--profile", SHOP, SPARE[0], "--no-sync")
    assert SPARE[0] in await pooled.active(NEWS)
    found = await office.json("numbers", "assign", LONG_CODES[0], "--profile", SHOP)
    assert {synced["profile"] for synced in found["synced"]} == {SHOP, NEWS}
    assert await pooled.active(NEWS) == {"+12065550100", "55501", SPARE[1]}
    assert await pooled.active(SHOP) == {*LONG_CODES, SPARE[0], *TOLL_FREE, "Sandbox 01"}
    shown = await office.json("numbers", "show", LONG_CODES[0])
    assert (shown["pool"]["profile"], shown["pool"]["state"], shown["pool"]["pins"]) == (SHOP, "active", 0)
    await office.json("numbers", "unassign", *LONG_CODES)
    assert await pooled.active(SHOP) == {SPARE[0], *TOLL_FREE, "Sandbox 01"}
    listed = await office.json("numbers", "list", "--profile", SHOP, "--type", "long_code")
    states = {row["number"]: row["state"] for row in listed["numbers"]}
    assert states == dict.fromkeys(LONG_CODES, "inactive") | {SPARE[0]: "active"}


async def test_the_last_sender_of_a_pool_can_be_taken_out(office: Office, pooled: Pooled) -> None:
    await office.json("numbers", "sync", "--profile", NEWS)
    found = await office.json("numbers", "unassign", "+12065550100", "55501")
    assert (len(found["done"]), "is empty" in found["synced"][0]["problem"]) == (2, True)
    assert await pooled.active(NEWS) == set()


async def test_a_pool_that_could_not_be_synced_is_no_success(office: Office, pooled: Pooled) -> None:
    await office.json("numbers", "sync", "--profile", SHOP)
    office.away_after = "PATCH"
    found = await office.json("numbers", "assign", SPARE[0], "--profile", SHOP, code=75)
    assert (found["done"], found["failed"]) == ([SPARE[0]], [])
    assert "volley numbers sync" in found["synced"][0]["problem"]
    office.away_after = ""
    office.asked.clear()
    await office.json("numbers", "assign", SPARE[0], "--profile", SHOP)
    assert SPARE[0] in await pooled.active(SHOP)


async def test_a_pool_in_which_nothing_assigned_can_send_is_no_success(office: Office, pooled: Pooled) -> None:
    made = await office.json("profiles", "create", "--name", "Empty", "--destination", "US", "--disabled")
    found = await office.json("numbers", "assign", SPARE[0], "--profile", made["profile_id"], code=3)
    assert (found["done"], "is empty" in found["synced"][0]["problem"]) == ([SPARE[0]], True)


async def test_what_the_carrier_does_not_let_go_comes_back_into_the_pool(office: Office, pooled: Pooled) -> None:
    await office.json("numbers", "sync", "--profile", SHOP)
    office.refuse = "PATCH"
    found = await office.json("numbers", "unassign", LONG_CODES[0], code=1)
    assert "the carrier refused" in found["failed"][0]["reason"]
    assert LONG_CODES[0] in await pooled.active(SHOP)


async def test_a_redis_that_is_away_keeps_everything_as_it_was(office: Office) -> None:
    office.settings["VOLLEY_REDIS_URL"] = "redis://127.0.0.1:1/0"
    done = await office.volley("numbers", "unassign", LONG_CODES[0])
    assert done.returncode == 75
    assert office.changes() == []
    assert (await office.volley("numbers", "unassign", LONG_CODES[0], "--no-sync")).returncode == 0
