"""Who did what, the feed of events, and who is called back about them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _actions()
    op.add_column("campaigns", sa.Column("started_us", sa.BigInteger))
    op.add_column("campaign_events", sa.Column("detail", sa.Text))
    _feed()
    _callbacks()
    _deliveries()


def _actions() -> None:
    op.create_table(
        "actions",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("campaign_id", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    about = sa.text("campaign_id <> ''")
    op.create_index("actions_when", "actions", ["at_us"])
    op.create_index("actions_about", "actions", ["campaign_id", "at_us"], sqlite_where=about, postgresql_where=about)


def _feed() -> None:
    op.create_table(
        "feed",
        sa.Column("position", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("campaign_id", sa.String(16), nullable=False),
        sa.Column("types", sa.BigInteger, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("events", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index("feed_campaign", "feed", ["campaign_id", "position"])


def _callbacks() -> None:
    op.create_table(
        "callbacks",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("campaign_id", sa.String(16), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("types", sa.Text, nullable=False),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.Column("disabled", sa.Text, nullable=False),
        sa.Column("delivered", sa.BigInteger, nullable=False),
        sa.Column("delivered_us", sa.BigInteger, nullable=False),
        sa.Column("failing_us", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("held_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("callbacks_campaign", "callbacks", ["campaign_id"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("callback_id", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("until", sa.Text, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.Column("due_us", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("dead_us", sa.BigInteger, nullable=False),
        sa.Column("http_status", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("deliveries_callback", "deliveries", ["callback_id"])
