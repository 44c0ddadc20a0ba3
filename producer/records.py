"""The ledger as the front door opens it: its schema up to date, its absence an error of the known kind."""

import contextlib
from collections.abc import AsyncIterator

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from volley.errors import TryAgainLater, UnusableInput
from volley.ledger.engine import is_away, is_damaged, open_ledger, upgrade
from volley.ledger.reader import Reader
from volley.settings import Settings


@contextlib.asynccontextmanager
async def ledger(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The engine, closed at the end.

    Raises:
        UnusableInput: the URL cannot be used, or the file behind it is no database.
        TryAgainLater: the database is away, here or while it is used.
    """
    engine = open_ledger(settings.ledger)
    try:
        await upgrade(engine)
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
