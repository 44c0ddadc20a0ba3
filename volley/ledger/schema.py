"""The ledger's tables. Money is integer micro-units, times are integer microseconds since 1970 (see docs/ledger.md).

Key columns of a register (merge.py) are -1 where nothing is known yet; all else that nobody knows is NULL.
Strings that come from elsewhere are Text: a longer word than expected must not stop the ledger.
Tables are clustered by campaign, chunk, offset where SQLite allows it, so that a campaign's rows lie together.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from volley.ledger.ranks import sql_status

metadata = MetaData()


def _place() -> list[Column[str] | Column[int]]:
    """The three columns that name a message."""
    return [
        Column("campaign_id", String(16), nullable=False),
        Column("chunk", Integer, nullable=False),
        Column("offset", Integer, nullable=False),
    ]


campaigns = Table(
    "campaigns",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("profile", Text),
    Column("idempotency_key", Text),
    Column("currency", Text),
    Column("created_us", BigInteger, nullable=False),
    Column("accepted", Integer),
    Column("chunks", Integer),
    Column("facts", LargeBinary),
    Column("state", Text, nullable=False),
    Column("state_us", BigInteger, nullable=False),
    Column("started_us", BigInteger),
    sqlite_with_rowid=False,
)

campaign_events = Table(
    "campaign_events",
    metadata,
    Column("campaign_id", String(16), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("detail", Text),
    PrimaryKeyConstraint("campaign_id", "at_us", "state"),
    sqlite_with_rowid=False,
)

chunks = Table(
    "chunks",
    metadata,
    Column("campaign_id", String(16), nullable=False),
    Column("chunk", Integer, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    PrimaryKeyConstraint("campaign_id", "chunk"),
)

messages = Table(
    "messages",
    metadata,
    *_place(),
    Column("rank", SmallInteger, nullable=False),
    Column("status", Text, Computed(sql_status(), persisted=True)),
    Column("status_us", BigInteger, nullable=False),
    Column("error_code", Text, nullable=False),
    Column("error_text", Text),
    Column("attempts", Integer, nullable=False),
    Column("taken_us", BigInteger, nullable=False),
    Column("recipient", BigInteger),
    Column("country", String(2)),
    Column("reference", Text),
    Column("encoding", Text),
    Column("parts", Integer),
    Column("estimated_micros", BigInteger),
    Column("sender_attempt", Integer, nullable=False),
    Column("sender", Text),
    Column("carrier_id", Text, nullable=False),
    Column("parts_us", BigInteger, nullable=False),
    Column("carrier_parts", Integer),
    Column("carrier_encoding", Text),
    Column("cost_rank", SmallInteger, nullable=False),
    Column("cost_us", BigInteger, nullable=False),
    Column("cost_micros", BigInteger),
    Column("rate_micros", BigInteger),
    Column("fee_micros", BigInteger),
    Column("currency", Text),
    Column("sent_us", BigInteger),
    Column("submitted_us", BigInteger),
    Column("completed_us", BigInteger),
    PrimaryKeyConstraint("campaign_id", "chunk", "offset"),
    sqlite_with_rowid=False,
)

# whom an inbound text answers, and what a person got: only its own column, so that a change of status costs it nothing
Index("messages_recipient", messages.c.recipient)
# what the carrier took in an hour, beside its bill; what still waits for a receipt; what nobody knows
Index("messages_submitted", messages.c.rank, messages.c.submitted_us)

attempts = Table(
    "attempts",
    metadata,
    *_place(),
    Column("attempt", Integer, nullable=False),
    Column("taken_us", BigInteger, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("sent_us", BigInteger),
    Column("answered_us", BigInteger),
    Column("sender", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("http_status", Integer),
    Column("error_code", Text, nullable=False),
    Column("error_text", Text, nullable=False),
    Column("carrier_id", Text, nullable=False),
    Column("carrier_parts", Integer),
    Column("cost_micros", BigInteger),
    # should a number ever be given out twice, the moments of the two takes keep both reports
    PrimaryKeyConstraint("campaign_id", "chunk", "offset", "attempt", "taken_us"),
    sqlite_with_rowid=False,
)

moves = Table(
    "moves",
    metadata,
    Column("campaign_id", String(16), nullable=False),
    Column("chunk", Integer, nullable=False),
    Column("entry_id", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("moves", LargeBinary, nullable=False),
    PrimaryKeyConstraint("campaign_id", "chunk", "entry_id"),
    sqlite_with_rowid=False,
)

_redriven = moves.c.why == text("'redrive'")
# whether anything of a campaign was redriven: nearly always nothing, and asked with each batch
Index("moves_redriven", moves.c.campaign_id, sqlite_where=_redriven, postgresql_where=_redriven)

receipts = Table(
    "receipts",
    metadata,
    *_place(),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("occurred_us", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("carrier_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("encoding", Text, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("cost_micros", BigInteger),
    Column("rate_micros", BigInteger),
    Column("fee_micros", BigInteger),
    Column("currency", Text, nullable=False),
    Column("sent_us", BigInteger),
    Column("completed_us", BigInteger),
    Column("error_code", Text, nullable=False),
    Column("error_text", Text, nullable=False),
    # the message first: a message's receipts lie together, and no second index is needed to find them
    PrimaryKeyConstraint("campaign_id", "chunk", "offset", "event_id"),
    sqlite_with_rowid=False,
)
_unmatched = receipts.c.campaign_id == text("''")
Index("receipts_unmatched", receipts.c.carrier_id, sqlite_where=_unmatched, postgresql_where=_unmatched)

inbound = Table(
    "inbound",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("occurred_us", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("carrier_id", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("recipient", BigInteger),
    Column("text", Text, nullable=False),
    Column("media", Text, nullable=False),
    Column("keyword", Text, nullable=False),
    Column("answer_rank", SmallInteger, nullable=False),
    Column("answer_us", BigInteger, nullable=False),
    *_place(),
    sqlite_with_rowid=False,
)
_answering = inbound.c.campaign_id != text("''")
Index("inbound_when", inbound.c.occurred_us)
Index("inbound_who", inbound.c.recipient, inbound.c.occurred_us)
Index(
    "inbound_answers",
    inbound.c.campaign_id,
    inbound.c.chunk,
    inbound.c.offset,
    sqlite_where=_answering,
    postgresql_where=_answering,
)

optouts = Table(
    "optouts",
    metadata,
    Column("profile", Text, nullable=False),
    Column("recipient", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("opted_out", SmallInteger, nullable=False),
    PrimaryKeyConstraint("profile", "recipient"),
    sqlite_with_rowid=False,
)

carrier_ids = Table(
    "carrier_ids",
    metadata,
    Column("carrier_id", Text, primary_key=True),
    *_place(),
    sqlite_with_rowid=False,
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("entry_id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    Column("fields", LargeBinary, nullable=False),
)

actions = Table(
    "actions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("campaign_id", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_with_rowid=False,
)
_about = actions.c.campaign_id != text("''")
Index("actions_when", actions.c.at_us)
Index("actions_about", actions.c.campaign_id, actions.c.at_us, sqlite_where=_about, postgresql_where=_about)


api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("rate_milli", BigInteger),
    Column("daily", BigInteger),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("revoked_us", BigInteger),
)
