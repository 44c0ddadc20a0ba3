"""All sending of the account over HTTP: whether it is stopped by hand, and stopping it, and letting it go on."""

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from producer.web.routes import Call, Route, answer
from volley.outbox import halt


class Why(BaseModel):
    model_config = ConfigDict(extra="forbid")

    why: Annotated[str, Field(max_length=160, description="shown wherever somebody asks why nothing is sent")] = ""


class Sending(BaseModel):
    """`reason`: who stopped it and why, "" where nobody did. Rests and paused campaigns are told elsewhere."""

    stopped: bool
    reason: str


class Halted(BaseModel):
    """`changed` false: it was so already. `in_flight` messages will still be sent or settled."""

    stopped: bool
    changed: bool
    in_flight: int


async def look(call: Call) -> web.Response:
    reason = await halt.stopped(call.desk.outbox)
    return answer({"stopped": bool(reason), "reason": reason})


async def stop(call: Call) -> web.Response:
    done = await halt.stop(call.desk.outbox, " ".join(call.body(Why).why.split()))
    return answer({"stopped": True, **done._asdict()})


async def go_on(call: Call) -> web.Response:
    done = await halt.go_on(call.desk.outbox)
    return answer({"stopped": False, **done._asdict()})


ROUTES = (
    Route(
        "GET",
        "/v1/sending",
        "show_sending",
        "Whether all sending is stopped by hand",
        "sending",
        "read",
        look,
        {200: Sending},
    ),
    Route(
        "POST",
        "/v1/sending:stop",
        "stop_sending",
        "Stop all sending of the account now, durably; nothing is granted once this is answered",
        "sending",
        "ops",
        stop,
        {200: Halted},
        body=Why,
    ),
    Route(
        "POST",
        "/v1/sending:resume",
        "resume_sending",
        "Let go on what was stopped; what is paused stays paused",
        "sending",
        "ops",
        go_on,
        {200: Halted},
    ),
)
