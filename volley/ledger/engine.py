"""The ledger's database: opened as durability needs it, its schema brought up to date, its writers one at a time."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    NotSupportedError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from volley.errors import TryAgainLater, UnusableInput, VolleyError
from volley.ledger.bound import bound

_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITERS = 0x766F6C6C6579
"""Key of the advisory lock that PostgreSQL's writers share ("volley"): what BEGIN IMMEDIATE is in SQLite."""
_ALONE = text(
    "SELECT pg_advisory_xact_lock(:key), CASE current_setting('synchronous_commit') WHEN 'off' "
    # Redis forgets an entry once its commit returned: a server that answers before its disk has it would lose it
    "THEN set_config('synchronous_commit', 'on', true) END"
)
_BEGIN = "volley_begin"
_NO_TABLE = "42P01"
CACHE_MB = 8
"""Who reads has the system's own cache behind this one; and a process may hold many connections."""
WRITERS_CACHE_MB = 64
"""The recorder's: it writes all over the indexes of what is under way."""
_CONNECT_S = 10
_POOL_S = 30.0
_ANSWER_S = 300.0
"""How long a server may take over one statement, where nothing is said of it."""
_AWAY = ("08", "28", "40", "53", "57", "58", "55P03", "25006", "25P03", "3D000")
"""SQLSTATEs, by how they begin: connection, login, deadlock, out of something, told to stop, disk, a lock not to be had; a
server that only reads, as it is the standby; a session ended as it idled; no such database, as it is being restored."""
_ABOUT_ROWS = ("22", "23")
"""Data exception, integrity constraint violation."""


def open_ledger(
    url: str, *, busy_timeout_s: float = 10.0, answer_s: float | None = math.inf, cache_mb: int = CACHE_MB
) -> AsyncEngine:
    """An engine for a SQLAlchemy URL with an async driver; connects to nothing yet.

    `busy_timeout_s`: how long a statement waits for another writer before the database counts as locked.
    `answer_s`: how long one statement may take before it is ended, and the database counts as away: SQLite's as long as it
    likes, a server's as long as the longest report takes, unless less is said. None: SQLite's also goes on when nobody waits
    for it any more, and spares a look at the clock now and then, for which it would need the interpreter.
    `cache_mb`: what SQLite may keep of the file in each connection.

    Raises:
        UnusableInput: the URL is malformed, its driver is not installed, or its folder cannot be made.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed, busy_timeout_s, answer_s, cache_mb)
        return _server(parsed, busy_timeout_s, min(answer_s or _ANSWER_S, _ANSWER_S))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise UnusableInput(f"VOLLEY_LEDGER_URL: {error}; sqlite+aiosqlite:///FILE or postgresql+asyncpg://…") from None
    except OSError as error:
        raise UnusableInput(f"VOLLEY_LEDGER_URL: {error.filename}: {error.strerror}; name another folder") from None


def _server(url: URL, busy_timeout_s: float, answer_s: float) -> AsyncEngine:
    connect_args: dict[str, object] = {}
    if url.get_backend_name() == "postgresql":
        from volley.ledger.session import Session  # where its driver is installed

        session = {"application_name": "volley", "lock_timeout": f"{int(busy_timeout_s * 1000)}"}
        # a writer whose machine vanished must not keep all others out for as long as TCP takes to notice
        session |= {"idle_in_transaction_session_timeout": "60s"}
        connect_args = {"server_settings": session, "timeout": min(_CONNECT_S, answer_s), "command_timeout": answer_s}
        connect_args["connection_class"] = Session
    return create_async_engine(
        url,
        # a driver's errors quote values, and ours are phone numbers: they do not belong into a log
        hide_parameters=True,
        # what one transaction reads is of one moment, as in SQLite
        isolation_level="REPEATABLE READ",
        # a connection that the server has closed meanwhile is replaced before it is used
        pool_pre_ping=True,
        # who asks waits no longer for a connection than for an answer
        pool_timeout=min(_POOL_S, answer_s),
        connect_args=connect_args,
    )


def _sqlite(url: URL, busy_timeout_s: float, answer_s: float | None, cache_mb: int) -> AsyncEngine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    # the driver's own idea of transactions (none before SELECT and DDL) is off: _begin says when one starts
    connect_args = {"timeout": busy_timeout_s, "isolation_level": None}
    engine = create_async_engine(url, hide_parameters=True, connect_args=connect_args)
    event.listen(engine.sync_engine, "connect", partial(_make_durable, cache_mb))
    event.listen(engine.sync_engine, "begin", _begin)
    if answer_s is not None:
        bound(engine.sync_engine, answer_s)
    return engine


def _make_durable(cache_mb: int, connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # Redis forgets an entry once its commit returned: with NORMAL, WAL commits may be lost when the power goes
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(f"PRAGMA cache_size=-{cache_mb << 10}")
    cursor.close()


def _begin(connection: Connection) -> None:
    statement = connection.get_execution_options().get(_BEGIN, "BEGIN")
    if statement:
        connection.exec_driver_sql(statement)


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that is the only writing one, here and in other processes; commits unless an error leaves it."""
    if engine.dialect.name == "sqlite":
        async with engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"}).begin() as connection:
            yield connection
        return
    # it waits for its turn, and must then see what those before it wrote: each statement anew
    async with engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
        await connection.execute(_ALONE, {"key": _WRITERS})
        yield connection


def is_away(error: BaseException) -> bool:
    """Whether the database is locked, full or gone, so that the same statements may work later."""
    if isinstance(error, DBAPIError):
        # NotSupported: the tables were changed under statements that the driver had prepared, and has now dropped
        passing = isinstance(error, OperationalError | NotSupportedError) or error.connection_invalidated
        return passing or _state(error).startswith(_AWAY)
    return isinstance(error, (OSError, TimeoutError, PoolTimeout))


def is_about_rows(error: BaseException) -> bool:
    """Whether it is what was to be written that is wrong, and not the database, its tables or our rights there."""
    if not isinstance(error, DBAPIError):
        return not isinstance(error, SQLAlchemyError)
    if state := _state(error):
        return state.startswith(_ABOUT_ROWS)
    # no SQLSTATE: SQLite's, or a driver's before it asked the server
    return not isinstance(error, OperationalError) and not is_damaged(error)


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def is_damaged(error: BaseException) -> bool:
    """Whether SQLite says that the file is no database, or a spoilt one. No waiting mends that."""
    broken = getattr(error, "orig", None)
    return getattr(broken, "sqlite_errorname", "") in ("SQLITE_NOTADB", "SQLITE_CORRUPT")


class SchemaBehind(TryAgainLater):
    """The database was made by an older release, and it is for an operator to say when that changes."""


async def made_ready(engine: AsyncEngine) -> None:
    """What every process does that opens the ledger. SQLite's is one machine's, and brought up to date by whoever comes
    first. PostgreSQL's is that of many, and of different releases while they are updated: made where there is nothing yet,
    and never changed in passing.

    Raises:
        SchemaBehind: `volley db upgrade` has not been run.
        VolleyError: a newer release has changed the schema.
    """
    if engine.dialect.name == "sqlite" or not (held := await revision(engine)):
        await upgrade(engine)
    elif held != newest():
        _refuse_newer(held)
        raise SchemaBehind(
            f"the ledger's tables are of an older release ({held}, this one needs {newest()}): run volley db upgrade"
        )


async def upgrade(engine: AsyncEngine, patience_s: float = 60.0) -> None:
    """Brings the schema up to date; does nothing where it is. Any number of processes may do so at once: one does, the
    others wait, up to `patience_s`.

    Raises:
        VolleyError: a newer release has changed the schema.
    """
    patience, wait = stop_after_delay(patience_s), wait_random_exponential(0.05, max=1.0)
    async for attempt in AsyncRetrying(retry=retry_if_exception(is_away), stop=patience, wait=wait, reraise=True):
        with attempt:
            if await revision(engine) != newest():
                await _upgrade_once(engine)


def newest() -> str:
    """The revision that this release needs. Migration files are named after theirs."""
    return max(_revisions())


def _revisions() -> set[str]:
    return {path.name[1:5] for path in (_MIGRATIONS / "versions").glob("v*.py")}


def is_newer(held: str) -> bool:
    """Whether a schema is of a release that came after this one."""
    return bool(held) and held not in _revisions()


def _refuse_newer(held: str) -> None:
    if is_newer(held):
        raise VolleyError(f"the ledger's schema is of a newer release ({held}): update Volley on this machine")


async def revision(engine: AsyncEngine) -> str:
    """The schema's revision, "" where nothing is there yet. So that a process that only reads takes no writer's lock."""
    try:
        async with engine.connect() as connection:
            return str(await connection.scalar(text("SELECT version_num FROM alembic_version")) or "")
    except DBAPIError as error:
        if _state(error) == _NO_TABLE or "no such table" in str(error.orig):
            return ""
        raise


async def is_current(engine: AsyncEngine) -> bool:
    return await revision(engine) == newest()


async def _upgrade_once(engine: AsyncEngine) -> None:
    if engine.dialect.name == "sqlite":
        async with engine.execution_options(**{_BEGIN: ""}).connect() as connection:
            await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    async with writing(engine) as connection:
        await connection.run_sync(_run_migrations)


def _run_migrations(connection: Connection) -> None:
    # a quarter of a second of imports, and most processes find nothing to migrate
    from alembic import command
    from alembic.config import Config
    from alembic.migration import MigrationContext

    _refuse_newer(MigrationContext.configure(connection).get_current_revision() or "")
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
