"""POST /v1/campaigns: a body becomes a campaign, whole or not at all, in constant memory."""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

import orjson
from aiohttp import web
from pydantic import ValidationError

from producer.intake import PushRequest, PushResult, push
from producer.push.request import MAX_KEY
from producer.push.sources import ObjectSource, Source, open_source
from producer.push.steps import Steps
from producer.push.zoning import NONE
from producer.web import unpacking
from producer.web.bounds import MAX_LINE, Bounded, ForTesters
from producer.web.models import PushAnswer, PushForecast
from producer.web.problems import (
    BAD_REQUEST,
    IN_PROGRESS,
    INVALID,
    KEY_TAKEN,
    NOT_FOUND,
    NOTHING_TO_SEND,
    REFUSED,
    TOO_LARGE,
    WRONG_TYPE,
    Problem,
    invalid,
)
from producer.web.push_options import JsonPush, PushOptions, PushQuery, options_of
from producer.web.pushing import Allowance, marked
from producer.web.routes import JSON, Call, Route, answer
from producer.web.stream import Body
from producer.web.wording import over_http
from volley.campaign import Campaign
from volley.errors import UnusableInput
from volley.outbox.pushes import as_pushed
from volley.outbox.scripts import reaching
from volley.terms import budget_micros, moment_us, rate_milli, share_ppm

CSV = ("text/csv",)
LINES = ("application/x-ndjson", "application/jsonl")
MOST_JSON = 4 << 20
"""Bytes of a push that is one JSON object: it is read whole. CSV and JSON lines are not."""
KEY = "Idempotency-Key"
REPLAYED = {"Idempotent-Replayed": "true"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A push as it was read: what it asks for, and its rows."""

    request: PushRequest
    source: Source


async def create(call: Call) -> web.Response:
    query, key = call.query(PushQuery), idempotency_key(call.request)
    with call.desk.slots.taken(call.who):
        body = Body(call.request, call.desk.settings.api_bytes)
        try:
            async with marked(call.desk.outbox, None if query.dry_run else key):
                encoding = call.request.headers.get("Content-Encoding", "").lower()
                stream = unpacking.opened(body, encoding, call.desk.settings.api_bytes)
                wanted = await asyncio.to_thread(_read, call, query, stream, key)
                return await (_forecast(call, wanted) if query.dry_run else _push(call, wanted))
        finally:
            body.end()


def idempotency_key(request: web.Request) -> str | None:
    """Raises Problem for one that cannot be."""
    given = request.headers.getall(KEY, [])
    if not given:
        return None
    if len(given) > 1 or not 1 <= len(given[0]) <= MAX_KEY or not given[0].isascii() or not given[0].isprintable():
        raise Problem(INVALID, f"{KEY}: give it once, 1 to {MAX_KEY} printable ASCII characters")
    return given[0]


def _read(call: Call, query: PushQuery, stream: BinaryIO, key: str | None) -> Wanted:
    """In a thread: the head of the body, or all of a JSON one."""
    kind, most = call.request.content_type, call.desk.settings.api_rows
    if kind == JSON:
        options, source = _one_object(query, stream)
    elif kind in (*CSV, *LINES):
        options, source = _checked(options_of(query, {}), "query"), open_source(stream, "the body", MAX_LINE)
    else:
        raise Problem(WRONG_TYPE, f"send one of {', '.join((*CSV, *LINES, JSON))}")
    source = Bounded(source, most)
    if query.test_to:
        source = ForTesters(source, query.test_to)
    folder = call.desk.rejects
    more = {"idempotency_key": key, "dry_run": query.dry_run, "rejects_path": folder.fresh()}
    request = options.request(**({"dry_run": True} if query.dry_run else more))
    if query.test_to:
        request = replace(request, tags=(*request.tags, "test"))
    return Wanted(request, source)


def _one_object(query: PushQuery, stream: BinaryIO) -> tuple[PushOptions, Source]:
    body = stream.read(MOST_JSON + 1)
    if len(body) > MOST_JSON:
        raise Problem(TOO_LARGE, f"a JSON body has {MOST_JSON:,} bytes at most: send CSV or JSON lines")
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(BAD_REQUEST, f"the body is not JSON: {error.msg}, line {error.lineno}") from None
    if not isinstance(sent, dict):
        raise Problem(INVALID, "body: a JSON object is wanted")
    try:
        options = JsonPush.model_validate(options_of(query, sent))
    except ValidationError as error:
        raise invalid(error, "body") from None
    return options, ObjectSource(options.recipients, "recipients")


def _checked(fields: Mapping[str, Any], where: str) -> PushOptions:
    try:
        return PushOptions.model_validate(fields)
    except ValidationError as error:
        raise invalid(error, where) from None


async def _forecast(call: Call, wanted: Wanted) -> web.Response:
    result = await push(call.desk.outbox, call.desk.settings, wanted.request, wanted.source)
    seconds = (result.forecast or {}).get("seconds")
    finishes = (
        None if seconds is None else (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")
    )
    return answer(_document(result) | {"forecast": result.forecast, "finishes": finishes})


async def _push(call: Call, wanted: Wanted) -> web.Response:
    desk, allowance = call.desk, Allowance(call.desk.outbox, call.who)
    result = PushResult()
    try:
        steps = Steps(allow=allowance.take, unsure=allowance.keep)
        result = await push(desk.outbox, desk.settings, wanted.request, wanted.source, arm=desk.arm, steps=steps)
    finally:
        if result.campaign_id is None or result.existing:
            await allowance.give_back()
    await asyncio.to_thread(desk.rejects.keep, result.rejects_path, result.campaign_id)
    if result.campaign_id is None:
        raise Problem(NOTHING_TO_SEND, "no row of this push can be sent: see rejected_rows", more=_document(result))
    first = await _first(call, result.campaign_id) if result.existing else None
    if first is not None:
        result = result.of(first, existing=True)
        if wanted.request.idempotency_key:
            _check_same(wanted.request, first)
    url = f"/v1/campaigns/{result.campaign_id}"
    return answer(_document(result), 202, {"Location": url, **(REPLAYED if result.existing else {})})


async def _first(call: Call, campaign_id: str) -> Campaign | None:
    """A campaign with the terms of its push; as the ledger has it, where its time in Redis is over and that of its key is not."""
    outbox = call.desk.outbox
    with reaching():
        campaign = await as_pushed(outbox.redis, outbox.keys, campaign_id)
    if campaign is not None:
        return campaign
    try:
        return await call.desk.reader.campaign(campaign_id)
    except UnusableInput:
        return None


def _check_same(request: PushRequest, campaign: Campaign) -> None:
    """The rows are the same, or the intake had refused. What else was asked must be so too, whatever was changed since."""
    other = list(_others(request, campaign))
    if other:
        detail = f"this Idempotency-Key belongs to campaign {campaign.id}, pushed with another {', '.join(other)}"
        raise Problem(KEY_TAKEN, detail)


_KEPT: Mapping[str, Callable[[PushRequest], object]] = {
    "priority": lambda request: request.priority,
    "weight": lambda request: request.weight,
    "on_unknown": lambda request: request.on_unknown,
    "tags": lambda request: request.tags,
    "callback_url": lambda request: request.callback_url or "",
    "rate_milli": lambda request: rate_milli(request.rate),
    "start_us": lambda request: moment_us(request.start, "start"),
    "budget_micros": lambda request: budget_micros(request.budget),
    "pause_on_failures_ppm": lambda request: share_ppm(request.pause_on_failures),
    "pause_on_opt_outs_ppm": lambda request: share_ppm(request.pause_on_opt_outs),
}
"""Fields of a campaign by what asked for them. The rows, texts and senders are in its content hash."""
_SETTLED: Mapping[str, Callable[[PushRequest], object]] = {
    "region": lambda request: request.region,
    "quiet_hours": lambda request: "" if request.quiet_hours == NONE else request.quiet_hours,
    "expires_us": lambda request: moment_us(request.expires, "expires"),
}
"""Those that profile and settings fill in where nobody names them."""
_UNIT = re.compile("_(us|milli|micros|ppm)$")


def _others(request: PushRequest, campaign: Campaign) -> Iterator[str]:
    """Options that are not those of the campaign."""
    for field, asked in _KEPT.items():
        if asked(request) != getattr(campaign, field):
            yield _UNIT.sub("", field)
    for field, asked in _SETTLED.items():
        name = _UNIT.sub("", field)
        # what is scheduled expires by a reckoning of its own, and knows no quiet hours
        scheduled = request.send_at is not None and name != "region"
        if getattr(request, name) is not None and not scheduled and asked(request) != getattr(campaign, field):
            yield name


def _document(result: PushResult) -> dict[str, Any]:
    url = f"/v1/campaigns/{result.campaign_id}" if result.campaign_id else None
    return result.as_json() | {
        "status_url": url,
        "rejected_rows": [{"row": each.row, "reason": over_http(each.reason)} for each in result.examples],
        "rejects_url": f"{url}/rejects.csv" if url and result.rejected else None,
        "unpriced": result.unpriced,
        "notes": [over_http(note) for note in result.notes],
    }


async def rejects(call: Call) -> web.StreamResponse:
    path = call.desk.rejects.of(call.part("campaign_id"))
    if path is None or not await asyncio.to_thread(path.is_file):
        raise Problem(NOT_FOUND, "no rejected rows of this campaign are kept here")
    headers = {"Content-Disposition": f'attachment; filename="{path.name}"', "X-Content-Type-Options": "nosniff"}
    return web.FileResponse(path, headers={**headers, "Content-Type": "text/csv; charset=utf-8"})


ROUTES = (
    Route(
        "POST",
        "/v1/campaigns",
        "push_campaign",
        "Push a campaign: all rows that can be sent, or nothing",
        "campaigns",
        "send",
        create,
        {202: PushAnswer, 200: PushForecast},
        query=PushQuery,
        bodies={JSON: JsonPush, **dict.fromkeys((*CSV, *LINES))},
        keyed="optional",
        problems=(IN_PROGRESS, KEY_TAKEN, NOTHING_TO_SEND, REFUSED),
        description="CSV with a header, or JSON lines, with the options in the query; or one JSON object with `recipients`. "
        "Plain, or with Content-Encoding gzip or zstd. 202 once it is on the disk; 200 for `dry_run`. Without an Idempotency-Key the "
        "same rows, text, profile and sender within 24 hours are the same campaign.",
    ),
    Route(
        "GET",
        "/v1/campaigns/{campaign_id}/rejects.csv",
        "rejects_of_campaign",
        "The rows that were rejected, with reasons",
        "campaigns",
        "read",
        rejects,
        {200: ("text/csv",)},
        problems=(NOT_FOUND,),
    ),
)
