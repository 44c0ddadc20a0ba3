"""Who wants nothing from which profile, so that it outlives Redis."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "optouts",
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("recipient", sa.BigInteger, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("opted_out", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("profile", "recipient"),
        sqlite_with_rowid=False,
    )
