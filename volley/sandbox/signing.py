"""The Ed25519 keys of a sandbox and the headers that Telnyx signs webhooks with."""

import base64
import hashlib
import time

from nacl.signing import SigningKey


class Signer:
    """The key pairs come from the seed alone, so that a test knows the first public key before the sandbox runs."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._keys = [_key(f"volley sandbox {seed}")]

    @property
    def public_key(self) -> str:
        """What TELNYX_PUBLIC_KEY holds: base64 of 32 bytes; the key that signs now."""
        return _public(self._keys[-1])

    @property
    def public_keys(self) -> list[str]:
        """All that ever signed, the one that signs now first."""
        return [_public(each) for each in reversed(self._keys)]

    def rotate(self) -> None:
        """From now on a new key signs."""
        self._keys.append(_key(f"volley sandbox {self._seed} key {len(self._keys)}"))

    def headers(self, body: bytes) -> dict[str, str]:
        """Signature over timestamp, a bar and the raw body."""
        timestamp = str(int(time.time()))
        signature = self._keys[-1].sign(timestamp.encode() + b"|" + body).signature
        return {"telnyx-signature-ed25519": base64.b64encode(signature).decode(), "telnyx-timestamp": timestamp}


def _key(phrase: str) -> SigningKey:
    return SigningKey(hashlib.sha256(phrase.encode()).digest())


def _public(key: SigningKey) -> str:
    return base64.b64encode(bytes(key.verify_key)).decode()
