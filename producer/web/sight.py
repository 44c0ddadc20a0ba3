"""What there is to watch, over HTTP: the snapshot that page, metrics and terminal show too, and how it stood over the last hours."""

from functools import partial

from aiohttp import web
from pydantic import BaseModel, RootModel

from producer.sight.facts import Facts, Point
from producer.sight.past import past_state
from producer.sight.why import Answer, why
from producer.web.problems import NOT_FOUND, Problem
from producer.web.routes import Call, Route, answer
from volley.errors import UnusableInput


class Snapshot(RootModel[Facts]):
    """All that is watched, at most a second old."""


class History(BaseModel):
    """A point each half minute of the last eight hours, the oldest first."""

    points: list[Point]


async def snapshot(call: Call) -> web.Response:
    return answer(await call.desk.sight.facts())


async def history(call: Call) -> web.Response:
    return answer({"points": await call.desk.sight.hours()})


class WhyAnswer(RootModel[Answer]):
    """What something waits for, in words and numbers."""


async def explain(call: Call) -> web.Response:
    desk, what = call.desk, call.part("what")
    try:
        return answer(await why(desk.sight, desk.outbox, what, partial(past_state, desk.reader)))
    except UnusableInput as error:
        raise Problem(NOT_FOUND, str(error)) from None


ROUTES = (
    Route(
        "GET",
        "/v1/facts",
        "show_facts",
        "What waits and for what, what goes, who works, what it costs",
        "watching",
        "read",
        snapshot,
        {200: Snapshot},
    ),
    Route(
        "GET",
        "/v1/facts/history",
        "show_history",
        "How it stood over the last hours",
        "watching",
        "read",
        history,
        {200: History},
    ),
    Route(
        "GET",
        "/v1/why/{what}",
        "explain_waiting",
        "What a campaign, a message or a profile waits for, and when that ends",
        "watching",
        "read",
        explain,
        {200: WhyAnswer},
        problems=(NOT_FOUND,),
    ),
)
