"""Messages over HTTP: one text or up to a thousand, and what became of each."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any, Self

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from producer.push.request import PushRequest
from producer.sight.story import whole_story
from producer.web.gather import Place, Taken
from producer.web.mark import Text
from producer.web.models import MessageDocument, MessagesTaken
from producer.web.problems import BAD_REQUEST, IN_PROGRESS, KEY_TAKEN, NOT_FOUND, NOTHING_TO_SEND, REFUSED, Problem
from producer.web.pushes import KEY, REPLAYED, idempotency_key
from producer.web.pushing import Allowance
from producer.web.routes import Call, Route, answer
from volley.campaign import Encoding, OnUnknown, Priority
from volley.errors import UnusableInput
from volley.ledger.documents import Document, Sources, message
from volley.ledger.reader import hot_states
from volley.message import MessageId, parse_message_id
from volley.outbox.chunks import decode
from volley.outbox.scripts import reaching

MOST = 1000
TAG = "messages"
_LARGEST = 4 << 20
_TEMPLATE = "{text}"

_To = Annotated[str, Field(min_length=1, max_length=100, description="E.164, or national with `region`")]
_Words = Annotated[str, Field(min_length=1, max_length=2000, description="sent as it is")]
_Reference = Annotated[str | None, Field(max_length=255, description="your own id of it")]
_Short = Annotated[str, Field(min_length=1, max_length=100)]


class OneMessage(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: _To
    text: _Words
    reference: _Reference = None


class Messages(BaseModel):
    """One message (`to`, `text`), or several in `messages`. A person gets one text of a request."""

    model_config = ConfigDict(extra="forbid")

    profile: _Short
    to: _To | None = None
    text: _Words | None = None
    reference: _Reference = None
    messages: Annotated[list[OneMessage], Field(max_length=MOST)] = []
    sender: Annotated[_Short | None, Field(alias="from", description="this sender, not the pool")] = None
    fallback: _Short | None = None
    region: _Short | None = None
    priority: Priority = "urgent"
    encoding: Encoding = "auto"
    smart_encoding: bool | None = None
    expires: Annotated[AwareDatetime | None, Field(description="nothing is sent from this second on")] = None
    quiet_hours: _Short | None = None
    on_unknown: OnUnknown = "hold"

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        one = self.to is not None and self.text is not None
        alone = self.to is None and self.text is None and self.reference is None
        if not (one and not self.messages) and not (alone and self.messages):
            raise ValueError("give either to and text, or messages")
        return self

    def texts(self) -> list[Text]:
        if self.to is not None and self.text is not None:
            return [Text(self.to, self.text, self.reference)]
        return [Text(each.to, each.text, each.reference) for each in self.messages]

    def request(self, key_id: str) -> PushRequest:
        """What is common to its messages: those with an equal one may be gathered. Raises UnusableInput."""
        request = _shared(
            (TAG, f"key:{key_id}"),
            self.profile,
            self.sender,
            self.fallback,
            self.region,
            self.priority,
            self.encoding,
            self.smart_encoding,
            self.quiet_hours,
            self.on_unknown,
        )
        # equal moments may be spelled differently, and a request is known again by how it is. The whole second, as codes that
        # each expire ten minutes from now would never meet, and serve takes so many campaigns a second and no more
        return request if self.expires is None else replace(request, expires=self.expires.replace(microsecond=0))


@lru_cache(maxsize=256)
def _shared(
    tags: tuple[str, ...],
    profile: str,
    sender: str | None,
    fallback: str | None,
    region: str | None,
    priority: Priority,
    encoding: Encoding,
    smart_encoding: bool | None,
    quiet_hours: str | None,
    on_unknown: OnUnknown,
) -> PushRequest:
    """Checked once, however many requests have it in common."""
    return PushRequest(
        profile,
        template=_TEMPLATE,
        again=True,
        examples=MOST,
        tags=tags,
        sender=sender,
        fallback=fallback,
        region=region,
        priority=priority,
        encoding=encoding,
        smart_encoding=smart_encoding,
        quiet_hours=quiet_hours,
        on_unknown=on_unknown,
    )


async def send(call: Call) -> web.Response:
    key, asked = idempotency_key(call.request), call.body(Messages)
    if key is None:
        raise Problem(BAD_REQUEST, f"give a header {KEY}: with it the same request may be made again, and sends once")
    request, texts = asked.request(call.who.id), asked.texts()
    allowance, sent = Allowance(call.desk.outbox, call.who), 0
    with call.desk.busy.held(key):
        try:
            taken = await call.desk.gather.push(request, key, texts, allowance.take, allowance.keep)
            sent = 0 if taken.replayed else sum(not isinstance(each, str) for each in taken.places)
        finally:
            await allowance.give_back(sent)
    document = _document(taken, texts)
    if taken.campaign_id is None:
        raise Problem(NOTHING_TO_SEND, "none of these messages can be sent: see messages", more=document)
    return answer(document, 202, REPLAYED if taken.replayed else {})


def _document(taken: Taken, texts: Sequence[Text]) -> dict[str, Any]:
    pairs = zip(texts, taken.places, strict=True)
    return {"campaign_id": taken.campaign_id, "messages": [_one(taken.campaign_id, *pair) for pair in pairs]}


def _one(campaign_id: str | None, text: Text, place: Place) -> dict[str, Any]:
    status, _, reason = ("ready", "", "") if not isinstance(place, str) else place.partition(": ")
    name = None if isinstance(place, str) or campaign_id is None else str(MessageId(campaign_id, *place))
    return {
        "message_id": name, "to": text.to, "reference": text.reference, "status": status, "reason": reason or None,
    }  # fmt: skip


async def show(call: Call) -> web.Response:
    name, desk = call.part("message_id"), call.desk
    try:
        place = parse_message_id(name)
    except UnusableInput as error:
        raise Problem(NOT_FOUND, str(error)) from None
    try:
        return answer(await whole_story(desk.reader, desk.outbox, name))
    except UnusableInput:
        found = await _unrecorded(call, place)
    if found is None:
        raise Problem(NOT_FOUND, f"no message {name[:60]}")
    return answer(found)


async def _unrecorded(call: Call, place: MessageId) -> Document | None:
    """One that the ledger has not heard of yet, as it was sealed a moment ago."""
    outbox = call.desk.outbox
    view = await outbox.campaign(place.campaign)
    with reaching():
        blob = await outbox.redis.get(outbox.keys.chunk(place.campaign, place.chunk))
        [hot] = await hot_states(outbox)(place.campaign, [place.chunk])
    if view is None or blob is None or hot is None or place.offset >= len(hot):
        return None
    told = message((place.campaign, place.chunk, place.offset), Sources(view.campaign, None, decode(blob), hot))
    return told | {"text": None, "history": [], "waits": None, "sender_why": None}


ROUTES = (
    Route(
        "POST",
        "/v1/messages",
        "send_messages",
        "Send one text, or up to a thousand",
        "messages",
        "send",
        send,
        {202: MessagesTaken},
        body=Messages,
        keyed="required",
        largest=_LARGEST,
        problems=(IN_PROGRESS, KEY_TAKEN, NOTHING_TO_SEND, REFUSED),
        description="Urgent unless said otherwise. 202 once it is on the disk. "
        "The same Idempotency-Key with the same request has the same answer "
        "for 24 hours; requests that come within a few milliseconds share a campaign, and their answers do not.",
    ),
    Route(
        "GET",
        "/v1/messages/{message_id}",
        "show_message",
        "One message: what it waits for, attempts, receipts, price",
        "messages",
        "read",
        show,
        {200: MessageDocument},
        problems=(NOT_FOUND,),
    ),
)
