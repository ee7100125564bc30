"""The progress of a migration from SQLite to PostgreSQL (postgres/move.py)."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TABLE move ("
            "source text NOT NULL, state text NOT NULL, copied text NOT NULL, is_complete boolean NOT NULL)"
        )
