"""What people text us, and the index that finds the message that they answer."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "inbound",
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("occurred_us", sa.BigInteger, nullable=False),
        sa.Column("received_us", sa.BigInteger, nullable=False),
        sa.Column("carrier_id", sa.Text, nullable=False),
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("recipient", sa.BigInteger),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("media", sa.Text, nullable=False),
        sa.Column("keyword", sa.Text, nullable=False),
        sa.Column("answer_rank", sa.SmallInteger, nullable=False),
        sa.Column("answer_us", sa.BigInteger, nullable=False),
        sa.Column("campaign_id", sa.String(16), nullable=False),
        sa.Column("chunk", sa.Integer, nullable=False),
        sa.Column("offset", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
        sqlite_with_rowid=False,
    )
    answering = sa.text("campaign_id <> ''")
    place = ["campaign_id", "chunk", "offset"]
    op.create_index("inbound_when", "inbound", ["occurred_us"])
    op.create_index("inbound_who", "inbound", ["recipient", "occurred_us"])
    op.create_index("inbound_answers", "inbound", place, sqlite_where=answering, postgresql_where=answering)
    op.create_index("messages_recipient", "messages", ["recipient"])
