#!/bin/bash
# Restores a backup into a new database, compares every table with the manifest, and only then, with --switch, gives it
# the name that the programs use. The database before is renamed and kept.
#   restore.sh [--switch] [--dry-run] [MANIFEST]        MANIFEST: BACKUP_DIR/backup_*.json, the newest when left out
# Environment:
#   BACKUP_DATABASE_URL  a superuser's, of the server that is restored to; its database is the one to replace
#   BACKUP_DIR           ./backups;    BACKUP_PASSPHRASE as for backup.sh
#   TARGET_DATABASE      the new database's name (DATABASE_restore_TIME); dropped when the comparison fails
#   WEAVIATE_URL         restores the vectors too: into a Weaviate without the classes, or with --switch in their place
#   S3_*                 as for backup.sh: a backup that is not in BACKUP_DIR is fetched
# Prints the new database's name.
. "$(dirname "$0")/lib.sh" "$@"
need psql jq sha256sum gzip

BACKUP_DIR=${BACKUP_DIR:-./backups} URL=${BACKUP_DATABASE_URL:?}
switch=0 manifest=""
for arg in "${ARGS[@]}"; do
    case $arg in --switch) switch=1 ;; -*) die "unknown option $arg" ;; *) manifest=$arg ;; esac
done
if [[ -z $manifest ]]; then
    list=$(ls -1 "$BACKUP_DIR"/backup_*.sha256 2>/dev/null | sort | tail -n 1 || true)
    [[ -n $list ]] || die "no backup in $BACKUP_DIR"
    manifest=${list%.sha256}.json
fi
dir=$(dirname "$manifest") base=$(basename "$manifest" .json)
if [[ ! -s $manifest ]] && s3_on; then
    run mkdir -p "$dir"
    s3 GET "${S3_PREFIX:-postgres}/$base.json" "$manifest"
    s3 GET "${S3_PREFIX:-postgres}/$base.sha256" "$dir/$base.sha256"
    file=$(jq -r .file "$manifest")
    s3 GET "${S3_PREFIX:-postgres}/$file" "$dir/$file"
fi
[[ -s $manifest && -s $dir/$base.sha256 ]] || die "$manifest is not there or not complete"
(cd "$dir" && sha256sum --quiet -c "$base.sha256" >&2) || die "$base: the checksum does not fit; the backup is damaged"

file=$dir/$(jq -r .file "$manifest")
live=$(url_database "$URL")
stamp=$(date -u +%Y%m%d_%H%M%S)
target=${TARGET_DATABASE:-${live}_restore_$stamp}
[[ $target =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || die "TARGET_DATABASE=$target: letters, digits and _ alone"
admin=$(url_with_database "$URL" postgres) into=$(url_with_database "$URL" "$target")
psql_() { psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }
wait_for "${CONNECT_SECONDS:-30}" psql_ "$admin" -c 'SELECT 1' || die "no server: $(psql_ "$admin" -c 'SELECT 1' 2>&1 | head -n 1)"
open() {
    if [[ $file == *.enc ]]; then
        openssl enc -d -aes-256-cbc -pbkdf2 -iter 600000 -pass env:BACKUP_PASSPHRASE -in "$file"
    else
        cat "$file"
    fi
}
if ((DRY_RUN)); then
    say "would restore $file into the database $target$( ((switch)) && echo " and put it in the place of $live")"
    exit 0
fi

# Roles belong to the server, not to the dump. A login that is made here has no password yet.
for role in $(jq -r '.roles[]' "$manifest"); do
    psql_ "$admin" -v role="$role" <<<"SELECT format('CREATE ROLE %I NOLOGIN', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \\gexec"
done
psql_ "$admin" -v db="$target" <<<"SELECT format('CREATE DATABASE %I TEMPLATE template0', :'db') \\gexec"
drop() { psql_ "$admin" -v db="$target" <<<"SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', :'db') \\gexec"; }
failed() {
    drop
    die "$*"
}
open | gzip -dc | psql_ "$into" --single-transaction >/dev/null || failed "$base: the dump could not be played in"

got=$(psql_ "$into" <<<"$TABLE_SUMS" | jq -R 'split(" ") | {key: .[0], value: {count: (.[1] | tonumber), sum: .[2]}}' | jq -sc from_entries)
different=$(jq -r --argjson got "$got" '.tables as $want | ($want + $got | keys[]) | select($want[.] != $got[.])' "$manifest")
[[ -z $different ]] || failed "$base: these tables differ from the manifest:" $different
say "$target: $(jq '.tables | length' "$manifest") tables and $(jq '[.tables[].count] | add' "$manifest") rows as in the manifest"

id=$(jq -r .weaviate.id "$manifest")
if [[ -n ${WEAVIATE_URL:-} && -n $id ]]; then
    backend=$(jq -r .weaviate.backend "$manifest")
    need curl
    if ((switch)); then
        for class in $(jq -r '.weaviate.classes | keys[]' "$manifest"); do
            curl -sS -m 60 -X DELETE "$WEAVIATE_URL/v1/schema/$class" >/dev/null
        done
    fi
    curl -fsS -m 60 -H 'Content-Type: application/json' -d '{}' "$WEAVIATE_URL/v1/backups/$backend/$id/restore" >/dev/null ||
        failed "Weaviate refused the restore of $id"
    end=$((SECONDS + ${WEAVIATE_SECONDS:-3600}))
    until [[ $(curl -fsS -m 30 "$WEAVIATE_URL/v1/backups/$backend/$id/restore" | jq -r .status) == SUCCESS ]]; do
        ((SECONDS < end)) || failed "Weaviate did not end the restore of $id"
        sleep 1
    done
    got=$(vectors "$WEAVIATE_URL" | jq -R 'split(" ") | {key: .[0], value: {count: (.[1] | tonumber), sum: .[2]}}' | jq -sc from_entries)
    different=$(jq -r --argjson got "$got" '.weaviate.classes as $want | ($want | keys[]) | select($want[.] != $got[.])' "$manifest")
    [[ -z $different ]] || failed "$base: these classes differ from the manifest:" $different
    say "$(jq '[.weaviate.classes[].count] | add' "$manifest") vectors as in the manifest"
fi

if ((switch)); then
    # In one transaction the names change; whoever is connected to the old database is sent away and comes back to the new.
    psql_ "$admin" -v live="$live" -v old="${live}_before_$stamp" -v new="$target" <<'SQL'
SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS false', :'live') WHERE EXISTS (SELECT FROM pg_database WHERE datname = :'live') \gexec
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname IN (:'live', :'new') AND pid <> pg_backend_pid() \g /dev/null
SELECT pg_sleep(0.2) \g /dev/null
BEGIN;
SELECT format('ALTER DATABASE %I RENAME TO %I', :'live', :'old') WHERE EXISTS (SELECT FROM pg_database WHERE datname = :'live') \gexec
SELECT format('ALTER DATABASE %I RENAME TO %I', :'new', :'live') \gexec
COMMIT;
SQL
    psql_ "$admin" -v db="$live" -v owner="$(jq -r '.roles | if index("ceoagent") then "ceoagent" else "" end' "$manifest")" \
        <<<"SELECT format('ALTER DATABASE %I OWNER TO %I', :'db', :'owner') WHERE :'owner' <> '' \\gexec"
    say "$live is the restored one; the one before is ${live}_before_$stamp"
    target=$live
fi
echo "$target"
