"""Messages that come within a few milliseconds of each other become one campaign, each request with its own key and answer.

A campaign costs serve, worker, Redis and ledger some milliseconds between them, and a request a message would make hundreds a second.
So a request waits for 2 ms, and where many come, for its turn: a process makes 100 campaigns a second of them at most. Whether it has
been made before is looked up meanwhile. A handful goes into lanes in the step that seals it, and takes no job of a worker's.
Each request's key is claimed in the very script that seals the campaign: either all of it is there, or nothing. Requests that name
the same person or reference never meet in one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from producer.intake import push
from producer.push.request import PushRequest, Rejected
from producer.push.sources import ObjectSource
from producer.push.steps import Steps
from producer.web.casts import Casts
from producer.web.mark import Text, mark_of
from volley.campaign import Campaign
from volley.errors import KeyTaken, TryAgainLater
from volley.numbers import NotSendable, known_region, parse
from volley.outbox.chunks import SIZE
from volley.outbox.outbox import Outbox
from volley.outbox.pushes import Claimed
from volley.settings import Settings

GATHER_S = 0.002
APART_S = 1 / 100
_AT_ONCE = 25
"""Messages of a campaign whose rows are read at once; reading more would hold the loop for more than a millisecond or two."""
_WAITING = 5_000
"""Messages that may wait in one process; above it we say «not now» at once."""

Allow = Callable[[int], Awaitable[None]]
Unsure = Callable[[], None]
Place = tuple[int, int] | str
"""(chunk, offset) of a message that was taken; else opted_out, duplicate, or why it was rejected."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request: the campaign, and a place for each of its texts. `replayed`: it had been before."""

    campaign_id: str | None
    places: Sequence[Place]
    replayed: bool = False


@dataclass(slots=True)
class _Waiting:
    key: str
    mark: str
    texts: Sequence[Text]
    numbers: Sequence[int | None]
    done: asyncio.Future[Taken]
    looking: asyncio.Task[Taken | None]
    """What became of it before. Raises why it is not to be taken."""
    unsure: Unsure


@dataclass(slots=True)
class _Group:
    """Requests that will be one campaign."""

    waiting: list[_Waiting] = field(default_factory=list)
    people: set[int] = field(default_factory=set)
    references: set[str] = field(default_factory=set)
    size: int = 0

    def take(self, each: _Waiting) -> bool:
        """False where it does not fit in: too many, or somebody would get two texts of one campaign."""
        people = {number for number in each.numbers if number is not None}
        references = {text.reference for text in each.texts if text.reference}
        if self.size and (self.size + len(each.texts) > SIZE or people & self.people or references & self.references):
            return False
        self.people |= people
        self.references |= references
        self.size += len(each.texts)
        self.waiting.append(each)
        return True


class Gather:
    """`arm` wakes a worker. `close` waits for what is on its way."""

    def __init__(
        self, outbox: Outbox, settings: Settings, arm: Callable[[Campaign], Coroutine[Any, Any, None]]
    ) -> None:
        self._outbox = outbox
        self._settings = settings
        self._arm = arm
        self._casts = Casts()
        self._groups: dict[PushRequest, _Group] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._next_s = 0.0
        self._held = 0

    async def find(self, key: str, mark: str) -> Taken | None:
        """What became of a request with this key; None where there was none.

        Raises:
            KeyTaken: it was another request.
        """
        held = await self._outbox.find_key(key)
        if held is None:
            return None
        campaign_id, rest = held
        found, _, places = rest.partition(" ")
        if found != mark:
            raise KeyTaken(f"this Idempotency-Key belongs to another request, of campaign {campaign_id}")
        told = [tuple(each) if isinstance(each, list) else each for each in orjson.loads(places)]
        return Taken(campaign_id, told, replayed=True)

    async def push(self, request: PushRequest, key: str, texts: Sequence[Text], allow: Allow, unsure: Unsure) -> Taken:
        """Returns once it is on the disk. `request` has no text of its own; those with equal ones are gathered. `allow` is asked
        before so many are taken, and not for what was taken before: what it raises passes through. `unsure` is told before this
        ends in an error, or is cancelled, and they may be sent nonetheless.

        Raises:
            KeyTaken: the key belongs to another request.
            UnusableInput, RefusedByPolicy, TryAgainLater: as `push` raises them.
        """
        mark = mark_of(request, texts)
        if self._held + len(texts) > _WAITING:
            raise TryAgainLater("too many messages wait to be taken")
        region = known_region(request.region) if request.region else None
        numbers = [_number(each.to, region) for each in texts]
        looking = asyncio.create_task(self._look(key, mark, len(texts), allow))
        each = _Waiting(key, mark, texts, numbers, asyncio.get_running_loop().create_future(), looking, unsure)
        self._held += len(texts)
        try:
            self._join(request, each)
            return await each.done
        except asyncio.CancelledError:
            unsure()  # the others of its campaign do not wait for it, nor does the campaign
            raise
        finally:
            self._held -= len(texts)

    async def _look(self, key: str, mark: str, messages: int, allow: Allow) -> Taken | None:
        found = await self.find(key, mark)
        if found is None:
            await allow(messages)
        return found

    def _join(self, request: PushRequest, each: _Waiting) -> None:
        group = self._groups.get(request)
        if group is not None and group.take(each):
            return
        group = self._groups[request] = _Group()
        group.take(each)
        self._start(self._run(request, group))

    async def _run(self, request: PushRequest, group: _Group) -> None:
        now_s = time.monotonic()
        start_s = max(now_s + GATHER_S, self._next_s)
        self._next_s = start_s + APART_S
        await asyncio.sleep(start_s - now_s)
        if self._groups.get(request) is group:
            del self._groups[request]
        waiting = [each for each in group.waiting if await _is_new(each)]
        while waiting:
            waiting = await self._send(request, waiting)

    async def _send(self, request: PushRequest, waiting: list[_Waiting]) -> list[_Waiting]:
        """Those that are to be tried again, without one whose key was taken meanwhile."""
        try:
            taken = await _Sending(waiting).push(self._outbox, self._settings, request, self._casts, self._armed)
        except Claimed as claimed:
            [other] = [each for each in waiting if each.key == claimed.key]
            await self._answer_late(other)
            return [each for each in waiting if each is not other]
        except Exception as error:  # noqa: BLE001 - each of the requests gets it, and says what it is
            for each in waiting:
                _set(each, error)
            return []
        for each, what in zip(waiting, taken, strict=True):
            if not each.done.done():
                each.done.set_result(what)
        return []

    async def _armed(self, campaign: Campaign) -> None:
        """Wakes a worker, and lets nobody wait for that: what is sealed is found by the sweeper too."""
        self._start(self._arm(campaign))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_late(self, each: _Waiting) -> None:
        """Another process had the same key at the same time."""
        try:
            found = await self.find(each.key, each.mark)
            each.done.set_result(found) if found else _set(each, TryAgainLater("the key was in use: ask again"))
        except Exception as error:  # noqa: BLE001 - the request gets it
            _set(each, error)

    async def close(self) -> None:
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._casts.close()


class _Sending:
    """One group on its way through the intake."""

    def __init__(self, waiting: Sequence[_Waiting]) -> None:
        self._waiting = waiting
        self._places: dict[int, tuple[int, int]] = {}

    async def push(
        self,
        outbox: Outbox,
        settings: Settings,
        request: PushRequest,
        casts: Casts,
        arm: Callable[[Campaign], Awaitable[None]],
    ) -> list[Taken]:
        texts = [text for each in self._waiting for text in each.texts]
        rows: list[Mapping[str, object]] = [
            {"to": text.to, "text": text.text, "reference": text.reference} for text in texts
        ]
        beside = len(texts) > _AT_ONCE
        steps = Steps(choose=casts.choose, placed=self._placed, claims=self._claims, unsure=self._unsure, beside=beside)
        result = await push(outbox, settings, request, ObjectSource(rows, "messages"), arm=arm, steps=steps)
        told = self._told(result.examples)
        return [Taken(result.campaign_id if any(map(_taken, each)) else None, each) for each in told]

    def _placed(self, chunk: int, to: Sequence[int]) -> None:
        self._places |= {number: (chunk, offset) for offset, number in enumerate(to)}

    def _unsure(self) -> None:
        for each in self._waiting:
            each.unsure()

    def _claims(self, rejected: Sequence[Rejected]) -> tuple[tuple[str, str], ...]:
        """Requests of which nothing is sent claim nothing: they may be made again."""
        told = zip(self._waiting, self._told(rejected), strict=True)
        return tuple(
            (each.key, f"{each.mark} {orjson.dumps(places).decode()}")
            for each, places in told
            if any(map(_taken, places))
        )

    def _told(self, rejected: Sequence[Rejected]) -> list[list[Place]]:
        reasons = {each.row: each.reason for each in rejected}
        told, row, seen = list[list[Place]](), 0, set[int]()
        for each in self._waiting:
            places: list[Place] = []
            for number in each.numbers:
                row += 1
                places.append(self._place(reasons.get(row), number, seen))
            told.append(places)
        return told

    def _place(self, reason: str | None, number: int | None, seen: set[int]) -> Place:
        if reason is not None or number is None:
            return f"rejected: {reason or 'the number cannot be read'}"
        if number in seen:
            return "duplicate"
        seen.add(number)
        return self._places.get(number, "opted_out")


async def _is_new(each: _Waiting) -> bool:
    """Whether it is to be taken; if not, it has its answer."""
    try:
        found = await each.looking
    except Exception as error:  # noqa: BLE001 - the request gets it
        _set(each, error)
        return False
    if found is not None and not each.done.done():
        each.done.set_result(found)
    return found is None


def _taken(place: Place) -> bool:
    return not isinstance(place, str)


def _number(to: str, region: str | None) -> int | None:
    try:
        return parse(to, region)
    except NotSendable:
        return None


def _set(each: _Waiting, error: Exception) -> None:
    if not each.done.done():
        each.done.set_exception(error)
