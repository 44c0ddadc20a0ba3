"""The ledger as the front door opens it: its schema up to date, its absence an error of the known kind."""

import contextlib
import math
from collections.abc import AsyncIterator

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from volley.errors import TryAgainLater, UnusableInput
from volley.ledger.engine import CACHE_MB, is_away, is_damaged, made_ready, open_ledger
from volley.ledger.reader import Reader
from volley.settings import Settings


@contextlib.asynccontextmanager
async def ledger(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The engine, its tables of this release; closed at the end.

    Raises:
        UnusableInput: the URL cannot be used, or the file behind it is no database.
        TryAgainLater: the database is away, here or while it is used; or its tables wait for `volley db upgrade`.
    """
    async with opened(settings) as engine:
        await made_ready(engine)
        yield engine


@contextlib.asynccontextmanager
async def opened(
    settings: Settings, answer_s: float | None = math.inf, cache_mb: int = CACHE_MB
) -> AsyncIterator[AsyncEngine]:
    """The engine, whatever its tables are; `answer_s` and `cache_mb` as `open_ledger` has them. Raises as `ledger` does."""
    engine = open_ledger(settings.ledger, answer_s=answer_s, cache_mb=cache_mb)
    try:
        yield engine
    except (SQLAlchemyError, OSError) as error:
        if is_away(error):
            raise TryAgainLater(
                f"the ledger's database does not answer ({type(error).__name__}): VOLLEY_LEDGER_URL"
            ) from error
        if is_damaged(error):
            raise UnusableInput(
                "the ledger's file is damaged, or no SQLite database: restore it, or set VOLLEY_LEDGER_URL"
            ) from error
        raise
    finally:
        await engine.dispose()


@contextlib.asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Reader]:
    async with ledger(settings) as engine:
        yield Reader(engine)
