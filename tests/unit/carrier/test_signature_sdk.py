"""Our verification beside the official SDK's, on the same vectors: it accepts what ours accepts, and ours refuses what it refuses.

Where the two differ on purpose, DIFFERENCES says why: each time ours is the stricter one, but for bytes that are no UTF-8.
"""

import base64
import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from nacl.signing import SigningKey
from telnyx import Telnyx
from telnyx.lib.webhook_verification import WebhookVerificationError

from volley.carrier.signature import SIGNATURE, TIMESTAMP, Forged, public_keys, verify

KEY = SigningKey(bytes(range(32)))
OTHER = SigningKey(bytes(range(1, 33)))
PUBLIC = base64.b64encode(bytes(KEY.verify_key)).decode()
SDK = Telnyx(api_key="KEY", public_key=PUBLIC)
RAW = '{"data": {"event_type": "message.finalized", "id": "1", "payload": {"text": "Grüße"}}}'.encode()
Request = tuple[bytes, CIMultiDict[str]]


def signed(raw: bytes = RAW, stamp: str | None = None, key: SigningKey = KEY) -> Request:
    at = str(int(time.time())) if stamp is None else stamp
    signature = key.sign(at.encode() + b"|" + raw).signature
    return raw, CIMultiDict({"Telnyx-Signature-Ed25519": base64.b64encode(signature).decode(), "Telnyx-Timestamp": at})


def changed(request: Request, raw: bytes | None = None, **headers: str | None) -> Request:
    found = request[1].copy()
    for name, value in headers.items():
        del found[f"telnyx-{name.replace('_', '-')}"]
        if value is not None:
            found[f"telnyx-{name.replace('_', '-')}"] = value
    return request[0] if raw is None else raw, found


def doubled(name: str) -> Request:
    raw, headers = signed()
    headers.add(name, headers[name])
    return raw, headers


def ours(request: Request) -> bool:
    try:
        verify(*request, public_keys(PUBLIC), time.time())
    except Forged:
        return False
    return True


def theirs(request: Request) -> bool:
    try:
        SDK.webhooks.unwrap(request[0], headers=request[1])  # type: ignore[arg-type]
    except (WebhookVerificationError, UnicodeDecodeError):
        return False
    except json.JSONDecodeError:
        return True  # it verified, and then read
    return True


def ago(seconds: int) -> str:
    return str(int(time.time()) - seconds)


SAME: dict[str, tuple[bool, Callable[[], Request]]] = {
    "as it was sent": (True, signed),
    "four minutes old": (True, lambda: signed(stamp=ago(240))),
    "four minutes ahead": (True, lambda: signed(stamp=ago(-240))),
    "an empty body": (True, lambda: signed(b"")),
    "no JSON": (True, lambda: signed(b"sms_id=1&from=%2B1")),
    "six minutes old": (False, lambda: signed(stamp=ago(360))),
    "six minutes ahead": (False, lambda: signed(stamp=ago(-360))),
    "a day old": (False, lambda: signed(stamp=ago(86_400))),
    "the year 33658": (False, lambda: signed(stamp="999999999999")),
    "another key": (False, lambda: signed(key=OTHER)),
    "re-serialised": (
        False,
        lambda: changed(signed(), raw=json.dumps(json.loads(RAW), separators=(",", ":")).encode()),
    ),
    "with its letters escaped": (False, lambda: changed(signed(), raw=json.dumps(json.loads(RAW)).encode())),
    "a line more": (False, lambda: changed(signed(), raw=RAW + b"\n")),
    "cut": (False, lambda: changed(signed(), raw=RAW[:-1])),
    "the time of another": (False, lambda: changed(signed(), timestamp=ago(1))),
    "no signature": (False, lambda: changed(signed(), signature_ed25519=None)),
    "no time": (False, lambda: changed(signed(), timestamp=None)),
    "an empty signature": (False, lambda: changed(signed(), signature_ed25519="")),
    "an empty time": (False, lambda: changed(signed(), timestamp="")),
    "a time of words": (False, lambda: changed(signed(), timestamp="yesterday")),
    "a time with a fraction": (False, lambda: signed(stamp=f"{time.time():.3f}")),
    "a short signature": (False, lambda: changed(signed(), signature_ed25519=base64.b64encode(b"x" * 63).decode())),
    "a long signature": (False, lambda: changed(signed(), signature_ed25519=base64.b64encode(b"x" * 65).decode())),
    "a signature in hex": (False, lambda: changed(signed(), signature_ed25519="ab" * 64)),
    "a signature without its padding": (
        False,
        lambda: changed(signed(), signature_ed25519=signed()[1][SIGNATURE].rstrip("=")),
    ),
    "all zeros": (False, lambda: changed(signed(), signature_ed25519=base64.b64encode(bytes(64)).decode())),
}

DIFFERENCES: dict[str, tuple[bool, Callable[[], Request], str]] = {
    "a doubled signature": (False, lambda: doubled(SIGNATURE), "a proxy and we might each look at another one"),
    "a doubled time": (False, lambda: doubled(TIMESTAMP), "a proxy and we might each look at another one"),
    "blanks in the base64": (
        False,
        lambda: changed(signed(), signature_ed25519=" " + signed()[1][SIGNATURE]),
        "one signature has one spelling",
    ),
    "a time with a sign": (False, lambda: signed(stamp=f"+{int(time.time())}"), "seconds are digits"),
    "a time with grouping": (False, lambda: signed(stamp=f"{int(time.time()):_}"), "Python's own spelling of numbers"),
    "a time with zeros before it": (False, lambda: signed(stamp=ago(0).zfill(20)), "longer than any time"),
    "bytes that are no UTF-8": (
        True,
        lambda: signed(b"\xff\xfe"),
        "the signature covers bytes: what the carrier signed is kept and looked at, and is no event",
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_both_say_the_same(case: str) -> None:
    expected, make = SAME[case]
    request = make()
    assert (ours(request), theirs(request)) == (expected, expected)


@pytest.mark.parametrize("case", DIFFERENCES)
def test_where_they_differ_it_is_on_purpose(case: str) -> None:
    expected, make, _why = DIFFERENCES[case]
    request = make()
    assert (ours(request), theirs(request)) == (expected, not expected)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["body", "signature", "timestamp"]), st.integers(0, 10_000), st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_refused_by_both(where: str, place: int, bit: int) -> None:
    raw, headers = signed()
    held = {"body": raw, "signature": base64.b64decode(headers[SIGNATURE]), "timestamp": headers[TIMESTAMP].encode()}
    flipped = bytearray(held[where])
    flipped[place % len(flipped)] ^= 1 << bit
    if where == "body":
        request = changed((raw, headers), raw=bytes(flipped))
    elif where == "signature":
        request = changed((raw, headers), signature_ed25519=base64.b64encode(flipped).decode())
    else:
        request = changed((raw, headers), timestamp=flipped.decode("latin-1"))
    assert not ours(request)
    assert not theirs(request)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(-290, 290))
def test_whatever_the_carrier_signs_about_now_is_believed(raw: bytes, off: int) -> None:
    assert ours(signed(raw, ago(off)))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=120), st.text(max_size=15))
def test_what_is_in_the_headers_never_makes_a_difference_to_a_forgery(signature: str, stamp: str) -> None:
    request = changed(signed(), signature_ed25519=signature, timestamp=stamp)
    assert not ours(request)
    assert not theirs(request)
