"""`volley rebuild`: Redis was lost, and the ledger was not. What can be known is put back; what cannot is unknown, and said."""

from dataclasses import asdict, dataclass, field
from time import time_ns
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from producer.pool.sync import sync
from producer.rebuild import claims, people
from producer.rebuild.campaigns import Rebuilding, Rebuilt
from volley.errors import RefusedByPolicy, UnusableInput, VolleyError
from volley.ledger import restoration
from volley.ledger.restoration import MARGIN_CHUNKS, Lost
from volley.outbox.outbox import Outbox
from volley.settings import Settings

CANNOT_BE_KNOWN = (
    "pushes that were acknowledged and not recorded before Redis was lost: push them again, with the same idempotency key",
    "messages that went out while volley serve was behind or not running: beyond the margin they are ready here, and would be sent again;"
    " before you resume, look at the carrier's records, or rebuild with a greater --margin-chunks",
    "opt-outs, outcomes and receipts of the last moments that were not recorded: volley optouts sync --all reads the carrier's list",
    "the texts that other systems had not yet read from the inbound stream: volley inbound list has all that were recorded",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """`only`: one campaign. `dry`: looks, and changes nothing."""

    only: str | None = None
    margin_chunks: int = MARGIN_CHUNKS
    dry: bool = False


@dataclass(slots=True)
class Report:
    campaigns: list[Rebuilt] = field(default_factory=list)
    optouts: int = 0
    pins: int = 0
    keys: int = 0
    """Idempotency keys of campaigns that are over; those of the others come with them."""
    synced: list[str] = field(default_factory=list)
    unsynced: dict[str, str] = field(default_factory=dict)
    """Profile → why its pool could not be read."""
    dry_run: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"cannot_be_known": list(CANNOT_BE_KNOWN), "next": self._next()}

    @property
    def complete(self) -> bool:
        return not any(each.why for each in self.campaigns if each.why != "it is in Redis") and not self.unsynced

    def _next(self) -> list[str]:
        steps = [f"volley numbers sync --profile {name}, then volley rebuild again" for name in self.unsynced]
        for each in self.campaigns:
            name = each.campaign_id
            if each.why or self.dry_run:
                continue
            if each.unknown:
                steps.append(
                    f"{each.unknown} messages of campaign {name} are unknown: webhooks and the carrier's records resolve them"
                    f" (volley reconcile); volley campaigns unknown {name} lists them, and changes what becomes of them"
                )
            if each.state not in ("cancelled", "expired"):
                steps.append(f"volley campaigns resume {name}, when volley serve and a worker run")
        return steps


async def rebuild(settings: Settings, outbox: Outbox, engine: AsyncEngine, wish: Wish) -> Report:
    """Puts back what Redis has lost; what it has is left as it is. Harmless to run again, also after it was killed half-way.

    Raises:
        RefusedByPolicy: a worker is alive.
        UnusableInput: no such campaign is open in the ledger.
        TryAgainLater: Redis or the ledger is away.
    """
    workers = await outbox.workers()
    if workers and not wish.dry:
        raise RefusedByPolicy(
            f"{len(workers)} workers are alive (the last showed itself within 15 s): stop them all first, as what they hold is not"
            " in the ledger yet"
        )
    async with engine.connect() as connection:
        lost = await restoration.lost_campaigns(connection, wish.only)
    if wish.only is not None and not lost:
        raise UnusableInput(
            f"no campaign {wish.only[:40]!r} is open in the ledger: volley campaigns show tells how it ended"
        )
    report = Report(dry_run=wish.dry)
    await _pools(settings, outbox, lost, report)
    # first those who must not be sent to, last what may be sent
    report.optouts = await people.opt_outs(outbox, engine, dry=wish.dry)
    now_us = time_ns() // 1000
    report.pins = await people.pins(outbox, engine, settings.pin_days, now_us, dry=wish.dry)
    if wish.only is None:
        names = {each.campaign.id for each in lost}
        report.keys = await claims.of_those_over(outbox, engine, names, now_us, dry=wish.dry)
    rebuilding = Rebuilding(outbox, engine, wish.margin_chunks, settings.alphanumeric_refused, dry=wish.dry)
    for each in lost:
        report.campaigns.append(await rebuilding.campaign(each))
    return report


async def _pools(settings: Settings, outbox: Outbox, lost: list[Lost], report: Report) -> None:
    """The senders of the campaigns' profiles, from the carrier: without them nothing of a campaign could be sent."""
    for profile in sorted({each.campaign.profile for each in lost}):
        if await outbox.profile_index(profile) is not None:
            continue
        try:
            if not report.dry_run:
                await sync(settings, outbox, profile)
            report.synced.append(profile)
        except VolleyError as error:
            report.unsynced[profile] = str(error)
