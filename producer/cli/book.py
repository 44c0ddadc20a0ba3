"""The book of callbacks for the length of one command. SQL is half a second of imports: commands import this when they run."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from producer.callbacks.book import Book as Book
from producer.records import ledger
from volley.settings import Settings, load

T = TypeVar("T")


def at_book(work: Callable[[Settings, Book], Awaitable[T]]) -> T:
    """Runs one command's work with the settings of this process."""

    async def run() -> T:
        settings = load()
        async with ledger(settings) as engine:
            return await work(settings, Book(engine))

    return asyncio.run(run())
