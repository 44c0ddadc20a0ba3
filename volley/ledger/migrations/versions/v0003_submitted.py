"""The index behind `volley reconcile`, and behind closing what waits for a receipt in vain."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("messages_submitted", "messages", ["rank", "submitted_us"])
