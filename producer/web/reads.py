"""The messages of a campaign over HTTP: page by page, or all of them as a file."""

import re
import tempfile
from collections.abc import AsyncIterator
from typing import Annotated, BinaryIO, Literal, cast

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from producer.web.campaigns import absent
from producer.web.models import MessagePage
from producer.web.outflow import cut_off, write
from producer.web.problems import NOT_FOUND, Problem
from producer.web.routes import Call, Route, answer
from volley.errors import UnusableInput
from volley.ledger import export as files
from volley.ledger.documents import Document
from volley.ledger.reader import hot_states
from volley.state import LEDGER_STATUSES, STATUSES

MOST = 1000
_LOOKED_AT = 40
"""Chunks that one page looks through at most, where a status is asked for: 20,000 messages."""
_CURSOR = re.compile(r"([0-9]{1,9})-([0-9]{1,5})")
_BLOCK = 256 << 10
_SLOWEST_S = 30.0
"""A reader that takes nothing for so long is cut off: its page of messages, or its file, is wanted by others."""
_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
Status = Annotated[str, Field(pattern=f"^({'|'.join(dict.fromkeys((*STATUSES, *LEDGER_STATUSES)))})$")]


class Page(BaseModel):
    model_config = ConfigDict(extra="forbid")

    status: Annotated[Status | None, Field(description="only those with this status")] = None
    limit: Annotated[int, Field(ge=1, le=MOST, description="how many at most")] = 100
    cursor: Annotated[str | None, Field(pattern=f"^{_CURSOR.pattern}$", description="`next` of the page before")] = None


class Export(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal["jsonl", "csv", "parquet"] = "jsonl"


async def page(call: Call) -> web.Response:
    """A page may hold fewer than `limit`, or none, and have a next one: so far it has looked."""
    asked, campaign_id = call.query(Page), call.part("campaign_id")
    at = _CURSOR.fullmatch(asked.cursor or "0-0")
    assert at is not None
    first, skip = int(at[1]), int(at[2])
    found, following = list[Document](), None
    try:
        async for chunk, documents in call.desk.reader.chunked(campaign_id, hot_states(call.desk.outbox), first):
            if len(found) == asked.limit or chunk - first >= _LOOKED_AT:
                following = f"{chunk}-0"
                break
            for offset, document in enumerate(documents):
                if chunk == first and offset < skip:
                    continue
                if len(found) == asked.limit:
                    following = f"{chunk}-{offset}"
                    break
                if asked.status in (None, document["status"]):
                    found.append(document)
            if following is not None:
                break
    except UnusableInput:
        raise absent(campaign_id) from None
    return answer({"messages": found, "next": following})


async def export(call: Call) -> web.StreamResponse:
    form, campaign_id = call.query(Export).format, call.part("campaign_id")
    try:
        await call.desk.reader.campaign(campaign_id)
    except UnusableInput:
        raise Problem(
            NOT_FOUND, f"no campaign {campaign_id[:40]!r} in the ledger (one pushed just now takes a moment)"
        ) from None
    documents = call.desk.exporting.export(campaign_id, hot_states(call.desk.outbox))
    response = web.StreamResponse(
        headers={
            "Content-Type": _TYPES[form],
            "Content-Disposition": f'attachment; filename="{campaign_id}.{form}"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
    )
    with call.desk.exports.seat():
        await response.prepare(call.request)
        try:
            async for block in _parquet(documents) if form == "parquet" else files.lines(documents, form):
                await write(response, block, _SLOWEST_S)
        except TimeoutError:
            cut_off(call.request)
            raise
    await response.write_eof()
    return response


async def _parquet(documents: AsyncIterator[Document]) -> AsyncIterator[bytes]:
    """Its index stands at its end: it is written to a file that is gone when it is closed."""
    with tempfile.TemporaryFile() as file:
        await files.write(documents, "parquet", cast("BinaryIO", file))
        file.seek(0)
        while block := file.read(_BLOCK):
            yield block


ROUTES = (
    Route(
        "GET",
        "/v1/campaigns/{campaign_id}/messages",
        "list_messages",
        "The messages of a campaign, in the order of its rows",
        "messages",
        "read",
        page,
        {200: MessagePage},
        query=Page,
        problems=(NOT_FOUND,),
        description="A page may hold fewer than `limit`, or none, and have a `next`: so far it has looked.",
    ),
    Route(
        "GET",
        "/v1/campaigns/{campaign_id}/export",
        "export_campaign",
        "All messages of a campaign as JSON lines, CSV or Parquet",
        "messages",
        "read",
        export,
        {200: tuple(_TYPES.values())},
        query=Export,
        problems=(NOT_FOUND,),
        description="Streamed. In CSV, cells that a spreadsheet would run as formulas begin with an apostrophe; "
        "numbers (`+12025550100`) stay as they are.",
    ),
)
