"""The audit log over HTTP: who did what and when, page by page, the newest first."""

import re
from typing import Annotated, Any

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from producer.web.models import Moment
from producer.web.routes import Call, Route, answer
from volley.ledger.actions import Place

_MOST = 1000
_CURSOR = re.compile(r"([0-9]{1,17})\.([0-9a-z-]{1,40})")


class ActionsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    campaign: Annotated[str | None, Field(pattern=r"^[0-9a-z]{16}$", description="only those about this one")] = None
    since: Annotated[AwareDatetime | None, Field(description="from this moment on")] = None
    limit: Annotated[int, Field(ge=1, le=_MOST, description="how many at most")] = 100
    cursor: Annotated[str | None, Field(pattern=f"^{_CURSOR.pattern}$", description="`next` of the page before")] = None


class ActionDocument(BaseModel):
    """`who`: a key's (`api:<id> <name>`), a person's at the command line (`cli:<user>@<host>`), or `volley` itself."""

    model_config = ConfigDict(title="Action")

    at: Moment
    who: str
    what: str
    campaign_id: str | None
    detail: dict[str, Any]


class ActionPage(BaseModel):
    actions: list[ActionDocument]
    next: Annotated[str | None, Field(description="the cursor of the next page; null at the end")]


async def listed(call: Call) -> web.Response:
    asked = call.query(ActionsQuery)
    since_us = None if asked.since is None else int(asked.since.timestamp() * 1_000_000)
    before = _CURSOR.fullmatch(asked.cursor) if asked.cursor else None
    place = None if before is None else Place(int(before[1]), before[2])
    found, last = await call.desk.reader.actions_page(asked.campaign, since_us, place, asked.limit)
    return answer({"actions": found, "next": None if last is None else f"{last.at_us}.{last.id}"})


ROUTES = (
    Route(
        "GET",
        "/v1/actions",
        "list_actions",
        "The audit log: who did what and when, the newest first",
        "events",
        "read",
        listed,
        {200: ActionPage},
        query=ActionsQuery,
        description="Pushes, pauses, resumes, cancels, changes, retries, opt-outs by hand, callbacks and keys. Messages carry the key "
        "that sent them as a tag of their campaign.",
    ),
)
