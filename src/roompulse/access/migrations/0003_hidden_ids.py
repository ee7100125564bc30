"""Shared pages that hide the ids of users."""

import sqlalchemy as sa
from alembic import op

revision = "access_0003"
down_revision = "access_0002"


def upgrade() -> None:
    op.add_column("share", sa.Column("hide_ids", sa.Boolean, nullable=False, server_default=sa.false()))
