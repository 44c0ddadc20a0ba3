"""Webhook signatures: ours agree with the rule as published, and every doubt is a refusal."""

import base64
import time
from collections.abc import Callable

import pytest
from multidict import CIMultiDict
from nacl.signing import SigningKey
from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature

from volley.carrier.signature import SIGNATURE, TIMESTAMP, Forged, public_keys, verify
from volley.errors import UnusableInput

NOW = 1_700_000_000
RAW = '{"data":{"text":"Grüße"}}'.encode()
KEY = SigningKey(bytes(range(32)))
OTHER = SigningKey(bytes(range(1, 33)))


def public(*keys: SigningKey) -> str:
    return ",".join(base64.b64encode(bytes(key.verify_key)).decode() for key in keys)


def signed(raw: bytes = RAW, at: str = str(NOW), key: SigningKey = KEY) -> CIMultiDict[str]:
    signature = key.sign(at.encode() + b"|" + raw).signature
    return CIMultiDict({"Telnyx-Signature-Ed25519": base64.b64encode(signature).decode(), "Telnyx-Timestamp": at})


@pytest.mark.parametrize("off", [0, 299, 300, -300])
def test_a_signature_of_about_now_is_believed(off: int) -> None:
    verify(RAW, signed(), public_keys(public(KEY)), NOW + off)


@pytest.mark.parametrize("off", [301, -301, 86_400, -86_400])
def test_an_old_or_early_one_is_not(off: int) -> None:
    with pytest.raises(Forged, match="clock"):
        verify(RAW, signed(), public_keys(public(KEY)), NOW + off)


def test_while_keys_change_both_are_believed() -> None:
    keys = public_keys(public(OTHER, KEY))
    verify(RAW, signed(), keys, NOW)
    verify(RAW, signed(key=OTHER), keys, NOW)


def _changed(headers: CIMultiDict[str], name: str, value: str | None) -> CIMultiDict[str]:
    del headers[name]
    if value is not None:
        headers[name] = value
    return headers


FORGERIES: dict[str, Callable[[], tuple[bytes, CIMultiDict[str]]]] = {
    "another body": lambda: (RAW + b" ", signed()),
    "another key": lambda: (RAW, signed(key=OTHER)),
    "another time": lambda: (RAW, _changed(signed(), TIMESTAMP, str(NOW + 1))),
    "no signature": lambda: (RAW, _changed(signed(), SIGNATURE, None)),
    "no time": lambda: (RAW, _changed(signed(), TIMESTAMP, None)),
    "an empty signature": lambda: (RAW, _changed(signed(), SIGNATURE, "")),
    "a short signature": lambda: (RAW, _changed(signed(), SIGNATURE, base64.b64encode(b"x" * 63).decode())),
    "no base64": lambda: (RAW, _changed(signed(), SIGNATURE, "é" * 88)),
    "a time with a sign": lambda: (RAW, signed(at=f"+{NOW}")),
    "a time with a point": lambda: (RAW, signed(at=f"{NOW}.0")),
    "a time in other digits": lambda: (RAW, _changed(signed(), TIMESTAMP, "１７００００００００")),
    "a time beyond all numbers": lambda: (RAW, signed(at="9" * 5000)),
    "a doubled signature": lambda: (RAW, CIMultiDict([*signed().items(), (SIGNATURE, "x")])),
    "a doubled time": lambda: (RAW, CIMultiDict([*signed().items(), (TIMESTAMP, str(NOW))])),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_is_refused(forgery: str) -> None:
    raw, headers = FORGERIES[forgery]()
    with pytest.raises(Forged) as caught:
        verify(raw, headers, public_keys(public(KEY)), NOW)
    assert "Grüße" not in str(caught.value)


@pytest.mark.parametrize("setting", ["", ",", "x", base64.b64encode(b"x" * 31).decode(), f"{public(KEY)},x"])
def test_a_public_key_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(UnusableInput, match="TELNYX_PUBLIC_KEY"):
        public_keys(setting)


@pytest.mark.parametrize("good", [True, False])
def test_the_official_library_agrees(good: bool) -> None:
    now = int(time.time())
    raw = RAW if good else RAW + b" "
    headers = signed(RAW, str(now))
    if good:
        verify(raw, headers, public_keys(public(KEY)), now)
        verify_webhook_signature(raw, headers, public(KEY))
        return
    with pytest.raises(Forged):
        verify(raw, headers, public_keys(public(KEY)), now)
    with pytest.raises(WebhookVerificationError):
        verify_webhook_signature(raw, headers, public(KEY))
