"""A sync makes Redis hold what can send, with the reason of what cannot, and what our pool follows of the profile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import redis.asyncio

from producer.pool.sync import Synced, sync
from tests.sandboxes import Sandbox
from volley.errors import UnusableInput
from volley.outbox.outbox import Outbox
from volley.sandbox.config import API_KEY, PROFILE_ID, NumberPool, ProfileSpec, SandboxConfig
from volley.sandbox.number_spec import FeatureSet, NumberChange
from volley.sender import Sender, carrier_pool
from volley.settings import Settings

POOL = carrier_pool(PROFILE_ID)
HOME_ONLY = FeatureSet(international_outbound=False)
KINDS = (("long_code", 4, 0), ("toll_free", 2, 0))


class Desk:
    """A sandbox, an outbox, and the settings that bring one into the other."""

    def __init__(self, sandbox: Sandbox, outbox: Outbox) -> None:
        self.sandbox = sandbox
        self.outbox = outbox
        self.more: dict[str, Any] = {}

    async def sync(self, **settings: Any) -> Synced:
        carrier = {"telnyx_api_key": API_KEY, "telnyx_base_url": self.sandbox.url}
        return await sync(Settings(**(carrier | settings)), self.outbox, PROFILE_ID)

    async def senders(self) -> dict[str, Sender]:
        return {view.sender.number: view.sender for view in await self.outbox.senders(PROFILE_ID)}

    async def out(self) -> dict[str, str]:
        """The reason by number, of those that are out of the pool."""
        return {each.number: each.reason for each in (await self.senders()).values() if not each.active}

    async def change(self, number: str, **fields: Any) -> None:
        """What the carrier thinks of a number from now on."""
        await self.ask("PUT", f"/_sandbox/numbers/{number}", fields)

    async def ask(self, method: str, path: str, body: Any) -> None:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        async with aiohttp.ClientSession(self.sandbox.root, headers=headers) as session:
            answer = await session.request(method, path, json=body)
            assert answer.status < 300, await answer.text()


@asynccontextmanager
async def desk(db: redis.asyncio.Redis, config: dict[str, Any] | None = None, **spec: Any) -> AsyncIterator[Desk]:
    profile = ProfileSpec(**({"pool": KINDS, "number_pool": NumberPool(sticky_sender=True)} | spec))
    async with Sandbox(SandboxConfig(profiles=(profile,), **(config or {}))) as sandbox:
        yield Desk(sandbox, Outbox(db, "test"))


async def test_what_is_not_ready_is_out_of_the_pool_with_its_reason(db: redis.asyncio.Redis) -> None:
    states = {
        0: NumberChange(features={"sms": None}),
        1: NumberChange(registration="PENDING_ASSIGNMENT", features={"sms": HOME_ONLY}),
        4: NumberChange(registration="Rejected"),
    }
    async with desk(db, {"states": states}) as here:
        synced = await here.sync()
        out = await here.out()
    assert (synced.numbers, synced.usable, synced.kept, synced.joined) == (6, 3, 0, 6)
    assert ["messaging capability" in reason for reason in out.values()] == [True, False, False]
    assert ["10DLC" in reason for reason in out.values()] == [False, True, False]
    assert ["verification was rejected" in reason for reason in out.values()] == [False, False, True]
    listed = synced.as_json()["not_ready"]
    assert {each["number"]: each["reason"] for each in listed} == out
    assert all(each["remedy"] for each in listed)


async def test_a_sender_has_its_reach_its_campaign_and_what_it_can(db: redis.asyncio.Redis) -> None:
    states = {0: NumberChange(registration="PENDING_ASSIGNMENT"), 1: NumberChange(features={"mms": None})}
    spec = {"abroad": (("GB", 1, 0),), "tcr_campaign_id": "CABC123"}
    async with desk(db, {"states": states}, **spec) as here:
        await here.sync(rates={"campaign": {"CABC123": "2.5"}, "account_mms": "7"})
        senders = list((await here.senders()).values())
        rates = await db.hgetall(here.outbox.keys.of("rates"))
    unregistered, textual, other, _, free, _, british, _ = senders
    assert (unregistered.reach, textual.reach, free.reach, british.reach) == ("!US", "*", "*", "*")
    assert (textual.mms, other.mms, british.country) == (False, True, "GB")
    assert (textual.group, free.group, british.group) == ("CABC123", "", "")
    assert (rates[b"gCABC123"], rates[b"m"]) == (b"2500", b"7000")


async def test_a_number_that_becomes_ready_joins_at_the_next_sync_and_leaves_when_it_is_not(
    db: redis.asyncio.Redis,
) -> None:
    async with desk(db, {"states": {4: NumberChange(registration="In Progress")}}) as here:
        assert (await here.sync()).usable == 5
        [number] = await here.out()
        await here.change(number, registration="Verified")
        assert (await here.sync()).usable == 6
        assert await here.out() == {}
        await here.change(number, provisioning=True)
        synced = await here.sync()
        assert (synced.numbers, synced.usable, synced.left) == (5, 5, 1)
        assert list(await here.out()) == [number]


@pytest.mark.parametrize(
    ("skip", "policy", "usable", "state"),
    [
        (False, "move", 6, (True, False)),
        (True, "move", 5, (False, False)),
        (True, "keep", 5, (True, True)),
    ],
)
async def test_an_unhealthy_number_leaves_where_the_profile_skips_it_or_is_kept_for_its_people(
    db: redis.asyncio.Redis, skip: bool, policy: str, usable: int, state: tuple[bool, bool]
) -> None:
    async with desk(db, {"unhealthy": (2,)}, number_pool=NumberPool(skip_unhealthy=skip)) as here:
        synced = await here.sync(unhealthy_pins=policy)
        sender = list((await here.senders()).values())[2]
    assert (synced.usable, synced.kept) == (usable, int(policy == "keep"))
    assert (sender.active, sender.kept) == state
    assert ("unhealthy" in sender.reason) == skip


async def test_the_carriers_pool_stands_beside_our_senders_while_it_is_on(db: redis.asyncio.Redis) -> None:
    async with desk(db, {"states": {5: NumberChange(registration="Rejected")}}) as here:
        await here.sync(rates={"long_code": 2, "toll_free": 5})
        stands = (await here.senders())[POOL]
        assert (stands.type, stands.active, stands.rate_milli) == ("carrier_pool", True, 2 * 5000)
        await here.ask("PATCH", f"/v2/messaging_profiles/{PROFILE_ID}", {"number_pool_settings": None})
        synced = await here.sync()
        stands = (await here.senders())[POOL]
    assert (synced.joined, synced.left, synced.numbers) == (0, 0, 6)
    assert not stands.active
    assert "pool is off" in stands.reason


async def test_what_our_pool_follows_of_a_profile_is_stored_and_said(db: redis.asyncio.Redis) -> None:
    spec = {
        "name": "Shop",
        "whitelisted_destinations": ("US", "GB"),
        "number_pool": NumberPool(geomatch=True),
        "smart_encoding": True,
        "daily_spend_limit": "12.50",
        "daily_spend_limit_enabled": True,
    }
    async with desk(db, **spec) as here:
        synced = await here.sync(sticky="always", routes={"GB": ("long_code",)})
        held = await here.outbox.facts(PROFILE_ID)
    assert held == synced.facts
    assert held is not None
    assert (held.name, held.destinations, held.sticky, held.geomatch) == ("Shop", ("US", "GB"), True, True)
    assert (held.smart_encoding, held.spend_limit_micros, held.synced_us > 0) == (True, 12_500_000, True)
    said = synced.as_json()
    assert any("VOLLEY_STICKY=always" in each for each in said["deviations"])
    assert said["profile_settings"]["daily_spend_limit"] == {"amount": "12.50", "currency": "USD"}
    assert {"profile", "numbers", "usable", "joined", "left", "rate", "allowed", "weights"} <= set(said)


async def test_a_profile_that_can_send_nothing_is_refused_and_its_pool_is_empty(db: redis.asyncio.Redis) -> None:
    async with desk(db) as here:
        await here.sync()
        await here.ask("PATCH", f"/v2/messaging_profiles/{PROFILE_ID}", {"enabled": False})
        with pytest.raises(UnusableInput, match=r"disabled at the carrier\): enable it.*volley numbers doctor"):
            await here.sync()
        assert len(await here.out()) == 7


async def test_a_whitelist_without_the_us_takes_us_only_numbers_out(db: redis.asyncio.Redis) -> None:
    states = {0: NumberChange(features={"sms": HOME_ONLY})}
    async with desk(db, {"states": states}, whitelisted_destinations=("GB",)) as here:
        synced = await here.sync()
        [reason] = (await here.out()).values()
    assert synced.usable == 5
    assert "whitelisted" in reason


async def test_a_profile_that_is_mended_rests_no_longer(db: redis.asyncio.Redis) -> None:
    async with desk(db) as here:
        await here.sync()
        await here.outbox.rest(3600, "40312 the messaging profile is disabled", profile=PROFILE_ID)
        assert (await here.sync()).lifted.startswith("40312")
        assert await here.outbox.rests() == []
        await here.outbox.rest(30, "40318 queue full", profile=PROFILE_ID)
        assert (await here.sync()).lifted == ""


async def test_a_spent_limit_is_waited_for_unless_it_was_raised(db: redis.asyncio.Redis) -> None:
    limited = {"daily_spend_limit": "5.00", "daily_spend_limit_enabled": True}
    async with desk(db, **limited) as here:
        await here.sync()
        await here.outbox.rest(3600, "40333 the daily spend limit is reached", profile=PROFILE_ID)
        assert (await here.sync()).lifted == ""
        await here.ask("PATCH", f"/v2/messaging_profiles/{PROFILE_ID}", {"daily_spend_limit": "4.00"})
        assert (await here.sync()).lifted == ""
        await here.ask("PATCH", f"/v2/messaging_profiles/{PROFILE_ID}", {"daily_spend_limit": "9.00"})
        assert (await here.sync()).lifted.startswith("40333")
        assert await here.outbox.rests() == []
