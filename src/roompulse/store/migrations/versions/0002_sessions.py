"""Sessions of rooms; samples are found by who reported them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.drop_index("sample_by_room", "sample")
    op.create_index("sample_by_reporter", "sample", ["room_id", "reporter_id", "received_at"])
    row_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "session",
        sa.Column("id", row_id, primary_key=True),
        sa.Column("room_id", sa.Text, nullable=False),
        sa.Column("searched", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("most_users", sa.Integer),
        sa.Column("worst_at", sa.BigInteger),
        sa.Column("worst_score", sa.Float),
    )
    op.create_index("session_by_room", "session", ["room_id", "started_at"])
    op.create_index("session_by_end", "session", ["ended_at"])
