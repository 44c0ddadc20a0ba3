"""The account of test keys: where it sends, and what keeps it from costing money or from standing in the live books."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from volley.errors import UnusableInput

CARRIER = "telnyx.com"


class Sandbox(NamedTuple):
    """One that `volley up` runs for test keys, as its other processes and commands find it. Its key opens nothing else."""

    base_url: str
    api_key: str
    public_key: str


class Place(NamedTuple):
    """Where an account sends, and the ledger it is recorded in."""

    base_url: str
    ledger: str


def sandbox_file(home: Path) -> Path:
    """Where a running `volley up` says which sandbox it has started."""
    return home / "test-sandbox"


def running_sandbox(account: str, home: Path) -> Sandbox:
    """Raises UnusableInput where none runs."""
    try:
        return Sandbox(**json.loads(sandbox_file(home).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        raise UnusableInput(
            f"VOLLEY_TEST_ACCOUNT: [accounts.{account}] needs a base_url of its own, that of a volley sandbox (volley up"
            " brings one where none is named)"
        ) from None


def refuse_what_is_live(account: str, mine: Place, lives: Iterable[Place]) -> None:
    """Raises UnusableInput where what is sent for a test key could reach the carrier, or could be counted among live messages."""
    where, others = f"VOLLEY_TEST_ACCOUNT: [accounts.{account}]", list(lives)
    end = _end(mine.base_url)
    if f".{end[0]}".endswith(f".{CARRIER}") or end in {_end(each.base_url) for each in others}:
        raise UnusableInput(
            f"{where} must not send where a live account does, nor to the carrier: name a volley sandbox"
        )
    if _books(mine.ledger) in {_books(each.ledger) for each in others}:
        raise UnusableInput(
            f"{where} must not have the ledger of a live account: give it a ledger_url of its own, or none"
        )


def _end(url: str) -> tuple[str, int]:
    """Host and port, spelled one way."""
    parts = urlsplit(url)
    return (parts.hostname or "").rstrip("."), parts.port or (443 if parts.scheme == "https" else 80)


def _books(url: str) -> tuple[str, ...]:
    """A database, spelled one way: not by who connects, nor with which driver."""
    parts = urlsplit(url)
    kind = parts.scheme.partition("+")[0]
    if kind == "sqlite":
        return kind, str(Path(parts.path.removeprefix("/")).resolve())
    asked = parse_qs(parts.query)
    host = parts.hostname or "".join(asked.get("host", [])) or "localhost"
    aside = "".join(asked.get("options", []))  # another search_path is another set of tables
    return kind, host, str(parts.port or 5432), parts.path.removeprefix("/"), aside
