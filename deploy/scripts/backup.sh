#!/bin/bash
# Backs up PostgreSQL and, where there is one, Weaviate, taken at one moment: a snapshot of the database is held while both
# are read. Leaves backup_YYYYmmdd_HHMMSS.sql.gz, its manifest .json (rows and checksums of each table, of each class of
# vectors) and .sha256 in BACKUP_DIR; uploads them; removes what is older than RETENTION_DAYS, never the last good one.
#   BACKUP_DIR=/backups backup.sh [--dry-run]
# Environment:
#   BACKUP_DATABASE_URL  a superuser's or a role's with BYPASSRLS; row level security hides rows from others. Without it the
#                        database of NAMESPACE is read by kubectl exec in the pod POSTGRES_POD (postgres-0)
#   NAMESPACE            ceoagent      DATABASE    ceoagent (with kubectl)
#   BACKUP_DIR           ./backups     RETENTION_DAYS  30
#   WEAVIATE_URL, WEAVIATE_BACKEND (filesystem, s3), WEAVIATE_INCLUDE (classes, separated by commas: Decision,Document)
#   BACKUP_PASSPHRASE    encrypts the dump (AES-256-CBC, PBKDF2); keep it elsewhere
#   S3_BUCKET, S3_PREFIX (postgres), S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY, S3_SECRET_KEY
#   PUSHGATEWAY_URL      gets ceoagent_backup_last_success_timestamp_seconds
. "$(dirname "$0")/lib.sh" "$@"

BACKUP_DIR=${BACKUP_DIR:-./backups} RETENTION_DAYS=${RETENTION_DAYS:-30} NAMESPACE=${NAMESPACE:-ceoagent}
URL=${BACKUP_DATABASE_URL:-}
[[ $RETENTION_DAYS =~ ^[0-9]+$ ]] || die "RETENTION_DAYS=$RETENTION_DAYS: must be a number of days"
[[ -z ${WEAVIATE_URL:-} ]] || need curl
need gzip jq sha256sum
name=backup_$(date -u +%Y%m%d_%H%M%S)
suffix=sql.gz
[[ -z ${BACKUP_PASSPHRASE:-} ]] || suffix=sql.gz.enc

if [[ -n $URL ]]; then
    need psql pg_dump
    sql() { psql -X -q -At -v ON_ERROR_STOP=1 "$URL" "$@"; }
    dump() { pg_dump --dbname="$URL" "$@"; }
else
    need kubectl
    pg() { kubectl -n "$NAMESPACE" exec -i "${POSTGRES_POD:-postgres-0}" -- "$@"; }
    sql() { pg psql -X -q -At -v ON_ERROR_STOP=1 -U postgres -d "${DATABASE:-ceoagent}" "$@"; }
    dump() { pg pg_dump -U postgres "$@" "${DATABASE:-ceoagent}"; }
fi
seal() {
    if [[ $suffix == *.enc ]]; then
        openssl enc -aes-256-cbc -pbkdf2 -iter 600000 -salt -pass env:BACKUP_PASSPHRASE
    else
        cat
    fi
}

# A pod that has just started may reach the database only after its network policies are known everywhere.
wait_for "${CONNECT_SECONDS:-30}" sql -c 'SELECT 1' || die "no database: $(sql -c 'SELECT 1' 2>&1 | head -n 1)"
if ((DRY_RUN)); then
    say "would write $BACKUP_DIR/$name.$suffix${WEAVIATE_URL:+, and back up $WEAVIATE_URL}${S3_BUCKET:+, and upload to $S3_BUCKET}"
    exit 0
fi
mkdir -p "$BACKUP_DIR"
exec 9>"$BACKUP_DIR/.lock"
flock -n 9 || die "another backup runs in $BACKUP_DIR"
part=$BACKUP_DIR/.$name
cleanup() {
    exec 7>&- 2>/dev/null || true
    rm -f "$part".*
}
trap cleanup EXIT

# One session holds the snapshot open; it is also asked for the sums of the tables, which no other session could give.
coproc HOLDER { sql 2>"$part.err"; }
exec 7>&"${HOLDER[1]}" 8<&"${HOLDER[0]}"
eval "exec ${HOLDER[1]}>&-"
ask() { # SQL: the answer's lines, up to a mark
    local line
    printf '%s\n\\echo --end--\n' "$1" >&7
    while IFS= read -r line <&8; do
        [[ $line != --end-- ]] || return 0
        printf '%s\n' "$line"
    done
    die "the database went away: $(<"$part.err")"
}
snapshot=$(ask "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot();")
[[ -n $snapshot ]] || die "no snapshot: $(<"$part.err")"
taken=$(now_iso)

# Weaviate's own backup starts at the same moment and runs beside the dump.
weaviate_id=""
if [[ -n ${WEAVIATE_URL:-} ]]; then
    backend=${WEAVIATE_BACKEND:-filesystem}
    vectors "$WEAVIATE_URL" >"$part.vectors"
    include=$(cut -d' ' -f1 "$part.vectors" | grep -xF -f <(tr ',' '\n' <<<"${WEAVIATE_INCLUDE:-Decision,Document}") | jq -R . | jq -sc . || echo '[]')
    if [[ $include != '[]' ]]; then
        weaviate_id=${name,,}
        curl -fsS -m 60 -H 'Content-Type: application/json' -d "{\"id\":\"$weaviate_id\",\"include\":$include}" \
            "$WEAVIATE_URL/v1/backups/$backend" >/dev/null
    fi
else
    : >"$part.vectors"
fi

ask "$TABLE_SUMS" >"$part.tables"
[[ -s $part.tables ]] || die "the database has no tables"
roles=$(ask "SELECT rolname FROM pg_roles WHERE rolname LIKE 'ceoagent%' ORDER BY 1;" | jq -R . | jq -sc .)
database=$(ask "SELECT current_database();")
version=$(ask "SHOW server_version;")
migration=$(ask "SELECT max(version) FROM schema_migrations;")
dump --snapshot="$snapshot" --clean --if-exists --format=plain | gzip -6 | seal >"$part.$suffix"
exec 7>&-
[[ $(stat -c %s "$part.$suffix") -gt 100 ]] || die "the dump is empty"

if [[ -n $weaviate_id ]]; then
    weaviate_done() {
        local state
        state=$(curl -fsS -m 30 "$WEAVIATE_URL/v1/backups/$backend/$weaviate_id" | jq -r .status)
        [[ $state != FAILED ]] || die "Weaviate's backup failed"
        [[ $state == SUCCESS ]]
    }
    end=$((SECONDS + ${WEAVIATE_SECONDS:-3600}))
    until weaviate_done; do
        ((SECONDS < end)) || die "Weaviate's backup did not end"
        sleep 1
    done
fi

lines() { jq -R 'split(" ") | {key: .[0], value: {count: (.[1] | tonumber), sum: .[2]}}' "$1" | jq -sc from_entries; }
jq -n --arg taken "$taken" --arg file "$name.$suffix" --arg database "$database" --arg version "$version" \
    --arg migration "$migration" --argjson roles "$roles" --argjson tables "$(lines "$part.tables")" \
    --argjson vectors "$(lines "$part.vectors")" --arg weaviate "$weaviate_id" --arg backend "${backend:-}" \
    --argjson bytes "$(stat -c %s "$part.$suffix")" \
    '{taken_at: $taken, file: $file, bytes: $bytes, database: $database, postgres: $version, migration: $migration, roles: $roles,
      tables: $tables, weaviate: {id: $weaviate, backend: $backend, classes: $vectors}}' >"$part.json"
mv "$part.$suffix" "$BACKUP_DIR/$name.$suffix"
mv "$part.json" "$BACKUP_DIR/$name.json"
# The list of checksums comes last: with it the backup counts as complete.
(cd "$BACKUP_DIR" && sha256sum "$name.$suffix" "$name.json") >"$part.sha256"
mv "$part.sha256" "$BACKUP_DIR/$name.sha256"
say "$BACKUP_DIR/$name.$suffix: $(stat -c %s "$BACKUP_DIR/$name.$suffix") bytes, $(jq '[.tables[].count] | add' "$BACKUP_DIR/$name.json") rows, $(jq '[.weaviate.classes[].count] | add // 0' "$BACKUP_DIR/$name.json") vectors"

if s3_on; then
    for f in "$name.$suffix" "$name.json" "$name.sha256"; do
        s3 PUT "${S3_PREFIX:-postgres}/$f" "$BACKUP_DIR/$f" >/dev/null
        stored=$(s3 HEAD "${S3_PREFIX:-postgres}/$f" | tr -d '\r' | sed -nE 's/^[Cc]ontent-[Ll]ength: //p')
        [[ $stored == "$(stat -c %s "$BACKUP_DIR/$f")" ]] || die "upload of $f: $stored bytes arrived"
    done
    say "uploaded to $S3_BUCKET/${S3_PREFIX:-postgres}/"
fi

# What may go: complete backups beyond the age, but not the newest that a drill has restored, nor the newest of all.
good=$(cd "$BACKUP_DIR" && ls -1 backup_*.verified 2>/dev/null | sort | tail -n 1 || true)
for f in "$BACKUP_DIR"/backup_*.sha256; do
    base=$(basename "$f" .sha256)
    [[ $base != "$name" && $base.verified != "$good" ]] || continue
    if [[ -n $(find "$f" -mmin "+$((RETENTION_DAYS * 1440))") ]]; then
        rm -f "$BACKUP_DIR/$base".*
        say "removed $base"
    fi
done

if [[ -n ${PUSHGATEWAY_URL:-} ]]; then
    echo "ceoagent_backup_last_success_timestamp_seconds $(date +%s)" |
        curl -fsS -m 10 --data-binary @- "$PUSHGATEWAY_URL/metrics/job/ceoagent_backup" || say "no metrics were pushed"
fi
echo "$BACKUP_DIR/$name.json"
