"""Alembic's entry: runs the migrations on the connection that `migrate.py` hands over."""

from alembic import context

found = context.config.attributes
context.configure(connection=found["connection"], version_table=found.get("table", "alembic_version"))
with context.begin_transaction():
    context.run_migrations()
