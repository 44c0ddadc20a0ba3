"""Callbacks over HTTP: who is called back about events, and what could not be delivered."""

from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from producer.callbacks.addresses import check_callback
from producer.callbacks.book import Book
from producer.callbacks.secret import secrets
from producer.web.models import Moment
from producer.web.problems import MISSING_SCOPE, NOT_FOUND, Problem
from producer.web.routes import Call, Route, answer
from volley.errors import UnusableInput


class NewCallback(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=1, max_length=2000, description="https, on the internet")]
    types: Annotated[list[str], Field(max_length=50, description="`message.*`, `inbound.received`; none: all")] = []


class MadeCallback(BaseModel):
    """The secret that verifies its calls (Standard Webhooks) is shown in this answer alone."""

    callback_id: str
    secret: str


class CallbackDocument(BaseModel):
    """`disabled` says why it is off; `waiting` and `dead` are deliveries."""

    model_config = ConfigDict(title="Callback")

    callback_id: str
    campaign_id: str | None
    url: str
    types: list[str]
    made: Moment
    disabled: str | None
    delivered: int
    last_delivered: Moment | None
    failing_since: Moment | None
    waiting: int
    dead: int


class CallbackList(BaseModel):
    callbacks: list[CallbackDocument]


class DeliveryDocument(BaseModel):
    """Events on their way in one call, whose webhook-id is `delivery_id`."""

    model_config = ConfigDict(title="Delivery")

    delivery_id: str
    state: Annotated[str, Field(description="waiting or dead")]
    events: int
    made: Moment
    next: Moment | None
    attempts: int
    http_status: int | None
    error: str | None


class DeliveryList(BaseModel):
    deliveries: list[DeliveryDocument]


class Redelivery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    delivery_id: Annotated[
        str | None, Field(pattern="^[!-~]{1,60}$", description="only this one; none: all that are dead")
    ] = None


class Done(BaseModel):
    """`redelivered`: how many are tried again."""

    callback_id: str
    redelivered: int = 0


async def add(call: Call) -> web.Response:
    sent = call.body(NewCallback)
    if not call.who.allows("read"):
        raise Problem(MISSING_SCOPE, "add_callback needs scope read too: who is called back is told what a reader sees")
    check_callback(sent.url, call.desk.settings)
    made = await Book(call.desk.engine).add(sent.url, sent.types, call.desk.outbox.who)
    return answer({"callback_id": made, "secret": secrets(call.desk.settings, made)[0]}, 201)


async def all_of_them(call: Call) -> web.Response:
    return answer({"callbacks": await Book(call.desk.engine).listed()})


async def deliveries(call: Call) -> web.Response:
    name = await _known(call)
    return answer({"deliveries": await Book(call.desk.engine).open_deliveries(name)})


async def remove(call: Call) -> web.Response:
    name = await _known(call)
    await Book(call.desk.engine).remove(name, call.desk.outbox.who)
    return answer({"callback_id": name, "redelivered": 0})


async def enable(call: Call) -> web.Response:
    name = await _known(call)
    await Book(call.desk.engine).enable(name, call.desk.outbox.who)
    return answer({"callback_id": name, "redelivered": 0})


async def redeliver(call: Call) -> web.Response:
    name, sent = await _known(call), call.body(Redelivery)
    count = await Book(call.desk.engine).redeliver(name, sent.delivery_id, call.desk.outbox.who)
    return answer({"callback_id": name, "redelivered": count})


async def _known(call: Call) -> str:
    name = call.part("callback_id")
    try:
        await Book(call.desk.engine).one(name)
    except UnusableInput as error:
        raise Problem(NOT_FOUND, str(error)) from None
    return name


def _one(method: Any, path: str, operation: str, summary: str, handler: Any, answers: Any, **more: Any) -> Route:
    where = f"/v1/callbacks/{{callback_id}}{path}"
    return Route(method, where, operation, summary, "events", "ops", handler, answers, problems=(NOT_FOUND,), **more)


ROUTES = (
    Route(
        "POST", "/v1/callbacks", "add_callback", "Events from now on go to this URL, signed", "events", "ops", add,
        {201: MadeCallback}, body=NewCallback, description="The key needs the scope read, too.",
    ),
    Route(
        "GET", "/v1/callbacks", "list_callbacks", "Who is called back, and what waits or is dead", "events", "ops",
        all_of_them, {200: CallbackList},
    ),
    _one("DELETE", "", "remove_callback", "Call it no more; what waits for it is dropped", remove, {200: Done}),
    _one("GET", "/deliveries", "list_deliveries", "What waits for another try, and what is dead", deliveries, {200: DeliveryList}),
    _one("POST", ":enable", "enable_callback", "Switch it on again", enable, {200: Done}),
    _one("POST", ":redeliver", "redeliver", "Try dead deliveries again", redeliver, {200: Done}, body=Redelivery),
)  # fmt: skip
