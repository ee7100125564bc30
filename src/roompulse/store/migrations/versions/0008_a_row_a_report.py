"""A row of samples is a report; before it was an entry of a report. Older rows stay, and are read as before."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("sample", sa.Column("users", sa.Text))
