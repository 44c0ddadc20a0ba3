"""A budget at intake: only what has a price goes, and the campaign is told what a part costs."""

from decimal import Decimal
from pathlib import Path

from tests.flow.test_intake import outbox, pushed
from tests.flow.test_zoning import campaign, listed
from volley.outbox import budget
from volley.outbox.outbox import Outbox
from volley.prefixes import Prefixes

__all__ = ["outbox"]


async def test_a_row_without_a_price_is_refused_only_where_there_is_a_budget(outbox: Outbox) -> None:
    rows = listed("+12125550100,Ann", "+93701234567,Ben")
    bounded = await pushed(outbox, rows, budget=Decimal("0.001"))
    assert (bounded.accepted, bounded.rejected) == (1, 1)
    assert "its price is not known" in bounded.examples[0].reason
    assert "above its budget" in bounded.notes[0]
    made = await campaign(outbox, bounded.campaign_id)
    assert made.budget_micros == 1000
    price = await outbox.redis.hget(outbox.keys.campaign(made.id), "pp")
    assert int(price or 0) == made.estimated_micros
    assert (await pushed(outbox, rows, template="Hello {name}")).accepted == 2


def test_prices_by_leading_digits_are_those_by_country() -> None:
    prices = {"US": 4000, "CA": 5000, "GB": 30_000, "DE": 80_000, "AU": -1}
    table = {prefix: int(price) for prefix, _, price in (word.partition("=") for word in budget.packed(prices).split())}
    found = Prefixes(table, 0)
    for number, price in (
        ("12125550100", 4000),
        ("14165550100", 5000),
        ("447400123456", 30_000),
        ("4915112345678", 80_000),
    ):
        assert found.find(number, len(number)) == price
    assert found.find("33612345678", 11) > 0
    assert budget.packed({"US": 4000, "CA": 4000}) == "4000"
    assert budget.packed({}) == ""


def test_a_chunk_tells_what_was_charged_of_it(tmp_path: Path) -> None:
    from volley.outbox.chunks import Chunk

    chunk = Chunk([12125550100 + n for n in range(6)], None, [], bytes([2] * 6), bytes(6), [8000] * 5 + [-1])
    assert budget.charged(chunk, "as?.xa") == 24_000
    assert budget.prices_in(chunk) == {"US": 4000}
