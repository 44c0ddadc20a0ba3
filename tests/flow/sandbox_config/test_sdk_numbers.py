"""The official SDK lists, shows, moves and registers numbers, short codes and sender IDs; its models parse every answer."""

from typing import Any

import pytest
import telnyx

from tests.flow.sandbox_config.conftest import PROFILE_ID, SPARE, Open, World, until

REQUEST: dict[str, Any] = {
    "business_name": "Shop Inc.",
    "corporate_website": "https://shop.example.com",
    "business_addr1": "1 Main Street",
    "business_city": "Springfield",
    "business_state": "IL",
    "business_zip": "62701",
    "business_contact_first_name": "Alex",
    "business_contact_last_name": "Example",
    "business_contact_email": "alex@example.com",
    "business_contact_phone": "+12025550100",
    "message_volume": "10,000",
    "use_case": "Order Notifications",
    "use_case_summary": "Orders",
    "production_message_content": "Your order is ready.",
    "opt_in_workflow": "A box that is ticked",
    "opt_in_workflow_image_urls": [{"url": "https://shop.example.com/box.png"}],
    "additional_information": "",
    "entity_type": "PRIVATE_PROFIT",
}


def spare(world: World, kind: str) -> str:
    """A number of no profile."""
    made = [
        each.number for each in world.sandbox.numbers.all[-sum(count for _, count, _ in SPARE) :] if each.type == kind
    ]
    return made[0]


async def test_numbers_are_listed_by_profile_number_type_and_order(world: World) -> None:
    numbers, senders = world.client.phone_numbers.messaging, world.sandbox.senders

    async def listed(**filters: Any) -> list[str]:
        return [str(each.phone_number) async for each in numbers.list(page_size=3, **filters)]

    profile = senders[:8]
    assert await listed() == [*profile, *senders[10:13]]
    assert await listed(filter_messaging_profile_id=PROFILE_ID) == profile
    assert await listed(filter_phone_number=f"{senders[0]},{senders[7]}") == [senders[0], senders[7]]
    assert await listed(filter_phone_number_contains=senders[3][1:8]) == [senders[3]]
    assert await listed(filter_type="tollfree", filter_messaging_profile_id=PROFILE_ID) == senders[6:8]
    assert await listed(sort_phone_number="desc", filter_messaging_profile_id=PROFILE_ID) == sorted(profile)[::-1]


async def test_a_number_shows_everything_that_the_page_names(world: World) -> None:
    numbers = world.client.phone_numbers.messaging
    number_id = world.sandbox.numbers.all[0].id
    shown = (await numbers.retrieve(number_id)).data
    assert shown is not None
    assert shown == (await numbers.retrieve(world.sandbox.senders[0])).data
    assert (shown.id, shown.type, shown.country_code) == (number_id, "long-code", "US")
    assert (shown.messaging_product, shown.traffic_type, shown.eligible_messaging_products) == ("A2P", "A2P", ["A2P"])
    assert shown.features is not None
    assert shown.features.sms is not None
    assert shown.features.mms is not None
    assert (shown.features.sms.international_outbound, shown.features.mms.international_outbound) == (True, False)
    assert shown.health is not None
    assert (shown.health.success_ratio, shown.health.spam_ratio) == (0.94, 0.06)


async def test_a_number_is_assigned_tagged_and_unassigned(world: World) -> None:
    numbers = world.client.phone_numbers.messaging
    number = spare(world, "long_code")
    number_id = world.sandbox.numbers.by_number[number].id
    assigned = (await numbers.update(number_id, messaging_profile_id=PROFILE_ID, tags=["east"])).data
    assert assigned is not None
    assert (assigned.messaging_profile_id, assigned.tags) == (PROFILE_ID, ["east"])
    kept = (await numbers.update(number_id, messaging_product="A2P")).data
    assert kept is not None
    assert (kept.messaging_profile_id, kept.tags) == (PROFILE_ID, ["east"])
    unassigned = (await numbers.update(number_id, messaging_profile_id="")).data
    assert unassigned is not None
    assert unassigned.messaging_profile_id is None
    assert unassigned == (await numbers.retrieve(number_id)).data


async def test_an_order_moves_many_numbers_in_time_and_names_what_it_could_not(opened: Open) -> None:
    world = await opened(bulk_s=0.3)
    orders, numbers = world.client.messaging_numbers_bulk_updates, world.client.phone_numbers.messaging
    mine, strangers = [*world.sandbox.senders[:6], spare(world, "toll_free")], ["+12025550199", "+18005550199"]
    begun = (await orders.create(messaging_profile_id="", numbers=[*mine, *strangers], assign_only=True)).data
    assert begun is not None
    assert begun.order_id is not None
    assert (begun.pending, begun.success, begun.failed) == ([*mine, *strangers], [], [])
    seen: list[int] = []

    async def over() -> bool:
        order = (await orders.retrieve(str(begun.order_id))).data
        assert order is not None
        seen.append(len(order.pending or []))
        if not order.pending:
            assert (order.success, order.failed) == (mine, strangers)
        return not order.pending

    await until(over)
    assert sorted(set(seen), reverse=True) == list(dict.fromkeys(seen))
    assert any(0 < left < 9 for left in seen)
    left = [each.phone_number async for each in numbers.list(filter_messaging_profile_id=PROFILE_ID)]
    assert left == world.sandbox.senders[6:8]


async def test_a_short_code_is_listed_shown_and_moved(world: World) -> None:
    codes = world.client.short_codes
    number = spare(world, "short_code")
    listed = {each.short_code: each async for each in codes.list()}
    mine = [each.short_code async for each in codes.list(filter={"messaging_profile_id": PROFILE_ID})]
    assert (sorted(listed), mine) == (["55501", "55502"], ["55501"])
    code_id = str(listed[number].id)
    moved = (await codes.update(code_id, messaging_profile_id=PROFILE_ID, tags=["vip"])).data
    assert moved is not None
    assert (moved.messaging_profile_id, moved.tags) == (PROFILE_ID, ["vip"])
    assert (await codes.retrieve(code_id)).data == moved


async def test_a_sender_id_is_made_listed_shown_and_deleted(world: World) -> None:
    ids = world.client.alphanumeric_sender_ids
    fallback = world.sandbox.senders[0]
    made = (
        await ids.create(
            alphanumeric_sender_id="Shop 24", messaging_profile_id=PROFILE_ID, us_long_code_fallback=fallback
        )
    ).data
    assert made is not None
    assert (made.alphanumeric_sender_id, made.us_long_code_fallback) == ("Shop 24", fallback)
    names = [
        each.alphanumeric_sender_id async for each in ids.list(filter_messaging_profile_id=PROFILE_ID, page_size=1)
    ]
    assert names == ["Sandbox 01", "Shop 24"]
    assert (await ids.retrieve(str(made.id))).data == made
    assert (await ids.delete(str(made.id))).data == made
    with pytest.raises(telnyx.NotFoundError, match="10005"):
        await ids.retrieve(str(made.id))
    for wrong in ("", "123", "Shop-24", "Twelve chars", "Größe"):
        with pytest.raises(telnyx.UnprocessableEntityError, match="40325"):
            await ids.create(alphanumeric_sender_id=wrong, messaging_profile_id=PROFILE_ID)


async def test_a_long_code_is_put_into_a_campaign_and_taken_out(opened: Open) -> None:
    world = await opened(campaign_s=0.05)
    campaigns = world.client.messaging_10dlc.phone_number_campaigns
    listed = [each.phone_number async for each in campaigns.list(records_per_page=4, sort="phoneNumber")]
    assert listed == sorted(world.sandbox.senders[:6])
    number = spare(world, "long_code")
    made = await campaigns.create(campaign_id="CNEW", phone_number=number)
    assert (made.campaign_id, made.assignment_status) == ("CNEW", "PENDING_ASSIGNMENT")

    async def assigned() -> bool:
        return (await campaigns.retrieve(number)).assignment_status == "ASSIGNED"

    await until(assigned)
    assert [each.phone_number async for each in campaigns.list(filter={"tcr_campaign_id": "CNEW"})] == [number]
    moved = await campaigns.update(number, campaign_id="COTHER", phone_number=number)
    assert (moved.campaign_id, moved.created_at) == ("COTHER", made.created_at)
    await until(assigned)
    assert (await campaigns.delete(number)).assignment_status == "PENDING_UNASSIGNMENT"

    async def gone() -> bool:
        return [each async for each in campaigns.list(filter={"tcr_campaign_id": "COTHER"})] == []

    await until(gone)
    with pytest.raises(telnyx.NotFoundError):
        await campaigns.retrieve(number)


async def test_a_toll_free_number_is_verified(world: World) -> None:
    requests = world.client.messaging_tollfree.verification.requests
    number = spare(world, "toll_free")
    asked = REQUEST | {"phone_numbers": [{"phone_number": number}]}
    made = await requests.create(**asked)
    assert (made.verification_status, made.business_name) == ("In Progress", "Shop Inc.")
    request_id = str(made.verification_request_id)
    whole = [each.id async for each in requests.list(page=1, page_size=2)]
    assert len(whole) == 3
    found = [each.id async for each in requests.list(page=1, page_size=9, phone_number=number, status="In Progress")]
    assert found == [request_id]
    await world.control(number, registration="Waiting For Customer", failure="Say more")
    shown = await requests.retrieve(request_id)
    assert (shown.verification_status, shown.reason) == ("Waiting For Customer", "Say more")
    changed = await requests.update(request_id, **(asked | {"business_name": "Shop Ltd."}))
    assert (changed.verification_status, changed.business_name) == ("In Progress", "Shop Ltd.")
    history = await requests.retrieve_status_history(request_id, page_number=1, page_size=10)
    states = [each.verification_status for each in history.records]
    assert states == ["In Progress", "Waiting For Customer", "In Progress"]
    with pytest.raises(telnyx.BadRequestError, match="rejected"):
        await requests.delete(request_id)
    await world.control(number, registration="Rejected")
    await requests.delete(request_id)
    with pytest.raises(telnyx.NotFoundError):
        await requests.retrieve(request_id)
