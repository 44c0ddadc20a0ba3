"""How long SQLite may take over one statement. A server ends a question by itself; SQLite asks its way on in a thread of ours, also
after whoever asked has gone, unless it is told to stop.
"""

from time import monotonic

from sqlalchemy import Connection, Engine, event
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

_STEPS = 20_000
"""Of SQLite's machine between two looks at the clock: some milliseconds."""
_CLOCK = "volley_clock"


class _Clock:
    """When what a connection is asked must be answered, in s of the monotonic clock. Looked at in SQLite's thread."""

    def __init__(self) -> None:
        self.until_s = float("inf")

    def is_over(self) -> bool:
        return monotonic() >= self.until_s


def bound(engine: Engine, answer_s: float) -> None:
    """Ends each statement of an SQLite engine that takes longer, and at once one that nobody waits for any more."""

    def watch(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        assert isinstance(connection, AsyncAdapt_dbapi_connection)
        clock = record.info[_CLOCK] = _Clock()
        connection.run_async(lambda driver: driver.set_progress_handler(clock.is_over, _STEPS))

    def begin(connection: Connection, *_: object) -> None:
        connection.info[_CLOCK].until_s = monotonic() + answer_s

    def leave(_: DBAPIConnection, record: ConnectionPoolEntry, __: BaseException | None) -> None:
        record.info[_CLOCK].until_s = 0.0

    event.listen(engine, "connect", watch)
    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "invalidate", leave)


def ran_out(error: BaseException) -> bool:
    """Whether a question was ended, or given up, because it took too long."""
    if isinstance(error, DBAPIError):
        return getattr(error.orig, "sqlite_errorname", "") == "SQLITE_INTERRUPT"
    return isinstance(error, TimeoutError | PoolTimeout)
