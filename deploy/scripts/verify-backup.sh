#!/bin/bash
# The nightly drill: restores the newest backup into a scratch database, compares it with what was backed up, drops it.
# Green means that a restore was compared, nothing less. Its figures go to BACKUP_DIR/metrics.prom and to a Pushgateway:
# how old the restored data is (RPO) and how long the restore took (RTO).
#   verify-backup.sh [--dry-run] [MANIFEST]
# Environment: as for restore.sh; DRILL_WEAVIATE_URL: a scratch Weaviate that sees the same backup backend. Without it the
#   vectors of a backup are not compared, and the drill says so; DRILL_VECTORS=required makes that a failure.
#   PUSHGATEWAY_URL
. "$(dirname "$0")/lib.sh" "$@"
need psql jq

BACKUP_DIR=${BACKUP_DIR:-./backups} URL=${BACKUP_DATABASE_URL:?}
manifest=${ARGS[0]:-}
if [[ -z $manifest ]]; then
    list=$(ls -1 "$BACKUP_DIR"/backup_*.sha256 2>/dev/null | sort | tail -n 1 || true)
    [[ -n $list ]] || die "no backup in $BACKUP_DIR"
    manifest=${list%.sha256}.json
fi
scratch=ceoagent_drill_$(date -u +%Y%m%d_%H%M%S)_$$
if ((DRY_RUN)); then
    say "would restore $manifest into $scratch, compare and drop it"
    exit 0
fi
cleanup() {
    psql -X -q -At "$(url_with_database "$URL" postgres)" -c "DROP DATABASE IF EXISTS \"$scratch\" WITH (FORCE)" >/dev/null
}
trap cleanup EXIT

vectors_in=$(jq -r '[.weaviate.classes[].count] | add // 0' "$manifest")
if [[ $vectors_in != 0 && -z ${DRILL_WEAVIATE_URL:-} ]]; then
    [[ ${DRILL_VECTORS:-} != required ]] || die "FAIL: $vectors_in vectors cannot be compared without DRILL_WEAVIATE_URL"
    say "warning: $vectors_in vectors are not compared, since DRILL_WEAVIATE_URL is not set"
fi
started=$SECONDS
TARGET_DATABASE=$scratch WEAVIATE_URL=${DRILL_WEAVIATE_URL:-} "$(dirname "$0")/restore.sh" "$manifest" >/dev/null ||
    die "FAIL: $(basename "$manifest") cannot be restored"
rto=$((SECONDS - started))
rpo=$(($(date +%s) - $(date -d "$(jq -r .taken_at "$manifest")" +%s)))
touch "${manifest%.json}.verified"

{
    echo '# HELP ceoagent_restore_last_success_timestamp_seconds When a backup was last restored and compared'
    echo '# TYPE ceoagent_restore_last_success_timestamp_seconds gauge'
    echo "ceoagent_restore_last_success_timestamp_seconds $(date +%s)"
    echo '# HELP ceoagent_restore_rpo_seconds Age of the data that the last drill brought back'
    echo '# TYPE ceoagent_restore_rpo_seconds gauge'
    echo "ceoagent_restore_rpo_seconds $rpo"
    echo '# HELP ceoagent_restore_rto_seconds Time that the last drill took'
    echo '# TYPE ceoagent_restore_rto_seconds gauge'
    echo "ceoagent_restore_rto_seconds $rto"
} >"$BACKUP_DIR/.metrics.prom"
mv "$BACKUP_DIR/.metrics.prom" "$BACKUP_DIR/metrics.prom"
if [[ -n ${PUSHGATEWAY_URL:-} ]]; then
    curl -fsS -m 10 --data-binary @"$BACKUP_DIR/metrics.prom" "$PUSHGATEWAY_URL/metrics/job/ceoagent_restore_drill" ||
        say "no metrics were pushed"
fi
say "ok   $(basename "$manifest"): restored and compared in $rto s, data $rpo s old"
