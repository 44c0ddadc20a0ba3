"""Questions of people to the ledger, with what only Redis knows yet laid over it where Redis can be reached."""

import asyncio
import contextlib
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from redis.exceptions import RedisError

from producer.records import reading
from producer.sight.story import whole_story
from volley.errors import TryAgainLater, UnusableInput
from volley.ledger.costs import By
from volley.ledger.export import Format, write
from volley.ledger.reader import Reader, hot_states
from volley.money import amount, micros
from volley.outbox.connect import connect
from volley.outbox.opening import outbox_over
from volley.outbox.outbox import Outbox
from volley.settings import Settings, load

T = TypeVar("T")
Work = Callable[[Reader, Outbox | None], Awaitable[T]]


def export(campaign_id: str, form: str, output: Path | None) -> int:
    """Writes a campaign to a file or to stdout; how many messages that were."""

    async def work(reader: Reader, outbox: Outbox | None) -> int:
        await reader.campaign(campaign_id)  # an unknown one leaves no file behind
        with _sink(output) as out:
            hot = hot_states(outbox) if outbox else None
            return await write(reader.export(campaign_id, hot), cast("Format", form), out)

    return _run(work)


def story(message_id: str) -> dict[str, Any]:
    """One message, from its seal to its last receipt, with what it waits for."""
    return _run(lambda reader, outbox: whole_story(reader, outbox, message_id))


def costs(by: str, since_us: int | None, until_us: int | None) -> dict[str, Any]:
    """`rows`, one a group and currency, and `totals`, one a currency."""
    rows = _run(lambda reader, _: reader.costs(cast("By", by), since_us, until_us))
    documents = [
        {by: row.group, **{key: value for key, value in asdict(row).items() if key != "group"}} for row in rows
    ]
    totals: dict[str, Counter[str]] = {}
    for row in rows:
        sums = totals.setdefault(row.currency, Counter())
        sums["estimated"] += micros(row.estimated or 0)
        sums["cost"] += micros(row.cost or 0)
    summed = [
        {"currency": name, "estimated": amount(sums["estimated"]), "cost": amount(sums["cost"])}
        for name, sums in totals.items()
    ]
    return {"by": by, "rows": documents, "totals": summed}


def _run(work: Work[T]) -> T:
    return asyncio.run(_with_ledger(load(), work))


async def _with_ledger(settings: Settings, work: Work[T]) -> T:
    async with reading(settings) as reader, _outbox(settings) as outbox:
        return await work(reader, outbox)


@contextlib.asynccontextmanager
async def _outbox(settings: Settings) -> AsyncIterator[Outbox | None]:
    """What Redis knows; None where there is none, as the ledger can be asked without it."""
    try:
        redis = await connect(settings.current.redis_url, account=settings.account, check=False)
    except (TryAgainLater, UnusableInput) as error:
        print(f"volley: the ledger alone is asked, as there is {error}", file=sys.stderr)
        yield None
        return
    try:
        yield outbox_over(redis, settings)
    except RedisError as error:
        raise TryAgainLater(f"Redis went away ({type(error).__name__}); try again") from error
    finally:
        await redis.aclose()


@contextlib.contextmanager
def _sink(output: Path | None) -> Iterator[BinaryIO]:
    """stdout, or a file that is there when it is complete and not before."""
    if output is None:
        with _until_nobody_reads():
            yield sys.stdout.buffer
        return
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(output)
    except OSError as error:
        raise UnusableInput(f"{output}: {error.strerror}; name another file") from None
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _until_nobody_reads() -> Iterator[None]:
    """Ends the process quietly, with 1, where the reader has had enough, as `head` does: no fault of the ledger's."""
    try:
        yield
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is buffered has nowhere to go
        raise SystemExit(1) from None
