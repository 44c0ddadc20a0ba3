"""What the carrier's webhooks came to, as `volley status` tells it: counts of all processes that take them, and what is amiss."""

from collections.abc import Iterator, Mapping

from producer.sight.documents import Document, moment

Counts = Mapping[str, tuple[int, int]]
"""Name → (how many, when last, µs)."""

_RECENT_US = 3_600_000_000
_OTHERS = 20
"""So many that nobody signed may be those of doctors and of strangers."""
_GOOD = ("applied", "heard")
_AMISS = {
    "failover": "webhooks come to the failover address: the first one fails, see its proxy and volley serve there",
    "refused": (
        "webhooks are refused and none is taken, as the carrier did not sign them: TELNYX_PUBLIC_KEY is not this account's,"
        " or a proxy changes bodies or headers"
    ),
    "unreadable": "webhooks are signed and no events: set the profile's webhook_api_version to 2",
    "unknown_profile": "texts come for profiles that are not known here: run volley numbers sync for them",
}


def document(counts: Counts) -> Document:
    """`{name: {count, last}}`; see docs/commands.md for the names."""
    return {name: {"count": count, "last": moment(last_us)} for name, (count, last_us) in sorted(counts.items())}


def amiss(counts: Counts, now_us: int) -> Iterator[str]:
    """Sentences about what went wrong within the last hour."""
    recent = {name: each for name, each in counts.items() if now_us - each[1] < _RECENT_US}
    for name, text in _AMISS.items():
        if name in recent and (name != "refused" or _refuses_the_carrier(recent)):
            count, last_us = recent[name]
            yield f"{text} ({count} so far, the last at {moment(last_us)})"


def _refuses_the_carrier(recent: Counts) -> bool:
    """None is taken, and those that are refused come from somebody who signs, or are too many to be anybody's."""
    return not recent.keys() & set(_GOOD) and ("misfit" in recent or recent["refused"][0] > _OTHERS)
