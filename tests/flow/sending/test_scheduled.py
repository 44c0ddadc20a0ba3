"""What the carrier sends later: posted now, never at a wrong time, and cancelled there when it is cancelled here."""

import asyncio
import json
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from producer.push import withdrawal, withdrawing
from producer.push.request import PushRequest, PushResult
from producer.push.schedule import MARGIN_US
from producer.push.steering import Steered, steer
from producer.push.withdrawal import Withdrawal, withdraw_all
from producer.sight.overview import one_campaign
from producer.sight.story import whole_story
from tests.flow.sending.conftest import GB, US, Scene
from tests.openapi import validate_request
from volley.campaign import Campaign
from volley.embedded import EmbeddedValkey
from volley.errors import TryAgainLater, UnusableInput
from volley.outbox.views import CampaignView
from volley.sandbox.config import API_KEY, PROFILE_ID
from volley.sender import Sender, SenderType

PEOPLE = [US + n for n in range(6)]


def ahead(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


async def view_of(scene: Scene, campaign_id: str) -> CampaignView:
    view = await scene.outbox.campaign(campaign_id)
    assert view is not None
    return view


async def withdrawn(scene: Scene, campaign_id: str) -> Withdrawal:
    """As `volley campaigns cancel` does it."""
    await scene.outbox.cancel(campaign_id)
    await scene.recorder.catch_up()
    return await withdraw_all(scene.settings, scene.outbox, (await view_of(scene, campaign_id)).campaign)


@pytest.mark.parametrize(
    ("minutes", "says"),
    [(-1, "from 5 minutes ahead"), (4.9, "from 5 minutes ahead"), (5 * 24 * 60 + 5, "5 days ahead at most")],
)
def test_a_moment_that_the_carrier_does_not_schedule_for_is_refused(minutes: float, says: str) -> None:
    with pytest.raises(UnusableInput, match=says):
        PushRequest("p", text="Hi", send_at=ahead(minutes))


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(UnusableInput, match="time zone"):
        PushRequest("p", text="Hi", send_at=datetime(2030, 1, 1))  # noqa: DTZ001  the mistake is the point


@pytest.mark.parametrize("kind", ["long_code", "alphanumeric", "carrier_pool"])
async def test_all_of_it_is_posted_now_with_its_moment(scene: Scene, kind: SenderType) -> None:
    await scene.sync("long_code", "alphanumeric", "carrier_pool")
    moment = ahead(60).astimezone(UTC)
    how: dict[str, Any] = {"carrier_pool": True} if kind == "carrier_pool" else {"sender": scene.pool[kind][0]}
    campaign_id = await scene.sent(await scene.push([GB], send_at=moment, **how))
    [post] = scene.wire.posts
    sender = {} if kind == "carrier_pool" else {"from": scene.pool[kind][0]}
    fields = {"to": f"+{GB}", "text": f"Hi N{GB}", "messaging_profile_id": PROFILE_ID}
    assert (post.path, post.body) == (
        "/messages/schedule",
        {**sender, **fields, "send_at": moment.strftime("%Y-%m-%dT%H:%M:%SZ")},
    )
    assert [arrival.result for arrival in scene.sandbox.arrivals()] == ["scheduled"]
    assert (await scene.export(campaign_id))[f"+{GB}"]["status"] == "submitted"


async def test_the_story_of_a_message_tells_until_when_the_carrier_keeps_it(scene: Scene) -> None:
    await scene.sync("long_code")
    campaign_id = await scene.sent(await scene.push([US], send_at=ahead(60)))
    story = await whole_story(scene.reader, scene.outbox, f"{campaign_id}-0-0")
    assert "the carrier keeps it until 20" in story["waits"]["why"]


async def test_it_expires_while_the_carrier_would_still_schedule_it(scene: Scene) -> None:
    await scene.sync("long_code")
    moment = ahead(60)
    last_us = int((moment - timedelta(minutes=5)).timestamp() * 1_000_000)
    campaign = (await view_of(scene, (await scene.push([US], send_at=moment)).campaign_id or "")).campaign
    assert campaign.expires_us == last_us - MARGIN_US
    assert campaign.send_at_us == int(moment.timestamp()) * 1_000_000
    sooner = await scene.push([US], send_at=moment, expires=ahead(10), again=True)
    assert (await view_of(scene, sooner.campaign_id or "")).campaign.expires_us < campaign.expires_us


async def test_what_could_not_be_posted_in_time_expires_and_never_goes(scene: Scene) -> None:
    await scene.sync("long_code")
    result = await scene.push(PEOPLE, send_at=ahead(5 + (MARGIN_US / 1e6 + 3) / 60))
    expires_s = (await view_of(scene, result.campaign_id or "")).campaign.expires_us / 1e6
    await asyncio.sleep(expires_s - time.time() + 0.3)
    await scene.sent(result)
    assert (await view_of(scene, result.campaign_id or "")).counts["expired"] == len(PEOPLE)
    assert scene.wire.posts == []


async def test_a_push_of_which_most_could_not_be_posted_in_time_is_refused(scene: Scene) -> None:
    async def pool_of(rate: str) -> None:
        senders = [Sender(scene.pool["long_code"][0], "long_code", PROFILE_ID, rate_milli=int(Decimal(rate) * 1000))]
        await scene.outbox.sync_senders(PROFILE_ID, senders)

    moment, left_s = ahead(6), 60 - MARGIN_US / 1e6
    await pool_of("0.01")
    for dry_run in (True, False):
        with pytest.raises(UnusableInput, match=r"only 0 of 6 parts can be posted by .* choose a later --send-at"):
            await scene.push(PEOPLE, send_at=moment, dry_run=dry_run)
    assert await scene.outbox.campaigns() == []
    await pool_of(str(round(4.5 / left_s, 3)))
    [note] = (await scene.push(PEOPLE, send_at=moment)).notes
    assert "only 4 of 6 parts can be posted" in note
    assert "the rest will expire" in note
    await pool_of("1")
    assert (await scene.push(PEOPLE, send_at=moment, again=True)).notes == ()


async def test_another_moment_makes_another_campaign(scene: Scene) -> None:
    await scene.sync("long_code")
    moments = (ahead(60), ahead(90), None)
    results = [await scene.push([US], send_at=moment) for moment in moments]
    assert len({result.campaign_id for result in results}) == 3
    assert (await scene.push([US], send_at=moments[0])).existing


async def test_a_cancel_cancels_what_waits_here_and_what_the_carrier_keeps(scene: Scene) -> None:
    await scene.sync("long_code")
    campaign_id = await scene.sent(await scene.push(PEOPLE, send_at=ahead(60)))
    assert await withdrawn(scene, campaign_id) == Withdrawal(cancelled=6)
    for each in scene.wire.asked[len(PEOPLE) :]:
        assert each.method == "DELETE"
        validate_request("DELETE", each.path)
    lines = await scene.export(campaign_id)
    document = await one_campaign(scene.outbox, scene.settings, campaign_id)
    assert (document["state"], document["send_at"] is not None) == ("cancelled", True)
    assert {status: n for status, n in document["counts"].items() if n} == {"cancelled": 6}
    assert document["cost"]["amount"] == "0.00"
    assert {(line["status"], line["cost"], line["cost_is_final"]) for line in lines.values()} == {
        ("cancelled", "0.00", True)
    }
    assert [arrival.result for arrival in scene.sandbox.arrivals()].count("cancelled") == 6
    assert (await scene.reader.message_story(f"{campaign_id}-0-0"))["status"] == "cancelled"


async def test_a_cancel_run_again_cancels_nothing_twice(scene: Scene) -> None:
    await scene.sync("long_code")
    campaign_id = await scene.sent(await scene.push(PEOPLE, send_at=ahead(60)))
    await withdrawn(scene, campaign_id)
    asked = len(scene.wire.asked)
    assert await withdrawn(scene, campaign_id) == Withdrawal()
    assert len(scene.wire.asked) == asked


async def test_a_message_that_is_cancelled_already_counts_as_cancelled_and_one_too_late_does_not(scene: Scene) -> None:
    await scene.sync("long_code")
    campaign_id = await scene.sent(await scene.push(PEOPLE[:3], send_at=ahead(60)))
    bare = {"code": "40303", "title": "Not scheduled"}  # as the schema of this answer has it: no `errors` around it
    wrapped = {"errors": [{"code": "40303", "title": "Not scheduled"}]}
    scene.wire.refusals["DELETE"] = [(403, bare), (404, wrapped)]
    assert await withdrawn(scene, campaign_id) == Withdrawal(cancelled=1, too_late=2)
    statuses = [line["status"] for line in (await scene.export(campaign_id)).values()]
    assert sorted(statuses) == ["cancelled", "submitted", "submitted"]
    # the answer to an earlier DELETE was lost: the carrier says no, and that the message is cancelled
    scene.wire.refusals["DELETE"] = [(403, bare), (403, bare)]
    cancelled = {"data": {"id": "x", "to": [{"status": "cancelled"}], "cost": {"amount": "0.0", "currency": "USD"}}}
    scene.wire.refusals["GET"] = [(200, cancelled), (200, cancelled)]
    assert await withdrawn(scene, campaign_id) == Withdrawal(cancelled=2)


async def test_those_who_cancel_at_one_time_have_one_withdrawal_and_wait_for_no_long_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawal, "_A_SECOND", 2)  # so it takes two seconds or more
    await scene.sync("long_code")
    campaign_id = await scene.sent(await scene.push(PEOPLE, send_at=ahead(60)))
    await scene.outbox.cancel(campaign_id)
    await scene.recorder.catch_up()
    under_way = withdrawing.Withdrawals()

    async def cancel() -> Steered:
        return await steer("cancel", scene.settings, scene.outbox, armed, campaign_id, under_way.withdraw)

    monkeypatch.setattr(withdrawing, "PATIENCE_S", 0.1)
    impatient = await asyncio.gather(*(cancel() for _ in range(3)))
    assert [(each.withdrawn, each.as_json()["withdrawing"]) for each in impatient] == [(None, True)] * 3
    monkeypatch.setattr(withdrawing, "PATIENCE_S", 60.0)
    done = await asyncio.gather(*(cancel() for _ in range(3)))
    assert {each.withdrawn["cancelled"] for each in done if each.withdrawn} == {len(PEOPLE)}
    assert [each.method for each in scene.wire.asked].count("DELETE") == len(PEOPLE)
    await scene.recorder.catch_up()
    again = await cancel()
    assert again.withdrawn == Withdrawal().as_json(), "what is over is begun anew, and finds nothing"


async def armed(_: Campaign) -> None:
    """Nobody is woken here."""


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_cancelled_message_is_read_wrapped_or_not(opening: Any, wrapped: bool) -> None:
    scene = await opening({"cancel_wrapped": wrapped})
    await scene.sync("long_code")
    campaign_id = await scene.sent(await scene.push(PEOPLE[:2], send_at=ahead(60)))
    assert await withdrawn(scene, campaign_id) == Withdrawal(cancelled=2)
    assert {each.method for each in scene.wire.asked} == {"POST", "DELETE"}


async def test_a_carrier_that_goes_away_loses_none_of_what_was_cancelled(scene: Scene) -> None:
    await scene.sync("long_code")
    campaign_id = await scene.sent(await scene.push(PEOPLE[:2], send_at=ahead(60)))
    down = {"errors": [{"code": "10007", "title": "Unexpected"}]}
    scene.wire.refusals["DELETE"] = [(403, down)]
    scene.wire.refusals["GET"] = [(500, down)] * 4
    with pytest.raises(TryAgainLater):
        await withdrawn(scene, campaign_id)
    assert sorted(line["status"] for line in (await scene.export(campaign_id)).values()) == ["cancelled", "submitted"]
    assert await withdrawn(scene, campaign_id) == Withdrawal(cancelled=1)


async def test_a_message_that_the_carrier_stumbles_over_keeps_no_other_from_being_cancelled(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawal, "_A_SECOND", 2)
    monkeypatch.setattr(withdrawal, "_AT_ONCE", 1)
    await scene.sync("long_code")
    campaign_id = await scene.sent(await scene.push(PEOPLE, send_at=ahead(60)))
    scene.wire.refusals["DELETE"] = [(500, {})] * 4
    with pytest.raises(TryAgainLater):
        await withdrawn(scene, campaign_id)
    lines = await scene.export(campaign_id)
    assert sorted(line["status"] for line in lines.values()) == [*["cancelled"] * 5, "submitted"]
    assert await withdrawn(scene, campaign_id) == Withdrawal(cancelled=1)


async def test_a_carrier_that_is_away_is_not_asked_for_each_message(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawal, "_A_SECOND", 1)
    await scene.sync("long_code")
    campaign_id = await scene.sent(await scene.push(PEOPLE, send_at=ahead(60)))
    scene.wire.refusals["DELETE"] = [(500, {})] * 4
    with pytest.raises(TryAgainLater):
        await withdrawn(scene, campaign_id)
    assert [each.method for each in scene.wire.asked].count("DELETE") == 4


async def test_a_cancel_tells_of_messages_that_it_cannot_find(scene: Scene) -> None:
    await scene.sync("long_code")
    scene.wire.refusals["POST"] = [(500, {})]
    campaign_id = await scene.sent(await scene.push(PEOPLE[:3], send_at=ahead(60)))
    began = time.monotonic()
    assert await withdrawn(scene, campaign_id) == Withdrawal(cancelled=2, unknown=1)
    assert time.monotonic() - began < 10, "nothing had to be waited for"


async def test_the_commands_send_later_and_cancel(
    scene: Scene, valkey: EmbeddedValkey, volley: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    await scene.sync("long_code")
    own = {"VOLLEY_REDIS_URL": valkey.url, "VOLLEY_HOME": str(scene.settings.home)}
    env = own | {"TELNYX_API_KEY": API_KEY, "TELNYX_BASE_URL": scene.wire.url}

    async def run(*words: str) -> dict[str, Any]:
        done = await asyncio.to_thread(volley, *words, "--json", stdin=f"to\n+{US}\n", **env)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    what = ("send", "-", "--profile", PROFILE_ID, "--text", "Hi", "--yes", "--send-at", ahead(60).isoformat())
    pushed = PushResult(campaign_id=(await run(*what))["campaign_id"])
    await scene.sent(pushed)
    told = await run("campaigns", "cancel", pushed.campaign_id or "")
    assert told["carrier"] == {"cancelled": 1, "too_late": 0, "unrecorded": 0, "unknown": 0}
    assert told["state"] == "cancelled"
    refused = await asyncio.to_thread(volley, *what[:-1], "tomorrow", stdin="to\n+1\n", **env)
    assert (refused.returncode, "--send-at 'tomorrow' is no moment" in refused.stderr) == (2, True)
