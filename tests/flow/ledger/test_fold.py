"""What a batch makes one row of ends as if the database had got every row."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from volley.ledger.engine import writing
from volley.ledger.fold import folded
from volley.ledger.merge import Upserts
from volley.ledger.rows import NOTHING, Row, message_of_attempt, message_of_receipt
from volley.ledger.schema import messages

FEW = st.integers(-1, 2)
MAYBE = st.one_of(st.none(), st.integers(1, 3))
WORD = st.sampled_from(["", "40300", "a", "B", "b-1", "b1"])
"""Not in one order everywhere: PostgreSQL's here puts `a` before `B`."""


@st.composite
def rows(draw: st.DrawFn) -> Row:
    row: Row = NOTHING | {"campaign_id": "c", "chunk": 0, "offset": draw(st.integers(0, 1))}
    row |= {"rank": draw(st.sampled_from([0, 10, 40])), "status_us": draw(FEW), "error_code": draw(WORD)}
    # what has one key says one thing
    row |= {"error_text": f"{row['rank']}{row['status_us']}{row['error_code']}", "attempts": draw(st.integers(0, 2))}
    if draw(st.booleans()):
        taken = draw(st.integers(0, 2))
        row |= {"taken_us": taken, "recipient": taken, "parts": taken, "reference": draw(st.none() | st.just("r"))}
        row["reference"] = None if taken == 0 else f"r{taken}"
    attempt = draw(st.integers(-1, 2))
    row |= {"sender_attempt": attempt, "sender": None if attempt < 0 else draw(st.sampled_from(["+1", "Ä", "z"]))}
    row["carrier_id"] = draw(WORD)
    at = draw(FEW)
    row |= {"parts_us": at, "carrier_parts": None if at < 0 else draw(st.integers(1, 2))}
    row["carrier_encoding"] = None if at < 0 else f"{at}{row['carrier_parts']}"
    cost = draw(st.integers(0, 2))
    row |= {"cost_rank": cost, "cost_us": cost - 1, "cost_micros": cost or None, "currency": "USD" if cost else None}
    return row | {"sent_us": draw(MAYBE), "submitted_us": draw(MAYBE), "completed_us": draw(MAYBE)}


async def _end(engine: AsyncEngine, given_rows: list[Row]) -> list[dict[str, Any]]:
    upserts = Upserts(engine.dialect.name)
    async with writing(engine) as connection:
        await connection.execute(delete(messages))
        for row in given_rows:
            await upserts.messages.write(connection, [row])
        found = await connection.execute(select(messages).order_by(messages.c.offset))
        return [dict(each) for each in found.mappings()]


@given(told=st.lists(rows(), min_size=2, max_size=7))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_folded_batch_ends_as_every_row_by_itself(engine: AsyncEngine, told: list[Row]) -> None:
    before = [dict(row) for row in told]
    fewer = folded(told)
    assert told == before, "what the feed is told of was changed"
    assert await _end(engine, fewer) == await _end(engine, told)


def test_the_usual_three_reports_become_one_row(push: Any) -> None:
    told = [
        message_of_attempt(push.attempt(0), 40),
        message_of_receipt(push.receipt(0, 5, "sent")),
        message_of_receipt(push.receipt(0, 9)),
        message_of_attempt(push.attempt(1), 40),
    ]
    fewer = folded(told)
    assert [(row["offset"], row["rank"], row["cost_micros"]) for row in fewer] == [(0, 52, 4200), (1, 40, 4100)]


@pytest.mark.parametrize("codes", [("a", "B"), ("B", "a")])
def test_which_of_two_words_is_more_is_left_to_the_database(push: Any, codes: tuple[str, str]) -> None:
    told = [message_of_receipt(push.receipt(0, 9, "delivery_failed", error_code=code)) for code in codes]
    assert len(folded(told)) == 2
