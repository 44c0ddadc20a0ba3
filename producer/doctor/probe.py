"""Does the carrier honour Idempotency-Key for this account? Two POSTs with one key and the same bytes, to an own number.

Telnyx declares the header and nothing published says that messages heed it. The verdict is kept in Redis, for whoever
wants to repeat a POST whose answer was lost; without it, or with another one, nothing is ever repeated.
"""

import secrets
import time
from dataclasses import asdict
from typing import Any

import orjson

from producer.doctor.verdict import Verdict, failed, ok, warning
from volley.carrier.outcome import Accepted, Outcome
from volley.carrier.telnyx import Carrier, body
from volley.errors import RefusedByPolicy, UnusableInput
from volley.outbox import halt
from volley.outbox.outbox import Outbox
from volley.outbox.verdict import FIELD, HOLDS_US, Answer, Probed
from volley.settings import Settings

CHECK = "idempotency"
_TEXT = "Volley asks whether this arrives once ({})."
_PATIENCE_S = 10.0


async def probe(settings: Settings, outbox: Outbox, sender: str, to: str) -> Verdict:
    """Sends, judges and remembers.

    Raises:
        UnusableInput: `sender` is in no pool, or there is no API key.
        RefusedByPolicy: all sending is stopped.
        TryAgainLater: Redis is away.
    """
    reason = await halt.stopped(outbox)
    if reason:
        raise RefusedByPolicy(
            f"all sending is {reason}; volley resume --all lets it go on, and the probe sends one or two messages"
        )
    profile = await _profile(outbox, sender)
    account = settings.current
    if account.api_key is None:
        raise UnusableInput("no API key: set TELNYX_API_KEY")
    request = body(to, sender, _TEXT.format(secrets.token_hex(3)), profile)
    key = f"volley-probe-{secrets.token_hex(8)}"
    async with Carrier(
        account.api_key.get_secret_value(), account.base_url, concurrency=1, http_timeout_s=settings.http_timeout
    ) as carrier:
        answers = [(await carrier.send(request, key, time.monotonic() + _PATIENCE_S))[0] for _ in range(2)]
    verdict, why = judge(*answers)
    found = Probed(verdict, time.time_ns() // 1000, settings.account, why)
    await outbox.redis.hset(outbox.keys.of("probe"), mapping={FIELD: orjson.dumps(asdict(found))})
    return line(found)


def judge(first: Outcome, second: Outcome) -> tuple[Answer, str]:
    """Only two answers with ids prove anything."""
    if not isinstance(first, Accepted) or not first.carrier_id:
        return "unclear", f"the first POST was not taken ({_said(first)})"
    if not isinstance(second, Accepted) or not second.carrier_id:
        return "unclear", f"the first POST was taken, the second one not ({_said(second)}); one message was sent"
    if first.carrier_id == second.carrier_id:
        return "honoured", "both POSTs came to the same message; one was sent"
    return "ignored", "the two POSTs came to two messages; both were sent"


def line(found: Probed) -> Verdict:
    match found.verdict:
        case "honoured":
            return ok(CHECK, f"the carrier honours Idempotency-Key: {found.why}")
        case "ignored":
            return warning(
                CHECK, f"the carrier ignores Idempotency-Key: {found.why}", "nothing: no POST is repeated on a guess"
            )
        case _:
            return failed(CHECK, found.why, "see --from and --to, and probe again")


def earlier(found: Probed | None, now_us: int) -> Verdict:
    if found is None:
        return ok(CHECK, "never probed, so no POST is repeated (--probe-idempotency sends one or two messages)")
    days = (now_us - found.at_us) / 86_400e6
    told = f"{found.verdict} when it was probed {days:.0f} days ago"
    if found.verdict == "honoured" and not found.holds(now_us):
        limit = HOLDS_US // 86_400_000_000
        return warning(CHECK, f"{told}; after {limit} days that counts no more, and no POST is repeated", "probe again")
    return ok(CHECK, told)


def as_json(found: Probed | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found)


async def _profile(outbox: Outbox, sender: str) -> str:
    held = next((view.sender for view in await outbox.senders() if view.sender.number == sender), None)
    if held is None:
        raise UnusableInput(f"--from {sender}: no sender of a pool; volley numbers list shows them")
    return held.profile


def _said(outcome: Outcome) -> str:
    said = getattr(outcome, "text", "") or getattr(outcome, "reason", "")
    return str(said or "its answer has no id")
