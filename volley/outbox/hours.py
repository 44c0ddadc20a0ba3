"""Quiet hours in Redis: the windows of a campaign's groups of time zones, reckoned for some days, and anew every few hours.

So a worker with newer tables of time zones puts right what an older one reckoned, and no window outlives its rule.
"""

import logging
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Final

import orjson

from volley.campaign import Campaign
from volley.errors import RowError, UnusableInput, VolleyError
from volley.hours import DAY_S, QuietHours, Window, parse, sendable, union
from volley.outbox.chunks import decode
from volley.outbox.client import Redis
from volley.outbox.keys import Keys
from volley.outbox.scripts import Scripts
from volley.zones import zones_of

log = logging.getLogger(__name__)

HORIZON_S: Final = 4 * DAY_S
EVERY_S: Final = 6 * 3600
_SOON_S: Final = 600
NONE: Final = "-"
"""In place of hours that were lifted: everything is open, and what was parked for them is planned."""
_ALWAYS: Final = (0, 1 << 40)
_GROUP: Final = Struct(">H")
_PAGE = 50


def joined(names: Iterable[str]) -> str:
    """A group of zones, as it is kept: in order, a comma between."""
    return ",".join(sorted(names))


async def reckon(
    scripts: Scripts, campaign_id: str, quiet: str, zones: Sequence[str], groups: Sequence[int] = (), *, held: str = ""
) -> None:
    """Writes the windows of each group of zones; with `groups`, of which group each chunk is. Redis errors pass through.
    UnusableInput for a zone that this machine does not know.

    `held`: only if these are the campaign's hours still.
    """
    seconds, _ = await scripts.client.time()
    now_s = int(seconds)
    hours = None if quiet in ("", NONE) else parse(quiet)
    found = [_windows(hours, group, now_s) for group in zones]
    again_us = (now_s + EVERY_S) * 1_000_000
    of = b"".join(map(_GROUP.pack, groups))
    texts = [_text(union(found)), *map(_text, found)]
    await scripts.durable("reckon", campaign_id, again_us, held, of, orjson.dumps(list(zones)), *texts)


async def before_seal(scripts: Scripts, campaign: Campaign) -> None:
    """Nothing goes by hours that nobody has reckoned: a campaign's windows are there before it is."""
    if campaign.zones:
        await reckon(scripts, campaign.id, campaign.quiet_hours, campaign.zones, campaign.chunk_zones)


def _windows(hours: QuietHours | None, group: str, now_s: int) -> list[Window]:
    """Those of nobody, where a chunk had left Redis before its people's zones were asked for, are closed; see `restored`."""
    if hours is None:
        return [_ALWAYS]
    try:
        return sendable(hours, group.split(","), now_s - DAY_S, now_s + HORIZON_S) if group else []
    except RowError as error:
        raise UnusableInput(f"this machine does not know the time zones {group}: update tzdata on it") from error


def _text(found: Iterable[Window]) -> str:
    return " ".join(f"{begins}-{ends}" for begins, ends in found)


async def again(scripts: Scripts, campaign_id: str) -> None:
    """What the sweeper does when the windows of a campaign are due. Whoever gives it other hours meanwhile has the last word. Where
    this machine cannot, its windows hold on, and another one may soon.
    """
    client, keys = scripts.client, scripts.keys
    quiet = await client.hget(keys.campaign(campaign_id), "tq")
    zones = await client.hget(keys.of("hours", campaign_id), "zones")
    if quiet is None or zones is None:
        await client.zrem(keys.of("reckon"), campaign_id)
        return
    try:
        await reckon(scripts, campaign_id, quiet.decode(), orjson.loads(zones), held=quiet.decode())
    except VolleyError as error:
        log.warning("campaign %s: its quiet hours are not reckoned anew: %s", campaign_id, error)
        seconds, _ = await client.time()
        await client.zadd(keys.of("reckon"), {campaign_id: (int(seconds) + _SOON_S) * 1_000_000})


async def zones(client: Redis, keys: Keys, campaign: Campaign) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The groups of a campaign and of which each chunk is: as they were cut at intake, or else all zones of each chunk's people;
    '' for chunks that have left Redis.

    Raises UnusableInput where somebody's zone is not known.
    """
    held = await client.hget(keys.of("hours", campaign.id), "zones")
    if held is not None:
        return tuple(orjson.loads(held)), ()
    groups: dict[str, int] = {}
    of: list[int] = []
    for at in range(0, campaign.chunks, _PAGE):
        blobs = await client.mget([keys.chunk(campaign.id, k) for k in range(at, min(at + _PAGE, campaign.chunks))])
        for blob in blobs:
            group = _zones_in(blob) if blob else ""
            of.append(groups.setdefault(group, len(groups)))
    return tuple(groups), tuple(of)


async def restored(scripts: Scripts, campaign_id: str, index: int, blob: bytes) -> None:
    """A chunk is in Redis again. Had it left before the campaign got its first quiet hours, its people's zones are asked for now.

    Raises UnusableInput where somebody's zone is not known.
    """
    client, key = scripts.client, scripts.keys.of("hours", campaign_id)
    quiet = await client.hget(scripts.keys.campaign(campaign_id), "tq")
    held, of = await client.hget(key, "zones"), await client.hget(key, "of")
    if quiet is None or held is None or of is None:
        return
    groups: list[str] = orjson.loads(held)
    of_chunks = [group for (group,) in _GROUP.iter_unpack(of)]
    if groups[of_chunks[index]]:
        return
    theirs = _zones_in(blob)
    if theirs not in groups:
        groups.append(theirs)
    of_chunks[index] = groups.index(theirs)
    await reckon(scripts, campaign_id, quiet.decode(), groups, of_chunks, held=quiet.decode())


def _zones_in(blob: bytes) -> str:
    try:
        return joined({name for number in decode(blob).to for name in zones_of(number)})
    except ValueError as error:
        raise UnusableInput(
            f"a recipient of this campaign has no known time zone ({error}): push those who are left anew, with --quiet-hours"
        ) from None


def check_open(quiet: str, groups: Iterable[str], now_s: int) -> None:
    """Raises UnusableInput where people who are in one chunk could never get anything."""
    hours = parse(quiet)
    for group in groups:
        if group and not _windows(hours, group, now_s):
            raise UnusableInput(
                "this campaign was pushed without quiet hours, and its chunks hold people of time zones that are never outside them"
                " together: choose shorter hours, or cancel it and push those who are left anew, with --quiet-hours"
            )
