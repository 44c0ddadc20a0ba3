"""A campaign's terms changed over HTTP while it runs, and what is dead of it tried once more."""

from decimal import Decimal
from typing import Annotated, Any, Self, cast

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from producer.push.redrive import redrive
from producer.push.retry import retry as retry_failed
from producer.web.campaigns import absent, one
from producer.web.models import OneCampaign, Retried
from producer.web.problems import CONFLICT, NOT_FOUND, Problem
from producer.web.routes import Call, Route, answer
from volley.campaign import Priority
from volley.errors import UnusableInput
from volley.terms import Changes

_Share = Annotated[Decimal, Field(gt=0, le=1)]


def _without_defaults(schema: dict[str, Any]) -> None:
    """What is left out stays as it is: who filled in a default that is named would change it."""
    for field in schema["properties"].values():
        field.pop("default", None)


class Change(BaseModel):
    """What is not named stays; null lifts a limit."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_defaults)

    rate: Annotated[Decimal | None, Field(gt=0, description="parts a second")] = None
    start: Annotated[AwareDatetime | None, Field(description="nothing is sent before")] = None
    expires: Annotated[AwareDatetime | None, Field(description="nothing is sent after")] = None
    priority: Priority = "bulk"
    quiet_hours: Annotated[
        str | None, Field(max_length=20, description="21:00-08:00, on the recipients' own clocks")
    ] = None
    budget: Annotated[Decimal | None, Field(gt=0, description="stops the next message")] = None
    pause_on_failures: Annotated[_Share | None, Field(description="share at which it pauses itself")] = None
    pause_on_opt_outs: Annotated[_Share | None, Field(description="share at which it pauses itself")] = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name what is to change")
        return self

    def changes(self) -> Changes:
        return cast("Changes", self.model_dump(include=self.model_fields_set))


class Retry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    errors: Annotated[
        list[Annotated[str, Field(pattern="^[A-Za-z0-9_.-]{1,40}$")]] | None,
        Field(
            min_length=1,
            max_length=50,
            description="the carrier's codes; none named: what is dead, provably never sent",
        ),
    ] = None


async def change(call: Call) -> web.Response:
    campaign_id, desk = call.part("campaign_id"), call.desk
    view = await desk.outbox.campaign(campaign_id)
    if view is None:
        raise absent(campaign_id)
    if view.state in ("cancelled", "expired"):
        raise Problem(CONFLICT, f"campaign {campaign_id} is {view.state}, and stays so")
    await desk.outbox.change(campaign_id, **call.body(Change).changes())
    if view.state == "ready" and view.waiting:
        await desk.arm(view.campaign)
    return await one(call)


async def retry(call: Call) -> web.Response:
    campaign_id, desk = call.part("campaign_id"), call.desk
    if await desk.outbox.campaign(campaign_id) is None:
        raise absent(campaign_id)
    try:
        if (errors := call.body(Retry).errors) is None:
            told = (await redrive(desk.settings, desk.outbox, campaign_id)).as_json()
        else:
            told = (await retry_failed(desk.settings, desk.outbox, campaign_id, errors)).as_json()
    except UnusableInput as error:
        raise Problem(CONFLICT, str(error)) from None
    return answer({"campaign_id": campaign_id, "uncertain": 0, "unrecorded": 0, **told})


ROUTES = (
    Route(
        "PATCH",
        "/v1/campaigns/{campaign_id}",
        "change_campaign",
        "Change its terms while it runs: on every worker within a second",
        "campaigns",
        "ops",
        change,
        {200: OneCampaign},
        body=Change,
        problems=(NOT_FOUND, CONFLICT),
    ),
    Route(
        "POST",
        "/v1/campaigns/{campaign_id}:retry",
        "retry_campaign",
        "Try once more what failed, by error class; or what is dead",
        "campaigns",
        "ops",
        retry,
        {200: Retried},
        body=Retry,
        problems=(NOT_FOUND, CONFLICT),
    ),
)
