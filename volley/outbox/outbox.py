"""The outbox of one account: what is to be sent, to whom, by which sender, and how far it has come. All in Redis."""

import copy
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Self, Unpack

from volley.campaign import Campaign
from volley.outbox import actions, control, optouts, pushes, rests, roster, router, terms, throughput, views, workers
from volley.outbox.chores import Chores
from volley.outbox.client import Redis
from volley.outbox.dispatch import Dispatch
from volley.outbox.events import ReceiptRecord, pack
from volley.outbox.keys import Keys
from volley.outbox.pushes import Places, Sealed
from volley.outbox.receipts import attempts, positions
from volley.outbox.rests import RestView
from volley.outbox.router import Router
from volley.outbox.scripts import Scripts, reaching
from volley.profile import ProfileFacts
from volley.sender import Sender, SenderType
from volley.state import MOVES_ARG
from volley.terms import Changes

Id = str | None


class Outbox:
    """What producers and people do. Redis errors leave here as TryAgainLater.

    `dispatch` is what workers do, `chores` what the sweeper does.
    """

    def __init__(
        self,
        client: Redis,
        account: str,
        *,
        relaxed: bool = False,
        replicas: int = 0,
        ledger_bound: int = 200_000,
        pin_days: int = 8,
        memory_high_water: float = 0.85,
    ) -> None:
        self.redis = client
        self.keys = Keys(account)
        self.scripts = Scripts(client, self.keys, relaxed=relaxed, replicas=replicas)
        self.chores = Chores(self.scripts, pin_days=pin_days)
        self.dispatch = Dispatch(self.scripts, ledger_bound=ledger_bound, pin_days=pin_days)
        self.ledger_bound, self.high_water = ledger_bound, round(100 * memory_high_water)
        self.who, self._indices = actions.NOBODY, dict[str, bytes]()

    # who acts

    def by(self, who: str) -> Self:
        """The same outbox in somebody's name: what it does is recorded as theirs (see actions.py)."""
        mine = copy.copy(self)
        mine.who = who
        return mine

    def action(self, what: str, campaign_id: str = "", /, **detail: object) -> bytes:
        """An action in this outbox's name, as scripts record it together with what they do."""
        return actions.pack(self.who, what, campaign_id, detail)

    async def record_action(self, what: str, campaign_id: str = "", /, **detail: object) -> None:
        """Records what was done a moment ago by no script of ours, on the disk before this returns."""
        with reaching():
            await self.scripts.durable("record", self.action(what, campaign_id, **detail))

    # intake

    async def begin(self, campaign_id: str) -> None:
        """Opens a push. Its chunks go by themselves when an hour passes without another one."""
        with reaching():
            now, _ = await self.redis.time()
            await self.redis.zadd(self.keys.of("open"), {campaign_id: int(now) * 1_000_000})

    async def admit(self, campaign_id: str, index: int, blob: bytes, count: int) -> None:
        """Stores a chunk of a push that is not sealed yet."""
        with reaching():
            bounds = self.ledger_bound, self.high_water
            answer = await self.scripts.run(*pushes.admitting(campaign_id, pushes.Chunk(index, blob, count), bounds))
        pushes.check(*answer)

    async def seal(
        self,
        campaign: Campaign,
        *,
        key_ttl_s: int,
        refused: Sequence[str] = (),
        prices: Mapping[str, int] | None = None,
        last: pushes.Chunk | None = None,
    ) -> Sealed:
        """Makes the push a campaign, at once and whole, and waits until that is on the disk.

        `refused`: ISO countries to which its fallback sends, and not its sender. `prices`: micro-units of a part by country. `last`: a
        chunk that is not stored yet, and is together with this.

        Raises:
            KeyTaken: the idempotency key belongs to a push with another content.
            UnusableInput: the profile, the explicit sender or its fallback is not in the pool.
            Claimed: one of its claims is in use.
            TryAgainLater: Redis is away, or `last` was not taken; the same push may be made again with the same key.
        """
        with reaching():
            action = self.action("push", campaign.id, accepted=campaign.accepted, profile=campaign.profile)
            places, bounds = Places(refused, prices or {}), (self.ledger_bound, self.high_water)
            together = pushes.Together(action, last, self.dispatch.pin_days)
            return await pushes.seal(self.scripts, campaign, key_ttl_s, places, bounds, together)

    async def abandon(self, campaign_id: str) -> bool:
        """Drops what an unsealed push has stored; a sealed campaign is left alone, and this is False."""
        with reaching():
            return int(await self.scripts.run("abandon", campaign_id)) >= 0

    async def find_key(self, idempotency_key: str) -> tuple[str, str] | None:
        """(campaign id, what is kept behind it: the content hash of a push) of a key that was used, once that is on the disk."""
        with reaching():
            return await pushes.find_key(self.scripts, idempotency_key)

    async def opted_out(self, profile: str, numbers: Sequence[int]) -> set[int]:
        """Those of the numbers that want nothing from this profile."""
        with reaching():
            return await optouts.among(self.redis, self.keys, profile, numbers, self._indices)

    async def add_optouts(self, profile: str, numbers: Sequence[int]) -> int:
        """Adds people to a profile's opt-outs, on the disk before this returns. How many were not there yet."""
        return await self._change_optouts("optouts", profile, numbers, "opt_out")

    async def remove_optouts(self, profile: str, numbers: Sequence[int]) -> int:
        """Takes people off a profile's opt-outs, on the disk before this returns. How many were on it."""
        return await self._change_optouts("optins", profile, numbers, "opt_in")

    async def _change_optouts(self, script: str, profile: str, numbers: Sequence[int], what: str) -> int:
        index = await self.profile_index(profile)
        if index is None:
            raise pushes.unknown_profile(profile)
        with reaching():
            action = self.action(what, profile=profile, people=len(numbers))
            return await optouts.change(self.scripts, script, (index, profile), numbers, action)

    async def profile_index(self, profile: str) -> int | None:
        with reaching():
            index = await self.redis.hget(self.keys.of("profile"), profile)
        return None if index is None else int(index)

    # people

    async def campaigns(self, of: views.Listing = "campaigns") -> list[views.CampaignView]:
        with reaching():
            return await views.campaigns(self.redis, self.keys, of)

    async def campaign(self, campaign_id: str) -> views.CampaignView | None:
        with reaching():
            return await views.campaign(self.redis, self.keys, campaign_id)

    async def senders(self, profile: str | None = None, *, count_pins: bool = False) -> list[views.SenderView]:
        with reaching():
            return await views.senders(self.redis, self.keys, profile, count_pins=count_pins)

    async def profiles(self) -> list[views.ProfileView]:
        with reaching():
            return await views.profiles(self.redis, self.keys)

    async def profile(self, profile: str) -> views.ProfileView:
        """One of those that campaigns name."""
        with reaching():
            return (await views.profiles(self.redis, self.keys, profile))[0]

    async def weights(self, profile: str) -> dict[str, int]:
        """The classes among which new people of a profile are dealt, and their weights."""
        index = await self.profile_index(profile)
        with reaching():
            return {} if index is None else await throughput.weights(self.redis, self.keys, index)

    async def workers(self) -> list[workers.WorkerView]:
        with reaching():
            return await workers.workers(self.redis, self.keys)

    async def rests(self) -> list[RestView]:
        with reaching():
            return await rests.rests(self.redis, self.keys)

    async def pause(self, campaign_id: str, why: str = "") -> int:
        """Nothing more of it is granted once this returns. How many messages are still in flight. `why`: if it does so by itself."""
        with reaching():
            detail = {"why": why} if why else {}
            return await control.control(
                self.scripts, campaign_id, "p", self.action("pause", campaign_id, **detail), why
            )

    async def resume(self, campaign_id: str) -> int:
        with reaching():
            return await control.control(self.scripts, campaign_id, "r", self.action("resume", campaign_id))

    async def change(self, campaign_id: str, **changes: Unpack[Changes]) -> dict[str, Any]:
        """Its terms from now on, on every worker and on the disk once this returns: `rate=`, `start=`, `expires=`, `priority=`.

        What is not named stays, None lifts a limit. What has changed, as fields of a Campaign. Raises UnusableInput.
        """
        with reaching():
            return await terms.change(self.scripts, campaign_id, changes, self.action("change", campaign_id, **changes))

    async def cancel(self, campaign_id: str) -> int:
        """Nothing more of it is granted once this returns. How many messages are still in flight."""
        flying, _ = await self.sweep(campaign_id, "c", self.action("cancel", campaign_id))
        return flying

    async def sweep(self, campaign_id: str, to: str, action: bytes = b"") -> tuple[int, int]:
        """Ends what waits of a campaign as cancelled (c) or expired (e): (in flight, ended)."""
        with reaching():
            return await control.sweep(self.scripts, campaign_id, to, action)

    # pool

    async def sync_senders(
        self,
        profile: str,
        senders: Sequence[Sender],
        weights: Mapping[SenderType, int] | None = None,
        *,
        facts: ProfileFacts | None = None,
        routes: Mapping[str, tuple[SenderType, ...]] | None = None,
    ) -> tuple[int, int]:
        """The profile's senders as they are now: (joined, left). Without weights all types are one class, first free first.

        `routes`: which sender types may serve a country (ISO alpha-2; `*` for those that are not named). Without `facts`
        those that are stored stay.
        """
        facts = facts or await self.facts(profile)
        with reaching():
            arguments = roster.roster(profile, senders, weights or {}, facts, routes or {})
            _, _, joined, left = await self.scripts.durable("sync", *arguments)
        return int(joined), int(left)

    async def withdraw(self, senders: Sequence[Sender]) -> int:
        """Grants these senders nothing more; what waits for them moves to others. How many could send. A sync undoes it."""
        with reaching():
            named = [word for sender in senders for word in (sender.number, sender.profile)]
            return int(await self.scripts.durable("withdraw", *named)) if named else 0

    async def facts(self, profile: str) -> ProfileFacts | None:
        """What the last sync read of a profile; None where none has."""
        with reaching():
            held = await self.redis.hget(self.keys.of("profileinfo"), profile)
        return None if held is None else ProfileFacts.from_json(held)

    async def router(self, profile: str) -> Router:
        """Where the pool of a profile can send now, and with which types of senders."""
        index = await self.profile_index(profile)
        with reaching():
            return await router.load(self.redis, self.keys, index, profile)

    async def set_rates(
        self,
        account: Decimal,
        profiles: Mapping[str, Decimal],
        *,
        mms: Decimal | None = None,
        campaigns: Mapping[str, Decimal] | None = None,
    ) -> None:
        """Parts per second of the account, of profiles by id, of the account's MMS, and of registered campaigns by id.

        A profile or campaign that is not named has no limit of its own. None for the last two: as they were.
        """
        with reaching():
            await roster.set_rates(self.scripts, account, profiles, mms, campaigns)

    async def rest(
        self, for_s: float, why: str, *, profile: Id = None, number: Id = None, group: bool = False, mms: bool = False
    ) -> bool:
        """Grants nothing for so long: to one sender (an alphanumeric ID with its profile), with `group` all of its registered
        campaign, one profile, the account's MMS, or else the whole account.

        False where it changes nothing: it rests longer already, or is not known.
        """
        with reaching():
            bucket = await rests.bucket(self.redis, self.keys, profile, number, group=group, mms=mms)
            until_us = await rests.moment(self.redis, for_s)
            return bucket is not None and await self.dispatch.rest(bucket, until_us, why)

    async def sender_numbers(self) -> dict[int, str]:
        """Sender index → number, of all senders there ever were."""
        held = await self.redis.hgetall(self.keys.of("numbers"))
        return {int(index): number.decode() for index, number in held.items()}

    # receipts and ledger

    async def apply_receipts(self, records: Sequence[ReceiptRecord]) -> None:
        """Merges what the carrier says into the hot states and the ledger stream, on the disk before this returns."""
        with reaching():
            packed = pack(list(records))
            await self.scripts.durable("receipts", MOVES_ARG, packed, positions(records), *attempts(records))

    async def retire(self, campaign_ids: Sequence[str], up_to: str) -> int:
        """Drops chunks that are over, once the recorder has committed all entries up to this one."""
        return int(await self.scripts.run("retire", up_to, *campaign_ids)) if campaign_ids else 0

    async def ledger_length(self) -> int:
        return int(await self.redis.xlen(self.keys.ledger))
