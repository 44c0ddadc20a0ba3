"""Whether the money will do for a push, and the time: what its result says beside the numbers."""

from producer.push.cast import Cast
from producer.push.forecast import rate_of
from producer.push.schedule import in_time
from producer.push.totals import Totals
from volley.money import amount
from volley.outbox.outbox import Outbox
from volley.settings import Settings
from volley.terms import budget_micros


async def outlook(
    outbox: Outbox, settings: Settings, cast: Cast, totals: Totals, currency: str, expires_us: int
) -> list[str]:
    """Sentences for whoever pushes; none where all is well. TryAgainLater where Redis is away."""
    request, facts, notes = cast.request, cast.facts, list[str]()
    if facts is not None and facts.spend_limit_micros is not None and totals.micros > facts.spend_limit_micros:
        limit = f"{amount(facts.spend_limit_micros)} {currency}"
        notes.append(
            f"the estimated cost is above the profile's daily spend limit of {limit}: once that is reached the carrier"
            " refuses, and the rest waits for the next day (UTC)"
        )
    budget = budget_micros(request.budget)
    if budget and totals.micros > budget:
        notes.append(
            f"the estimated cost is above its budget of {amount(budget)} {currency}: it stops when that is spent"
            " (volley campaigns set --budget raises it)"
        )
    if request.send_at is not None and totals.accepted:
        weights = await outbox.weights(request.profile)
        note = in_time(totals.parts, rate_of(cast, settings, cast.paced, weights), expires_us)
        notes += [note] if note else []
    return notes
