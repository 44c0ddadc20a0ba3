"""What is configured holds for the very next send, also for one that was sent fast before."""

from typing import Any

import pytest

from tests.flow.sandbox_config.conftest import NOBODY, PROFILE_ID, TO, Open, World
from volley.sandbox.config import ProfileSpec, ReceiptSpec, SandboxConfig, dump, parse
from volley.sandbox.number_spec import NumberChange

PROFILE = f"/messaging_profiles/{PROFILE_ID}"


async def sent(world: World, **body: object) -> dict[str, Any]:
    answer = await world.ask("POST", "/messages", {"to": TO, "text": "hello"} | body)
    return dict(answer.data)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"enabled": False}, "40312"),
        ({"whitelisted_destinations": []}, "40331"),
        ({"whitelisted_destinations": ["GB"]}, "40309"),
    ],
)
async def test_a_changed_profile_refuses_the_next_send_and_takes_it_again(
    world: World, change: dict[str, object], code: str
) -> None:
    number = world.sandbox.senders[0]
    before = (await world.ask("GET", PROFILE)).data
    for _ in range(2):
        assert await world.send(number) == ""
        await world.ask("PATCH", PROFILE, change)
        assert await world.send(number) == code
        assert await world.send(messaging_profile_id=PROFILE_ID) == code
        await world.ask("PATCH", PROFILE, {name: before[name] for name in change})


async def test_an_unassigned_number_sends_no_more_and_leaves_the_pool(world: World) -> None:
    numbers = world.sandbox.senders[:8]
    assert await world.send(numbers[0]) == ""
    await world.ask("PATCH", f"/phone_numbers/{numbers[0]}/messaging", {"messaging_profile_id": ""})
    assert await world.send(numbers[0]) == "40305"
    chosen = {(await sent(world, messaging_profile_id=PROFILE_ID))["from"]["phone_number"] for _ in range(40)}
    assert chosen == set(numbers[1:])
    order = {"messaging_profile_id": "", "numbers": numbers}
    await world.ask("POST", "/messaging_numbers_bulk_updates", order)
    assert await world.send(messaging_profile_id=PROFILE_ID) == "40321"
    assert await world.send(numbers[3]) == "40305"
    await world.ask("PATCH", f"/phone_numbers/{numbers[0]}/messaging", {"messaging_profile_id": PROFILE_ID})
    assert (await sent(world, messaging_profile_id=PROFILE_ID))["from"]["phone_number"] == numbers[0]


async def test_an_answer_tells_the_profile_the_tags_and_the_campaign_of_now(world: World) -> None:
    number = world.sandbox.senders[0]
    first = await sent(world, **{"from": number})
    assert (first["messaging_profile_id"], first["tcr_campaign_id"]) == (PROFILE_ID, "CSANDBX")
    other = await world.ask("POST", "/messaging_profiles", {"name": "Shop", "whitelisted_destinations": ["*"]})
    change = {"messaging_profile_id": other.data["id"], "tags": ["east"]}
    await world.ask("PATCH", f"/phone_numbers/{number}/messaging", change)
    assert (await world.ask("GET", f"/messages/{first['id']}")).data["messaging_profile_id"] == PROFILE_ID
    assert (await sent(world, **{"from": number}))["messaging_profile_id"] == other.data["id"]
    await world.ask("PUT", f"/10dlc/phone_number_campaigns/{number}", {"phoneNumber": number, "campaignId": "CNEW"})
    second = await sent(world, **{"from": number})
    told = second["messaging_profile_id"], second["tags"], second["tcr_campaign_id"], second["tcr_campaign_registered"]
    assert told == (other.data["id"], ["east"], "CNEW", "REGISTERED")
    await world.ask("DELETE", f"/10dlc/phone_number_campaigns/{number}")
    assert (await sent(world, **{"from": number}))["tcr_campaign_id"] is None
    shown = (await world.ask("GET", f"/messages/{first['id']}")).data
    assert (shown["messaging_profile_id"], shown["from"]["phone_number"]) == (PROFILE_ID, number)
    third = await sent(world, **{"from": number})
    assert third["messaging_profile_id"] == other.data["id"]


async def test_a_deleted_profile_leaves_its_numbers_without_one(world: World) -> None:
    senders = world.sandbox.senders
    before = await sent(world, **{"from": senders[0]})
    deleted = await world.ask("DELETE", PROFILE)
    assert deleted.data["id"] == PROFILE_ID
    assert await world.send(senders[0]) == "40305"
    assert await world.send(senders[8]) == "40305"
    assert await world.send(messaging_profile_id=PROFILE_ID) == "10005"
    rows = [*await world.rows("/phone_numbers/messaging"), *await world.rows("/short_codes")]
    assert {row["messaging_profile_id"] for row in rows} == {None}
    assert await world.rows("/alphanumeric_sender_ids") == []
    assert (await world.ask("GET", f"/messages/{before['id']}")).data["messaging_profile_id"] == PROFILE_ID


async def test_an_unverified_toll_free_number_is_refused_where_the_config_says_so(opened: Open) -> None:
    profile = ProfileSpec(pool=(("long_code", 1, 0), ("toll_free", 1, 0)), verification="In Progress")
    lenient, strict = [await opened(profiles=(profile,), verified_only=only) for only in (False, True)]
    number = strict.sandbox.senders[1]
    assert await lenient.send(number) == ""
    assert await strict.send(number) == "40329"
    chosen = {(await sent(strict, messaging_profile_id=PROFILE_ID))["from"]["phone_number"] for _ in range(4)}
    assert chosen == {strict.sandbox.senders[0]}
    await strict.control(number, registration="Verified")
    assert await strict.send(number) == ""
    await strict.control(number, registration=None)
    assert await strict.send(number) == "40329"


async def test_what_an_unregistered_long_code_sends_to_the_us_fails_where_the_config_says_so(opened: Open) -> None:
    at_once = ReceiptSpec(sent_after_s=0, done_after_s=(0, 0))
    world = await opened(registered_only=True, receipts=at_once)
    number = world.sandbox.senders[0]

    async def end(to: str) -> tuple[str, list[str]]:
        made = await sent(world, **{"from": number, "to": to})
        shown = (await world.ask("GET", f"/messages/{made['id']}")).data
        return shown["to"][0]["status"], [error["code"] for error in shown["errors"]]

    assert await end(TO) == ("delivered", [])
    await world.control(number, registration="PENDING_ASSIGNMENT")
    assert await end(TO) == ("delivery_failed", ["40010"])
    assert await end("+447700900123") == ("delivered", [])
    await world.control(number, registration="ASSIGNED")
    assert await end(TO) == ("delivered", [])


async def test_a_number_is_what_the_control_makes_of_it(world: World) -> None:
    number, path = world.sandbox.senders[0], f"/phone_numbers/{world.sandbox.senders[0]}/messaging"
    await world.control(number, health={"success_ratio": 0.1})
    health = (await world.ask("GET", path)).data["health"]
    assert (health["success_ratio"], health["spam_ratio"], health["message_count"]) == (0.1, 0.06, 122)
    assert await world.send(number) == "40315"
    await world.control(number, health={"success_ratio": 0.9}, features={"sms": None})
    assert (await world.ask("GET", path)).data["features"]["sms"] is None
    assert await world.send(number) == "40100"
    await world.control(number, features={"sms": {}}, provisioning=True)
    assert await world.send(number) == "40320"
    assert (await world.ask("GET", path)).status == 404
    assert number not in [row["phone_number"] for row in await world.rows("/phone_numbers/messaging")]
    back = await world.control(number, provisioning=False, registration="FAILED_ASSIGNMENT", failure="No brand")
    assert (back.data["registration"], back.data["refused_with"]) == ("FAILED_ASSIGNMENT", "")
    assert await world.send(number) == ""
    campaign = (await world.ask("GET", f"/10dlc/phone_number_campaigns/{number}")).body
    assert (campaign["assignmentStatus"], campaign["failureReasons"]) == ("FAILED_ASSIGNMENT", "No brand")


@pytest.mark.parametrize(
    "change",
    [
        {"health": {"mood": 1}},
        {"colour": 1},
        {"registration": "Verified"},
        {"registration": "odd"},
        {"features": {"fax": {}}},
    ],
)
async def test_a_control_that_makes_no_sense_changes_nothing(world: World, change: dict[str, object]) -> None:
    number = world.sandbox.senders[0]
    before = (await world.ask("GET", f"/phone_numbers/{number}/messaging")).data
    assert (await world.control(number, **({"tags": ["x"]} | change))).status == 400
    assert (await world.ask("GET", f"/phone_numbers/{number}/messaging")).data == before
    assert (await world.control("+12025559999", tags=[])).status == 404


async def test_states_come_from_the_config_too(opened: Open) -> None:
    states = {0: NumberChange.model_validate({"registration": None, "health": {"spam_ratio": 0.9}})}
    profile = ProfileSpec(pool=(("long_code", 2, 0),), campaign_status="PENDING_ASSIGNMENT", abroad=(("GB", 1, 0),))
    config = SandboxConfig(profiles=(profile,), states=states)
    assert parse(dump(config)) == config
    world = await opened(profiles=(profile,), states=states, spare=())
    assert await world.send(world.sandbox.senders[0]) == "40315"
    campaigns = (await world.ask("GET", "/10dlc/phone_number_campaigns")).body["records"]
    told = [(row["phoneNumber"], row["assignmentStatus"]) for row in campaigns]
    assert told == [(world.sandbox.senders[1], "PENDING_ASSIGNMENT")]
    rows = await world.rows("/phone_numbers/messaging")
    assert [row["country_code"] for row in rows] == ["US", "US", "GB"]


async def test_a_sender_id_sends_once_it_is_made_and_no_more_once_it_is_deleted(world: World) -> None:
    named = {"messaging_profile_id": PROFILE_ID, "to": "+447700900123"}
    assert await world.send("Shop", **named) == "40307"
    body = {"alphanumeric_sender_id": "Shop", "messaging_profile_id": PROFILE_ID}
    made = await world.ask("POST", "/alphanumeric_sender_ids", body)
    assert made.status == 201
    assert await world.send("Shop", **named) == ""
    assert (await world.ask("POST", "/alphanumeric_sender_ids", body)).error == (
        422,
        "10012",
        "/alphanumeric_sender_id",
    )
    elsewhere = await world.ask("POST", "/messaging_profiles", {"name": "B", "whitelisted_destinations": ["*"]})
    await world.ask("POST", "/alphanumeric_sender_ids", body | {"messaging_profile_id": elsewhere.data["id"]})
    await world.ask("DELETE", f"/alphanumeric_sender_ids/{made.data['id']}")
    assert await world.send("Shop", **named) == "40305"
    assert await world.send("Shop", **(named | {"messaging_profile_id": elsewhere.data["id"]})) == ""
    nobody = body | {"messaging_profile_id": NOBODY}
    assert (await world.ask("POST", "/alphanumeric_sender_ids", nobody)).error == (
        422,
        "10005",
        "/messaging_profile_id",
    )
    stranger = body | {"alphanumeric_sender_id": "Shop 2", "us_long_code_fallback": "+12025559999"}
    refused = await world.ask("POST", "/alphanumeric_sender_ids", stranger)
    assert refused.error == (422, "10015", "/us_long_code_fallback")


async def test_people_are_free_of_their_number_when_it_leaves_and_when_the_pool_is_no_longer_sticky(
    world: World,
) -> None:
    async def chosen() -> str:
        return str((await sent(world, messaging_profile_id=PROFILE_ID))["from"]["phone_number"])

    await world.ask("PATCH", PROFILE, {"number_pool_settings": {"sticky_sender": True}})
    first = await chosen()
    assert {await chosen() for _ in range(5)} == {first}
    path = f"/phone_numbers/{first}/messaging"
    await world.ask("PATCH", path, {"messaging_profile_id": ""})
    await world.ask("PATCH", path, {"messaging_profile_id": PROFILE_ID})
    second = await chosen()
    assert second != first
    assert {await chosen() for _ in range(5)} == {second}
    await world.ask("PATCH", PROFILE, {"number_pool_settings": {"sticky_sender": False}})
    await world.ask("PATCH", PROFILE, {"number_pool_settings": {"sticky_sender": True}})
    assert await chosen() != second
