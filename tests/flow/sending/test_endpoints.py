"""Each kind of sender at the wire: the endpoint that it takes, the fields that arrive, and what is recorded of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from producer.sight.story import whole_story
from tests.flow.sending.conftest import CA, DE, GB, US, Opening, Scene
from volley.campaign import Encoding
from volley.carrier.reference import reference_in
from volley.errors import UnusableInput
from volley.sandbox.config import PROFILE_ID
from volley.sender import SenderType, carrier_pool

COMMON = {"to": f"+{GB}", "text": f"Hi N{GB}"}
PROFILE = {"messaging_profile_id": PROFILE_ID}


@pytest.mark.parametrize("kind", ["long_code", "toll_free", "short_code"])
async def test_a_number_goes_by_the_general_endpoint_with_its_profile(scene: Scene, kind: SenderType) -> None:
    await scene.sync(kind)
    await scene.sent(await scene.push([GB], sender=scene.pool[kind][0]))
    [post] = scene.wire.posts
    assert (post.path, post.body) == ("/messages", {"from": scene.pool[kind][0], **COMMON, **PROFILE})


@pytest.mark.parametrize(
    ("kind", "path", "own"),
    [
        ("long_code", "/messages/long_code", {}),
        ("short_code", "/messages/short_code", {}),
        ("toll_free", "/messages", PROFILE),
    ],
)
async def test_with_typed_endpoints_each_type_has_its_own(
    opening: Opening, kind: SenderType, path: str, own: dict[str, str]
) -> None:
    scene = await opening(endpoints="typed")
    await scene.sync(kind)
    campaign_id = await scene.sent(await scene.push([GB], sender=scene.pool[kind][0]))
    [post] = scene.wire.posts
    assert (post.path, post.body) == (path, {"from": scene.pool[kind][0], **COMMON, **own})
    assert (await scene.export(campaign_id))[f"+{GB}"]["status"] == "submitted"


@pytest.mark.parametrize(
    ("encoding", "path", "own"),
    [
        ("auto", "/messages/alphanumeric_sender_id", {}),
        ("gsm7", "/messages", {"encoding": "gsm7"}),
        ("ucs2", "/messages", {"encoding": "ucs2"}),
    ],
)
async def test_an_alphanumeric_id_has_its_endpoint_unless_that_has_no_field_for_the_encoding(
    scene: Scene, encoding: Encoding, path: str, own: dict[str, str]
) -> None:
    await scene.sync("long_code", "alphanumeric")
    [name] = scene.pool["alphanumeric"]
    campaign_id = await scene.sent(await scene.push([GB], sender=name, encoding=encoding))
    [post] = scene.wire.posts
    assert (post.path, post.body) == (path, {"from": name, **COMMON, **PROFILE, **own})
    assert (await scene.export(campaign_id))[f"+{GB}"]["from"] == name


async def test_the_carriers_pool_chooses_and_what_it_chose_is_recorded(scene: Scene) -> None:
    await scene.sync("long_code", "toll_free", "carrier_pool")
    result = await scene.push([US, GB], carrier_pool=True)
    campaign_id = await scene.sent(result)
    assert {each.path for each in scene.wire.posts} == {"/messages/number_pool"}
    assert scene.wire.of(GB).body == {**COMMON, **PROFILE}
    numbers = {*scene.pool["long_code"], *scene.pool["toll_free"]}
    lines = (await scene.export(campaign_id)).values()
    assert {line["status"] for line in lines} == {"submitted"}
    assert {line["from"] for line in lines} <= numbers
    assert {arrival.sender for arrival in scene.sandbox.arrivals()} == {line["from"] for line in lines}
    story = await whole_story(scene.reader, scene.outbox, f"{campaign_id}-0-0")
    assert story["from"] in numbers
    assert story["sender_why"] == "chosen by the carrier from its own pool, as the campaign wished"


async def test_a_pool_that_refuses_names_no_number(scene: Scene) -> None:
    await scene.sync("long_code", "carrier_pool")
    scene.wire.refusals["POST"] = [(400, {"errors": [{"code": "40310", "title": "Invalid 'to'"}]})]
    campaign_id = await scene.sent(await scene.push([US], carrier_pool=True))
    [line] = (await scene.export(campaign_id)).values()
    assert (line["status"], line["from"]) == ("refused", carrier_pool(PROFILE_ID))


async def test_the_carriers_pool_must_be_there_and_excludes_a_sender(scene: Scene) -> None:
    await scene.sync("long_code")
    with pytest.raises(UnusableInput, match="number pool of profile"):
        await scene.push([US], carrier_pool=True)
    with pytest.raises(UnusableInput, match="only one"):
        await scene.push([US], carrier_pool=True, sender=scene.pool["long_code"][0])


async def test_receipts_come_by_either_address_and_each_carries_the_same_reference(opening: Opening) -> None:
    secret = SecretStr("0123456789abcdef0123")
    urls = {"public_url": "https://one.example.com", "public_failover_url": "https://two.example.com/"}
    scene = await opening(secret=secret, **urls)
    await scene.sync("long_code")
    await scene.sent(await scene.push([US, CA]))
    for post in scene.wire.posts:
        first, second = post.body["webhook_url"], post.body["webhook_failover_url"]
        assert first.startswith("https://one.example.com/webhooks/telnyx/default?ref=")
        assert second.startswith("https://two.example.com/webhooks/telnyx/default/")
        assert reference_in(second) == reference_in(first) != ""
    assert len({post.body["webhook_url"] for post in scene.wire.posts}) == 2


async def test_without_a_failover_address_no_message_names_one(opening: Opening) -> None:
    scene = await opening(secret=SecretStr("0123456789abcdef0123"), public_url="https://one.example.com")
    await scene.sync("long_code")
    await scene.sent(await scene.push([DE]))
    assert "webhook_failover_url" not in scene.wire.posts[0].body


async def test_campaigns_in_one_worker_keep_their_fields_apart(scene: Scene) -> None:
    await scene.sync("long_code", mms=True)
    media = {"media": ("https://cdn.example.com/a.jpg",), "media_check": False}
    later = datetime.now(UTC) + timedelta(hours=1)
    wishes: dict[int, dict[str, Any]] = {
        US: {},
        US + 1: {"encoding": "ucs2"},
        US + 2: media,
        US + 3: {"send_at": later},
    }
    sender = scene.pool["long_code"][0]
    results = [await scene.push([to], sender=sender, **fields) for to, fields in wishes.items()]
    results += [await scene.push([to + 10], sender=sender, **fields) for to, fields in wishes.items()]
    async with scene.working():
        for result in results:
            await scene.until_settled(result.campaign_id or "")
    common = {"from", "messaging_profile_id", "to"}
    own = [{"text"}, {"text", "encoding"}, {"media_urls"}, {"text", "send_at"}]
    for to, fields in zip(wishes, own, strict=True):
        for person in (to, to + 10):
            assert set(scene.wire.of(person).body) == common | fields


@pytest.mark.parametrize(("kind", "to"), [("long_code", US), ("alphanumeric", GB), ("carrier_pool", US)])
async def test_another_try_takes_the_same_path_with_the_same_bytes(scene: Scene, kind: SenderType, to: int) -> None:
    await scene.sync("long_code", "alphanumeric", "carrier_pool")
    scene.wire.refusals["POST"] = [(429, {"errors": [{"code": "10011", "title": "Too many requests"}]})]
    how: dict[str, Any] = {"carrier_pool": True} if kind == "carrier_pool" else {"sender": scene.pool[kind][0]}
    campaign_id = await scene.sent(await scene.push([to], **how))
    first, second = scene.wire.posts
    assert (first.path, first.body) == (second.path, second.body)
    assert first.key
    assert second.key
    assert (await scene.export(campaign_id))[f"+{to}"]["status"] == "submitted"
