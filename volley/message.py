"""A message: one text to one recipient. Its id is campaign + chunk + offset, so a repeated push names the same messages."""

import re
from typing import NamedTuple

from volley.errors import UnusableInput

_ID = re.compile(r"([0-9a-z]{16})-(\d{1,10})-(\d{1,5})")


class MessageId(NamedTuple):
    campaign: str
    chunk: int
    offset: int

    def __str__(self) -> str:
        return f"{self.campaign}-{self.chunk}-{self.offset}"


def parse_message_id(text: str) -> MessageId:
    """`01k2…-0-17` → its three pieces.

    Raises:
        UnusableInput: not the id of a message.
    """
    match = _ID.fullmatch(text)
    if match is None:
        raise UnusableInput(
            f"{text[:60]!r} is not a message id; one looks like 0123456789abcdef-0-17 (see: volley export)"
        )
    return MessageId(match[1], int(match[2]), int(match[3]))


def idempotency_key(message: str, generation: int) -> str:
    """The carrier's Idempotency-Key of a message. The generation grows only after a provable «not sent»."""
    return f"{message}-g{generation}"
