"""What the carrier has: numbers, short codes and alphanumeric IDs of the account, as documents; one of them with all we know."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from producer.pool.moves import absent
from producer.pool.named import Named, named
from producer.sight import documents
from volley.carrier import alphanumeric_api, numbers_api, short_codes_api
from volley.carrier.api import Missing, TelnyxApi
from volley.carrier.edge import AlphanumericId, Number, ShortCode
from volley.errors import UnusableInput
from volley.outbox.outbox import Outbox
from volley.sender import SenderType

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """`profile` "" is every one; `unassigned` those in none; `contains` is a part of the number, code or ID."""

    profile: str = ""
    unassigned: bool = False
    kind: SenderType | None = None
    contains: str = ""

    def wants(self, document: Document) -> bool:
        """What a request cannot ask the carrier for."""
        return not (self.unassigned and document["messaging_profile_id"]) and self.contains in document["number"]


async def listed(api: TelnyxApi, wanted: Filter) -> AsyncIterator[Document]:
    """All that the carrier has, one page in memory at a time: numbers, then short codes, then alphanumeric IDs."""
    async for row in _rows(api, wanted):
        found = document(row)
        if wanted.wants(found):
            yield found


async def _rows(api: TelnyxApi, wanted: Filter) -> AsyncIterator[Number | ShortCode | AlphanumericId]:
    profile, kind = wanted.profile, wanted.kind
    if kind in (None, "long_code", "toll_free"):
        async for number in numbers_api.numbers(api, profile, kind=kind, contains=wanted.contains):
            if number.kind != "short_code":
                yield number
    if kind in (None, "short_code"):
        async for code in short_codes_api.short_codes(api, profile):
            yield code
    if kind in (None, "alphanumeric"):
        async for name in alphanumeric_api.alphanumeric_ids(api, profile):
            yield name


def document(row: Number | ShortCode | AlphanumericId) -> Document:
    """`number` and `type` in our words, and every field under the carrier's name."""
    fields = row.model_dump(mode="json", exclude={"phone_number", "short_code", "alphanumeric_sender_id", "type"})
    match row:
        case Number():
            return {"number": row.phone_number, "type": row.kind, **fields}
        case ShortCode():
            return {"number": row.short_code, "type": "short_code", **fields}
        case AlphanumericId():
            return {"number": row.alphanumeric_sender_id, "type": "alphanumeric", **fields}


async def one(api: TelnyxApi, outbox: Outbox | None, word: str) -> Document:
    """A sender by its name or by the carrier's id: `carrier` has every field of the carrier, `pool` ours, None where it is not in
    it. Of an alphanumeric ID that several profiles have both are lists.

    Raises:
        UnusableInput: there is no such sender in this account.
    """
    rows = await (_by_id(api, word) if _is_id(word) else _by_name(api, named(word)))
    found = [document(row) for row in rows]
    views = [] if outbox is None else await outbox.senders(count_pins=True)
    pool = [documents.sender(view) for view in views if view.sender.number == found[0]["number"]]
    return {
        "number": found[0]["number"],
        "type": found[0]["type"],
        "carrier": _bare(found),
        "pool": _bare(pool),
    }


def _bare(documents: list[Document]) -> Document | list[Document] | None:
    return documents if len(documents) > 1 else next(iter(documents), None)


def _is_id(word: str) -> bool:
    return len(word) > 15 or (len(word) > 8 and word.isdigit())


async def _by_id(api: TelnyxApi, word: str) -> list[Number | ShortCode | AlphanumericId]:
    for ask in (numbers_api.number, short_codes_api.short_code, alphanumeric_api.alphanumeric_id):
        try:
            return [await ask(api, word)]
        except Missing:
            continue
    hint = f"; a number is written +{word}" if word.isdigit() and len(word) <= 15 else ""
    raise UnusableInput(f"the carrier has nothing with the id {word[:64]!r} in this account{hint}")


async def _by_name(api: TelnyxApi, sender: Named) -> list[Number | ShortCode | AlphanumericId]:
    match sender.shape:
        case "number":
            found: list[Number | ShortCode | AlphanumericId] = [*(await numbers_api.find(api, [sender.name])).values()]
        case "short_code":
            code = await short_codes_api.find(api, sender.name)
            found = [] if code is None else [code]
        case "alphanumeric":
            found = [*await alphanumeric_api.find(api, sender.name)]
    if not found:
        raise UnusableInput(f"{sender.name}: {absent(sender)}")
    return found
