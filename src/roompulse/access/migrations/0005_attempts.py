"""Attempts to sign in, where several workers count them together; one process has them in memory."""

from alembic import op

revision = "access_0005"
down_revision = "access_0004"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TABLE attempt (digest bytea PRIMARY KEY, count integer NOT NULL, last double precision NOT NULL,"
            " succeeded boolean NOT NULL)"
        )
        op.execute("CREATE INDEX attempt_by_time ON attempt (last)")
