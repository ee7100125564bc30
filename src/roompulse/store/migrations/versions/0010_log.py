"""The log of reports, where several workers use the database. SQLite has one writer, whose samples are its log.

All workers find the same events and save them, as the same row. A note is saved by one worker.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

# The lock is taken last and held until the commit, so positions are in the order of commits. The function is one round
# trip: no worker holds the lock while it talks over the network. What has been committed since `since` is read after
# the lock, by a snapshot of its own.
_LOG = """
CREATE TABLE batch (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    worker bigint NOT NULL,
    ticket bigint NOT NULL,
    at bigint NOT NULL,
    reports bytea NOT NULL
);
CREATE INDEX batch_by_time ON batch (at);
CREATE UNIQUE INDEX event_once ON event (
    room_id, time, kind, md5(coalesce(user_id, '') || E'\\n' || coalesce(stream_id, '') || E'\\n'
        || text || E'\\n' || coalesce(detail, ''))
) WHERE kind <> 'note';
CREATE FUNCTION put(
    rooms text[], reporters text[], versions text[], report_times bigint[], times bigint[], users_ text[],
    streams_ bytea[], worker_ bigint, ticket_ bigint, at_ bigint, reports_ bytea, since bigint
) RETURNS TABLE (position_of bigint, ticket_of bigint, reports_of bytea) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sample (room_id, reporter_id, sdk_version, report_time, received_at, users, streams)
        SELECT * FROM unnest(rooms, reporters, versions, report_times, times, users_, streams_);
    PERFORM pg_advisory_xact_lock(715002, hashtext(current_schema()));
    INSERT INTO batch (worker, ticket, at, reports)
        SELECT worker_, ticket_, greatest(at_, (SELECT b.at FROM batch b ORDER BY b.position DESC LIMIT 1)), reports_;
    RETURN QUERY
        SELECT b.position, b.ticket, CASE WHEN b.worker = worker_ AND b.ticket = ticket_ THEN NULL ELSE b.reports END
        FROM batch b WHERE b.position > since ORDER BY b.position;
END $$;
CREATE TABLE readable_by (version_table text PRIMARY KEY, revision text NOT NULL);
CREATE TABLE secret (name text PRIMARY KEY, value text NOT NULL);
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('roompulse.noted', true), '') <> 'yes' THEN
        PERFORM set_config('roompulse.noted', 'yes', true);
        PERFORM pg_advisory_xact_lock(715002, hashtext(current_schema()));
        INSERT INTO batch (worker, ticket, at, reports)
            SELECT 0, 0, coalesce((SELECT b.at FROM batch b ORDER BY b.position DESC LIMIT 1), 0), '\\x90';
    END IF;
    RETURN NULL;
END $$;
"""

# Operators' changes are in the log too, as a batch without reports: so workers that follow the log see them.
_NOTED = ("alert_rule", "alert", "silence", "channel")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in _statements():
            op.execute(statement)
        op.execute("INSERT INTO readable_by VALUES ('alembic_version', '0010')")
        for table in _NOTED:
            op.execute(noted(table))


def noted(table: str) -> str:
    """The trigger runs at the commit, so that the lock is taken last."""
    return (
        f"CREATE CONSTRAINT TRIGGER change_noted AFTER INSERT OR UPDATE OR DELETE ON {table}"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_change()"
    )


def _statements() -> list[str]:
    """One by one, as the driver takes only one at a time."""
    first, *others = _LOG.split(";\nCREATE ")
    return [first, *(f"CREATE {other}" for other in others)]
