"""Alerts: rules, incidents, silences, channels and the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "alert_rule",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("rule", sa.LargeBinary),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("room_id", sa.Text),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("resolved_at", sa.BigInteger),
        sa.Column("told_at", sa.BigInteger),
        sa.Column("alert", sa.LargeBinary, nullable=False),
    )
    op.create_index("alert_by_room", "alert", ["room_id", "started_at"])
    op.create_index("alert_by_end", "alert", ["resolved_at"])
    op.create_table(
        "silence",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("silence", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "channel",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("enabled", sa.Integer, nullable=False),
        sa.Column("channel", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("channel_id", sa.Text, nullable=False),
        sa.Column("alert_id", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("alert", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("done_at", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("delivery_due", "delivery", ["next_at"])
    op.create_index("delivery_by_alert", "delivery", ["alert_id"])
