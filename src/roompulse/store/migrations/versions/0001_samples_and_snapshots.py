"""Samples and snapshots."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    row_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "sample",
        sa.Column("id", row_id, primary_key=True),
        sa.Column("room_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text),
        sa.Column("reporter_id", sa.Text, nullable=False),
        sa.Column("sdk_version", sa.Text, nullable=False),
        sa.Column("report_time", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("streams", sa.LargeBinary, nullable=False),
    )
    op.create_index("sample_by_room", "sample", ["room_id", "received_at"])
    op.create_table(
        "snapshot",
        sa.Column("id", row_id, primary_key=True),
        sa.Column("room_id", sa.Text, nullable=False),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
        sa.Column("aggregate", sa.LargeBinary, nullable=False),
    )
    op.create_index("snapshot_by_room", "snapshot", ["room_id", "timestamp"])
