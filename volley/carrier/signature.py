"""Is this webhook Telnyx's own? Ed25519 over `timestamp|raw body`, checked before anything is parsed.

Source: developers.telnyx.com, receiving webhooks; the tolerance is the official SDK's.
"""

import binascii
from base64 import b64decode
from collections.abc import Sequence

from multidict import MultiMapping
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from volley.errors import UnusableInput, VolleyError

SIGNATURE = "telnyx-signature-ed25519"
TIMESTAMP = "telnyx-timestamp"
TOLERANCE_S = 300
_KEY_BYTES, _SIGNATURE_BYTES, _LONGEST_TIMESTAMP = 32, 64, 12


class Forged(VolleyError):
    """Not signed by the carrier, or not now. The message says which check failed and repeats nothing of the request."""


def public_keys(setting: str) -> list[VerifyKey]:
    """TELNYX_PUBLIC_KEY: base64 of 32 bytes, or several with commas while the key is being changed.

    Raises:
        UnusableInput: none, or one that is not such a key.
    """
    keys = [_bytes(value.strip(), _KEY_BYTES) for value in setting.split(",") if value.strip()]
    if not keys or None in keys:
        raise UnusableInput("TELNYX_PUBLIC_KEY is not a key: copy it from the portal (Keys & Credentials, Public Key)")
    return [VerifyKey(key) for key in keys if key is not None]


def verify(
    raw: bytes, headers: MultiMapping[str], keys: Sequence[VerifyKey], now_s: float, tolerance_s: float = TOLERANCE_S
) -> None:
    """Nothing, if one of the keys signed this body at about this time. `headers` is the request's multidict.

    Raises:
        Forged: a header is missing or doubled, the time is off by more than the tolerance, or no key fits.
    """
    stamp, signature = claim(headers, now_s, tolerance_s)
    signed = stamp.encode() + b"|" + raw
    if not any(_fits(key, signed, signature) for key in keys):
        raise Forged("the signature fits none of the public keys")


def claim(headers: MultiMapping[str], now_s: float, tolerance_s: float = TOLERANCE_S) -> tuple[str, bytes]:
    """(timestamp, signature) that a request claims to have: what can be refused before its body is read. Raises Forged."""
    stamp, signature = _only(headers, TIMESTAMP), _bytes(_only(headers, SIGNATURE), _SIGNATURE_BYTES)
    if len(stamp) > _LONGEST_TIMESTAMP or not (stamp.isascii() and stamp.isdigit()):
        raise Forged(f"{TIMESTAMP} is not a time")
    # whole seconds, as the official SDK counts them
    if abs(int(now_s) - int(stamp)) > tolerance_s:
        raise Forged(
            f"{TIMESTAMP} is more than {tolerance_s:.0f} s away from our clock: old, replayed, or a clock is wrong"
        )
    if signature is None:
        raise Forged(f"{SIGNATURE} is not a signature")
    return stamp, signature


def _only(headers: MultiMapping[str], name: str) -> str:
    values = headers.getall(name, [])
    if len(values) != 1:
        raise Forged(f"{name} is {'doubled' if values else 'missing'}")
    return values[0]


def _bytes(text: str, length: int) -> bytes | None:
    try:
        decoded = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if len(decoded) == length else None


def _fits(key: VerifyKey, signed: bytes, signature: bytes) -> bool:
    try:
        key.verify(signed, signature)
    except BadSignatureError:
        return False
    return True
