"""Many campaigns asked to be called back, and are over: a round looks at those that may have something to do, and claims no other."""

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.callbacks.book import Book
from volley.ledger.callbacks import callback_row
from volley.ledger.engine import writing
from volley.ledger.feed_schema import callbacks

URL = "https://hooks.example.com/in"


async def test_a_look_and_a_claim_touch_those_that_are_named(engine: AsyncEngine) -> None:
    book = Book(engine)
    ours = await book.add(URL, [], "tests")
    async with writing(engine) as connection:
        rows = [callback_row(f"cb{n}", f"campaign{n:08d}", URL, ()) for n in range(1000)]
        await connection.execute(insert(callbacks), rows)
    assert {row.id for row in await book.rows({"campaign00000007"}, {"cb9"})} == {ours, "cb7", "cb9"}
    assert len(await book.rows()) == 1001
    assert await book.claim(["cb7", "cb9", "nobody"], "first", 100, 200) == {"cb7", "cb9"}
    assert await book.claim(["cb9", "cb11"], "second", 150, 250) == {"cb11"}
    assert await book.claim(["cb9"], "second", 201, 301) == {"cb9"}
    async with engine.connect() as connection:
        held = await connection.execute(select(callbacks.c.id, callbacks.c.holder).where(callbacks.c.holder != ""))
        assert {row.id: row.holder for row in held} == {"cb7": "first", "cb9": "second", "cb11": "second"}
