"""The whole story of one message: what the ledger has, where it waits now, and why its sender was the one."""

from collections.abc import Callable, Iterator
from time import time_ns

from producer.sight.documents import moment
from producer.sight.waits import message_wait
from volley.campaign import Campaign
from volley.ledger.documents import Document
from volley.ledger.reader import Reader, hot_states
from volley.message import parse_message_id
from volley.outbox import doubts
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching
from volley.outbox.verdict import honoured
from volley.outbox.whereabouts import Wait, pinned_sender
from volley.sender import is_carrier_pool
from volley.state import STATUS, State

NO_REDIS = "Redis, which knows, cannot be asked"
_GIVEN_UP = "its campaign has given it up: only a webhook of the carrier's may still tell what came of it"


async def whole_story(reader: Reader, outbox: Outbox | None, message_id: str) -> Document:
    """`Reader.message_story` with `waits` (None where it is over) and `sender_why`, there and at each attempt."""
    document = await reader.message_story(message_id, hot_states(outbox) if outbox else None)
    campaign = await reader.campaign(document["campaign_id"])
    pinned = await _pinned(document, outbox) if outbox else None
    why = _explain(campaign, pinned, asked=outbox is not None)
    for attempt in _attempts(document):
        attempt["sender_why"] = why(attempt["from"])
    return document | {"sender_why": why(document["from"]), "waits": await _waits(document, campaign, outbox)}


def _attempts(document: Document) -> Iterator[Document]:
    return (event for event in document["history"] if event["event"] == "attempt")


async def _pinned(document: Document, outbox: Outbox) -> str | None:
    to = document["to"]
    return await pinned_sender(outbox, document["profile"], int(to[1:])) if to else None


def _explain(campaign: Campaign, pinned: str | None, *, asked: bool) -> Callable[[str | None], str | None]:
    """Why a sender was the one. Pins tell who a person's sender is, not since which message: more is not claimed."""

    def why(sender: str | None) -> str | None:
        if sender is None:
            return None
        if campaign.sender is not None:
            return _named(campaign.sender, sender)
        if not asked:
            return f"pinned to this person, or the pool's choice: {NO_REDIS}"
        if pinned == sender:
            return "pinned to this person, by this message or an earlier one"
        if pinned is None:
            return "pinned to this person then, or the pool's choice: no pin is held any more"
        return f"pinned to this person then, or the pool's choice; the person is pinned to {pinned} since"

    return why


def _named(named: str, sender: str) -> str:
    if is_carrier_pool(named):
        return "chosen by the carrier from its own pool, as the campaign wished"
    return (
        "named by the campaign" if sender == named else f"the fallback of {named}, which may not send to this country"
    )


async def _waits(document: Document, campaign: Campaign, outbox: Outbox | None) -> Document | None:
    status = document["status"]
    if status == STATUS[State.READY]:
        if outbox is None:
            return {"state": status, "why": f"nothing is in the ledger of what it waits for: {NO_REDIS}"}
        return _document(await message_wait(outbox, parse_message_id(document["message_id"])))
    if status == STATUS[State.UNKNOWN]:
        return {"state": status, "why": f"{_unknown(document)}; {await _resolves(document, outbox)}"}
    why = {
        STATUS[State.SENDING]: "it is being sent now",
        STATUS[State.SUBMITTED]: _taken(campaign),
    }.get(status)
    return {"state": status, "why": why} if why else None


async def _resolves(document: Document, outbox: Outbox | None) -> str:
    """What an unknown message waits for."""
    if outbox is None:
        return NO_REDIS
    now_us = time_ns() // 1000
    with reaching():
        doubt = await doubts.of_message(outbox.redis, outbox.keys, parse_message_id(document["message_id"]))
        proved = await honoured(outbox, now_us)
    view = await outbox.campaign(document["campaign_id"])
    if doubt is None or view is None:
        return _GIVEN_UP if view and view.possibly_lost else doubts.BY_ITSELF
    return doubts.waits_for(doubt, view.state, view.on_unknown, honoured=proved, now_us=now_us)


def _taken(campaign: Campaign) -> str:
    if campaign.send_at_us > time_ns() // 1000:
        return f"the carrier keeps it until {moment(campaign.send_at_us)}, as the campaign wished"
    return "the carrier has it; its last receipt has not come yet"


def _document(wait: Wait) -> Document:
    found: Document = {"state": wait.state, "why": wait.why}
    if wait.until_us:
        found["until"] = moment(wait.until_us)
    if wait.ahead is not None:
        found |= {"lane": wait.lane, "ahead": wait.ahead}
    return found


def _unknown(document: Document) -> str:
    """Why nobody knows whether it was sent, by the last event that says so."""
    for event in reversed(document["history"]):
        if event["event"] == "move" and event.get("why") == "reap":
            return f"the worker that was sending it (by {event['from']}) did not come back, so nobody knows what came of it"
        if event["event"] == "attempt" and event["status"] == STATUS[State.UNKNOWN]:
            said = " ".join(str(event[name]) for name in ("error_code", "error_text") if event[name])
            return f"attempt {event['attempt']} may have reached the carrier ({said or event['outcome']})"
    return "nobody knows whether it was sent; why is not in the ledger yet"
