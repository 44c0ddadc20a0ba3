"""The Ed25519 key of a sandbox and the headers that Telnyx signs webhooks with."""

import base64
import hashlib
import time

from nacl.signing import SigningKey


class Signer:
    """The key pair comes from the seed alone, so that a test knows the public key before the sandbox runs."""

    def __init__(self, seed: int) -> None:
        self._key = SigningKey(hashlib.sha256(f"volley sandbox {seed}".encode()).digest())

    @property
    def public_key(self) -> str:
        """What TELNYX_PUBLIC_KEY holds: base64 of 32 bytes."""
        return base64.b64encode(bytes(self._key.verify_key)).decode()

    def headers(self, body: bytes) -> dict[str, str]:
        """Signature over timestamp, a bar and the raw body."""
        timestamp = str(int(time.time()))
        signature = self._key.sign(timestamp.encode() + b"|" + body).signature
        return {"telnyx-signature-ed25519": base64.b64encode(signature).decode(), "telnyx-timestamp": timestamp}
