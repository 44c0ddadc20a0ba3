"""Texts that people send to our numbers, on command: POST /_sandbox/inbound, and the signed webhook that each of them makes."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from volley.sandbox.config import ORGANIZATION_ID, SandboxConfig
from volley.sandbox.deliveries import Event
from volley.sandbox.moments import moment
from volley.sandbox.numbers import Numbers
from volley.sandbox.optouts import OptOuts
from volley.sandbox.payload import carrier_of, cost_of, tags
from volley.sandbox.pool import SandboxNumber, SandboxProfile
from volley.sandbox.replies import Refusal, ok
from volley.sandbox.webhooks import Courier, event_data
from volley.text.parts import MAX_PARTS, measure

_MOST = 100_000


class _Text(BaseModel):
    model_config = ConfigDict(extra="forbid")
    person: str = Field(alias="from", pattern=r"^\+[1-9][0-9]{6,14}$")
    to: str
    text: str = ""
    media: list[str] = []
    count: int = Field(1, ge=1, le=_MOST)

    def people(self) -> Iterator[str]:
        """`count` people with numbers that follow each other."""
        return (f"+{int(self.person) + turn}" for turn in range(self.count))


_TEXTS = TypeAdapter(_Text | list[_Text])


@dataclass(frozen=True, slots=True)
class Heard:
    """A text that came in. `payload` is that of its webhook."""

    id: str
    wall_us: int
    person: str
    number: SandboxNumber
    profile: SandboxProfile
    parts: int
    payload: dict[str, object]


class Inbound:
    """A control of App (app.py). `count` is how many texts ever came in; the newest are known."""

    def __init__(self, config: SandboxConfig, numbers: Numbers, optouts: OptOuts, courier: Courier) -> None:
        self._keep = max(config.keep, config.keep_records)
        self._price = config.tariff.inbound
        self._numbers = numbers
        self._optouts = optouts
        self._courier = courier
        self._heard: dict[str, Heard] = {}
        self.count = 0

    def answer(self, method: bytes, steps: list[str], query: dict[str, str], body: bytes) -> bytes | None:
        if method != b"POST" or steps != ["inbound"]:
            return None
        texts = _parse(body)
        heard = [
            self._hear(text, number, profile, person)
            for text, (number, profile) in zip(texts, [self._line(each.to) for each in texts], strict=True)
            for person in text.people()
        ]
        rows = [{"id": each.id, "autoresponse_type": each.payload["autoresponse_type"]} for each in heard]
        return ok(orjson.dumps({"data": rows}))

    def show(self, message_id: str) -> bytes | None:
        """`{"data": payload}`, None where there was no such text."""
        heard = self._heard.get(message_id)
        return None if heard is None else orjson.dumps({"data": heard.payload})

    def newest(self, count: int) -> list[Heard]:
        """The last of them, the oldest first."""
        return list(self._heard.values())[max(0, len(self._heard) - count) :]

    def _line(self, name: str) -> tuple[SandboxNumber, SandboxProfile]:
        """Raises Refusal: a text to a number without a profile reaches nobody."""
        number = self._numbers.by_number.get(name)
        if number is None or number.type == "alphanumeric" or number.profile is None:
            raise Refusal("10015", f"{name} is no number of this sandbox that has a profile and can be texted.")
        return number, number.profile

    def _hear(self, text: _Text, number: SandboxNumber, profile: SandboxProfile, person: str) -> Heard:
        now_us = time.time_ns() // 1000
        kind = self._optouts.hear(profile, number.number, person, text.text, now_us)
        counted = measure(text.text) if text.text else None
        parts = 1 if text.media or counted is None else min(counted.parts, MAX_PARTS)
        encoding = "GSM-7" if counted is None else counted.encoding
        message_id = str(uuid.uuid4())
        facts = {"id": message_id, "encoding": encoding, "parts": parts, "autoresponse_type": kind}
        payload = _payload(text, number, profile, person, now_us) | facts | cost_of(self._price, parts)
        heard = Heard(message_id, now_us, person, number, profile, parts, payload)
        self._remember(heard)
        self._tell(heard)
        return heard

    def _remember(self, heard: Heard) -> None:
        self.count += 1
        self._heard[heard.id] = heard
        if len(self._heard) > self._keep:
            del self._heard[next(iter(self._heard))]

    def _tell(self, heard: Heard) -> None:
        spec = heard.profile.spec
        urls = tuple(url for url in (spec.webhook_url, spec.webhook_failover_url) if url)
        if urls:
            occurred = str(heard.payload["received_at"])
            self._courier.post(Event(event_data("message.received", heard.id, occurred, heard.payload), urls))


def _parse(body: bytes) -> list[_Text]:
    try:
        found = _TEXTS.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise Refusal(
            "10015", f"{where}: {first['msg']} (give from, to, text, media?, count?; one or a list)"
        ) from None
    return found if isinstance(found, list) else [found]


def _payload(
    text: _Text, number: SandboxNumber, profile: SandboxProfile, person: str, now_us: int
) -> dict[str, object]:
    """InboundMessagePayload, but for id, encoding, parts and cost; `autoresponse_type` and `is_spam` as seen on the wire."""
    spec = profile.spec
    return _ends(person, number.number) | {
        "record_type": "message",
        "direction": "inbound",
        "type": "MMS" if text.media else "SMS",
        "organization_id": ORGANIZATION_ID,
        "messaging_profile_id": spec.id,
        "cc": [],
        "text": text.text,
        "num_chars": len(text.text),
        "subject": None,
        "media": [{"url": url, "content_type": "image/png", "size": 1024} for url in text.media],
        "webhook_url": spec.webhook_url or None,
        "webhook_failover_url": spec.webhook_failover_url or None,
        "tags": tags(number),
        "tcr_campaign_id": None,
        "tcr_campaign_billable": False,
        "tcr_campaign_registered": None,
        "received_at": moment(now_us),
        "sent_at": None,
        "completed_at": None,
        "valid_until": None,
        "errors": [],
        "is_spam": False,
    }


def _ends(person: str, number: str) -> dict[str, object]:
    whose = {"phone_number": person, "carrier": carrier_of(person), "line_type": "Wireless"}
    ours = {"phone_number": number, "carrier": "Telnyx", "line_type": "Wireless"}
    return {"from": whose | {"status": "received"}, "to": [ours | {"status": "webhook_delivered"}]}
