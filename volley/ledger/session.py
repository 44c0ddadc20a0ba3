"""A session with PostgreSQL, for the driver to make."""

import contextlib

import asyncpg

_GOODBYE_S = 0.5
"""How long a server may take over it: it ends a session also without."""


class Session(asyncpg.Connection):  # type: ignore[misc]  # of a driver without types
    """Of the driver's own, `close` waits for a server that is silent as long as for the answer to a statement."""

    async def close(self, *, timeout: float | None = None) -> None:
        """Closed in any case; in `timeout` s at most, where one is given."""
        with contextlib.suppress(TimeoutError):
            await super().close(timeout=_GOODBYE_S if timeout is None else timeout)
