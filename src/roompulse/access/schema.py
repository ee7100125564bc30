"""The tables. A change here needs a migration in `migrations/`, which a test compares with this."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, LargeBinary, MetaData, Table, Text, false

metadata = MetaData()

keys = Table(
    "access_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False, comment="model.KeyKind"),
    Column("name", Text, nullable=False, comment="for people"),
    Column("secret", LargeBinary, nullable=False, comment="model.Key"),
    Column("created_at", BigInteger, nullable=False, comment="Unix milliseconds"),
    comment="keys of programs",
)

operators = Table(
    "operator",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False, comment="model.Role"),
    Column("password_hash", Text, nullable=False, comment="argon2id"),
    Column("created_at", BigInteger, nullable=False, comment="Unix milliseconds"),
    comment="people who sign in",
)

shares = Table(
    "share",
    metadata,
    Column("id", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False, comment="SHA-256 of the token in its URL"),
    Column("path", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False, comment="Unix milliseconds"),
    Column("expires_at", BigInteger, nullable=False, comment="Unix milliseconds"),
    Column("hide_ids", Boolean, nullable=False, server_default=false(), comment="whether users have numbers alone"),
    comment="links that open one page",
)

sign_ins = Table(
    "sign_in",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the secret in the cookie"),
    Column("operator", Text, ForeignKey("operator.name", ondelete="CASCADE"), nullable=False),
    Column("started_at", BigInteger, nullable=False, comment="Unix milliseconds"),
    Column("used_at", BigInteger, nullable=False, comment="Unix milliseconds"),
    Index("sign_in_by_operator", "operator"),
    comment="operators in browsers",
)
