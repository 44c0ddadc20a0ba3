"""The index that tells at once whether anything of a campaign was redriven."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    redriven = sa.text("why = 'redrive'")
    op.create_index("moves_redriven", "moves", ["campaign_id"], sqlite_where=redriven, postgresql_where=redriven)
