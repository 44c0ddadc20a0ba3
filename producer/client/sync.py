"""`Client`: for programs that wait for each answer. Its twin for event loops is `AsyncClient`."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self, TypeVar, Unpack

import httpx
from tenacity import Retrying

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


class Client:
    """A `volley serve` at `url`, with an API key (`volley keys create`). Close it, or use it in a `with`.

    `retries`: how long it tries, with the same key and bytes, when no answer comes or the server says «later». `timeout_s`:
    patience for one answer. `http` replaces the httpx client, which is then yours to configure and to close.

    Every call raises a VolleyError: see problems.py.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        retries: Retries | None = None,
        timeout_s: float = 60.0,
        http: httpx.Client | None = None,
    ) -> None:
        self._door = Door(url, key, timeout_s)
        self._retries = retries or Retries()
        self._http = http or httpx.Client(**self._door.words())

    def __repr__(self) -> str:
        return f"Client({self._door})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # pushing

    def push(
        self,
        rows: Iterable[Row],
        *,
        dry_run: bool = False,
        idempotency_key: str | None = None,
        packing: Packing | None = None,
        **options: Unpack[PushOptions],
    ) -> Pushed:
        """A campaign from rows: mappings with `to`, perhaps `reference`, and the template's variables.

        They are put into a temporary file first, so any number of them is sent in constant memory, and the same ones again
        where no answer comes. `idempotency_key`: one is made where none is given; the same again is the same campaign.
        `dry_run` answers what it would be and cost, and sends nothing.
        """
        with Spool(packing) as spool:
            spool.add_all(rows)
            return self._do(asks.push(spool.content(), options, idempotency_key, dry_run))

    def push_file(
        self,
        file: str | Path | IO[Any],
        *,
        kind: Kind | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
        packing: Packing | None = None,
        **options: Unpack[PushOptions],
    ) -> Pushed:
        """A campaign from a CSV or NDJSON file, by its name (perhaps ending in .gz or .zst) or open; the rest as `push`.

        `kind` is needed where no name tells it.
        """
        with opened(file, kind, packing) as content:
            return self._do(asks.push(content, options, idempotency_key, dry_run))

    # campaigns

    def campaign(self, campaign_id: str) -> Campaign:
        return self._do(asks.campaign(campaign_id))

    def campaigns(self, *, page_size: int = 50) -> Iterator[Campaign]:
        """The newest first; pages are fetched as they are needed."""
        cursor: str | None = None
        while True:
            page = self._do(asks.campaigns(cursor, page_size))
            yield from page.campaigns
            if (cursor := page.next) is None:
                return

    def pause(self, campaign_id: str) -> Steered:
        """Nothing more of it is granted once this returns."""
        return self._do(asks.steer(campaign_id, "pause"))

    def resume(self, campaign_id: str) -> Steered:
        return self._do(asks.steer(campaign_id, "resume"))

    def cancel(self, campaign_id: str) -> Steered:
        """For good: what waits is never sent."""
        return self._do(asks.steer(campaign_id, "cancel"))

    def change(self, campaign_id: str, **changes: Unpack[Changes]) -> Campaign:
        """Its terms while it runs, on every worker within a second; None lifts a limit."""
        return self._do(asks.change(campaign_id, changes))

    def retry(self, campaign_id: str, *, errors: Sequence[str] = ()) -> Retried:
        """Sends once more what failed with one of these codes of the carrier; without any, what is dead and was never sent."""
        return self._do(asks.retry(campaign_id, errors))

    def messages_of(self, campaign_id: str, *, status: str | None = None, page_size: int = 500) -> Iterator[Message]:
        """Its messages in the order of the rows; pages are fetched as they are needed."""
        cursor: str | None = None
        while True:
            page = self._do(asks.messages_of(campaign_id, status, cursor, page_size))
            yield from page.messages
            if (cursor := page.next) is None:
                return

    def export(self, campaign_id: str, path: str | Path, *, form: Form = "csv") -> None:
        """A line a message, into a file that is there whole, or not at all. `form`: jsonl, csv or parquet."""
        self._save(asks.export(campaign_id, form), path)

    def rejects(self, campaign_id: str, path: str | Path) -> None:
        """The rejected rows, as a CSV file with their reasons; there whole, or not at all. NotFound where none was rejected."""
        self._save(asks.rejects(campaign_id), path)

    def wait_until_done(
        self,
        campaign_id: str,
        progress: Progress | None = None,
        *,
        timeout_s: float | None = None,
        every_s: float = 2.0,
    ) -> Campaign:
        """Returns when nothing of it waits or is being sent; receipts may still come. `progress` is called with each look.

        Raises:
            StillRunning: after `timeout_s`. The campaign goes on.
        """
        waiting = Waiting(timeout_s, every_s)
        while True:
            found = self.campaign(campaign_id)
            pause_s = waiting.next_look_s(found, progress)
            if pause_s is None:
                return found
            time.sleep(pause_s)

    # messages and events

    def send(
        self,
        messages: Iterable[Row],
        *,
        idempotency_key: str | None = None,
        **options: Unpack[SendOptions],
    ) -> Sent:
        """Up to 1,000 messages at once, urgent unless said otherwise: mappings with `to`, `text`, perhaps `reference`."""
        return self._do(asks.send(messages, options, idempotency_key))

    def message(self, message_id: str) -> Message:
        return self._do(asks.message(message_id))

    def events(
        self,
        cursor: str | None = None,
        *,
        types: Sequence[str] = (),
        campaign: str | None = None,
        follow: bool = True,
    ) -> Iterator[Event]:
        """What happened, in order, from behind `cursor` (an event's id; `latest`; None: the oldest kept), and then as it happens.

        Streams that break are opened again where they stood; keep the last event's id to go on another day. `follow` false
        ends at the last event that there is. `types`: `message.delivered`, `campaign.*` …
        """
        feed = Feed(cursor, types, campaign, self._retries)
        if not follow:
            while feed.turn(page := self._do(feed.page())):
                yield from page.events
            return
        while True:
            broken: VolleyError | None = None
            try:
                with self._answer(feed.live()) as answer:
                    asks.check(answer.status_code, answer.headers, b"" if answer.is_success else answer.read())
                    yield from filter(None, map(feed.line, answer.iter_lines()))
            except VolleyError as error:
                broken = error
            time.sleep(feed.pause_s(broken))

    # watching, and being called back

    def facts(self) -> Facts:
        """What waits and for what, what goes, who works: a second old at most. Scope read."""
        return self._do(asks.facts())

    def why(self, what: str) -> Why:
        """What a campaign, a message or a profile (its id) waits for, and when that ends."""
        return self._do(asks.why(what))

    def callbacks(self) -> tuple[Callback, ...]:
        """Who is called back, and what waits or is dead. Like all of callbacks for scope ops."""
        return (self._do(asks.callbacks())).callbacks

    def add_callback(self, url: str, *, types: Sequence[str] = ()) -> NewCallback:
        """Events from now on go to this URL. Keep the secret: it is told this once."""
        return self._do(asks.add_callback(url, types))

    def remove_callback(self, callback_id: str) -> None:
        self._do(asks.remove_callback(callback_id))

    def enable_callback(self, callback_id: str) -> None:
        self._do(asks.enable_callback(callback_id))

    def deliveries(self, callback_id: str) -> tuple[Delivery, ...]:
        return (self._do(asks.deliveries(callback_id))).deliveries

    def redeliver(self, callback_id: str, delivery_id: str | None = None) -> int:
        """Tries a dead delivery again, or all of them; how many."""
        return (self._do(asks.redeliver(callback_id, delivery_id))).redelivered

    # how

    def _do(self, ask: Ask[T]) -> T:
        answered: T = self._again(ask, self._once)
        return answered

    def _again(self, ask: Ask[Any], once: Any) -> Any:
        try:
            return Retrying(**self._retries.words(ask.repeatable))(once, ask)
        except VolleyError as error:
            error.idempotency_key = ask.key
            raise

    def _once(self, ask: Ask[T]) -> T:
        with self._answer(ask) as answer:
            return ask.answered(answer.status_code, answer.headers, answer.read())

    def _save(self, ask: Ask[None], path: str | Path) -> None:
        def once(ask: Ask[None]) -> None:
            with self._answer(ask) as answer:
                asks.check(answer.status_code, answer.headers, b"" if answer.is_success else answer.read())
                with saving(path) as file:
                    for block in answer.iter_bytes():
                        file.write(block)

        self._again(ask, once)

    @contextmanager
    def _answer(self, ask: Ask[Any]) -> Iterator[httpx.Response]:
        content = None if ask.content is None else ask.content.blocks()
        try:
            with self._http.stream(**request_words(ask), content=content) as answer:
                yield answer
        except httpx.RequestError as error:
            raise unreachable(error) from error
