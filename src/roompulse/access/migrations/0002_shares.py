"""Shared links, which open one page to their holders."""

import sqlalchemy as sa
from alembic import op

revision = "access_0002"
down_revision = "access_0001"


def upgrade() -> None:
    op.create_table(
        "share",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
