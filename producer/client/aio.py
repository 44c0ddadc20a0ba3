"""`AsyncClient`: for programs with an event loop. The twin of `Client`, from the same operations."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import IO, Any, Self, TypeVar, Unpack

import httpx
from tenacity import AsyncRetrying

from . import asks
from .asks import Ask, Changes, Form, PushOptions, SendOptions
from .content import Kind, Packing, Row, Spool, opened
from .feed import Feed
from .models import (
    Callback,
    Campaign,
    Delivery,
    Event,
    Facts,
    Message,
    NewCallback,
    Pushed,
    Retried,
    Sent,
    Steered,
    Why,
)
from .problems import VolleyError
from .retries import Retries
from .saving import saving
from .waiting import Progress, Waiting
from .wire import Door, request_words, unreachable

T = TypeVar("T")
_ROWS_A_TURN = 500


class AsyncClient:
    """As `Client`, which says what each call does. Close it with `aclose`, or use it in an `async with`."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        retries: Retries | None = None,
        timeout_s: float = 60.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._door = Door(url, key, timeout_s)
        self._retries = retries or Retries()
        self._http = http or httpx.AsyncClient(**self._door.words())

    def __repr__(self) -> str:
        return f"AsyncClient({self._door})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    # pushing

    async def push(
        self,
        rows: Iterable[Row] | AsyncIterable[Row],
        *,
        dry_run: bool = False,
        idempotency_key: str | None = None,
        packing: Packing | None = None,
        **options: Unpack[PushOptions],
    ) -> Pushed:
        """The rows may come from an asynchronous generator too."""
        with Spool(packing) as spool:
            await _gather(rows, spool)
            return await self._do(asks.push(spool.content(), options, idempotency_key, dry_run))

    async def push_file(
        self,
        file: str | Path | IO[Any],
        *,
        kind: Kind | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
        packing: Packing | None = None,
        **options: Unpack[PushOptions],
    ) -> Pushed:
        """The file is read in a thread."""
        with ExitStack() as stack:
            content = await asyncio.to_thread(stack.enter_context, opened(file, kind, packing))
            return await self._do(asks.push(content, options, idempotency_key, dry_run))

    # campaigns

    async def campaign(self, campaign_id: str) -> Campaign:
        return await self._do(asks.campaign(campaign_id))

    async def campaigns(self, *, page_size: int = 50) -> AsyncIterator[Campaign]:
        cursor: str | None = None
        while True:
            page = await self._do(asks.campaigns(cursor, page_size))
            for each in page.campaigns:
                yield each
            if (cursor := page.next) is None:
                return

    async def pause(self, campaign_id: str) -> Steered:
        return await self._do(asks.steer(campaign_id, "pause"))

    async def resume(self, campaign_id: str) -> Steered:
        return await self._do(asks.steer(campaign_id, "resume"))

    async def cancel(self, campaign_id: str) -> Steered:
        return await self._do(asks.steer(campaign_id, "cancel"))

    async def change(self, campaign_id: str, **changes: Unpack[Changes]) -> Campaign:
        return await self._do(asks.change(campaign_id, changes))

    async def retry(self, campaign_id: str, *, errors: Sequence[str] = ()) -> Retried:
        return await self._do(asks.retry(campaign_id, errors))

    async def messages_of(
        self, campaign_id: str, *, status: str | None = None, page_size: int = 500
    ) -> AsyncIterator[Message]:
        cursor: str | None = None
        while True:
            page = await self._do(asks.messages_of(campaign_id, status, cursor, page_size))
            for each in page.messages:
                yield each
            if (cursor := page.next) is None:
                return

    async def export(self, campaign_id: str, path: str | Path, *, form: Form = "csv") -> None:
        await self._save(asks.export(campaign_id, form), path)

    async def rejects(self, campaign_id: str, path: str | Path) -> None:
        await self._save(asks.rejects(campaign_id), path)

    async def wait_until_done(
        self,
        campaign_id: str,
        progress: Progress | None = None,
        *,
        timeout_s: float | None = None,
        every_s: float = 2.0,
    ) -> Campaign:
        waiting = Waiting(timeout_s, every_s)
        while True:
            found = await self.campaign(campaign_id)
            pause_s = waiting.next_look_s(found, progress)
            if pause_s is None:
                return found
            await asyncio.sleep(pause_s)

    # messages and events

    async def send(
        self,
        messages: Iterable[Row],
        *,
        idempotency_key: str | None = None,
        **options: Unpack[SendOptions],
    ) -> Sent:
        return await self._do(asks.send(messages, options, idempotency_key))

    async def message(self, message_id: str) -> Message:
        return await self._do(asks.message(message_id))

    async def events(
        self,
        cursor: str | None = None,
        *,
        types: Sequence[str] = (),
        campaign: str | None = None,
        follow: bool = True,
    ) -> AsyncIterator[Event]:
        feed = Feed(cursor, types, campaign, self._retries)
        if not follow:
            while feed.turn(page := await self._do(feed.page())):
                for each in page.events:
                    yield each
            return
        while True:
            broken: VolleyError | None = None
            try:
                async with self._answer(feed.live()) as answer:
                    asks.check(answer.status_code, answer.headers, b"" if answer.is_success else await answer.aread())
                    async for line in answer.aiter_lines():
                        if (event := feed.line(line)) is not None:
                            yield event
            except VolleyError as error:
                broken = error
            await asyncio.sleep(feed.pause_s(broken))

    # watching, and being called back

    async def facts(self) -> Facts:
        return await self._do(asks.facts())

    async def why(self, what: str) -> Why:
        return await self._do(asks.why(what))

    async def callbacks(self) -> tuple[Callback, ...]:
        return (await self._do(asks.callbacks())).callbacks

    async def add_callback(self, url: str, *, types: Sequence[str] = ()) -> NewCallback:
        return await self._do(asks.add_callback(url, types))

    async def remove_callback(self, callback_id: str) -> None:
        await self._do(asks.remove_callback(callback_id))

    async def enable_callback(self, callback_id: str) -> None:
        await self._do(asks.enable_callback(callback_id))

    async def deliveries(self, callback_id: str) -> tuple[Delivery, ...]:
        return (await self._do(asks.deliveries(callback_id))).deliveries

    async def redeliver(self, callback_id: str, delivery_id: str | None = None) -> int:
        return (await self._do(asks.redeliver(callback_id, delivery_id))).redelivered

    # how

    async def _do(self, ask: Ask[T]) -> T:
        answered: T = await self._again(ask, self._once)
        return answered

    async def _again(self, ask: Ask[Any], once: Any) -> Any:
        try:
            return await AsyncRetrying(**self._retries.words(ask.repeatable))(once, ask)
        except VolleyError as error:
            error.idempotency_key = ask.key
            raise

    async def _once(self, ask: Ask[T]) -> T:
        async with self._answer(ask) as answer:
            return ask.answered(answer.status_code, answer.headers, await answer.aread())

    async def _save(self, ask: Ask[None], path: str | Path) -> None:
        async def once(ask: Ask[None]) -> None:
            async with self._answer(ask) as answer:
                asks.check(answer.status_code, answer.headers, b"" if answer.is_success else await answer.aread())
                with saving(path) as file:
                    async for block in answer.aiter_bytes():
                        await asyncio.to_thread(file.write, block)

        await self._again(ask, once)

    @asynccontextmanager
    async def _answer(self, ask: Ask[Any]) -> AsyncIterator[httpx.Response]:
        content = None if ask.content is None else _in_a_thread(ask.content.blocks())
        try:
            async with self._http.stream(**request_words(ask), content=content) as answer:
                yield answer
        except httpx.RequestError as error:
            raise unreachable(error) from error


async def _in_a_thread(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (block := await asyncio.to_thread(next, blocks, None)) is not None:
        yield block


async def _gather(rows: Iterable[Row] | AsyncIterable[Row], spool: Spool) -> None:
    """In the loop, as what the rows come from may belong to its thread; the others get their turn."""
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            spool.add(row)
        return
    for at, row in enumerate(rows):
        spool.add(row)
        if at % _ROWS_A_TURN == 0:
            await asyncio.sleep(0)
