#!/bin/sh
# The source document's own commands for 0061, up to GO, as an engineer would run them one after
# another. Run by bench_flow.py with: WRANGLER (the words that start it), DATABASE, TABLES (all),
# TOUCHED, STATE (a local folder), BACKUPS, DOWN (the down migration). Writes one line a command:
# seconds, a tab, whether remote or local, a tab, what for.
#
# Where the document's command does not work with the real wrangler, what works in its place is
# run: `.schema t` (refused: not SQL) is a SELECT on sqlite_master; `d1 create --local` (no such
# flag) is left out, `migrations apply --local` makes the database. `rollback`, the checks after
# the apply and the five minutes of watching are after GO and not here. Left out in the document's
# favour: whatever only the wizard proves (the target's rows under the rehearsal, the backup's
# restore, the bookmark, the schema's comparison).
set -eu

timed() { # where, what for, then the words of the command
    where=$1 what=$2
    shift 2
    begun=$(date +%s.%N)
    "$@" >"$BACKUPS/last.out" 2>"$BACKUPS/last.err" || {
        echo "failed: $what" >&2
        cat "$BACKUPS/last.out" "$BACKUPS/last.err" >&2
        exit 1
    }
    printf '%s\t%s\t%s\n' "$(echo "$(date +%s.%N) $begun" | awk '{ print $1 - $2 }')" "$where" "$what"
}
remote() { timed remote "$1" $WRANGLER d1 execute "$DATABASE" --remote --command "$2"; }
local_() { timed local "$1" $WRANGLER d1 execute "$DATABASE" --local --persist-to "$STATE" --command "$2"; }

mkdir -p "$BACKUPS"

# What is pending
timed remote "what is pending" $WRANGLER d1 migrations list "$DATABASE" --remote

# 2. Local Testing ("ALWAYS do this"; "Testing Migrations Locally" 2 to 5)
timed local "apply locally" $WRANGLER d1 migrations apply "$DATABASE" --local --persist-to "$STATE"
local_ "try it with sample data" "INSERT INTO users (id, email, role) VALUES ('test-1', 'test@example.com', 'USER'); SELECT * FROM users;"
local_ "verify the schema" "SELECT sql FROM sqlite_master WHERE tbl_name = 'teams';"
local_ "clean up" "DELETE FROM users WHERE id = 'test-1';"

# 3. Data Safety: a backup of each touched table, the row count of each table
for table in $TOUCHED; do
    remote "backup $table" "SELECT * FROM $table"
    cp "$BACKUPS/last.out" "$BACKUPS/backup_$table.json"
done
for table in $TABLES; do
    remote "count $table" "SELECT COUNT(*) FROM $table"
done

# 4. Rollback Preparation: the down migration, tested locally
timed local "down, locally" $WRANGLER d1 execute "$DATABASE" --local --persist-to "$STATE" --file "$DOWN"
local_ "verify the schema after down" "PRAGMA table_info(teams);"
