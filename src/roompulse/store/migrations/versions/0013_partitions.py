"""In PostgreSQL, samples are in a table an hour and snapshots in a table a day, which are dropped in time.

Older rows stay in one table. Workers of the previous version keep running, as `put` creates missing tables.
"""

from alembic import op

revision = "0013"
down_revision = "0012"

HOUR, DAY = 3_600_000, 86_400_000
"""Milliseconds."""

_TABLES = (
    ("sample", "received_at", HOUR, "sample_by_reporter", "room_id, reporter_id, received_at"),
    ("snapshot", "timestamp", DAY, "snapshot_by_room", "room_id, timestamp"),
)

# ATTACH holds up neither reads nor writes of the other partitions, as CREATE TABLE … PARTITION OF would.
_FUNCTIONS = (
    "CREATE TABLE partitioned (parent text PRIMARY KEY, span bigint NOT NULL, since bigint NOT NULL)",
    """
CREATE FUNCTION make_partition(parent_ text, at_ bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    span_ bigint;
    since_ bigint;
    start_ bigint;
    name_ text;
    found_ oid;
BEGIN
    SELECT span, since INTO span_, since_ FROM partitioned WHERE parent = parent_;
    start_ := at_ - at_ % span_;
    name_ := parent_ || to_char(to_timestamp(start_ / 1000) AT TIME ZONE 'UTC', '_YYYYMMDDHH24');
    IF at_ < since_ OR EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(name_)) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(715006, hashtext(current_schema()));
    -- Another may have made it meanwhile, which to_regclass need not know yet.
    SELECT oid INTO found_ FROM pg_class WHERE relname = name_ AND relnamespace = current_schema()::regnamespace;
    IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = found_) THEN
        RETURN false;
    END IF;
    IF found_ IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', name_, parent_);
    END IF;
    EXECUTE format(
        'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', parent_, name_, start_, start_ + span_
    );
    RETURN true;
END $$""",
    """
CREATE OR REPLACE FUNCTION put(
    rooms text[], reporters text[], versions text[], report_times bigint[], times bigint[], users_ text[],
    streams_ bytea[], worker_ bigint, ticket_ bigint, at_ bigint, reports_ bytea, since bigint
) RETURNS TABLE (position_of bigint, ticket_of bigint, reports_of bytea) LANGUAGE plpgsql AS $$
DECLARE
    first_ bigint := (SELECT min(time) FROM unnest(times) AS time);
    last_ bigint := (SELECT max(time) FROM unnest(times) AS time);
BEGIN
    IF first_ IS NOT NULL AND make_partition('sample', first_)::int + make_partition('sample', last_)::int > 0 THEN
        RAISE WARNING 'there was no table for reports of %, and it was made. If it was lost: see your backups',
            to_timestamp(first_ / 1000);
    END IF;
    INSERT INTO sample (room_id, reporter_id, sdk_version, report_time, received_at, users, streams)
        SELECT * FROM unnest(rooms, reporters, versions, report_times, times, users_, streams_);
    PERFORM pg_advisory_xact_lock(715002, hashtext(current_schema()));
    INSERT INTO batch (worker, ticket, at, reports)
        SELECT worker_, ticket_, greatest(at_, (SELECT b.at FROM batch b ORDER BY b.position DESC LIMIT 1)), reports_;
    RETURN QUERY
        SELECT b.position, b.ticket, CASE WHEN b.worker = worker_ AND b.ticket = ticket_ THEN NULL ELSE b.reports END
        FROM batch b WHERE b.position > since ORDER BY b.position;
END $$""",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in _FUNCTIONS:
            op.execute(statement)
        for table in _TABLES:
            _divide(*table)


def _divide(table: str, time: str, span: int, index: str, columns: str) -> None:
    before = f"{table}_before"
    op.execute(f"ALTER TABLE {table} RENAME TO {before}")
    op.execute(f"ALTER TABLE {before} DROP CONSTRAINT {table}_pkey")
    op.execute(f"ALTER INDEX {index} RENAME TO {index}_before")
    op.execute(f"CREATE TABLE {table} (LIKE {before} INCLUDING DEFAULTS) PARTITION BY RANGE ({time})")
    op.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (id, {time})")
    op.execute(f"CREATE INDEX {index} ON {table} ({columns})")
    op.execute(f"ALTER SEQUENCE {table}_id_seq OWNED BY {table}.id")
    newest = op.get_bind().exec_driver_sql(f"SELECT max({time}) FROM {before}").scalar()  # noqa: S608  (our own)
    since = 0 if newest is None else (newest // span + 1) * span
    op.execute(f"INSERT INTO partitioned VALUES ('{table}', {span}, {since})")  # noqa: S608
    if newest is None:
        op.execute(f"DROP TABLE {before}")
    else:
        op.execute(f"ALTER TABLE {table} ATTACH PARTITION {before} FOR VALUES FROM (MINVALUE) TO ({since})")
