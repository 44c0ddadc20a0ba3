"""An API key: who calls, and what they may do. Its secret is shown once and kept as a hash only.

`vk_live_<id>_<secret>`: the id is no secret and names the key in lists, logs and the audit; the secret is 256 bits of chance,
so that a plain SHA-256 of it cannot be guessed backwards.
"""

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass
from typing import Literal, get_args

from volley.errors import UnusableInput

Scope = Literal["send", "read", "ops", "admin"]
"""send pushes · read sees campaigns and messages · ops pauses, resumes, cancels, changes · admin may all of it."""
Mode = Literal["live", "test"]

SCOPES: tuple[Scope, ...] = get_args(Scope)
MAX_NAME = 60

_ID_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
_SECRET_LETTERS = string.ascii_letters + string.digits
_ID, _SECRET = 10, 43
_TOKEN = re.compile(rf"vk_(live|test)_([0-9a-z]{{{_ID}}})_([0-9A-Za-z]{{{_SECRET}}})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`digest` is the SHA-256 of the whole token, in hex. `rate_milli`: requests per 1,000 s, None for the default;
    `daily`: messages a day (UTC), None for no limit. Moments are µs since 1970, None for never."""

    id: str
    account: str
    name: str
    mode: Mode
    digest: str
    scopes: frozenset[Scope]
    created_us: int
    rate_milli: int | None = None
    daily: int | None = None
    expires_us: int | None = None
    revoked_us: int | None = None

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    def usable(self, now_us: int) -> bool:
        return self.revoked_us is None and (self.expires_us is None or now_us < self.expires_us)


def make(
    account: str,
    name: str,
    scopes: frozenset[Scope],
    now_us: int,
    *,
    mode: Mode = "live",
    rate_milli: int | None = None,
    daily: int | None = None,
    expires_us: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key, and its token: the only time that anybody sees it.

    Raises:
        UnusableInput: no name, no scope, or a moment of expiry that is over.
    """
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise UnusableInput(f"a key's name has 1 to {MAX_NAME} printable characters: it stands in the audit log")
    if not scopes:
        raise UnusableInput(f"a key without a scope can do nothing: give one or more of {', '.join(SCOPES)}")
    if expires_us is not None and expires_us <= now_us:
        raise UnusableInput("the key's moment of expiry is over: choose a later one")
    ident = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID))
    token = f"vk_{mode}_{ident}_{''.join(secrets.choice(_SECRET_LETTERS) for _ in range(_SECRET))}"
    key = ApiKey(ident, account, name, mode, digest(token), scopes, now_us, rate_milli, daily, expires_us)
    return key, token


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def id_of(token: str) -> str | None:
    """The id in a token; None for what cannot be one."""
    match = _TOKEN.fullmatch(token)
    return None if match is None else match[2]


def fits(key: ApiKey, token: str) -> bool:
    """Whether this is the key's token; takes as long for a wrong one as for the right one."""
    return hmac.compare_digest(key.digest, digest(token))
