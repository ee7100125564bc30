"""Keys, operators and sign-ins."""

import sqlalchemy as sa
from alembic import op

revision = "access_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "access_key",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "operator",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sign_in",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("operator", sa.Text, sa.ForeignKey("operator.name", ondelete="CASCADE"), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger, nullable=False),
    )
    op.create_index("sign_in_by_operator", "sign_in", ["operator"])
