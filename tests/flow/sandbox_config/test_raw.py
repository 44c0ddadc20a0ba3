"""The configuration endpoints over raw HTTP: keys, pages and their edges, error bodies, null and "" and {}."""

import httpx
import pytest

from tests.flow.sandbox_config.conftest import NOBODY, PROFILE_ID, Open, World

PROFILE = f"/messaging_profiles/{PROFILE_ID}"
NUMBERS = "/phone_numbers/messaging"
VERIFICATIONS = "/messaging_tollfree/verification/requests"
SWITCHED_OFF = {"name": "Shop", "whitelisted_destinations": ["US"]}


@pytest.mark.parametrize(
    "path",
    [PROFILE, "/messaging_profiles", NUMBERS, "/short_codes", "/alphanumeric_sender_ids", VERIFICATIONS, "/unknown"],
)
async def test_without_a_right_key_nothing_is_answered(world: World, path: str) -> None:
    for key in ("Bearer WRONG", "KEY_SANDBOX", ""):
        answer = await world.ask("GET", path, authorization=key)
        assert answer.error[:2] == (401, "10009")
    assert (await world.ask("GET", path, authorization="bearer KEY_SANDBOX")).status in (200, 404)


async def test_pages_have_no_gaps_and_their_edges_are_refused(world: World) -> None:
    rows, sizes = [], []
    for number in range(1, 6):
        answer = await world.ask("GET", f"{NUMBERS}?page[number]={number}&page[size]=4")
        rows += [row["phone_number"] for row in answer.data]
        sizes.append(len(answer.data))
        meta = {"page_number": number, "page_size": 4, "total_pages": 3, "total_results": 11}
        assert answer.body["meta"] == meta
    assert sizes == [4, 4, 3, 0, 0]
    assert len(set(rows)) == 11
    assert (await world.ask("GET", NUMBERS)).body["meta"]["page_size"] == 20
    assert (await world.ask("GET", f"{NUMBERS}?page[size]=250")).status == 200
    for name in ("page[number]", "page[size]"):
        for wrong in ("0", "-1", "x", "", "1.5", "9999999"):
            assert (await world.ask("GET", f"{NUMBERS}?{name}={wrong}")).error == (400, "10033", name)
    assert (await world.ask("GET", "/alphanumeric_sender_ids?page[size]=251")).error == (422, "10033", "page[size]")


async def test_the_other_two_shapes_of_lists_have_pages_too(world: World) -> None:
    whole = await world.ask("GET", "/10dlc/phone_number_campaigns?page=2&recordsPerPage=4&sort=-phoneNumber")
    assert [len(whole.body["records"]), whole.body["page"], whole.body["totalRecords"]] == [2, 2, 6]
    senders = sorted(world.sandbox.senders[:6], reverse=True)
    assert [row["phoneNumber"] for row in whole.body["records"]] == senders[4:]
    requests = await world.ask("GET", f"{VERIFICATIONS}?page=1&page_size=100000")
    assert [len(requests.body["records"]), requests.body["total_records"]] == [2, 2]
    assert (await world.ask("GET", "/10dlc/phone_number_campaigns?sort=colour")).error == (400, "10032", "sort")
    assert (await world.ask("GET", f"{VERIFICATIONS}?page=0")).error == (400, "10033", "page")
    for query in ("status=Rejected", "phone_number=%2B18005550198", "business_name=Nobody", "date_start=2031-01-01"):
        assert (await world.ask("GET", f"{VERIFICATIONS}?{query}")).body == {"records": [], "total_records": 0}


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"name": None}, "10026", "/name"),
        ({"name": ""}, "10025", "/name"),
        ({"name": 7}, "10026", "/name"),
        ({"enabled": "yes"}, "10026", "/enabled"),
        ({"whitelisted_destinations": ["us"]}, "10015", "/whitelisted_destinations/0"),
        ({"whitelisted_destinations": "US"}, "10026", "/whitelisted_destinations"),
        ({"webhook_url": "ftp://example.com"}, "10003", "/webhook_url"),
        ({"webhook_failover_url": "http://" + "x" * 2000}, "10003", "/webhook_failover_url"),
        ({"webhook_api_version": "3"}, "10032", "/webhook_api_version"),
        ({"alpha_sender": "Twelve chars"}, "10015", "/alpha_sender"),
        ({"daily_spend_limit": 5}, "10026", "/daily_spend_limit"),
        ({"daily_spend_limit": "5,00"}, "10015", "/daily_spend_limit"),
        ({"ai_assistant_id": "x" * 65}, "10025", "/ai_assistant_id"),
        ({"number_pool_settings": {"long_code_weight": -1}}, "10033", "/number_pool_settings/long_code_weight"),
        ({"number_pool_settings": {"geomatch": 1}}, "10026", "/number_pool_settings/geomatch"),
        ({"number_pool_settings": True}, "10026", "/number_pool_settings"),
        ({"url_shortener_settings": {}}, "10004", "/url_shortener_settings/domain"),
        ({"url_shortener_settings": {"domain": "bit.ly"}}, "40327", "/url_shortener_settings/domain"),
    ],
)
async def test_what_is_wrong_with_a_profile_is_pointed_at_and_changes_nothing(
    world: World, change: dict[str, object], code: str, pointer: str
) -> None:
    before = (await world.ask("GET", PROFILE)).data
    refused = await world.ask("PATCH", PROFILE, {"smart_encoding": True} | change)
    assert refused.error == (400, code, pointer)
    assert (await world.ask("GET", PROFILE)).data == before
    assert (await world.ask("POST", "/messaging_profiles", SWITCHED_OFF | change)).error == (400, code, pointer)


async def test_a_body_that_is_no_object_is_refused(world: World) -> None:
    for body, code in ((b"{", "10023"), (b"", "10023"), (b"[]", "10015"), (b"7", "10015"), (b'"\xff"', "10023")):
        assert (await world.ask("PATCH", PROFILE, body)).error[:2] == (400, code)
    missing = await world.ask("POST", "/messaging_profiles", {"name": "Shop"})
    assert missing.error == (400, "10004", "/whitelisted_destinations")
    half = SWITCHED_OFF | {"number_pool_settings": {"long_code_weight": 1, "toll_free_weight": 1}}
    assert (await world.ask("POST", "/messaging_profiles", half)).error[1:] == (
        "10004",
        "/number_pool_settings/skip_unhealthy",
    )


async def test_unknown_paths_methods_and_ids_are_not_found(world: World) -> None:
    for method, path in (
        ("GET", f"/messaging_profiles/{NOBODY}"),
        ("PATCH", f"/messaging_profiles/{NOBODY}"),
        ("DELETE", f"/messaging_profiles/{NOBODY}"),
        ("GET", f"/messaging_profiles/{NOBODY}/phone_numbers"),
        ("GET", f"/messaging_profiles/{NOBODY}/autoresp_configs"),
        ("GET", f"{PROFILE}/autoresp_configs/{NOBODY}"),
        ("GET", "/phone_numbers/17/messaging"),
        ("PATCH", "/phone_numbers/+12025559999/messaging"),
        ("GET", f"/short_codes/{NOBODY}"),
        ("GET", f"/alphanumeric_sender_ids/{NOBODY}"),
        ("GET", f"/messaging_numbers_bulk_updates/{NOBODY}"),
        ("GET", "/10dlc/phone_number_campaigns/+12025559999"),
        ("GET", f"{VERIFICATIONS}/{NOBODY}"),
        ("GET", "/unknown"),
        ("PUT", "/unknown/1"),
    ):
        assert (await world.ask(method, path, {} if method == "PATCH" else None)).error[:2] == (404, "10005"), path


async def test_pool_settings_are_merged_and_both_null_and_an_empty_object_turn_the_pool_off(world: World) -> None:
    async def pool(given: object) -> object:
        return (await world.ask("PATCH", PROFILE, {"number_pool_settings": given})).data["number_pool_settings"]

    whole = {"long_code_weight": 1, "toll_free_weight": 0, "skip_unhealthy": False}
    rest = {"sticky_sender": False, "geomatch": False}
    assert await pool({"toll_free_weight": 0}) == whole | rest
    assert await pool({"sticky_sender": True}) == whole | rest | {"sticky_sender": True}
    for off in (None, {}):
        assert await pool(off) is None
        assert await world.send(messaging_profile_id=PROFILE_ID) == "40321"
        assert await pool(whole) == whole | rest
        assert await world.send(messaging_profile_id=PROFILE_ID) == ""
    assert (await world.ask("PATCH", PROFILE, {})).data["number_pool_settings"] == whole | rest
    made = await world.ask("POST", "/messaging_profiles", SWITCHED_OFF | {"number_pool_settings": {}})
    assert made.data["number_pool_settings"] is None


async def test_null_keeps_and_an_empty_string_unassigns_and_an_id_assigns(world: World) -> None:
    other = (await world.ask("POST", "/messaging_profiles", SWITCHED_OFF)).data["id"]
    number = world.sandbox.senders[0]
    path = f"/phone_numbers/{number}/messaging"

    async def after(change: dict[str, object]) -> object:
        return (await world.ask("PATCH", path, change)).data["messaging_profile_id"]

    assert await after({"messaging_profile_id": None}) == PROFILE_ID
    assert await after({"tags": ["a"]}) == PROFILE_ID
    assert await after({"messaging_profile_id": ""}) is None
    assert await after({"messaging_profile_id": None}) is None
    assert await after({"messaging_profile_id": other}) == other
    assert [row["phone_number"] for row in await world.rows(f"/messaging_profiles/{other}/phone_numbers")] == [number]
    assert (await world.ask("GET", path)).data["tags"] == ["a"]
    for profile_id in (NOBODY, "x"):
        refused = await world.ask("PATCH", path, {"messaging_profile_id": profile_id, "tags": []})
        assert refused.error == (404, "10005", "/messaging_profile_id")
    assert (await world.ask("PATCH", path, {"tags": "a"})).error == (400, "10026", "/tags")
    assert (await world.ask("PATCH", path, {"messaging_product": "P2P"})).error == (400, "10032", "/messaging_product")
    kept = (await world.ask("GET", path)).data
    assert (kept["messaging_profile_id"], kept["tags"]) == (other, ["a"])


async def test_orders_are_refused_whole_or_tell_what_failed(world: World) -> None:
    path, mine = "/messaging_numbers_bulk_updates", world.sandbox.senders
    for body, error in (
        ({"messaging_profile_id": NOBODY, "numbers": mine[:1]}, (404, "10005", "/messaging_profile_id")),
        ({"messaging_profile_id": "", "numbers": []}, (400, "10033", "/numbers")),
        ({"messaging_profile_id": "", "numbers": [mine[0], "2025550123"]}, (400, "10016", "/numbers/1")),
        ({"numbers": mine[:1]}, (400, "10004", "/messaging_profile_id")),
        ({"messaging_profile_id": None, "numbers": mine[:1]}, (400, "10026", "/messaging_profile_id")),
    ):
        assert (await world.ask("POST", path, body)).error == error
    await world.control(mine[1], eligible_messaging_products=[])
    await world.control(mine[2], features={"sms": None, "mms": None})
    order = {"messaging_profile_id": PROFILE_ID, "numbers": [*mine[:3], mine[10], "+12025559999", mine[10]]}
    done = (await world.ask("POST", path, order)).data
    assert (done["success"], done["failed"], done["pending"]) == (
        [mine[0], mine[10]],
        [mine[1], mine[2], "+12025559999"],
        [],
    )
    assert (await world.ask("GET", f"{path}/{done['order_id']}")).data == done


async def test_campaigns_and_verifications_refuse_what_they_do_not_fit(world: World) -> None:
    senders, campaigns = world.sandbox.senders, "/10dlc/phone_number_campaigns"
    for number, error in ((senders[0], (409, "10012")), (senders[6], (400, "10015")), ("+12025559999", (404, "10005"))):
        refused = await world.ask("POST", campaigns, {"phoneNumber": number, "campaignId": "CNEW"})
        assert refused.error == (*error, "/phoneNumber")
    other = {"phoneNumber": senders[1], "campaignId": "CNEW"}
    assert (await world.ask("PUT", f"{campaigns}/{senders[0]}", other)).error == (400, "10015", "/phoneNumber")
    request = (await world.ask("GET", f"{VERIFICATIONS}?page=1&page_size=1")).body["records"][0]
    assert (await world.ask("POST", VERIFICATIONS, request)).error == (409, "10012", "/phoneNumbers/0/phoneNumber")
    for change, code, pointer in (
        ({"phoneNumbers": [{"phoneNumber": senders[0]}]}, "10005", "/phoneNumbers/0/phoneNumber"),
        ({"useCase": "Spam"}, "10032", "/useCase"),
        ({"messageVolume": "11"}, "10032", "/messageVolume"),
        ({"phoneNumbers": []}, "10033", "/phoneNumbers"),
        ({"businessName": "x" * 501}, "10025", "/businessName"),
    ):
        assert (await world.ask("PATCH", f"{VERIFICATIONS}/{request['id']}", request | change)).error[1:] == (
            code,
            pointer,
        )


async def test_automatic_answers_have_their_limits_and_both_words_for_help(world: World) -> None:
    path, good = f"{PROFILE}/autoresp_configs", {"op": "help", "keywords": ["WHO"], "country_code": "US"}
    assert (await world.ask("POST", path, good)).data["op"] == "info"
    for change, code, pointer in (
        ({"op": "dance"}, "10032", "/op"),
        ({"keywords": ["x"] * 21}, "10033", "/keywords"),
        ({"country_code": "usa"}, "10015", "/country_code"),
    ):
        assert (await world.ask("POST", path, good | change)).error == (400, code, pointer)


async def test_lists_stay_whole_with_tens_of_thousands_of_numbers(opened: Open) -> None:
    world = await opened(profiles=(), pool=(("long_code", 30_000, 0),), spare=())
    first = await world.ask("GET", f"{NUMBERS}?page[size]=250&filter[messaging_profile_id]={PROFILE_ID}")
    last = await world.ask("GET", f"{NUMBERS}?page[size]=250&page[number]=120&sort[phone_number]=asc")
    assert first.body["meta"]["total_results"] == 30_000
    assert [row["phone_number"] for row in last.data] == sorted(world.sandbox.senders)[-250:]
    assert all("55501" in number for number in world.sandbox.senders)


async def test_more_numbers_than_fiction_has_need_a_switch(opened: Open) -> None:
    many = (("toll_free", 1_000, 0),)
    with pytest.raises(Exception, match="beyond_fiction"):
        await opened(profiles=(), pool=many, spare=())
    world = await opened(profiles=(), pool=many, spare=(), beyond_fiction=True)
    assert len(set(world.sandbox.senders)) == 1_000
    assert sum("55501" in number for number in world.sandbox.senders) == 700


async def test_a_profile_has_exactly_the_numbers_that_it_is_told_to_have(world: World) -> None:
    live = [
        {"number": "+12065550199", "type": "long_code", "country": "US"},
        {"number": "+18885550123", "type": "toll_free", "country": "US"},
        {"number": "ACME", "type": "alphanumeric", "country": "US"},
    ]
    name = "5a4db0c5-0000-4000-8000-00000000cafe"
    url = f"{world.sandbox.root}/_sandbox/profiles/{name}"
    async with httpx.AsyncClient() as http:
        assert (await http.get(url)).status_code == 404
        told = await http.put(url, json={"numbers": live})
        assert (told.status_code, told.json()["numbers"]) == (200, live)
        listed = await world.rows(f"{NUMBERS}?filter[messaging_profile_id]={name}")
        assert {each["phone_number"] for each in listed} == {"+12065550199", "+18885550123"}
        assert await world.send("+12065550199") == ""
        again = await http.put(url, json={"numbers": live[1:2]})
        assert again.json()["numbers"] == (await http.get(url)).json()["numbers"] == live[1:2]
        assert (await http.put(url, json={"numbers": [{"number": "+1206", "type": "pigeon"}]})).status_code == 400
