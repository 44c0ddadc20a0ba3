"""The carrier's list of people who texted STOP. It can only be read; a START, texted by the person, is the way off it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from volley.carrier.api import TelnyxApi
from volley.carrier.keywords import is_start
from volley.carrier.payload import word
from volley.carrier.webhook import micros_of

_PATH = "messaging_optouts"


class _Item(BaseModel):
    """OptOutItem; any field may be missing or odd, and one bad item must not hide the others."""

    sender: Any = Field(None, alias="from")
    to: Any = None
    keyword: Any = None
    created_at: Any = None


@dataclass(frozen=True, slots=True)
class OptOut:
    """`sender` is ours and `to` the person, as in the messages that are blocked. `at_us` is -1 where the list does not tell."""

    sender: str
    to: str
    started: bool
    at_us: int


async def optouts(api: TelnyxApi, profile: str) -> AsyncIterator[OptOut]:
    """All entries of a profile, in the carrier's order; a person may stand there several times."""
    async for item in api.rows(_PATH, {"filter[messaging_profile_id]": profile}, _Item):
        # the carrier's own examples write a space where ISO 8601 has a T
        created = item.created_at.replace(" ", "T", 1) if isinstance(item.created_at, str) else None
        yield OptOut(word(item.sender), word(item.to), is_start(word(item.keyword)), micros_of(created))
