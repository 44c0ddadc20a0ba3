"""Campaigns over HTTP: looked at, paused, resumed, cancelled. Pushing them is in pushes.py."""

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from producer.push.steering import Verb, steer
from producer.sight import campaigns
from producer.web.models import CampaignList, OneCampaign, Steered
from producer.web.problems import CONFLICT, NOT_FOUND, Problem
from producer.web.routes import Call, Handler, Route, answer
from volley.errors import UnusableInput
from volley.outbox import pages

MOST = 200
"""Campaigns of one page."""


class Page(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=MOST, description="how many at most")] = 50
    cursor: Annotated[str | None, Field(pattern=r"^[0-9]{1,20}$", description="`next` of the page before")] = None


async def all_of_them(call: Call) -> web.Response:
    page = call.query(Page)
    views, before = await pages.campaigns(
        call.desk.outbox.redis, call.desk.outbox.keys, page.limit, int(page.cursor) if page.cursor else None
    )
    profiles = await call.desk.profiles({each.campaign.profile for each in views})
    documents = await campaigns.listed(
        call.desk.reader, [each for each in views if each.campaign.profile in profiles], profiles
    )
    return answer({"campaigns": documents, "next": None if before is None else str(before)})


async def one(call: Call) -> web.Response:
    campaign_id, desk = call.part("campaign_id"), call.desk
    view = await desk.outbox.campaign(campaign_id)
    if view is not None:
        name = view.campaign.profile
        profile = (await desk.profiles({name})).get(name) or await desk.outbox.profile(name)
        return answer(await campaigns.going_on(desk.outbox, desk.reader, view, profile))
    try:
        return answer(await campaigns.past(desk.reader, campaign_id))
    except UnusableInput:
        raise absent(campaign_id) from None


def absent(campaign_id: str) -> Problem:
    return Problem(NOT_FOUND, f"no campaign {campaign_id[:40]!r}: GET /v1/campaigns lists them")


def steering(verb: Verb) -> Handler:
    async def work(call: Call) -> web.Response:
        campaign_id, desk = call.part("campaign_id"), call.desk
        if await desk.outbox.campaign(campaign_id) is None:
            raise absent(campaign_id)
        try:
            done = await steer(verb, desk.settings, desk.outbox, desk.arm, campaign_id, desk.withdrawals.withdraw)
        except UnusableInput as error:
            raise Problem(CONFLICT, str(error)) from None
        return answer(done.as_json())

    return work


def _action(verb: Verb, summary: str) -> Route:
    return Route(
        "POST",
        f"/v1/campaigns/{{campaign_id}}:{verb}",
        f"{verb}_campaign",
        summary,
        "campaigns",
        "ops",
        steering(verb),
        {200: Steered},
        problems=(NOT_FOUND, CONFLICT),
    )


ROUTES = (
    Route(
        "GET",
        "/v1/campaigns",
        "list_campaigns",
        "Campaigns and where they stand, the newest first",
        "campaigns",
        "read",
        all_of_them,
        {200: CampaignList},
        query=Page,
    ),
    Route(
        "GET",
        "/v1/campaigns/{campaign_id}",
        "show_campaign",
        "One campaign and where it stands",
        "campaigns",
        "read",
        one,
        {200: OneCampaign},
        problems=(NOT_FOUND,),
    ),
    _action("pause", "Grant nothing more of it; on the disk before the answer"),
    _action("resume", "Go on with a paused campaign"),
    _action("cancel", "End it for good: what waits is never sent; what the carrier keeps is cancelled there"),
)
