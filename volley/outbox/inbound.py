"""What people send us, on its way in: their words change the opt-outs, their texts go to the ledger, in one script."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgpack
import orjson

from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching

REMEMBERED_US = 8 * 86_400_000_000
"""How long the moment of a STOP or START is known. The carrier gives up on a webhook within hours."""

FIELD = "json"
"""Of an entry of the stream `volley:{account}:inbound`: its only field, JSON."""

_AT_ONCE = 500
_PERSON = re.compile(r"\+([1-9]\d{6,14})")


class InboundRecord(NamedTuple):
    """One text or picture that a person sent to one of our numbers. Times µs; `keyword` is stop, start or ""."""

    event_id: str
    occurred_us: int
    received_us: int
    carrier_id: str
    profile: str
    person: str
    number: str
    text: str
    media: list[str]
    keyword: str


class Word(NamedTuple):
    """A person wants nothing more from a profile (`stop`), or wants to hear from it again (`start`)."""

    profile: str
    recipient: int
    keyword: str
    at_us: int


class Said(NamedTuple):
    """What one event says: a text for the ledger, a word for the opt-outs, or both."""

    record: InboundRecord | None
    word: Word | None


class Heard(NamedTuple):
    """People who were added to opt-outs and removed from them, and what was said to profiles that are not known here."""

    added: int
    removed: int
    unknown: int


def _no_word(said: Said) -> Word:
    return Word(said.record.profile if said.record else "", 0, "", 0)


def person(number: str) -> int | None:
    """The digits of an E.164 number; None for a short code or a name, which nobody is."""
    found = _PERSON.fullmatch(number)
    return int(found[1]) if found else None


def pack(records: Sequence[InboundRecord]) -> bytes:
    packed: bytes = msgpack.packb(records)
    return packed


def unpack(data: bytes) -> list[InboundRecord]:
    return [InboundRecord(*fields) for fields in msgpack.unpackb(data)]


async def hear(outbox: Outbox, said: Sequence[Said]) -> Heard:
    """Takes all of it in, on the disk before this returns; any of it may be said again, in any order.

    Raises:
        TryAgainLater: Redis is away, or did not confirm.
    """
    records = [each.record for each in said if each.record]
    words = [value for each in said for value in each.word or _no_word(each)]
    with reaching():
        answer = await outbox.scripts.durable("inbound", pack(records) if records else b"", REMEMBERED_US, *words)
    return Heard(*map(int, answer))


async def hand_on(outbox: Outbox, documents: Sequence[Mapping[str, Any]], bound: int) -> None:
    """Appends texts to the stream that other systems read, one JSON field each; about the last `bound` stay. Redis errors pass."""
    for page in range(0, len(documents), _AT_ONCE):
        texts = [orjson.dumps(document) for document in documents[page : page + _AT_ONCE]]
        await outbox.scripts.run("hand_on", bound, FIELD, *texts)


async def read_on(outbox: Outbox, after: str, *, wait_ms: int) -> list[tuple[str, dict[str, Any]]]:
    """(id, text) of what was handed on after an id (`0`: all that is there); waits for the first of them."""
    with reaching():
        answer = await outbox.redis.execute_command(
            "XREAD", "COUNT", 100, "BLOCK", wait_ms, "STREAMS", outbox.keys.of("inbound"), after
        )
    entries = next(iter(answer))[1] if answer else []
    return [(entry_id.decode(), orjson.loads(fields[FIELD.encode()])) for entry_id, fields in entries]


async def newest(outbox: Outbox) -> str:
    """The id of what was handed on last: reading after `$` would miss what comes between two reads."""
    with reaching():
        entries = await outbox.redis.execute_command("XREVRANGE", outbox.keys.of("inbound"), "+", "-", "COUNT", 1)
    found: str = entries[0][0].decode() if entries else "0"
    return found


async def keep(outbox: Outbox, body: bytes, reason: str) -> bool:
    """Puts a body that cannot be read aside, for the ledger's quarantine; False where the ledger is too far behind."""
    with reaching():
        return bool(await outbox.scripts.durable("keep", body, reason, outbox.ledger_bound))
