"""The tables. A change needs a migration in `migrations/versions/`; a test compares the two."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()


class Packed(LargeBinary):
    """Bytes as sqlite3 returns them: SQLAlchemy would copy them again, with a call for each row."""

    cache_ok = True

    def result_processor(self, dialect: object, coltype: object) -> None:
        return None


CALLS = text("kind IN ('room_started', 'room_ended')")
"""In these words in an index and in a query, as SQLite compares them literally."""

# SQLite assigns row ids only to a column of exactly the type INTEGER.
_RowId = BigInteger().with_variant(Integer, "sqlite")

samples = Table(
    "sample",
    metadata,
    Column("id", _RowId, primary_key=True, comment="grows with the time of receipt"),
    Column("room_id", Text, nullable=False),
    Column("user_id", Text, comment="the user that the entry is about; NULL for a report without entries"),
    Column("reporter_id", Text, nullable=False),
    Column("sdk_version", Text, nullable=False),
    Column("report_time", BigInteger, nullable=False, comment="Unix seconds, by the sender's clock"),
    Column("received_at", BigInteger, nullable=False, comment="Unix milliseconds, by the server's clock"),
    Column("streams", Packed, nullable=False, comment="packing.pack_entry"),
    # By reporter, since charts read one reporter. All samples of a room are found by going through its reporters.
    Index("sample_by_reporter", "room_id", "reporter_id", "received_at"),
    comment="one row for each entry of each report",
)

snapshots = Table(
    "snapshot",
    metadata,
    Column("id", _RowId, primary_key=True, comment="grows with the time"),
    Column("room_id", Text, nullable=False),
    Column("timestamp", BigInteger, nullable=False, comment="Unix milliseconds"),
    Column("aggregate", Packed, nullable=False, comment="packing.pack_aggregate"),
    Index("snapshot_by_room", "room_id", "timestamp"),
    comment="a room's aggregate at a moment",
)

sessions = Table(
    "session",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("room_id", Text, nullable=False),
    Column("searched", Text, nullable=False, comment="room_id without regard to case"),
    Column("started_at", BigInteger, nullable=False, comment="first report, Unix milliseconds"),
    Column("ended_at", BigInteger, comment="last report, Unix milliseconds; NULL while the room is live"),
    Column("most_users", Integer, comment="of the snapshots in between, as are the following"),
    Column("worst_at", BigInteger, comment="Unix milliseconds"),
    Column("worst_score", Float),
    Index("session_by_room", "room_id", "started_at"),
    Index("session_by_end", "ended_at"),
    comment="a room from its first report until its last user left",
)

events = Table(
    "event",
    metadata,
    Column("id", _RowId, primary_key=True, comment="grows with the time at which it was found"),
    Column("room_id", Text, nullable=False),
    Column("time", BigInteger, nullable=False, comment="when it began, Unix milliseconds"),
    Column("kind", Text, nullable=False),
    Column("user_id", Text),
    Column("stream_id", Text),
    Column("level", Text),
    Column("text", Text, nullable=False),
    Column("detail", Text),
    Index("event_by_room", "room_id", "time"),
    # Small, so that a start finds the calls that have not ended without reading all events.
    Index("event_of_call", "room_id", "kind", sqlite_where=CALLS, postgresql_where=CALLS),
    comment="what happened in a room",
)

beat = Table(
    "beat",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("count", BigInteger, nullable=False),
    comment="one row, written to see whether the database can be written",
)
