"""The ledger: there, of this release, and not behind; and room for it to grow."""

import shutil
from pathlib import Path

from sqlalchemy import func, make_url, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.doctor.verdict import Verdict, failed, ok, warning
from volley.errors import VolleyError
from volley.ledger.engine import is_current, open_ledger
from volley.ledger.schema import quarantine
from volley.ledger.stream import LedgerStream
from volley.outbox.outbox import Outbox
from volley.settings import Settings

_BEHIND_S, _FAR_BEHIND_S = 15.0, 120.0
_LITTLE, _TOO_LITTLE = 2 << 30, 200 << 20
_SERVE = "see that volley serve runs, and its log"


async def check(settings: Settings) -> list[Verdict]:
    """The database itself. Looks only: nothing is made or migrated."""
    if not _exists(settings):
        return [warning("ledger", "is not there yet", "volley serve makes it when it starts")]
    try:
        engine = open_ledger(settings.ledger)
    except VolleyError as error:
        return [failed("ledger", str(error), "set VOLLEY_LEDGER_URL")]
    try:
        return [*await _database(engine), *disk(settings)]
    finally:
        await engine.dispose()


def _exists(settings: Settings) -> bool:
    return settings.ledger_url is not None or Path(settings.home, "ledger.db").is_file()


async def _database(engine: AsyncEngine) -> list[Verdict]:
    try:
        async with engine.connect() as connection:
            await connection.scalar(select(1))
        if not await is_current(engine):
            return [warning("ledger", "its tables are not of this release", "volley db upgrade brings them up to date")]
        return [ok("ledger", f"{engine.dialect.name}, its tables up to date"), await set_aside(engine)]
    except (SQLAlchemyError, OSError) as error:
        todo = "start the database, restore the file, or set VOLLEY_LEDGER_URL"
        return [failed("ledger", f"does not answer ({type(error).__name__})", todo)]


async def set_aside(engine: AsyncEngine) -> Verdict:
    async with engine.connect() as connection:
        count = await connection.scalar(select(func.count()).select_from(quarantine))
    if count:
        return warning(
            "ledger quarantine", f"{count} entries could not be recorded", "SELECT entry_id, error FROM quarantine"
        )
    return ok("ledger quarantine", "empty")


async def lag(outbox: Outbox) -> Verdict:
    """How far the recorder is behind the stream, and how full that is."""
    behind_s = await LedgerStream(outbox.redis, outbox.keys.ledger, "doctor").lag_seconds()
    waiting = await outbox.ledger_length()
    found = f"{behind_s:.0f} s behind, {waiting} entries wait"
    if waiting >= outbox.ledger_bound:
        return failed("ledger lag", f"{found}: nothing is sent until they are recorded", _SERVE)
    if behind_s > _FAR_BEHIND_S:
        return failed("ledger lag", found, _SERVE)
    if behind_s > _BEHIND_S or waiting > outbox.ledger_bound // 2:
        return warning("ledger lag", found, _SERVE)
    return ok("ledger lag", found)


def disk(settings: Settings) -> list[Verdict]:
    """Free space where a SQLite ledger lies; another server's disk is its own affair."""
    url = make_url(settings.ledger)
    if url.get_backend_name() != "sqlite" or not url.database:
        return []
    folder = Path(url.database).absolute().parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:,.1f} GB free in {folder}"
    if free < _LITTLE:
        say = failed if free < _TOO_LITTLE else warning
        return [say("disk", found, "make room, or put the ledger elsewhere: VOLLEY_LEDGER_URL")]
    return [ok("disk", found)]
