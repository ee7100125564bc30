#!/bin/sh
# Run once, when the primary's folder has been made: the standby may copy it, and from its next start on every commit waits
# until the standby has it.
set -eu
echo "host replication $POSTGRES_USER samenet scram-sha-256" >> "$PGDATA/pg_hba.conf"
psql --username="$POSTGRES_USER" --dbname=postgres --command="ALTER SYSTEM SET synchronous_standby_names = '*'"
