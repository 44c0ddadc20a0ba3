"""Signing secrets, made of VOLLEY_SECRET and the callback's id: none is stored anywhere, and nobody who reads the ledger can sign.

While VOLLEY_SECRET holds two, each call is signed with both (Standard Webhooks allows several signatures): receivers change over
in between.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

from volley.carrier.reference import secrets_of
from volley.errors import UnusableInput
from volley.settings import Settings

OF_CAMPAIGNS = "campaigns"
"""Stands for the callbacks that campaigns name: they share one secret."""


def secrets(settings: Settings, callback_id: str) -> list[str]:
    """`whsec_…`, of the newest VOLLEY_SECRET first. Raises UnusableInput where there is none."""
    if settings.secret is None:
        raise UnusableInput("callbacks are signed: set VOLLEY_SECRET (openssl rand -hex 32), the same in all processes")
    what = f"callback {settings.account} {callback_id}".encode()
    keys = [hmac.digest(key, what, hashlib.sha256) for key in secrets_of(settings.secret.get_secret_value())]
    return ["whsec_" + base64.b64encode(key).decode() for key in keys]


def signed(secrets: Sequence[str], webhook_id: str, now_s: int, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks."""
    moment, text = datetime.fromtimestamp(now_s, UTC), body.decode()
    signatures = [Webhook(secret).sign(webhook_id, moment, text) for secret in secrets]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(now_s),
        "webhook-signature": " ".join(signatures),
    }
