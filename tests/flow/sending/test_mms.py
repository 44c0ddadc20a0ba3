"""MMS: what arrives, who gets a text with links instead, what media are refused, and what it costs."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from producer.push.media import weigh
from producer.push.request import PushRequest
from tests.flow.sending.conftest import CA, DE, GB, US, Opening, Scene
from volley.errors import UnusableInput
from volley.profile import ProfileFacts
from volley.sandbox.config import PROFILE_ID
from volley.sender import Sender

JPG, PNG = "https://cdn.example.com/a.jpg", "https://cdn.example.com/b.png"
UNSEEN = {"media": (JPG, PNG), "media_check": False}
FALLS_BACK = ProfileFacts(PROFILE_ID, mms_fall_back_to_sms=True)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"media": ()}, "give either a text"),
        ({"media": (JPG,) * 11}, "10 at most"),
        ({"media": ("ftp://example.com/a.jpg",)}, "no link"),
        ({"media": ("https://",)}, "no link"),
        ({"media": ("https://example.com/a b",)}, "no link"),
        ({"media": ("https://example.com/" + "a" * 2000,)}, "2000 characters"),
        ({"text": "Hi", "subject": "S"}, "--media"),
        ({"media": (JPG,), "subject": "S" * 1001}, "subject is longer"),
        ({"media": (JPG,), "mms_fallback": "mail"}, "refuse, sms"),
        ({"media": (JPG,), "text": "Hi", "template": "Hi"}, "not both"),
    ],
)
def test_media_that_the_carrier_would_not_take_are_refused_at_once(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UnusableInput, match=says):
        PushRequest("p", **fields)


async def test_an_mms_arrives_with_its_media_and_is_counted_as_one_part(scene: Scene) -> None:
    await scene.sync("long_code", mms=True)
    result = await scene.push([US, CA], template="x" * 200 + "{name}", subject="News", **UNSEEN)
    assert (result.accepted, result.parts) == (2, 2)
    campaign_id = await scene.sent(result)
    body = scene.wire.of(US).body
    assert (body["media_urls"], body["subject"], body["text"]) == ([JPG, PNG], "News", "x" * 200 + f"N{US}")
    lines = await scene.export(campaign_id)
    assert {(line["encoding"], line["parts"], line["carrier_parts"]) for line in lines.values()} == {("MMS", 1, 1)}
    assert {arrival.type for arrival in scene.sandbox.arrivals()} == {"MMS"}
    report = await scene.reader.campaign_report(campaign_id)
    assert (report["encodings"], report["differences"]["encoding"]) == ({"MMS": 2}, 0)


async def test_an_mms_needs_no_text(scene: Scene) -> None:
    await scene.sync("long_code", mms=True)
    await scene.sent(await scene.push([US], **UNSEEN))
    [post] = scene.wire.posts
    assert "text" not in post.body
    assert scene.sandbox.arrivals()[0].result == "accepted"


@pytest.mark.parametrize("kind", ["short_code", "carrier_pool"])
async def test_an_mms_goes_by_the_endpoint_of_its_sender(opening: Opening, kind: Any) -> None:
    scene = await opening(endpoints="typed")
    await scene.sync("long_code", "short_code", "carrier_pool", mms=True)
    how = {"carrier_pool": True} if kind == "carrier_pool" else {"sender": scene.pool[kind][0]}
    await scene.sent(await scene.push([US], **how, **UNSEEN))
    [post] = scene.wire.posts
    assert post.path == {"short_code": "/messages/short_code", "carrier_pool": "/messages/number_pool"}[kind]
    assert post.body["media_urls"] == [JPG, PNG]


async def test_people_abroad_are_rejected_unless_a_text_with_links_may_stand_in(scene: Scene) -> None:
    await scene.sync("long_code", mms=True)
    result = await scene.push([US, GB], text="Look:", **UNSEEN)
    assert dict(result.reasons) == {"an MMS reaches US and CA only, not GB": 1}
    for fields, facts in (({"mms_fallback": "sms"}, ProfileFacts(PROFILE_ID)), ({}, FALLS_BACK)):
        await scene.sync("long_code", mms=True, facts=facts)
        result = await scene.push([US, GB, DE], text="Look: " + "x" * 120, again=True, **UNSEEN, **fields)
        assert (result.accepted, result.parts) == (3, 1 + 2 + 2)
    await scene.sync("long_code", mms=True, facts=FALLS_BACK)
    assert (await scene.push([US, GB], text="Look:", mms_fallback="refuse", **UNSEEN)).rejected == 1


async def test_who_gets_no_mms_gets_the_links_on_lines_of_their_own(scene: Scene) -> None:
    await scene.sync("long_code", mms=True, facts=FALLS_BACK)
    campaign_id = await scene.sent(await scene.push([US, GB], template="Hi {name}", **UNSEEN))
    abroad = scene.wire.of(GB).body
    assert abroad["text"] == f"Hi N{GB}\n{JPG}\n{PNG}"
    assert "media_urls" not in abroad
    assert scene.wire.of(US).body["text"] == f"Hi N{US}"
    lines = await scene.export(campaign_id)
    assert [lines[f"+{to}"]["encoding"] for to in (US, GB)] == ["MMS", "GSM-7"]
    assert {line["status"] for line in lines.values()} == {"submitted"}


async def test_where_nobody_sends_mms_all_of_it_is_texts_or_nothing(scene: Scene) -> None:
    await scene.sync("long_code")
    with pytest.raises(UnusableInput, match="no number of the pool can send MMS"):
        await scene.push([US], text="Look", **UNSEEN)
    with pytest.raises(UnusableInput, match="the sender cannot send MMS"):
        await scene.push([US], text="Look", sender=scene.pool["long_code"][0], **UNSEEN)
    result = await scene.push([US, GB], template="{{{name}}}", mms_fallback="sms", **UNSEEN)
    assert result.notes == ("nobody can send MMS: all go as texts with links",)
    await scene.sent(result)
    assert scene.wire.of(US).body["text"] == f"{{N{US}}}\n{JPG}\n{PNG}"
    assert all("media_urls" not in post.body for post in scene.wire.posts)


async def test_a_pool_of_which_some_cannot_send_mms_names_them_and_its_able_ones_may_be_named(scene: Scene) -> None:
    able, other = scene.pool["long_code"]
    made = [Sender(number, "long_code", PROFILE_ID, "US", 100_000, mms=number == able) for number in (able, other)]
    await scene.outbox.sync_senders(PROFILE_ID, made)
    with pytest.raises(UnusableInput, match=f"1 of 2 numbers .* cannot send MMS .*{other[1:]}"):
        await scene.push([US], **UNSEEN)
    assert (await scene.push([US], sender=able, **UNSEEN)).accepted == 1
    with pytest.raises(UnusableInput, match="the sender cannot send MMS"):
        await scene.push([US], sender=other, **UNSEEN)


async def test_numbers_that_serve_other_countries_need_no_mms_to_stand_in_by_text(scene: Scene) -> None:
    home, abroad = scene.pool["long_code"]
    made = [
        Sender(home, "long_code", PROFILE_ID, "US", 100_000, mms=True, reach="CA,US"),
        Sender(abroad, "long_code", PROFILE_ID, "GB", 100_000, reach="!CA,US"),
    ]
    await scene.outbox.sync_senders(PROFILE_ID, made, facts=FALLS_BACK)
    campaign_id = await scene.sent(await scene.push([US, GB], **UNSEEN))
    lines = await scene.export(campaign_id)
    assert {to: (line["from"], line["encoding"], line["status"]) for to, line in lines.items()} == {
        f"+{US}": (home, "MMS", "submitted"),
        f"+{GB}": (abroad, "GSM-7", "submitted"),
    }


async def test_a_dry_run_counts_mms_and_texts_and_prices_each_as_what_it_is(scene: Scene) -> None:
    await scene.sync("long_code", mms=True, facts=FALLS_BACK)
    found = await scene.push([US, CA, GB], text="ş", dry_run=True, **UNSEEN)
    assert found.forecast is not None
    assert found.forecast["messages"] == {"SMS": 1, "MMS": 2}
    assert found.forecast["encodings"] == {"GSM-7": 0, "UCS-2": 1}
    assert found.forecast["unicode"][0]["rows"] == 1, "an MMS is not in parts, so nothing forces its parts"
    assert found.unpriced == 1, "no price of an MMS to Canada is known, so there is none"
    only_us = await scene.push([US], text="Hi", dry_run=True, **UNSEEN)
    assert only_us.estimated_micros == 22_100


@pytest.fixture
async def shelf() -> AsyncIterator[str]:
    """Media by path: /N has N bytes, /unsized does not say, /gone is not there, /on/N leads to /N by a redirect."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        what = request.path.removeprefix("/")
        if what.startswith("on/"):
            raise web.HTTPFound(request.path.removeprefix("/on"))
        if what == "gone":
            return web.Response(status=404)
        if what == "unsized":
            return web.Response(status=405)
        return web.Response(headers={"Content-Length": what})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_media_are_weighed_together_and_large_ones_refused(shelf: str) -> None:
    assert await weigh([f"{shelf}/499999", f"{shelf}/on/500000"], transcoding=False) == ()
    with pytest.raises(UnusableInput, match="1000000 bytes and must stay below 1000000"):
        await weigh([f"{shelf}/500000", f"{shelf}/on/500000"], transcoding=False)
    assert await weigh([f"{shelf}/4999999"], transcoding=True) == ()
    with pytest.raises(UnusableInput, match="below 5000000"):
        await weigh([f"{shelf}/5000000"], transcoding=True)


async def test_a_size_that_nobody_tells_is_a_note_and_media_that_are_gone_are_refused(shelf: str) -> None:
    unknown = [f"{shelf}/unsized", "http://127.0.0.1:1/", f"{shelf}/on/on/on/on/on/1"]
    [note] = await weigh([f"{shelf}/10", *unknown], transcoding=False)
    assert "size of 3 of 4 media" in note
    with pytest.raises(UnusableInput, match="is not there"):
        await weigh([f"{shelf}/gone"], transcoding=False)


async def test_a_push_looks_at_its_media_unless_told_not_to(scene: Scene, shelf: str) -> None:
    await scene.sync("long_code", mms=True)
    with pytest.raises(UnusableInput, match="is not there"):
        await scene.push([US], media=(f"{shelf}/gone",))
    assert (await scene.push([US], media=(f"{shelf}/gone",), media_check=False)).accepted == 1
    assert "size of 1 of 1" in (await scene.push([US], media=(f"{shelf}/unsized",))).notes[0]
