"""Who was in which room, and how well; names of rooms with their sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("session", sa.Column("room_name", sa.Text))
    op.create_table(
        "attendance",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("room_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text),
        sa.Column("searched", sa.Text, nullable=False),
        sa.Column("joined_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("left_at", sa.BigInteger),
        sa.Column("figures", sa.LargeBinary, nullable=False),
    )
    op.create_index("attendance_by_room", "attendance", ["room_id", "joined_at"])
    op.create_index("attendance_by_end", "attendance", ["left_at"])
