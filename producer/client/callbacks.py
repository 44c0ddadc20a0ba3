"""Callbacks of Volley's, on the receiving side: signed per Standard Webhooks, and refused unless they are."""

from collections.abc import Mapping

from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from .models import Answer, Event
from .problems import BadCallback


class _Told(Answer):
    events: tuple[Event, ...]


class _Call(Answer):
    """The body of a call, as Standard Webhooks have it."""

    type: str
    data: _Told


def verify_callback(body: bytes, headers: Mapping[str, str], *secrets: str) -> tuple[Event, ...]:
    """The events of a callback in order, if one of these secrets (`whsec_…`; two while they rotate) signed it within the last 5 minutes.

    `body` as it came, before any parsing. The same event may come more than once: its `id` tells. A call that only tries the
    receiver out (`volley callbacks test`) has none.

    Raises:
        BadCallback: not signed by us, too old, or no events: answer 400.
    """
    if not any(_signed(body, headers, secret) for secret in secrets):
        raise BadCallback("the signature is not right for this body, or older than 5 minutes")
    try:
        return _Call.model_validate_json(body).data.events
    except ValidationError:
        raise BadCallback("it is signed, and holds no events: is this client too old?") from None


def _signed(body: bytes, headers: Mapping[str, str], secret: str) -> bool:
    given = Webhook(secret)
    try:
        given.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # what is not even a signature raises ValueError
        return False
    return True
