"""What long-running processes say on stderr, one line an event. Never a phone number, never a text."""

import logging

_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_QUIET = ("arq", "aiohttp.access", "alembic", "sqlalchemy.engine")
"""Libraries whose INFO lines name jobs, addresses or values."""


def start_logging() -> None:
    logging.basicConfig(level=logging.INFO, format=_FORMAT)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
