"""The ledger's database: opened as durability needs it, its schema brought up to date, its writers one at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from volley.errors import UnusableInput, VolleyError

_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITERS = 0x766F6C6C6579
"""Key of the advisory lock that PostgreSQL's writers share ("volley"): what BEGIN IMMEDIATE is in SQLite."""
_BEGIN = "volley_begin"
_UPGRADE_PATIENCE_S = 60.0
_COLLISIONS = frozenset({"40001", "40P01"})
"""SQLSTATE of a serialization failure and of a deadlock: PostgreSQL asks to try again."""


def open_ledger(url: str, *, busy_timeout_s: float = 10.0) -> AsyncEngine:
    """An engine for a SQLAlchemy URL with an async driver; connects to nothing yet.

    `busy_timeout_s`: how long a statement waits for another writer of a SQLite file before it counts as locked.

    Raises:
        UnusableInput: the URL is malformed, its driver is not installed, or its folder cannot be made.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed, busy_timeout_s)
        # a driver's errors quote values, and ours are phone numbers: they do not belong into a log
        return create_async_engine(parsed, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise UnusableInput(f"VOLLEY_LEDGER_URL: {error}; sqlite+aiosqlite:///FILE or postgresql+asyncpg://…") from None
    except OSError as error:
        raise UnusableInput(f"VOLLEY_LEDGER_URL: {error.filename}: {error.strerror}; name another folder") from None


def _sqlite(url: URL, busy_timeout_s: float) -> AsyncEngine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    # the driver's own idea of transactions (none before SELECT and DDL) is off: _begin says when one starts
    connect_args = {"timeout": busy_timeout_s, "isolation_level": None}
    engine = create_async_engine(url, hide_parameters=True, connect_args=connect_args)
    event.listen(engine.sync_engine, "connect", _make_durable)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _make_durable(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # Redis forgets an entry once its commit returned: with NORMAL, WAL commits may be lost when the power goes
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.close()


def _begin(connection: Connection) -> None:
    statement = connection.get_execution_options().get(_BEGIN, "BEGIN")
    if statement:
        connection.exec_driver_sql(statement)


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that is the only writing one, here and in other processes; commits unless an error leaves it."""
    async with engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"}).begin() as connection:
        if engine.dialect.name == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITERS})
        yield connection


def is_away(error: BaseException) -> bool:
    """Whether the database is locked, full or gone, so that the same statements may work later."""
    if isinstance(error, DBAPIError):
        collided = getattr(error.orig, "sqlstate", None) in _COLLISIONS
        return isinstance(error, OperationalError) or error.connection_invalidated or collided
    return isinstance(error, (OSError, TimeoutError, PoolTimeout))


def is_damaged(error: BaseException) -> bool:
    """Whether SQLite says that the file is no database, or a spoilt one. No waiting mends that."""
    broken = getattr(error, "orig", None)
    return getattr(broken, "sqlite_errorname", "") in ("SQLITE_NOTADB", "SQLITE_CORRUPT")


async def upgrade(engine: AsyncEngine) -> None:
    """Brings the schema up to date; does nothing where it is. Any number of processes may do so at once.

    Raises:
        VolleyError: a newer release has changed the schema.
    """
    if await is_current(engine):
        return
    patience = stop_after_delay(_UPGRADE_PATIENCE_S)
    wait = wait_random_exponential(0.05, max=1.0)
    async for attempt in AsyncRetrying(retry=retry_if_exception(is_away), stop=patience, wait=wait, reraise=True):
        with attempt:
            await _upgrade_once(engine)


async def is_current(engine: AsyncEngine) -> bool:
    """So that a process that only reads takes no writer's lock. Migration files are named after their revision."""
    newest = max(path.name[1:5] for path in (_MIGRATIONS / "versions").glob("v*.py"))
    try:
        async with engine.connect() as connection:
            held: object = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    except DBAPIError:
        return False
    return held == newest


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
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise VolleyError(
            f"the ledger's schema is of a newer release: update Volley on this machine ({error})"
        ) from None
