"""The reference in each message's webhook URL: which message an event is about, and proof that we wrote it.

`<message id>.<mac>`, MAC = keyed BLAKE2s (RFC 7693) of the id, 12 bytes as hex. It is the only field of ours that
Telnyx echoes. Two secrets may be in force while they are being changed: the first signs, all of them verify.
"""

from collections.abc import Sequence
from hashlib import blake2s
from hmac import compare_digest
from urllib.parse import parse_qs, urlsplit

from volley.errors import UnusableInput
from volley.message import MessageId, parse_message_id

_PURPOSE = b"vly-ref1"
_MAC_BYTES = 12
_SHORTEST = 16
_MOST_SECRETS = 2


def secrets_of(setting: str) -> list[bytes]:
    """VOLLEY_SECRET → the keys to sign (the first) and to verify (all) with; any length of secret makes a 32-byte key.

    Raises:
        UnusableInput: none, too many or too short; no part of a secret is repeated.
    """
    values = [value.strip() for value in setting.split(",") if value.strip()]
    if not 1 <= len(values) <= _MOST_SECRETS or min(map(len, values)) < _SHORTEST:
        raise UnusableInput(
            f"VOLLEY_SECRET is to be one secret of at least {_SHORTEST} characters, or two with a comma while changing it"
            " (openssl rand -hex 32 makes one)"
        )
    return [blake2s(value.encode()).digest() for value in values]


def sign(message_id: str, secret: bytes) -> str:
    """`01k2…-0-17` → `01k2…-0-17.<24 hex digits>`."""
    return f"{message_id}.{_mac(message_id, secret)}"


def read(reference: str, secrets: Sequence[bytes]) -> MessageId | None:
    """The message that a reference names; None unless one of the secrets made it."""
    message_id, _, mac = reference.rpartition(".")
    # compare_digest takes ASCII only.
    if not reference.isascii() or not any(compare_digest(mac, _mac(message_id, secret)) for secret in secrets):
        return None
    try:
        return parse_message_id(message_id)
    except UnusableInput:
        return None


def webhook_url(public_url: str, account: str, reference: str, *, failover: bool = False) -> str:
    """The address that Telnyx is to send a message's events to. `public_url` has no slash at its end.

    What comes to the `failover` address is taken as well, and counted apart, as it tells that the first one failed.
    """
    path = f"{account}/failover" if failover else account
    return f"{public_url}/webhooks/telnyx/{path}?ref={reference}"


def reference_in(url: str) -> str:
    """The reference in a webhook URL as Telnyx echoes it; "" if there is none."""
    try:
        return parse_qs(urlsplit(url).query).get("ref", [""])[0]
    except ValueError:
        return ""


def _mac(message_id: str, secret: bytes) -> str:
    return blake2s(message_id.encode(), key=secret, digest_size=_MAC_BYTES, person=_PURPOSE).hexdigest()
