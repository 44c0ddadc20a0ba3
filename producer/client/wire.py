"""What both clients tell httpx, and what its errors are to us."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from .asks import Ask
from .problems import Unreachable

_CONNECT_S = 10.0
_BEARER = "Bearer "


@dataclass(frozen=True, slots=True)
class Door:
    """Where the server is, and with which key. The key is never shown."""

    url: str
    key: str
    timeout_s: float

    def __repr__(self) -> str:
        return f"{self.url} with key {self.key[:16]}…"

    def words(self) -> dict[str, Any]:
        """As httpx.Client and httpx.AsyncClient take them."""
        return {
            "base_url": self.url.rstrip("/"),
            "headers": {"Authorization": _BEARER + self.key, "User-Agent": "volley-client"},
            "timeout": httpx.Timeout(self.timeout_s, connect=min(_CONNECT_S, self.timeout_s)),
        }


def request_words(ask: Ask[Any]) -> Mapping[str, Any]:
    return {"method": ask.method, "url": ask.path, "params": ask.query, "headers": dict(ask.headers)}


def unreachable(error: httpx.RequestError) -> Unreachable:
    never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    what = "no connection" if never_sent else "no whole answer"
    return Unreachable(f"{what}: {type(error).__name__} {error}".rstrip(), never_sent=never_sent)
