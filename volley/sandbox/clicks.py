"""Clicks on shortened links, on command: POST /_sandbox/click, and the signed webhook that each of them makes."""

import time

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from volley.sandbox.archive import Archive
from volley.sandbox.deliveries import Event
from volley.sandbox.moments import moment
from volley.sandbox.receipts import urls_of
from volley.sandbox.replies import Refusal, ok
from volley.sandbox.webhooks import Courier


class _Click(BaseModel):
    model_config = ConfigDict(extra="forbid")
    message_id: str
    url: str


class Clicks:
    """A control of App (app.py)."""

    def __init__(self, archive: Archive, courier: Courier) -> None:
        self._archive = archive
        self._courier = courier

    def answer(self, method: bytes, steps: list[str], query: dict[str, str], body: bytes) -> bytes | None:
        if method != b"POST" or steps != ["click"]:
            return None
        try:
            click = _Click.model_validate_json(body)
        except ValidationError:
            raise Refusal("10015", "give {'message_id': an id, 'url': the link}") from None
        taken = self._archive.find(click.message_id)
        if taken is None:
            raise Refusal("40303")
        draft = self._archive.draft(taken)
        clicked = moment(time.time_ns() // 1000)
        data: dict[str, object] = {"record_type": "link_clicked", "to": draft.to, "time_clicked": clicked}
        urls = urls_of(draft)
        if urls:
            self._courier.post(Event(data | click.model_dump(), urls))
        return ok(orjson.dumps({"webhooks": len(urls) and 1}))
