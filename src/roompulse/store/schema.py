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
    Column("user_id", Text, comment="up to 0.1.0 a row was an entry: the user it is about; NULL in all other rows"),
    Column("reporter_id", Text, nullable=False),
    Column("sdk_version", Text, nullable=False),
    Column("report_time", BigInteger, nullable=False, comment="Unix seconds, by the sender's clock"),
    Column("received_at", BigInteger, nullable=False, comment="Unix milliseconds, by the server's clock"),
    Column("streams", Packed, nullable=False, comment="packing.pack_report"),
    Column("users", Text, comment="row_codec: who the entries are about; empty: one, about the reporter"),
    # By reporter, since charts read one reporter. All samples of a room are found by going through its reporters.
    Index("sample_by_reporter", "room_id", "reporter_id", "received_at"),
    comment="reports",
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
    Column("searched", Text, nullable=False, comment="room_id and room_name without regard to case"),
    Column("started_at", BigInteger, nullable=False, comment="first report, Unix milliseconds"),
    Column("ended_at", BigInteger, comment="last report, Unix milliseconds; NULL while the room is live"),
    Column("most_users", Integer, comment="of the snapshots in between, as are the following"),
    Column("worst_at", BigInteger, comment="Unix milliseconds"),
    Column("worst_score", Float),
    Column("room_name", Text),
    Index("session_by_room", "room_id", "started_at"),
    Index("session_by_end", "ended_at"),
    comment="a room from its first report until its last user left",
)

attendances = Table(
    "attendance",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("room_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("user_name", Text),
    Column("searched", Text, nullable=False, comment="user_id and user_name without regard to case"),
    Column("joined_at", BigInteger, nullable=False, comment="Unix milliseconds, as are the following"),
    Column("seen_at", BigInteger, nullable=False, comment="last report"),
    Column("left_at", BigInteger, comment="NULL while the user is in the room"),
    Column("figures", Packed, nullable=False, comment="JSON of calls.attendance.Figures"),
    Index("attendance_by_room", "room_id", "joined_at"),
    Index("attendance_by_end", "left_at"),
    comment="a user in a room, from joining to leaving",
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

alert_rules = Table(
    "alert_rule",
    metadata,
    Column("id", Text, primary_key=True),
    Column("rule", Packed, comment="JSON; NULL once it is deleted, so that default rules do not come back"),
    comment="what alerts are raised about",
)

alerts = Table(
    "alert",
    metadata,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("room_id", Text),
    Column("started_at", BigInteger, nullable=False, comment="Unix milliseconds, as are the following"),
    Column("resolved_at", BigInteger),
    Column("told_at", BigInteger, comment="when it was last sent"),
    Column("alert", Packed, nullable=False, comment="JSON"),
    Index("alert_by_room", "room_id", "started_at"),
    Index("alert_by_end", "resolved_at"),
    comment="one incident",
)

silences = Table(
    "silence",
    metadata,
    Column("id", Text, primary_key=True),
    Column("until", BigInteger, nullable=False, comment="Unix milliseconds"),
    Column("silence", Packed, nullable=False, comment="JSON"),
)

channels = Table(
    "channel",
    metadata,
    Column("id", Text, primary_key=True),
    Column("enabled", Integer, nullable=False),
    Column("channel", Packed, nullable=False, comment="JSON, with its secrets"),
    comment="where alerts are sent",
)

deliveries = Table(
    "delivery",
    metadata,
    Column("id", _RowId, primary_key=True, comment="those of an alert are sent in this order"),
    Column("channel_id", Text, nullable=False),
    Column("alert_id", Text, nullable=False, comment="or `call_` and what tells calls apart"),
    Column("message_id", Text, nullable=False),
    Column("type", Text, nullable=False, comment="alert.firing, alert.resolved, call.ended"),
    Column("alert", Packed, nullable=False, comment="JSON; of a call which it is"),
    Column("created_at", BigInteger, nullable=False, comment="Unix milliseconds, as are the following"),
    Column("next_at", BigInteger, comment="next attempt; NULL when there is none"),
    Column("done_at", BigInteger, comment="delivered or given up"),
    Column("attempts", Integer, nullable=False),
    Column("outcome", Text, comment="delivered, given_up; NULL while it waits"),
    Column("detail", Text, nullable=False, comment="what the last attempt came to"),
    Index("delivery_due", "next_at"),
    Index("delivery_by_alert", "alert_id"),
    comment="the outbox: messages that wait, and what became of the others",
)

MINUTE, HOUR = 60, 3600
"""Spans of rollups, in seconds."""

rollups = Table(
    "rollup",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("span", Integer, nullable=False, comment="seconds: a minute, or an hour of minutes put together"),
    Column("start", BigInteger, nullable=False, comment="Unix seconds"),
    Column("dimension", Text, nullable=False, comment="insights.model.DIMENSIONS, or label:KEY"),
    Column("cells", Packed, nullable=False, comment="insights.cell.pack, by value"),
    Index("rollup_by_start", "span", "start", "dimension", unique=True),
    comment="users of a minute by what they have in common",
)

rollup_users = Table(
    "rollup_user",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("span", Integer, nullable=False, comment="as in rollup"),
    Column("start", BigInteger, nullable=False, comment="Unix seconds"),
    Column("room_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("poor", Integer, nullable=False, comment="minutes, each by one look"),
    Column("traits", Packed, nullable=False, comment="JSON: dimensions and values"),
    Index("rollup_user_by_start", "span", "start"),
    comment="users with the most poor minutes of each value",
)

trends = Table(
    "trend",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("start", BigInteger, nullable=False, comment="Unix seconds"),
    Column("looks", Integer, nullable=False, comment="how many the following are sums of"),
    Column("rooms", Integer, nullable=False),
    Column("good", Integer, nullable=False, comment="users, as the following"),
    Column("fair", Integer, nullable=False),
    Column("poor", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    Column("reports", Float, nullable=False, comment="per second"),
    Column("starts", Integer, nullable=False, comment="of the server in this minute; not a sum"),
    Index("trend_by_start", "start", unique=True),
    comment="the whole server in a minute",
)

beat = Table(
    "beat",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("count", BigInteger, nullable=False),
    comment="one row, written to see whether the database can be written",
)
