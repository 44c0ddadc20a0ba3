"""The runs: worlds in which all promises must hold, and worlds with one protection switched off, in which one must break."""

from tests.model.world import Rules

_IGNORED = Rules(honoured=False, proven=False)
_LAGGING = Rules(covered=False, crashes=False, people=False)
"""A failover to a replica that lags, with no replicas asked for: what live workers re-assert is all there is, so none may die."""

HOLD: dict[str, Rules] = {
    "the key is honoured": Rules(people=False, faults=2),
    "the key is honoured, people at work": Rules(faults=1),
    "the key is ignored, held": _IGNORED._replace(faults=2),
    "the key is ignored, repeated at any risk": _IGNORED._replace(policy="retry", people=False, faults=2),
    "the key is ignored, given up": _IGNORED._replace(policy="give-up", people=False, faults=2),
    "the key is honoured, given up": Rules(policy="give-up", faults=1),
    "the key is honoured and nobody knows": Rules(proven=False, policy="retry", people=False, faults=1),
    "a lagging replica": _LAGGING._replace(faults=1),
    "a lagging replica, people at work": _IGNORED._replace(covered=False, crashes=False, workers=1, faults=2),
    "a lagging replica, the key is ignored": _LAGGING._replace(honoured=False, proven=False, faults=2),
    "two messages": Rules(messages=2, workers=1, people=False, faults=1),
}

BREAK: dict[str, tuple[Rules, str]] = {
    "no barrier before the POST": (
        Rules(people=False, barrier=False),
        "ready, and it may be on the wire",
    ),
    "no barrier before a pause is acknowledged": (
        Rules(barrier=False),
        "granted after a pause, cancel or opt-out was acknowledged",
    ),
    "reaped to ready": (
        Rules(people=False, reaps_to_unknown=False),
        "ready, and it may be on the wire",
    ),
    "tokens from a counter in Redis": (
        Rules(people=False, random_tokens=False),
        "ready, and it may be on the wire",
    ),
    "settled without a fence": (
        Rules(people=False, fence=False),
        "ready, and it may be on the wire",
    ),
    "a new key for a repeat": (
        Rules(people=False, keeps_key=False),
        "accepted twice",
    ),
    "repeated without proof": (
        _IGNORED._replace(people=False, needs_proof=False),
        "accepted twice",
    ),
    "possibly twice only where the repeat's own answer says so": (
        _IGNORED._replace(policy="retry", people=False, counts_early=False),
        "accepted twice and not counted",
    ),
    "no hold after a new run id": (
        _LAGGING._replace(holds=False),
        "ready, and it may be on the wire",
    ),
    "nothing re-asserted": (
        _LAGGING._replace(reasserts=False),
        "ready, and it may be on the wire",
    ),
    "all flights re-asserted, and no newer claim goes before an older flight": (
        _LAGGING._replace(claims_with_care=False),
        "ready, and it may be on the wire",
    ),
    "re-asserted after the hold": (
        _LAGGING._replace(claims_in_time=False),
        "ready, and it may be on the wire",
    ),
    "reaped during the hold": (
        _LAGGING._replace(faults=1, holds_reaping=False),
        "accepted twice",
    ),
    "late writes": (
        _LAGGING._replace(looks_at_clock=False),
        "ready, and it may be on the wire",
    ),
    "a worker dies, and then a replica that lags takes over": (
        _LAGGING._replace(crashes=True),
        "ready, and it may be on the wire",
    ),
}
"""The last one is no protection switched off but what is not promised: without `replicas` two such faults at once may send twice."""
