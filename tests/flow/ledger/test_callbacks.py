"""Callbacks against real receivers: signed, in order, the same id each time, tried until they are taken."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from standardwebhooks import Webhook

from producer.callbacks import messenger as messages
from producer.callbacks.book import Book, Delivery
from producer.callbacks.line import Line
from producer.callbacks.messenger import Messenger
from producer.callbacks.secret import OF_CAMPAIGNS, secrets, signed
from tests.flow.ledger.conftest import Feed, Push
from volley.ledger.engine import writing
from volley.ledger.feed_schema import deliveries
from volley.ledger.recorder import Recorder
from volley.ledger.stream import LedgerStream
from volley.outbox.outbox import Outbox
from volley.settings import Settings

SETTINGS = Settings(secret="a secret that signs things", callbacks_local=True)  # type: ignore[arg-type]


@dataclass
class Receiver:
    """Answers with `status`, and remembers; `hold_s` makes it slow."""

    url: str = ""
    status: int = 200
    hold_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.calls.append((dict(request.headers), await request.read()))
        await asyncio.sleep(self.hold_s)
        return web.Response(status=self.status, headers=self.headers, body=b"x" * 100_000)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.calls]

    def events(self) -> list[dict[str, Any]]:
        """Of calls that were not repeated."""
        bodies = {headers["webhook-id"]: body for headers, body in self.calls}
        return [event for body in bodies.values() for event in json.loads(body)["data"]["events"]]


@pytest.fixture
async def receivers() -> AsyncIterator[Callable[..., Awaitable[Receiver]]]:
    runners: list[web.AppRunner] = []

    async def start(**given: Any) -> Receiver:
        receiver, app = Receiver(**given), web.Application()
        app.router.add_post("/in", receiver.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/in"
        runners.append(runner)
        return receiver

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def patience_s() -> float:
    """As long as a process: a messenger writes beside the test."""
    return 10.0


@pytest.fixture
async def messenger(engine: AsyncEngine) -> AsyncIterator[Callable[[], asyncio.Task[None]]]:
    """Starts one; `cancel` is its end in the middle of whatever it did."""
    tasks: list[asyncio.Task[None]] = []
    line = Line(local=True)

    def start() -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(Messenger(SETTINGS, engine, line).run()))
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await line.close()


async def until(true: Callable[[], object]) -> None:
    async def ask() -> object:
        return true()

    await eventually(ask)


async def eventually(true: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.to_thread(time.sleep, 0.02)


async def happen(feed: Feed, recorder: Recorder, push: Push, *people: int) -> None:
    await feed.attempts(*[push.attempt(i) for i in people])
    await recorder.catch_up()


async def test_a_campaigns_callback_gets_its_events_signed_and_in_order(
    engine: AsyncEngine, feed: Feed, recorder: Recorder, push: Push, receivers: Any, messenger: Any
) -> None:
    receiver = await receivers()
    push.campaign = push.campaign.__class__.from_json(
        json.dumps(json.loads(push.campaign.to_json()) | {"callback_url": receiver.url})
    )
    await feed.sealed(push)
    await happen(feed, recorder, push, 0, 1)
    messenger()
    await until(lambda: len(receiver.events()) == 4)
    types = [event["type"] for event in receiver.events()]
    assert types == ["campaign.accepted", "campaign.started", *["message.submitted"] * 2]
    headers, body = receiver.calls[0]
    Webhook(secrets(SETTINGS, OF_CAMPAIGNS)[0]).verify(body, headers)
    await happen(feed, recorder, push, 2)
    await until(lambda: len(receiver.events()) == 5)
    assert len(set(receiver.ids)) == len(receiver.calls)

    async def all_taken() -> bool:
        [row] = await Book(engine).listed()
        return (row["delivered"], row["waiting"], row["disabled"]) == (5, 0, None)

    await eventually(all_taken)


async def test_a_campaigns_callback_gets_also_what_another_recorder_has_told_of_before_its_seal(
    engine: AsyncEngine, feed: Feed, recorder: Recorder, push: Push, receivers: Any, messenger: Any, outbox: Outbox
) -> None:
    """With several recorders one may be at a campaign's many chunks while the other records what was sent of it."""
    receiver = await receivers()
    push.campaign = replace(push.campaign, callback_url=receiver.url)
    await feed.sealed(push)
    slow = LedgerStream(outbox.redis, outbox.keys.ledger, "slow")
    await slow.ensure()
    assert len(await slow.fresh(1, 0)) == 1
    await happen(feed, recorder, push, 0, 1)
    await Recorder(outbox, engine, name="slow").catch_up()
    messenger()
    await until(lambda: len(receiver.events()) >= 4)
    types = sorted(event["type"] for event in receiver.events())
    assert types == ["campaign.accepted", "campaign.started", *["message.submitted"] * 2]


async def test_a_callback_gets_its_types_from_when_it_was_added(
    engine: AsyncEngine, feed: Feed, recorder: Recorder, push: Push, receivers: Any, messenger: Any
) -> None:
    receiver, book = await receivers(), Book(engine)
    await feed.sealed(push)
    await happen(feed, recorder, push, 0)
    name = await book.add(receiver.url, ["message.*"], "tests")
    messenger()
    await feed.campaign(push, "paused")
    await happen(feed, recorder, push, 1)
    await until(lambda: receiver.events())
    assert [event["data"]["reference"] for event in receiver.events()] == ["ref-1"]
    headers, body = receiver.calls[0]
    Webhook(secrets(SETTINGS, name)[0]).verify(body, headers)


async def test_each_try_has_the_same_id_and_body_whoever_makes_it(
    engine: AsyncEngine, feed: Feed, recorder: Recorder, push: Push, receivers: Any, messenger: Any
) -> None:
    receiver, book = await receivers(hold_s=5), Book(engine)
    await book.add(receiver.url, [], "tests")
    await feed.sealed(push)
    await happen(feed, recorder, push, 0)
    first = messenger()
    await until(lambda: receiver.calls)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    receiver.hold_s = 0
    messenger()
    await until(lambda: len(receiver.calls) == 2)
    await happen(feed, recorder, push, 1)
    await until(lambda: len(receiver.events()) == 4)
    assert receiver.ids[0] == receiver.ids[1] != receiver.ids[2]
    assert receiver.calls[0][1] == receiver.calls[1][1]


async def test_who_ends_in_order_leaves_its_callbacks_to_whoever_begins_next(
    engine: AsyncEngine,
    feed: Feed,
    recorder: Recorder,
    push: Push,
    receivers: Any,
    messenger: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of who is dead are silent until its lease is over."""
    monkeypatch.setattr(messages, "_GIVE_BACK_S", 30.0)  # this machine may be slow
    receiver, book = await receivers(hold_s=5), Book(engine)
    name = await book.add(receiver.url, [], "tests")
    await feed.sealed(push)
    await happen(feed, recorder, push, 0)
    first = messenger()
    await until(lambda: receiver.calls)
    now_us = time.time_ns() // 1000
    assert await book.claim([name], "another", now_us, now_us) == set()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert await book.claim([name], "another", now_us, now_us) == {name}


async def test_a_slow_receiver_holds_up_no_other(
    engine: AsyncEngine, feed: Feed, recorder: Recorder, push: Push, receivers: Any, messenger: Any
) -> None:
    slow, quick, book = await receivers(hold_s=10), await receivers(), Book(engine)
    for receiver in (slow, quick):
        await book.add(receiver.url, ["message.*"], "tests")
    await feed.sealed(push)
    messenger()
    for person in range(3):
        await happen(feed, recorder, push, person)
        await until(lambda: len(quick.events()) == person + 1)  # noqa: B023 - awaited here
    assert len(slow.calls) == 1


class Raising(AbstractResolver):
    """Names make it raise what nobody foresaw."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Any:
        raise self.error

    async def close(self) -> None:
        pass


async def test_a_name_that_no_codec_takes_is_an_answer_and_no_error() -> None:
    line = Line(resolver=Raising(UnicodeError("label empty or too long")))
    answered = await line.post("https://hooks.example.com/in", b"{}", {})
    await line.close()
    assert (answered.status, answered.error) == (0, "UnicodeError")


async def test_a_callback_that_cannot_be_served_ends_no_other(
    engine: AsyncEngine, feed: Feed, recorder: Recorder, push: Push, receivers: Any
) -> None:
    receiver, book = await receivers(), Book(engine)
    await book.add("http://odd.example/in", ["message.*"], "tests")
    await book.add(receiver.url, ["message.*"], "tests")
    await feed.sealed(push)
    line = Line(local=True, resolver=Raising(RuntimeError("nobody foresaw it")))
    running = asyncio.create_task(Messenger(SETTINGS, engine, line).run())
    for person in range(2):
        await happen(feed, recorder, push, person)
        await until(lambda: len(receiver.events()) == person + 1)  # noqa: B023 - awaited here
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await line.close()


async def test_events_that_were_cut_are_not_cut_again_by_who_read_the_callback_before(engine: AsyncEngine) -> None:
    book = Book(engine)
    name = await book.add("https://hooks.example.com/in", [], "tests")
    stood = (await book.one(name)).cursor
    first = Delivery("msg_1", name, stood, "5.1", 2, 1, 1)
    assert await book.cut(first, stood)
    assert not await book.cut(first._replace(id="msg_2"), stood)
    assert [each.id for each in await book.waiting(name)] == ["msg_1"]
    await book.remove(name, "tests")
    assert not await book.cut(first._replace(id="msg_3"), "5.1")


async def test_a_callback_that_fell_behind_the_feed_goes_on_with_the_oldest_that_is_kept(
    engine: AsyncEngine, feed: Feed, recorder: Recorder, push: Push, receivers: Any, messenger: Any
) -> None:
    receiver, book = await receivers(), Book(engine)
    await feed.sealed(push)
    await happen(feed, recorder, push, 0)
    await book.add(receiver.url, ["message.*"], "tests")
    for person in range(1, 4):
        await happen(feed, recorder, push, person)
    async with writing(engine) as connection:
        await connection.execute(text("DELETE FROM feed WHERE position <= 2"))
    messenger()
    await until(lambda: receiver.calls)
    assert [event["data"]["reference"] for event in receiver.events()] == ["ref-2", "ref-3"]


async def test_what_is_not_taken_for_a_day_is_dead_and_can_be_redelivered(
    engine: AsyncEngine, feed: Feed, recorder: Recorder, push: Push, receivers: Any, messenger: Any
) -> None:
    receiver, book = await receivers(status=500), Book(engine)
    name = await book.add(receiver.url, [], "tests")
    await feed.sealed(push)
    await recorder.catch_up()
    messenger()
    await until(lambda: receiver.calls)
    await _until_listed(book, name, "waiting", least=1)
    await _aged(engine, hours=23)
    await _until_listed(book, name, "waiting", least=2)
    await _aged(engine, hours=24)
    await _until_listed(book, name, "dead", least=3)
    [row] = await book.listed()
    assert (row["dead"], row["waiting"], row["failing_since"] is not None) == (1, 0, True)
    [dead] = await book.open_deliveries(name)
    assert await book.redeliver(name, dead["delivery_id"], "tests") == 1
    await _until_listed(book, name, "waiting", least=1)
    assert await book.redeliver(name, None, "tests") == 0, "its day has begun anew: it is not dead"
    receiver.status = 200
    await _aged(engine, hours=0)

    async def over() -> bool:
        return not await book.open_deliveries(name)

    await eventually(over)
    assert set(receiver.ids) == {dead["delivery_id"]}


async def _aged(engine: AsyncEngine, hours: int) -> None:
    """As if all that waits had been made so long ago, and were to be tried now."""
    made_us = time.time_ns() // 1000 - hours * 3_600_000_000
    async with writing(engine) as connection:
        await connection.execute(update(deliveries).values(made_us=made_us, due_us=0))


async def _until_listed(book: Book, name: str, state: str, least: int) -> None:
    """Its one delivery is so, and was tried so often at least: where this takes long it is tried by itself, too."""

    async def there() -> bool:
        return [(each["state"], each["attempts"] >= least) for each in await book.open_deliveries(name)] == [
            (state, True)
        ]

    await eventually(there)


async def test_a_receiver_that_says_gone_is_switched_off_until_a_person_switches_it_on(
    engine: AsyncEngine, feed: Feed, recorder: Recorder, push: Push, receivers: Any, messenger: Any
) -> None:
    receiver, book = await receivers(status=410), Book(engine)
    name = await book.add(receiver.url, [], "tests")
    await feed.sealed(push)
    await recorder.catch_up()
    messenger()

    async def off() -> object:
        return (await book.listed())[0]["disabled"]

    await eventually(off)
    assert "410" in (await book.listed())[0]["disabled"]
    receiver.status = 200
    await happen(feed, recorder, push, 0)
    await book.enable(name, "tests")
    await until(lambda: "message.submitted" in [event["type"] for event in receiver.events()])


async def test_while_a_secret_is_changed_both_sign() -> None:
    changing = Settings(secret="a newer secret that signs,a secret that signs things")  # type: ignore[arg-type]
    new, old = secrets(changing, "x")
    assert old == secrets(SETTINGS, "x")[0] != new
    headers = signed([new, old], "msg_1", int(time.time()), b"{}")
    for key in (new, old):
        Webhook(key).verify(b"{}", headers)
