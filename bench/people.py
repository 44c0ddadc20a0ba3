"""Made-up customers and what is written to them: the same rows for Volley and for what it is measured against."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from volley.campaign import Campaign, new_campaign_id
from volley.carrier.reference import sign, webhook_url
from volley.carrier.telnyx import body
from volley.message import idempotency_key
from volley.outbox.chunks import SIZE, Chunk
from volley.sandbox.config import PROFILE_ID
from volley.text.template import compile_template

FIRST = 12_122_000_000
"""The first recipient; the next one is one more. There are millions of these numbers: one that there cannot be is slow to look up."""
COLUMNS = ("name", "order", "city", "amount")
TEMPLATE = (
    "Hi {name}, your order {order} for {amount} is ready for collection at our shop in {city}. Reply STOP to end."
)
ESTIMATE = 4_000
_FOLDER = Path(__file__).parent
_NAMES = (_FOLDER / "names.txt").read_text("utf-8").splitlines()
_CITIES = (_FOLDER / "cities.txt").read_text("utf-8").splitlines()


def strangers(count: int) -> list[int]:
    """Numbers as lists have them: all over the country, in no order. What is next to what decides how well they compress."""
    return random.Random(count).sample(range(FIRST, FIRST + 10**9), count)


def rows(first: int, count: int) -> list[list[str | None]]:
    """Columns of values for so many people, the same at every call."""
    dice = random.Random(first)
    return [
        [dice.choice(_NAMES) for _ in range(count)],
        [str(dice.randrange(100_000, 1_000_000)) for _ in range(count)],
        [dice.choice(_CITIES) for _ in range(count)],
        [f"${dice.randrange(500, 50_000) / 100:.2f}" for _ in range(count)],
    ]


def chunk_of(people: Sequence[int]) -> Chunk:
    """A chunk to these people; every text of TEMPLATE is one part."""
    count = len(people)
    return Chunk(list(people), None, rows(people[0], count), b"\x01" * count, bytes(count), [ESTIMATE] * count)


def chunks(people: Sequence[int]) -> Iterator[Chunk]:
    for at in range(0, len(people), SIZE):
        yield chunk_of(people[at : at + SIZE])


def campaign_to(count: int, *, urgent: bool = False) -> Campaign:
    return Campaign(
        new_campaign_id(),
        PROFILE_ID,
        TEMPLATE,
        columns=COLUMNS,
        priority="urgent" if urgent else "bulk",
        rows=count,
        accepted=count,
        parts=count,
        estimated_micros=count * ESTIMATE,
        chunks=-(-count // SIZE),
    )


def requests(count: int, senders: Sequence[str], public_url: str, secret: bytes) -> Iterator[tuple[bytes, str]]:
    """(body, idempotency key) of every message, as a worker would make them: senders in turn, a signed webhook URL each."""
    campaign = campaign_to(count)
    render = compile_template(TEMPLATE).bind(COLUMNS)
    for index, chunk in enumerate(chunks(range(FIRST, FIRST + count))):
        for offset, to in enumerate(chunk.to):
            message = f"{campaign.id}-{index}-{offset}"
            url = webhook_url(public_url, "default", sign(message, secret))
            sender = senders[to % len(senders)]
            text = render(chunk.row(offset))
            yield body(f"+{to}", sender, text, campaign.profile, webhook_url=url), idempotency_key(message, 0)
