"""Each operation as a value: what is asked, and how its answer is read. No socket in here; both clients send these."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, Literal, TypedDict, TypeVar
from urllib.parse import quote
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from .content import Content
from .models import (
    CallbackDone,
    Callbacks,
    Campaign,
    Campaigns,
    Deliveries,
    Facts,
    Message,
    Messages,
    NewCallback,
    Pushed,
    Retried,
    Sent,
    Steered,
    Why,
)
from .problems import UnexpectedAnswer, problem_error

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)
Value = str | int | float | bool | Decimal | datetime
Headers = Mapping[str, str]
Verb = Literal["pause", "resume", "cancel"]
Form = Literal["jsonl", "csv", "parquet"]

KEY = "Idempotency-Key"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Ask(Generic[T]):
    """One request. `read` gets the headers and body of a good answer. `repeatable`: twice is as good as once."""

    method: str
    path: str
    read: Callable[[Headers, bytes], T]
    query: tuple[tuple[str, str], ...] = ()
    headers: Headers = field(default_factory=dict)
    content: Content | None = None
    repeatable: bool = True

    def answered(self, status: int, headers: Headers, body: bytes) -> T:
        """What was asked for. Raises ProblemError or UnexpectedAnswer."""
        check(status, headers, body)
        return self.read(headers, body)

    @property
    def key(self) -> str | None:
        return self.headers.get(KEY)


class PushOptions(TypedDict, total=False):
    """Options of a push, as docs/http-api.md has them. Give `text` (sent as it is) or `template` (`{name}`, `{name|default}`).

    `sender` names who sends; else the pool of `profile` does. Moments need a time zone. There is no `again`: each push has a key of
    its own.
    """

    profile: str
    text: str
    template: str
    sender: str
    fallback: str
    carrier_pool: bool
    region: str
    priority: Literal["urgent", "bulk"]
    weight: int
    encoding: Literal["auto", "gsm7", "ucs2"]
    smart_encoding: bool
    media: list[str]
    subject: str
    mms_fallback: Literal["refuse", "sms"]
    rate: Decimal | float
    start: datetime
    quiet_hours: str
    budget: Decimal | float
    pause_on_failures: Decimal | float
    pause_on_opt_outs: Decimal | float
    send_at: datetime
    expires: datetime
    on_unknown: Literal["hold", "retry", "give-up"]
    tags: list[str]
    callback_url: str
    test_to: list[str]


class Changes(TypedDict, total=False):
    """Terms of a campaign that runs. What is not named stays; None lifts a limit."""

    rate: Decimal | float | None
    start: datetime | None
    expires: datetime | None
    priority: Literal["urgent", "bulk"]
    quiet_hours: str | None
    budget: Decimal | float | None
    pause_on_failures: Decimal | float | None
    pause_on_opt_outs: Decimal | float | None


class SendOptions(TypedDict, total=False):
    """Options of messages, as docs/http-api.md has them."""

    profile: str
    sender: str
    fallback: str
    region: str
    priority: Literal["urgent", "bulk"]
    encoding: Literal["auto", "gsm7", "ucs2"]
    smart_encoding: bool
    expires: datetime
    quiet_hours: str
    on_unknown: Literal["hold", "retry", "give-up"]


def check(status: int, headers: Headers, body: bytes) -> None:
    """Raises ProblemError or UnexpectedAnswer where it is no answer of success."""
    if not 200 <= status < 300:
        raise problem_error(status, body, headers.get("retry-after"))


def as_model(model: type[Model]) -> Callable[[Headers, bytes], Model]:
    def read(_headers: Headers, body: bytes) -> Model:
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            where = ", ".join(".".join(map(str, each["loc"])) or "all of it" for each in error.errors()[:3])
            raise UnexpectedAnswer(f"the answer is no {model.__name__} ({where}): is this client too old?") from None

    return read


def fields(options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Options as a query has them; those that are None are left out."""
    found: list[tuple[str, str]] = []
    for name, value in options.items():
        for each in value if isinstance(value, list | tuple) else (value,):
            if each is not None:
                found.append(("from" if name == "sender" else name, _word(each)))
    return tuple(found)


def _word(value: Value) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
        case _:
            return str(value)


def push(content: Content, options: Mapping[str, Any], key: str | None, dry_run: bool) -> Ask[Pushed]:
    """A key is made where none is given."""
    query = fields(options) + ((("dry_run", "true"),) if dry_run else ())
    headers = content.headers() | {KEY: key or new_key()}
    return Ask("POST", "/v1/campaigns", _pushed, query, headers, content)


def new_key() -> str:
    return uuid4().hex


def _pushed(headers: Headers, body: bytes) -> Pushed:
    found = as_model(Pushed)(headers, body)
    return found.model_copy(update={"replayed": headers.get("idempotent-replayed") == "true"})


def send(messages: Iterable[Mapping[str, Any]], options: Mapping[str, Any], key: str | None) -> Ask[Sent]:
    """Messages are mappings with `to`, `text` and perhaps `reference`."""
    own = {"from" if name == "sender" else name: value for name, value in options.items()}
    document = own | {"messages": [dict(each) for each in messages]}
    return with_json(Ask("POST", "/v1/messages", _sent, headers={KEY: key or new_key()}), document)


def _sent(headers: Headers, body: bytes) -> Sent:
    found = as_model(Sent)(headers, body)
    return found.model_copy(update={"replayed": headers.get("idempotent-replayed") == "true"})


def message(message_id: str) -> Ask[Message]:
    return Ask("GET", f"/v1/messages/{quote(message_id, safe='')}", as_model(Message))


def campaigns(cursor: str | None, limit: int) -> Ask[Campaigns]:
    return Ask("GET", "/v1/campaigns", as_model(Campaigns), fields({"limit": limit, "cursor": cursor}))


def campaign(campaign_id: str) -> Ask[Campaign]:
    return Ask("GET", of_campaign(campaign_id), as_model(Campaign))


def steer(campaign_id: str, verb: Verb) -> Ask[Steered]:
    return Ask("POST", of_campaign(campaign_id, f":{verb}"), as_model(Steered))


def messages_of(campaign_id: str, status: str | None, cursor: str | None, limit: int) -> Ask[Messages]:
    query = fields({"status": status, "cursor": cursor, "limit": limit})
    return Ask("GET", of_campaign(campaign_id, "/messages"), as_model(Messages), query)


def change(campaign_id: str, changes: Mapping[str, Any]) -> Ask[Campaign]:
    return with_json(Ask("PATCH", of_campaign(campaign_id), as_model(Campaign)), changes)


def retry(campaign_id: str, errors: Sequence[str]) -> Ask[Retried]:
    """Twice is more than once: what failed again meanwhile would go a third time."""
    ask = Ask("POST", of_campaign(campaign_id, ":retry"), as_model(Retried), repeatable=False)
    return with_json(ask, {"errors": list(errors)}) if errors else ask


def facts() -> Ask[Facts]:
    return Ask("GET", "/v1/facts", as_model(Facts))


def why(what: str) -> Ask[Why]:
    return Ask("GET", f"/v1/why/{quote(what, safe='')}", as_model(Why))


def callbacks() -> Ask[Callbacks]:
    return Ask("GET", "/v1/callbacks", as_model(Callbacks))


def add_callback(url: str, types: Sequence[str]) -> Ask[NewCallback]:
    """Twice makes two, each with a secret of its own."""
    ask = Ask("POST", "/v1/callbacks", as_model(NewCallback), repeatable=False)
    return with_json(ask, {"url": url, "types": list(types)})


def remove_callback(callback_id: str) -> Ask[CallbackDone]:
    return Ask("DELETE", _of_callback(callback_id), as_model(CallbackDone))


def enable_callback(callback_id: str) -> Ask[CallbackDone]:
    return Ask("POST", _of_callback(callback_id, ":enable"), as_model(CallbackDone))


def deliveries(callback_id: str) -> Ask[Deliveries]:
    return Ask("GET", _of_callback(callback_id, "/deliveries"), as_model(Deliveries))


def redeliver(callback_id: str, delivery_id: str | None) -> Ask[CallbackDone]:
    ask = Ask("POST", _of_callback(callback_id, ":redeliver"), as_model(CallbackDone))
    return with_json(ask, {"delivery_id": delivery_id} if delivery_id else {})


def _of_callback(callback_id: str, more: str = "") -> str:
    return f"/v1/callbacks/{quote(callback_id, safe='')}{more}"


def export(campaign_id: str, form: str) -> Ask[None]:
    return Ask("GET", of_campaign(campaign_id, "/export"), _nothing, fields({"format": form}))


def rejects(campaign_id: str) -> Ask[None]:
    return Ask("GET", of_campaign(campaign_id, "/rejects.csv"), _nothing)


def _nothing(_headers: Headers, _body: bytes) -> None:
    """What is written to a file as it comes."""


def of_campaign(campaign_id: str, more: str = "") -> str:
    return f"/v1/campaigns/{quote(campaign_id, safe='')}{more}"


def with_json(ask: Ask[T], document: Mapping[str, Any]) -> Ask[T]:
    body = json.dumps(document, ensure_ascii=False, default=_word).encode()
    content = Content(_JSON, None, len(body), lambda: iter((body,)))
    return replace(ask, content=content, headers={**ask.headers, **content.headers()})
