"""The call behind every push: check, normalise, drop duplicates, price, cut into chunks, admit, seal. All or nothing.

Until the seal nothing of a push can be sent; whatever goes wrong before it, the push is abandoned. One chunk is on its
way to Redis while the next is being made in a thread, never two: what an interrupted push leaves behind has no gaps.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from producer.estimate import Estimate
from producer.forecast import Forecast
from producer.pool import choose
from producer.rejects import Rejects
from producer.request import PushRequest, PushResult
from producer.rows import Batch, Rows
from producer.sources import Source
from producer.totals import Totals
from volley.campaign import Campaign, new_campaign_id
from volley.errors import RefusedByPolicy, TryAgainLater, UnusableInput, VolleyError
from volley.outbox.chunks import encode
from volley.outbox.outbox import Outbox
from volley.prices import Prices
from volley.sender import Sender
from volley.settings import Settings

__all__ = ["PushRequest", "PushResult", "push"]

OWN_KEY_LIFE_S = 24 * 3600
GIVEN_KEY_LIFE_S = 30 * 24 * 3600

Arm = Callable[[Campaign], Awaitable[None]]


async def push(
    outbox: Outbox, settings: Settings, request: PushRequest, source: Source, *, arm: Arm | None = None
) -> PushResult:
    """Takes all rows of a source as one campaign, or none of them.

    `arm` is called with a campaign that was just sealed, to wake a worker; without it the sweeper finds the campaign.

    Raises:
        UnusableInput: the request, the source, or a profile or sender that the pool does not have.
        RefusedByPolicy: the idempotency key belongs to another content.
        TryAgainLater: Redis is away, or the ledger is behind.
    """
    request, senders = await choose(outbox, request)
    rejects = Rejects(None if request.dry_run else request.rejects_path, source.titles)
    rows = Rows(source, request, settings, rejects)
    try:
        estimate = Estimate(Prices.load(settings.prices), senders)
        intake = Intake(outbox, request, rows, estimate)
        if request.dry_run:
            return await intake.forecast(Forecast(request, settings), senders)
        result = await intake.run(_expiry(request, settings), arm)
        return replace(result, rejects_path=rejects.keep())
    finally:
        rejects.drop()


def _expiry(request: PushRequest, settings: Settings) -> int:
    """Microseconds since 1970."""
    now_us = time.time_ns() // 1000
    if request.expires is None:
        return now_us + int(settings.expire_hours * 3_600_000_000)
    moment = int(request.expires.timestamp() * 1_000_000)
    if moment <= now_us:
        raise UnusableInput(f"the push expires at {request.expires.isoformat()}, which is over")
    return moment


class Intake:
    """One push on its way: rows in, chunks out, totals kept."""

    def __init__(self, outbox: Outbox, request: PushRequest, rows: Rows, estimate: Estimate) -> None:
        self.outbox = outbox
        self.request = request
        self.rows = rows
        self.estimate = estimate
        self.campaign_id = new_campaign_id()
        self.totals = Totals()

    async def forecast(self, forecast: Forecast, senders: Sequence[Sender]) -> PushResult:
        while (batch := await asyncio.to_thread(self.rows.batch)) is not None:
            gone = await self.outbox.opted_out(self.request.profile, batch.to)
            self.totals.add(batch, gone, self.estimate)
            await asyncio.to_thread(forecast.add, batch, gone)
        weights = await self.outbox.weights(self.request.profile)
        return replace(self._result(), forecast=forecast.as_json(senders, weights))

    async def run(self, expires_us: int, arm: Arm | None) -> PushResult:
        given = self.request.idempotency_key
        held = await self.outbox.find_key(given) if given else None
        if held is not None:
            return await self._repeated(*held)
        try:
            await self._admit_all()
            return await self._seal(expires_us, arm)
        except BaseException:
            # gone by itself within the hour, should Redis be away now
            with contextlib.suppress(VolleyError):
                await self.outbox.abandon(self.campaign_id)
            raise

    async def _repeated(self, campaign_id: str, content_hash: str) -> PushResult:
        """A key that was used: the rows are read for their content only."""
        while await asyncio.to_thread(self.rows.batch) is not None:
            pass
        if self.rows.content_hash != content_hash:
            raise RefusedByPolicy(
                f"this idempotency key belongs to campaign {campaign_id}, whose content is another one: use another key"
            )
        return await self._as_sealed(campaign_id)

    async def _admit_all(self) -> None:
        await self.outbox.begin(self.campaign_id)
        try:
            async with asyncio.TaskGroup() as group:
                before: asyncio.Task[None] | None = None
                while (batch := await asyncio.to_thread(self.rows.batch)) is not None:
                    if before is not None:
                        await before
                    before = group.create_task(self._admit(batch))
        except BaseExceptionGroup as errors:
            raise _first(errors) from None

    async def _admit(self, batch: Batch) -> None:
        gone = await self.outbox.opted_out(self.request.profile, batch.to)
        chunk = self.totals.add(batch, gone, self.estimate)
        if chunk.to:
            await self.outbox.admit(self.campaign_id, self.totals.chunks, encode(chunk), len(chunk))
            self.totals.chunks += 1

    async def _seal(self, expires_us: int, arm: Arm | None) -> PushResult:
        campaign = self._campaign(expires_us)
        if not campaign.accepted:
            held = await self.outbox.find_key(campaign.idempotency_key)
            await self.outbox.abandon(self.campaign_id)
            same = held is not None and held[1] == campaign.content_hash
            return await self._as_sealed(held[0]) if held is not None and same else self._result()
        key_ttl_s = GIVEN_KEY_LIFE_S if self.request.idempotency_key else OWN_KEY_LIFE_S
        sealed = await self.outbox.seal(campaign, key_ttl_s=key_ttl_s)
        if sealed.existing:
            return await self._as_sealed(sealed.campaign_id)
        if arm is not None:
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
        )

    def _campaign(self, expires_us: int) -> Campaign:
        request, totals, rows = self.request, self.totals, self.rows
        return Campaign(
            id=self.campaign_id,
            profile=request.profile,
            template=rows.template,
            columns=rows.columns,
            sender=request.sender,
            priority=request.priority,
            weight=request.weight,
            encoding=request.encoding,
            smart_encoding=request.smart_encoding,
            currency=self.estimate.currency,
            idempotency_key=self._key(),
            content_hash=rows.content_hash,
            created_us=time.time_ns() // 1000,
            expires_us=expires_us,
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
        )

    def _key(self) -> str:
        if self.request.idempotency_key:
            return self.request.idempotency_key
        own = f"auto:{self.rows.content_hash}"
        return f"{own}:{secrets.token_hex(8)}" if self.request.again else own


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first; the rest was cancelled for it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
