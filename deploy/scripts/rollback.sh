#!/bin/bash
# Takes CEOAgent back to an earlier revision and tests it. The schema stays: each release runs with the next one's.
#   NAMESPACE=ceoagent rollback.sh [--dry-run] [REVISION]     without REVISION: the last one with other images
# Environment: NAMESPACE, RELEASE, KUBECONFIG_PATH, TIMEOUT (5m), SMOKE (on, off)
. "$(dirname "$0")/lib.sh" "$@"

NAMESPACE=${NAMESPACE:-ceoagent} RELEASE=${RELEASE:-ceoagent} TIMEOUT=${TIMEOUT:-5m}
[[ -z ${KUBECONFIG_PATH:-} ]] || export KUBECONFIG=$KUBECONFIG_PATH
need helm kubectl jq

# The images of a revision, as one line: what was deployed twice, or rolled back to, is no earlier version.
images() { helm get manifest "$RELEASE" -n "$NAMESPACE" --revision "$1" | sed -nE 's/^ *image: //p' | sort -u | tr '\n' ' '; }

revision=${ARGS[0]:-}
if [[ -z $revision ]]; then
    history=$(helm history "$RELEASE" -n "$NAMESPACE" -o json)
    now=$(jq -r 'map(select(.status == "deployed")) | last.revision // empty' <<<"$history")
    [[ -n $now ]] || die "nothing is deployed as $RELEASE in $NAMESPACE"
    serving=$(images "$now")
    for candidate in $(jq -r --argjson now "$now" '[.[] | select(.status == "superseded" and .revision < $now).revision] | reverse[]' <<<"$history"); do
        [[ $(images "$candidate") != "$serving" ]] || continue
        revision=$candidate
        break
    done
    [[ -n $revision ]] || die "no earlier version of $RELEASE in $NAMESPACE"
fi
[[ $revision =~ ^[0-9]+$ ]] || die "REVISION must be a number: helm history $RELEASE -n $NAMESPACE"
force=()
! helm rollback --help 2>/dev/null | grep -q -- --force-conflicts || force=(--force-conflicts)
run helm rollback "$RELEASE" "$revision" "${force[@]}" -n "$NAMESPACE" --wait --timeout "$TIMEOUT" >&2
[[ ${SMOKE:-on} == off ]] || run env NAMESPACE="$NAMESPACE" "$(dirname "$0")/smoke.sh"
say "$RELEASE in $NAMESPACE is back at revision $revision"
