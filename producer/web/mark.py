"""What a request for messages is known again by, when it is made once more."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b

import msgpack

from producer.push.request import PushRequest


@dataclass(frozen=True, slots=True)
class Text:
    """One text to one person, as a request has it."""

    to: str
    text: str
    reference: str | None = None


def mark_of(request: PushRequest, texts: Sequence[Text]) -> str:
    """What makes two requests the same; not which API key made them, as keys are changed."""
    # equal moments may be spelled differently
    common = _common(request) if request.expires is None else _spelled(request)
    asked = [common, [(each.to, each.text, each.reference) for each in texts]]
    return blake2b(msgpack.packb(asked), digest_size=16).hexdigest()


def _spelled(request: PushRequest) -> str:
    return repr(replace(request, tags=()))


_common = lru_cache(maxsize=256)(_spelled)
