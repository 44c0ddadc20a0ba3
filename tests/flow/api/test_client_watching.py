"""What waits and why, and who is called back, through the client."""

import pytest

from producer.client import AsyncClient, Client, Conflict
from tests.flow.api.conftest import PROFILE, Office
from tests.flow.api.test_client import HASTY, people

HOOK = "https://203.0.114.7/hook"


async def test_facts_and_why_are_typed_and_say_what_holds_a_campaign(office: Office) -> None:
    with Client(office.url, office.key, retries=HASTY) as volley:
        campaign = volley.push(people(5000, 4), profile=PROFILE, template="Hi {name}", tags=["spring"]).id
        assert volley.campaign(campaign).tags == ("spring",)
        volley.pause(campaign)
        why = volley.why(campaign)
        assert (why.kind, why.state, why.waiting) == ("campaign", "paused", 4)
        assert any(cause.says.startswith("it is paused") for cause in why.causes)
        assert volley.why(PROFILE).kind == "profile"
        facts = volley.facts()
        assert facts.total.ready >= 4
        assert [queue.profile for queue in facts.queues] == [PROFILE]
        assert any("no worker is running" in note for note in facts.notes)
        assert volley.retry(campaign, errors=["40008"]).messages == 0
        volley.cancel(campaign)
    async with AsyncClient(office.url, office.key, retries=HASTY) as twin:
        assert (await twin.why(campaign)).about == campaign
        assert (await twin.facts()).account == "default"
        with pytest.raises(Conflict):
            await twin.retry(campaign, errors=["40008"])


async def test_callbacks_are_made_listed_and_removed(office: Office) -> None:
    with Client(office.url, office.key, retries=HASTY) as volley:
        made = volley.add_callback(HOOK, types=["message.delivered"])
        assert made.secret.startswith("whsec_")
        [held] = [each for each in volley.callbacks() if each.callback_id == made.callback_id]
        assert (held.url, held.types, held.disabled, held.dead) == (HOOK, ("message.delivered",), None, 0)
        assert volley.deliveries(made.callback_id) == ()
        assert volley.redeliver(made.callback_id) == 0
        volley.enable_callback(made.callback_id)
    async with AsyncClient(office.url, office.key, retries=HASTY) as twin:
        assert made.callback_id in [each.callback_id for each in await twin.callbacks()]
        assert await twin.deliveries(made.callback_id) == ()
        assert await twin.redeliver(made.callback_id) == 0
        await twin.enable_callback(made.callback_id)
        await twin.remove_callback(made.callback_id)
        assert made.callback_id not in [each.callback_id for each in await twin.callbacks()]
        another = await twin.add_callback(HOOK)
        await twin.remove_callback(another.callback_id)
