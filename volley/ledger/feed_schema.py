"""The tables of the feed, and of those who are called back about it (see docs/ledger.md)."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from volley.ledger.schema import metadata

feed = Table(
    "feed",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("campaign_id", String(16), nullable=False),
    Column("types", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("events", LargeBinary, nullable=False),
)
Index("feed_campaign", feed.c.campaign_id, feed.c.position)

callbacks = Table(
    "callbacks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("campaign_id", String(16), nullable=False),
    Column("url", Text, nullable=False),
    Column("types", Text, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("disabled", Text, nullable=False),
    Column("delivered", BigInteger, nullable=False),
    Column("delivered_us", BigInteger, nullable=False),
    Column("failing_us", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("held_us", BigInteger, nullable=False),
)
Index("callbacks_campaign", callbacks.c.campaign_id)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("callback_id", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("until", Text, nullable=False),
    Column("events", Integer, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("dead_us", BigInteger, nullable=False),
    Column("http_status", Integer, nullable=False),
    Column("error", Text, nullable=False),
)
Index("deliveries_callback", deliveries.c.callback_id)
