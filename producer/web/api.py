"""The HTTP API: every row of the table behind the same checks, every error a problem. Nothing of a request is logged."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from aiohttp import HttpVersion11, web

from producer.access import register
from producer.access.keys import ApiKey
from producer.access.pace import Pace
from producer.access.ring import KeyRing
from producer.sight.sight import Sight
from producer.web.beside import going
from producer.web.body import Bodies
from producer.web.checks import Doorkeeper, read_body, read_query
from producer.web.desk import Desk, open_desk
from producer.web.docs import Docs
from producer.web.openapi import describe
from producer.web.problems import FAILED, MISSING_SCOPE, NOT_FOUND, UNEXPECTED, Problem, problem_of
from producer.web.routes import Call, Route
from producer.web.table import TABLE
from producer.web.watchers import Watchers
from volley.ending import ended
from volley.settings import Settings

log = logging.getLogger(__name__)

ROOT = "/v1/"
"""It, and everything below it, answers in problems."""

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """`test` is the desk of test keys, None where there is none."""

    def __init__(self, live: Desk, test: Desk | None, doorkeeper: Doorkeeper) -> None:
        self._live = live
        self._test = test
        self._doorkeeper = doorkeeper
        self._bodies = Bodies()

    @property
    def sight(self) -> Sight:
        """What is watched of the live account."""
        return self._live.sight

    @property
    def watchers(self) -> Watchers:
        """Those who watch the live account."""
        return self._live.watchers

    def add_to(self, app: web.Application, table: Sequence[Route] = TABLE) -> None:
        app.middlewares.append(problems)
        for route in table:
            app.router.add_route(route.method, _pattern(route.path), self._answering(route), expect_handler=_expected)
        app.on_shutdown.append(self._close)
        docs = Docs(describe(table))
        for path, handler in docs.pages():
            app.router.add_get(path, handler)

    async def _close(self, _app: web.Application) -> None:
        for desk in (self._live, self._test):
            if desk is not None:
                desk.watchers.close()
                desk.heads.close()

    def _answering(self, route: Route) -> Next:
        async def respond(request: web.Request) -> web.StreamResponse:
            who = await self._doorkeeper.admit(request, route)
            desk = self._desk(who).of(who)
            if any("\0" in part for part in request.match_info.values()):
                # PostgreSQL cannot even be asked for one
                raise Problem(NOT_FOUND, "nothing has a NUL character in its name")
            asked = read_query(route.query, request.query)
            sent = await read_body(route.body, request, self._bodies, route.largest) if route.body else None
            admitted = partial(self._doorkeeper.still_admits, who)
            return await route.handler(Call(desk, who, request, asked, sent, admitted))

        return respond

    def _desk(self, who: ApiKey) -> Desk:
        """A test key never comes near the live account."""
        if who.mode == "live":
            return self._live
        if self._test is None:
            raise Problem(MISSING_SCOPE, "test keys have no account here: set VOLLEY_TEST_ACCOUNT (docs/http-api.md)")
        return self._test


@asynccontextmanager
async def open_api(settings: Settings) -> AsyncIterator[Api]:
    """The API with its connections. Raises UnusableInput or TryAgainLater where Redis or the ledger cannot be used."""
    async with AsyncExitStack() as stack:
        live = await stack.enter_async_context(open_desk(settings))
        ring = KeyRing(lambda: register.of_account(live.engine, settings.account))
        # a serve of the test account's own has the recorder and the webhooks for it; its keys are known to the live one
        tests = settings.test_account not in (None, settings.account)
        test = await stack.enter_async_context(open_desk(settings.of_tests())) if tests else None
        folders = [desk.rejects.keep_clean for desk in (live, test) if desk is not None]
        for work in (ring.run, *folders):
            stack.push_async_callback(ended, [asyncio.create_task(going(work))])
        yield Api(live, test, Doorkeeper(ring, Pace(settings.api_rate)))


@web.middleware
async def problems(request: web.Request, handler: Next) -> web.StreamResponse:
    """Errors below /v1 leave as problems; the others as they are."""
    if not f"{request.path}/".startswith(ROOT):
        return await handler(request)
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001 - the top of every request
        found = problem_of(error)
        if found is None:
            _complain(request, error)
            found = Problem(FAILED, "this is our fault: try again, and tell us if it stays so")
        if request.writer.output_size:
            # an answer has begun: one in its midst could be taken for a part of it, a connection that breaks off cannot
            raise ConnectionError("the answer broke off") from None
        return found.answer()


async def _expected(request: web.Request) -> web.StreamResponse | None:
    """What a request announces with `Expect`, before anything of it is read: that goes past all middlewares."""
    if request.version < HttpVersion11:
        return None
    if request.headers.get("Expect", "").lower() != "100-continue":
        return Problem(UNEXPECTED, "Expect: 100-continue is known, and nothing else").answer()
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the answer proper has not begun
    return None


def _complain(request: web.Request, error: Exception) -> None:
    """Where it happened, and not what was in it: messages of errors may hold numbers or texts."""
    resource = request.match_info.route.resource
    where = "".join(traceback.format_tb(error.__traceback__))
    name = resource.canonical if resource is not None else "no route"
    log.error("%s %s failed: %s\n%s", request.method, name, type(error).__name__, where)


def _pattern(path: str) -> str:
    """As aiohttp writes it: a part of the path ends at a colon, where the action begins."""
    return path.replace("}", r":[^{}/:]+}")
