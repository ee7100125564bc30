#!/bin/sh
# The standby's folder is a copy of the primary's, made at the first start. It follows the primary until it is promoted, and
# then waits for no standby of its own.
set -eu
if [ ! -e "$PGDATA/PG_VERSION" ]; then
    chmod 700 "$PGDATA"
    PGPASSWORD=$POSTGRES_PASSWORD pg_basebackup --pgdata="$PGDATA" --write-recovery-conf --checkpoint=fast \
        --dbname="host=10.0.0.21 user=$POSTGRES_USER"
fi
exec postgres -c synchronous_standby_names=
