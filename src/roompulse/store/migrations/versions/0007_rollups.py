"""Rollups of a minute: users by what they have in common, and trends of the whole server."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    row_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "rollup",
        sa.Column("id", row_id, primary_key=True),
        sa.Column("span", sa.Integer, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("dimension", sa.Text, nullable=False),
        sa.Column("cells", sa.LargeBinary, nullable=False),
    )
    op.create_index("rollup_by_start", "rollup", ["span", "start", "dimension"], unique=True)
    op.create_table(
        "rollup_user",
        sa.Column("id", row_id, primary_key=True),
        sa.Column("span", sa.Integer, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("room_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("poor", sa.Integer, nullable=False),
        sa.Column("traits", sa.LargeBinary, nullable=False),
    )
    op.create_index("rollup_user_by_start", "rollup_user", ["span", "start"])
    op.create_table(
        "trend",
        sa.Column("id", row_id, primary_key=True),
        sa.Column("start", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("looks", "rooms", "good", "fair", "poor", "unknown")
        ),
        sa.Column("reports", sa.Float, nullable=False),
        sa.Column("starts", sa.Integer, nullable=False),
    )
    op.create_index("trend_by_start", "trend", ["start"], unique=True)
