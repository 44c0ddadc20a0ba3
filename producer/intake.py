"""The call behind every push: check, normalise, drop duplicates, price, cut into chunks, admit, seal. All or nothing.

Until the seal nothing of a push can be sent; whatever goes wrong before it, the push is abandoned. One chunk is on its
way to Redis while the next is being made in a thread, never two: what an interrupted push leaves behind has no gaps.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from producer.callbacks.addresses import check_callback
from producer.push.cast import Cast
from producer.push.conditions import quiet_of, terms_of
from producer.push.estimate import Estimate
from producer.push.forecast import Forecast
from producer.push.media import weigh
from producer.push.outlook import outlook
from producer.push.rejects import Rejects
from producer.push.request import PushRequest, PushResult
from producer.push.rows import Batch, Rows
from producer.push.schedule import expiry_us
from producer.push.sources import Source
from producer.push.steps import Steps
from producer.push.totals import Totals
from producer.push.zoning import Zoning, zoning
from volley.campaign import Campaign, new_campaign_id
from volley.errors import KeyTaken, TryAgainLater, VolleyError, first_of
from volley.outbox.chunks import encode
from volley.outbox.outbox import Outbox
from volley.outbox.pushes import Chunk
from volley.prices import Prices
from volley.settings import Settings

__all__ = ["PushRequest", "PushResult", "push"]

OWN_KEY_LIFE_S = 24 * 3600
GIVEN_KEY_LIFE_S = 30 * 24 * 3600

NO_STEPS = Steps()

Arm = Callable[[Campaign], Awaitable[None]]


async def push(
    outbox: Outbox,
    settings: Settings,
    request: PushRequest,
    source: Source,
    *,
    arm: Arm | None = None,
    steps: Steps = NO_STEPS,
) -> PushResult:
    """Takes all rows of a source as one campaign, or none of them.

    `arm` is called with a campaign that was just sealed, to wake a worker; without it the sweeper finds the campaign. `steps` is
    what else a front does on the way.

    Raises:
        UnusableInput: the request, the source, its media, or a profile or sender that the pool does not have.
        KeyTaken: the idempotency key belongs to another content.
        RefusedByPolicy: the profile is disabled.
        TryAgainLater: Redis is away, or the ledger is behind.
    """
    cast = await steps.choose(outbox, settings, request)
    request = cast.request
    if request.media and request.media_check:
        seen = await weigh(request.media, transcoding=bool(cast.facts and cast.facts.mms_transcoding))
        cast = replace(cast, notes=(*cast.notes, *seen))
    if request.callback_url is not None:
        check_callback(request.callback_url, settings)
    rejects = Rejects(None if request.dry_run else request.rejects_path, source.titles)
    expires_us = expiry_us(request, settings)
    zones = zoning(request, settings, expires_us)
    estimate = Estimate(Prices.load(settings.prices), cast.serving, cast.serves)
    rows = Rows(source, request, settings, rejects, cast, zones, estimate if request.budget is not None else None)
    try:
        intake = Intake(outbox, settings, cast, rows, estimate, expires_us, zones, steps)
        if request.dry_run:
            return await intake.forecast(Forecast(request, settings, cast))
        result = await intake.run(arm)
        return replace(result, rejects_path=rejects.keep())
    finally:
        rejects.drop()


class Intake:
    """One push on its way: rows in, chunks out, totals kept."""

    def __init__(
        self,
        outbox: Outbox,
        settings: Settings,
        cast: Cast,
        rows: Rows,
        estimate: Estimate,
        expires_us: int,
        zoning: Zoning | None = None,
        steps: Steps = NO_STEPS,
    ) -> None:
        self.outbox = outbox
        self.settings = settings
        self.cast = cast
        self.request = cast.request
        self.rows = rows
        self.estimate = estimate
        self.expires_us = expires_us
        self.zoning = zoning
        self.chunk_zones: list[int] = []
        self.steps = steps
        self.notes = list(cast.notes)
        self.campaign_id = new_campaign_id()
        self.totals = Totals()
        self._refusal: Exception | None = None
        self._last: Chunk | None = None
        self._sealing = False

    async def forecast(self, forecast: Forecast) -> PushResult:
        while (batch := await self._batch()) is not None:
            gone = await self.outbox.opted_out(self.request.profile, batch.to)
            self.totals.add(batch, gone, self.estimate)
            await asyncio.to_thread(forecast.add, batch, gone)
        weights = await self.outbox.weights(self.request.profile)
        await self._look_ahead()
        told = forecast.as_json(self.cast.paced, weights) | {"notes": self.notes}
        return replace(self._result(), forecast=told)

    async def run(self, arm: Arm | None) -> PushResult:
        given = self.request.idempotency_key
        held = await self.outbox.find_key(given) if given else None
        if held is not None:
            return await self._repeated(*held)
        try:
            await self._admit_all()
            if self._refusal is not None:
                return await self._as_before(self._refusal)
            await self._look_ahead()
            return await self._seal(arm)
        except BaseException:
            gone = not self._sealing
            # by itself within the hour, should Redis be away now
            with contextlib.suppress(VolleyError):
                gone = await self.outbox.abandon(self.campaign_id)
            if not gone:
                self.steps.unsure()
            raise

    async def _batch(self) -> Batch | None:
        return await asyncio.to_thread(self.rows.batch) if self.steps.beside else self.rows.batch()

    async def _repeated(self, campaign_id: str, content_hash: str) -> PushResult:
        """A key that was used: the rows are read for their content only."""
        while await self._batch() is not None:
            pass
        if self.rows.content_hash != content_hash:
            raise KeyTaken(
                f"this idempotency key belongs to campaign {campaign_id}, whose content is another one: use another key"
            )
        return await self._as_sealed(campaign_id)

    async def _as_before(self, refusal: Exception) -> PushResult:
        """Not allowed; but what only repeats another push is allowed, and costs nothing. Raises the refusal where it does not."""
        held = await self.outbox.find_key(self._key()) if self._key() else None
        if held is None or held[1] != self.rows.content_hash:
            raise refusal
        await self.outbox.abandon(self.campaign_id)
        return await self._as_sealed(held[0])

    async def _admit_all(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                begun = group.create_task(self._begin())
                before: asyncio.Task[None] | None = None
                while (batch := await self._batch()) is not None:
                    if before is not None:
                        await before
                    before = group.create_task(self._admit(batch, begun))
        except BaseExceptionGroup as errors:
            raise first_of(errors) from None

    async def _admit(self, batch: Batch, begun: asyncio.Task[None]) -> None:
        if self._refusal is not None:
            return  # its rows are read for their content only
        gone = await self.outbox.opted_out(self.request.profile, batch.to)
        chunk = self.totals.add(batch, gone, self.estimate)
        if chunk.to and await self._allowed(len(chunk)):
            self.steps.placed(self.totals.chunks, chunk.to)
            await begun
            await self._store(Chunk(self.totals.chunks, encode(chunk), len(chunk)))
            self.totals.chunks += 1
            self.chunk_zones.append(batch.group)

    async def _begin(self) -> None:
        if self.steps.beside:  # else its first chunk opens it
            await self.outbox.begin(self.campaign_id)

    async def _store(self, chunk: Chunk) -> None:
        """The last chunk of a handful waits for the seal."""
        stored, self._last = (chunk, None) if self.steps.beside else (self._last, chunk)
        if stored is not None:
            await self.outbox.admit(self.campaign_id, *stored)

    async def _allowed(self, messages: int) -> bool:
        """A push without a key of its own may be a repeat, which is known only when all its rows are: until then it is not refused."""
        try:
            await self.steps.allow(messages)
        except Exception as refusal:
            if self.request.idempotency_key or self.request.again:
                raise
            self._refusal = refusal
        return self._refusal is None

    async def _look_ahead(self) -> None:
        currency = self.estimate.currency
        self.notes += await outlook(self.outbox, self.settings, self.cast, self.totals, currency, self.expires_us)

    async def _seal(self, arm: Arm | None) -> PushResult:
        campaign = replace(self._campaign(), callback_url=self.request.callback_url or "")
        if not campaign.accepted:
            held = await self.outbox.find_key(campaign.idempotency_key)
            await self.outbox.abandon(self.campaign_id)
            same = held is not None and held[1] == campaign.content_hash
            return await self._as_sealed(held[0]) if held is not None and same else self._result()
        key_ttl_s = GIVEN_KEY_LIFE_S if self.request.idempotency_key else OWN_KEY_LIFE_S
        refused = sorted(self.cast.refused) if campaign.fallback else ()
        self._sealing = True
        sealed = await self.outbox.seal(
            campaign, key_ttl_s=key_ttl_s, refused=refused, prices=self.estimate.known, last=self._last
        )
        if sealed.existing:
            return await self._as_sealed(sealed.campaign_id)
        if arm is not None and not sealed.in_hand:
            # sealed is sealed: a worker that cannot be woken is no reason to say that the push failed
            with contextlib.suppress(TryAgainLater):
                await arm(campaign)
        return self._result().of(campaign, existing=False)

    async def _as_sealed(self, campaign_id: str) -> PushResult:
        view = await self.outbox.campaign(campaign_id)
        mine = replace(self._result(), campaign_id=campaign_id, existing=True)
        return mine if view is None else mine.of(view.campaign, existing=True)

    def _result(self) -> PushResult:
        return PushResult(
            accepted=self.totals.accepted,
            rejected=self.rows.rejected,
            duplicates=self.rows.duplicates,
            opted_out=self.totals.opted_out,
            parts=self.totals.parts,
            estimated_micros=self.totals.micros,
            currency=self.estimate.currency,
            unpriced=self.totals.unpriced,
            reasons=self.rows.reasons,
            examples=tuple(self.rows.examples),
            notes=tuple(self.notes),
        )

    def _campaign(self) -> Campaign:
        request, totals, rows = self.request, self.totals, self.rows
        return Campaign(
            id=self.campaign_id,
            profile=request.profile,
            template=rows.template,
            columns=rows.columns,
            sender=self.cast.sender,
            priority=request.priority,
            weight=request.weight,
            encoding=request.encoding,
            smart_encoding=bool(request.smart_encoding),
            currency=self.estimate.currency,
            idempotency_key=self._key(),
            content_hash=rows.content_hash,
            created_us=time.time_ns() // 1000,
            expires_us=self.expires_us,
            region=request.region,
            rows=totals.accepted + totals.opted_out + rows.rejected + rows.duplicates,
            accepted=totals.accepted,
            rejected=rows.rejected,
            duplicates=rows.duplicates,
            opted_out=totals.opted_out,
            parts=totals.parts,
            estimated_micros=totals.micros,
            unpriced=totals.unpriced,
            chunks=totals.chunks,
            tags=request.tags,
            fallback=self.cast.fallback.number if self.cast.fallback else None,
            media=request.media,
            subject=request.subject,
            send_at_us=int(request.send_at.timestamp()) * 1_000_000 if request.send_at else 0,
            on_unknown=request.on_unknown,
            claims=self.steps.claims(self.rows.examples),
            **terms_of(request),
            **quiet_of(request, self.settings, self.zoning, self.chunk_zones),
        )

    def _key(self) -> str:
        if self.request.idempotency_key:
            return self.request.idempotency_key
        return "" if self.request.again else f"auto:{self.rows.content_hash}"
