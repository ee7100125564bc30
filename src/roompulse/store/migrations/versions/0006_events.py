"""Events: what happened in a room. Calls before this migration have none."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("room_id", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text),
        sa.Column("stream_id", sa.Text),
        sa.Column("level", sa.Text),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("detail", sa.Text),
    )
    op.create_index("event_by_room", "event", ["room_id", "time"])
    calls = sa.text("kind IN ('room_started', 'room_ended')")
    op.create_index("event_of_call", "event", ["room_id", "kind"], sqlite_where=calls, postgresql_where=calls)
