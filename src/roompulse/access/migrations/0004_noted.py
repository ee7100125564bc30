"""In PostgreSQL, changes of keys, operators, sign-ins and shares are in the log of the workers (0010 of reports)."""

from alembic import op

revision = "access_0004"
down_revision = "access_0003"

_NOTED = {
    "access_key": "INSERT OR UPDATE OR DELETE",
    "operator": "INSERT OR UPDATE OR DELETE",
    "share": "INSERT OR UPDATE OR DELETE",
    "sign_in": "INSERT OR DELETE",
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("INSERT INTO readable_by VALUES ('access_version', 'access_0004')")
        for table, changes in _NOTED.items():
            op.execute(
                f"CREATE CONSTRAINT TRIGGER change_noted AFTER {changes} ON {table}"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_change()"
            )
