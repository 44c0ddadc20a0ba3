"""The official SDK makes, shows, changes and deletes profiles and what belongs to them; its models parse every answer."""

import pytest
import telnyx

from tests.flow.sandbox_config.conftest import PROFILE_ID, World

CREATION = {
    "name": "Shop",
    "whitelisted_destinations": ["US", "CA"],
    "webhook_url": "https://shop.example.com/hooks",
    "webhook_failover_url": "https://spare.example.com/hooks",
    "webhook_api_version": "2",
    "number_pool_settings": {"long_code_weight": 2, "toll_free_weight": 1, "skip_unhealthy": True, "geomatch": True},
    "url_shortener_settings": {"domain": "go.example.com", "prefix": "s", "send_webhooks": True},
    "alpha_sender": "Shop",
    "daily_spend_limit": "25.50",
    "daily_spend_limit_enabled": True,
    "mms_fall_back_to_sms": True,
    "mms_transcoding": True,
    "mobile_only": True,
    "smart_encoding": True,
    "resource_group_id": "group-1",
    "health_webhook_url": "https://shop.example.com/health",
    "ai_assistant_id": "assistant-1",
}


async def test_a_profile_is_made_shown_listed_changed_and_deleted(world: World) -> None:
    profiles = world.client.messaging_profiles
    made = (await profiles.create(**CREATION)).data  # type: ignore[arg-type]
    assert made is not None
    assert made.id is not None
    given = made.to_dict(mode="json")
    expected = CREATION | {
        "number_pool_settings": CREATION["number_pool_settings"] | {"sticky_sender": False},  # type: ignore[operator]
        "url_shortener_settings": CREATION["url_shortener_settings"] | {"replace_blacklist_only": False},  # type: ignore[operator]
        "enabled": True,
        "record_type": "messaging_profile",
    }
    assert {name: given[name] for name in expected} == expected
    shown = (await profiles.retrieve(made.id)).data
    assert shown == made
    assert [each.name async for each in profiles.list(page_size=1)] == ["Sandbox", "Shop"]
    changed = (await profiles.update(made.id, name="Shop 2", enabled=False, webhook_url=None, redaction_level=1)).data
    assert changed is not None
    assert (changed.name, changed.enabled, changed.webhook_url, changed.redaction_level) == ("Shop 2", False, None, 1)
    assert changed.whitelisted_destinations == ["US", "CA"]
    assert changed.updated_at is not None
    assert made.updated_at is not None
    assert changed.updated_at >= made.updated_at
    deleted = (await profiles.delete(made.id)).data
    assert deleted == changed
    with pytest.raises(telnyx.NotFoundError, match="10005"):
        await profiles.retrieve(made.id)
    assert [each.id async for each in profiles.list()] == [PROFILE_ID]


async def test_a_profile_is_found_by_its_name(world: World) -> None:
    profiles = world.client.messaging_profiles
    for name in ("Shop East", "Shop West"):
        await profiles.create(name=name, whitelisted_destinations=["*"])
    found = {
        "filter": [each.name async for each in profiles.list(filter={"name": "Shop East"})],
        "eq": [each.name async for each in profiles.list(filter_name_eq="Shop West")],
        "contains": [each.name async for each in profiles.list(filter_name_contains="Shop")],
        "none": [each.name async for each in profiles.list(filter_name_eq="Shop")],
    }
    assert found == {
        "filter": ["Shop East"], "eq": ["Shop West"], "contains": ["Shop East", "Shop West"], "none": []
    }  # fmt: skip


async def test_what_a_profile_has_is_listed_below_it(world: World) -> None:
    profiles, senders = world.client.messaging_profiles, world.sandbox.senders
    numbers = [each.phone_number async for each in profiles.list_phone_numbers(PROFILE_ID, page_size=3)]
    codes = [each.short_code async for each in profiles.list_short_codes(PROFILE_ID)]
    names = [each.alphanumeric_sender_id async for each in profiles.list_alphanumeric_sender_ids(PROFILE_ID)]
    assert (numbers, codes, names) == (senders[:8], senders[8:9], senders[9:10])


async def test_a_secret_is_renewed(world: World) -> None:
    profiles = world.client.messaging_profiles
    before = (await profiles.retrieve(PROFILE_ID)).data
    renewed = (await profiles.actions.regenerate_secret(PROFILE_ID)).data
    assert before is not None
    assert renewed is not None
    assert renewed.v1_secret
    assert renewed.v1_secret != before.v1_secret
    assert (await profiles.retrieve(PROFILE_ID)).data == renewed


async def test_metrics_and_domains_are_there(world: World) -> None:
    one = (await world.client.messaging_profiles.retrieve_metrics(PROFILE_ID, time_frame="7d")).data
    whole = await world.client.messaging_profile_metrics.list(time_frame="1h")
    domains = [each.url_domain async for each in world.client.messaging_url_domains.list()]
    assert one is not None
    assert whole.data is not None
    assert one["time_frame"] == "7d"
    assert [each["messaging_profile_id"] for each in whole.data] == [PROFILE_ID]
    assert "go.example.com" in domains


async def test_automatic_answers_are_made_shown_changed_and_deleted(world: World) -> None:
    answers = world.client.messaging_profiles.autoresp_configs
    text = "You get no more texts from us."
    made = (await answers.create(PROFILE_ID, op="stop", keywords=["ENOUGH"], country_code="US", resp_text=text)).data
    assert (made.op, made.keywords, made.country_code, made.resp_text) == ("stop", ["ENOUGH"], "US", text)
    assert (await answers.retrieve(made.id, profile_id=PROFILE_ID)).data == made
    changed = (await answers.update(made.id, profile_id=PROFILE_ID, op="info", keywords=["WHO"], country_code="*")).data
    assert (changed.op, changed.keywords, changed.id, changed.created_at) == ("info", ["WHO"], made.id, made.created_at)
    everywhere = await answers.list(PROFILE_ID, country_code="*")
    nowhere = await answers.list(PROFILE_ID, country_code="CA")
    assert ([each.id for each in everywhere.data], nowhere.data) == ([made.id], [])
    await answers.delete(made.id, profile_id=PROFILE_ID)
    assert (await answers.list(PROFILE_ID)).data == []
    with pytest.raises(telnyx.NotFoundError):
        await answers.retrieve(made.id, profile_id=PROFILE_ID)
