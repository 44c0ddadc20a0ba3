"""Alphanumeric senders and their fallback, whitelists, kinds of numbers: each row goes by who may serve it, or says why not."""

import csv
from pathlib import Path
from typing import Any

import pytest

from producer.push.request import PushRequest
from producer.sight.story import whole_story
from tests.flow.sending.conftest import CA, DE, GB, US, Opening, Scene
from volley.errors import RefusedByPolicy, UnusableInput
from volley.profile import ProfileFacts
from volley.sandbox.config import PROFILE_ID
from volley.sender import Sender

PUERTO_RICO = 17872345678
LINE_IN_GB = 445600123456  # a VoIP number


@pytest.mark.parametrize("name", ["ACME!", "TwelveLetters", "Grüße", "A\tB", "A_B"])
def test_an_id_that_the_carriers_rules_exclude_is_refused_at_once(name: str) -> None:
    with pytest.raises(UnusableInput, match="1 to 11 characters"):
        PushRequest("p", text="Hi", sender=name)


@pytest.mark.parametrize("name", ["A", "ACME 24", "24 7 News", "elevenchars"])
def test_an_id_within_the_rules_is_taken(name: str) -> None:
    assert PushRequest("p", text="Hi", sender=name).sender == name


def test_a_fallback_is_for_alphanumeric_senders_and_they_send_no_mms() -> None:
    for sender in (None, "+13125550100", "12345"):
        with pytest.raises(UnusableInput, match="stands in for an alphanumeric sender"):
            PushRequest("p", text="Hi", sender=sender, fallback="+13125550100")
    with pytest.raises(UnusableInput, match="sends no MMS"):
        PushRequest("p", text="Hi", sender="ACME", media=("https://example.com/a.jpg",))


async def test_an_id_that_is_not_in_the_pool_is_refused(scene: Scene) -> None:
    await scene.sync("long_code", "alphanumeric")
    with pytest.raises(UnusableInput, match="volley numbers sync"):
        await scene.push([GB], sender="Stranger")


async def test_countries_that_refuse_the_id_are_served_by_the_number_that_was_given(scene: Scene) -> None:
    await scene.sync("long_code", "alphanumeric")
    [name], number = scene.pool["alphanumeric"], scene.pool["long_code"][1]
    campaign_id = await scene.sent(await scene.push([US, CA, PUERTO_RICO, GB, DE], sender=name, fallback=number))
    lines = await scene.export(campaign_id)
    assert {line["from"] for to, line in lines.items() if to.startswith("+1")} == {number}
    assert {line["from"] for to, line in lines.items() if not to.startswith("+1")} == {name}
    assert {line["status"] for line in lines.values()} == {"submitted"}
    story = await whole_story(scene.reader, scene.outbox, lines[f"+{US}"]["message_id"])
    assert story["sender_why"] == f"the fallback of {name}, which may not send to this country"
    assert [scene.wire.of(to).path for to in (US, GB)] == ["/messages", "/messages/alphanumeric_sender_id"]


async def test_without_one_the_ids_own_number_at_the_carrier_is_the_fallback(scene: Scene) -> None:
    number, [name] = scene.pool["long_code"][0], scene.pool["alphanumeric"]
    made = [
        Sender(number, "long_code", PROFILE_ID, "US", rate_milli=100_000),
        Sender(name, "alphanumeric", PROFILE_ID, rate_milli=100_000, fallback=number),
    ]
    await scene.outbox.sync_senders(PROFILE_ID, made, facts=ProfileFacts(PROFILE_ID))
    campaign_id = await scene.sent(await scene.push([US, GB], sender=name))
    assert {to: line["from"] for to, line in (await scene.export(campaign_id)).items()} == {
        f"+{US}": number,
        f"+{GB}": name,
    }


async def test_without_any_fallback_those_rows_are_rejected_with_their_country(scene: Scene, tmp_path: Path) -> None:
    await scene.sync("long_code", "alphanumeric")
    path = tmp_path / "rejected.csv"
    result = await scene.push([US, GB], sender=scene.pool["alphanumeric"][0], rejects_path=path)
    assert (result.accepted, result.rejected) == (1, 1)
    [row] = list(csv.DictReader(path.open(newline="")))
    assert (row["row"], row["to"]) == ("2", f"+{US}")
    assert "may not send to US" in row["reason"]


async def test_which_countries_refuse_ids_is_a_setting(opening: Opening) -> None:
    scene = await opening(alphanumeric_refused=("DE",))
    await scene.sync("long_code", "alphanumeric")
    result = await scene.push([DE, GB], sender=scene.pool["alphanumeric"][0])
    assert list(result.reasons) == ["alphanumeric senders may not send to DE, and there is no fallback number that may"]


async def test_a_fallback_must_be_a_number_of_the_pool(scene: Scene) -> None:
    await scene.sync("long_code", "alphanumeric")
    for fallback in ("+13125559999", scene.pool["alphanumeric"][0]):
        with pytest.raises(UnusableInput, match="fallback"):
            await scene.push([US], sender=scene.pool["alphanumeric"][0], fallback=fallback)


@pytest.mark.parametrize("fields", [{}, {"carrier_pool": True}])
async def test_rows_to_countries_that_the_profile_does_not_allow_are_rejected(
    scene: Scene, fields: dict[str, Any]
) -> None:
    await scene.sync("long_code", "carrier_pool", facts=ProfileFacts(PROFILE_ID, destinations=("US", "GB")))
    result = await scene.push([US, CA, GB, DE], **fields)
    assert (result.accepted, result.rejected) == (2, 2)
    assert sorted(result.reasons) == [
        f"the profile does not allow {home} (its whitelisted destinations)" for home in ("CA", "DE")
    ]


async def test_rows_that_nobody_in_the_pool_may_serve_are_rejected_and_never_wait(scene: Scene) -> None:
    await scene.sync("long_code", reach="US,CA")
    result = await scene.push([US, CA, GB])
    assert dict(result.reasons) == {"nobody in the pool may send to GB": 1}
    result = await scene.push([US, GB], sender=scene.pool["long_code"][0])
    assert dict(result.reasons) == {"the sender may not send to GB": 1}


async def test_a_profile_for_mobiles_takes_what_may_be_one_and_nothing_else(scene: Scene) -> None:
    await scene.sync("long_code", facts=ProfileFacts(PROFILE_ID, mobile_only=True))
    result = await scene.push([US, GB, LINE_IN_GB])
    assert (result.accepted, result.rejected) == (2, 1)
    assert "mobile numbers only" in next(iter(result.reasons))
    await scene.sync("long_code", facts=ProfileFacts(PROFILE_ID))
    assert (await scene.push([US, GB, LINE_IN_GB], again=True)).accepted == 3


async def test_a_disabled_profile_takes_no_push(scene: Scene) -> None:
    await scene.sync("long_code", facts=ProfileFacts(PROFILE_ID, enabled=False))
    with pytest.raises(RefusedByPolicy, match="disabled at the carrier"):
        await scene.push([US])


async def test_without_facts_about_the_profile_everything_is_as_it_was(scene: Scene) -> None:
    number = scene.pool["long_code"][0]
    await scene.outbox.sync_senders(PROFILE_ID, [Sender(number, "long_code", PROFILE_ID, rate_milli=100_000)])
    assert (await scene.push([US, CA, GB, DE])).accepted == 4


async def test_smart_encoding_is_the_profiles_unless_it_is_said(scene: Scene) -> None:
    text = "It’s here"
    await scene.sync("long_code", facts=ProfileFacts(PROFILE_ID, smart_encoding=True))
    found = await scene.push([US], text=text, dry_run=True)
    assert found.forecast is not None
    assert found.forecast["encodings"] == {"GSM-7": 1, "UCS-2": 0}
    found = await scene.push([US], text=text, smart_encoding=False, dry_run=True)
    assert found.forecast is not None
    assert found.forecast["encodings"] == {"GSM-7": 0, "UCS-2": 1}
    view = await scene.outbox.campaign((await scene.push([US], text=text)).campaign_id or "")
    assert view is not None
    assert view.campaign.smart_encoding is True


async def test_a_push_above_the_daily_limit_says_so_and_is_taken(scene: Scene) -> None:
    await scene.sync("long_code", facts=ProfileFacts(PROFILE_ID, spend_limit_micros=10_000))
    dry = await scene.push([US, US + 1], dry_run=True)
    assert dry.forecast is not None
    assert [note for note in dry.forecast["notes"] if "daily spend limit of 0.01 USD" in note]
    assert (await scene.push([US, US + 1])).notes == dry.notes
    assert (await scene.push([US])).notes == ()


async def test_a_dry_run_tells_who_serves_whom(scene: Scene) -> None:
    await scene.sync("long_code", "alphanumeric")
    [name], number = scene.pool["alphanumeric"], scene.pool["long_code"][0]
    found = await scene.push([US, CA, GB], sender=name, fallback=number, dry_run=True)
    assert found.forecast is not None
    assert found.forecast["fallback"] == 2
    assert found.forecast["routes"] == [
        {"types": ["long_code"], "messages": 2},
        {"types": ["alphanumeric"], "messages": 1},
    ]
    assert found.forecast["messages"] == {"SMS": 3, "MMS": 0}


async def test_a_dry_run_reckons_with_the_slowest_of_those_that_a_country_is_routed_to(opening: Opening) -> None:
    scene = await opening(routes={"GB": ("alphanumeric",), "*": ("long_code",)})
    slow = Sender(scene.pool["alphanumeric"][0], "alphanumeric", PROFILE_ID, rate_milli=500)
    fast = Sender(scene.pool["long_code"][0], "long_code", PROFILE_ID, rate_milli=50_000)
    await scene.outbox.sync_senders(PROFILE_ID, [slow, fast], routes=scene.settings.routes)
    people = [*[US + n for n in range(6)], *[GB + n for n in range(4)]]
    found = (await scene.push(people, dry_run=True)).forecast
    assert found is not None
    assert (found["seconds"], found["parts_per_second"]) == (8, "1.25")
    assert ((await scene.push(people[:6], dry_run=True)).forecast or {})["seconds"] == 1
