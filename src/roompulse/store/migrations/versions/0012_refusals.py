"""Rejections by workers, for the others to show: a row a second of each worker that rejects reports."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TABLE refusal (worker bigint NOT NULL, number bigint NOT NULL, at double precision NOT NULL,"
            " noticed bytea NOT NULL, PRIMARY KEY (worker, number))"
        )
        op.execute("CREATE INDEX refusal_by_time ON refusal (at)")
