"""The requests about messages that were sent or came in already."""

import time

from volley.sandbox.archive import Archive
from volley.sandbox.inbound import Inbound
from volley.sandbox.replies import ok


class MessageRoom:
    """A room of App (app.py). The sends themselves never come here."""

    def __init__(self, archive: Archive, inbound: Inbound) -> None:
        self._archive = archive
        self._inbound = inbound

    def answer(self, method: bytes, steps: list[str], query: dict[str, str], body: bytes) -> bytes | None:
        match method, steps:
            case b"GET", ["messages", message_id]:
                return ok(self._inbound.show(message_id) or self._archive.get(message_id, time.time_ns() // 1000))
        return None
