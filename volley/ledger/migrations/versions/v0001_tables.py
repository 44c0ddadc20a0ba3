"""The first tables. What each column means: docs/ledger.md; why they lie so: volley/ledger/schema.py."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TYPES: dict[str, Any] = {"n": sa.BigInteger, "i": sa.Integer, "s": sa.SmallInteger, "t": sa.Text, "b": sa.LargeBinary}
_STATUS = (
    "CASE rank WHEN 0 THEN 'ready' WHEN 10 THEN 'sending' WHEN 20 THEN 'unknown' "
    "WHEN 30 THEN 'expired' WHEN 31 THEN 'cancelled' WHEN 32 THEN 'opted_out' WHEN 33 THEN 'dead' WHEN 34 THEN 'refused' "
    "WHEN 40 THEN 'submitted' WHEN 50 THEN 'unconfirmed' WHEN 51 THEN 'undelivered' WHEN 52 THEN 'delivered' "
    "WHEN 45 THEN 'cancelled' END"
)
_MESSAGE_OUTCOME = "rank:s! status:= status_us:n! error_code:t! error_text:t attempts:i!"
_MESSAGE_OURS = (
    "taken_us:n! recipient:n country:2 reference:t encoding:t parts:i estimated_micros:n sender_attempt:i! sender:t"
)
_MESSAGE_CARRIER = "carrier_id:t! parts_us:n! carrier_parts:i carrier_encoding:t"
_MESSAGE_COST = "cost_rank:s! cost_us:n! cost_micros:n rate_micros:n fee_micros:n currency:t"
_MESSAGE_TIMES = "sent_us:n submitted_us:n completed_us:n"
_CAMPAIGN = "profile:t idempotency_key:t currency:t created_us:n! accepted:i chunks:i facts:b state:t! state_us:n!"
_ATTEMPT = "attempt:i! taken_us:n! rank:s! sent_us:n answered_us:n sender:t! outcome:t! http_status:i"
_ATTEMPT_CARRIER = "error_code:t! error_text:t! carrier_id:t! carrier_parts:i cost_micros:n"
_RECEIPT = "event_id:t! event_type:t! occurred_us:n! received_us:n! carrier_id:t! status:t! sender:t! recipient:t!"
_RECEIPT_FACTS = "encoding:t! parts:i! cost_micros:n rate_micros:n fee_micros:n currency:t! sent_us:n completed_us:n"
_ERROR = "error_code:t! error_text:t!"


def _columns(spec: str) -> Iterator[sa.Column[Any]]:
    """`name:type`, `!` behind it for NOT NULL; type `=` is the computed status, `2` and `16` a string of that length."""
    for word in spec.split():
        name, kind = word.rstrip("!").split(":")
        if kind == "=":
            yield sa.Column(name, sa.Text, sa.Computed(_STATUS, persisted=True))
        else:
            shape = sa.String(int(kind)) if kind.isdigit() else _TYPES[kind]
            yield sa.Column(name, shape, nullable=not word.endswith("!"))


def _table(name: str, key: str, *specs: str, clustered: bool = True) -> None:
    columns = [column for spec in specs for column in _columns(spec)]
    options = {"sqlite_with_rowid": False} if clustered else {}
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key.split()), **options)


def upgrade() -> None:
    place, key = "campaign_id:16! chunk:i! offset:i!", "campaign_id chunk offset"
    _table("campaigns", "id", "id:16!", _CAMPAIGN)
    _table("campaign_events", "campaign_id at_us state", "campaign_id:16! at_us:n! state:t!")
    _table("chunks", "campaign_id chunk", "campaign_id:16! chunk:i! blob:b!", clustered=False)
    _table("messages", key, place, _MESSAGE_OUTCOME, _MESSAGE_OURS, _MESSAGE_CARRIER, _MESSAGE_COST, _MESSAGE_TIMES)
    _table("attempts", f"{key} attempt taken_us", place, _ATTEMPT, _ATTEMPT_CARRIER)
    _table("moves", "campaign_id chunk entry_id", "campaign_id:16! chunk:i! entry_id:t! why:t! at_us:n! moves:b!")
    _table("receipts", f"{key} event_id", place, _RECEIPT, _RECEIPT_FACTS, _ERROR)
    _table("carrier_ids", "carrier_id", "carrier_id:t!", place)
    _table("quarantine", "entry_id", "entry_id:t! at_us:n! error:t! fields:b!", clustered=False)
    unmatched = sa.text("campaign_id = ''")
    op.create_index(
        "receipts_unmatched", "receipts", ["carrier_id"], sqlite_where=unmatched, postgresql_where=unmatched
    )
