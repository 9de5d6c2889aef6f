#!/bin/bash
# Does the service work? Health, readiness, the interface's description and one decision. Exit status 0: yes.
#   CEOAGENT_URL=http://127.0.0.1:8000 smoke.sh
#   NAMESPACE=ceoagent smoke.sh              through kubectl: a port is forwarded and a key made that lives 15 minutes
# Environment:
#   CEOAGENT_API_KEY  for the decision; without a key (and without kubectl) the decision is left out
#   CEOAGENT_PEERS    further URLs whose /health and /metrics must answer (agents, workers)
#   SMOKE_SECONDS     60: how long anything may take to come true
. "$(dirname "$0")/lib.sh" "$@"
need curl jq

SMOKE_SECONDS=${SMOKE_SECONDS:-60}
work=$(mktemp -d)
forward=""
cleanup() {
    [[ -z $forward ]] || kill "$forward" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

if [[ -z ${CEOAGENT_URL:-} ]]; then
    need kubectl
    namespace=${NAMESPACE:-ceoagent}
    kubectl -n "$namespace" port-forward service/ceoagent-api :80 >"$work/forward" 2>&1 &
    forward=$!
    wait_for 20 grep -q 'Forwarding from 127' "$work/forward" || die "no port: $(<"$work/forward")"
    port=$(sed -nE 's/^Forwarding from 127\.0\.0\.1:([0-9]+).*/\1/p' "$work/forward" | sed -n 1p)
    CEOAGENT_URL=http://127.0.0.1:$port
    # A pod of the release before may go at this moment: then another one makes the key.
    make_key() {
        local pod
        pod=$(kubectl -n "$namespace" get pods -l app=ceoagent-api --field-selector=status.phase=Running -o json |
            jq -r 'first(.items[] | select(.metadata.deletionTimestamp == null).metadata.name)')
        kubectl -n "$namespace" exec "$pod" -c api -- /usr/bin/ceoagent-api keys create \
            --name smoke-test --role admin --expires 1h 2>"$work/key.log" | jq -r .key >"$work/key"
        [[ -s $work/key ]]
    }
    wait_for "$SMOKE_SECONDS" make_key || die "no key: $(<"$work/key.log")"
    CEOAGENT_API_KEY=$(<"$work/key")
fi

get() { curl -fsS -m 10 "$CEOAGENT_URL$1"; }
check() { # WHAT COMMAND...
    local what=$1
    shift
    wait_for "$SMOKE_SECONDS" "$@" || die "FAIL $what: $("$@" 2>&1 | tail -n 1)"
    say "ok   $what"
}

is_healthy() { [[ $(get /health | jq -r .status) == healthy ]]; }
is_ready() { [[ $(get /ready | jq -r .status) == ready ]]; }
describes() { [[ $(get /openapi.json | jq -r .info.title) == "CEOAgent API" ]]; }
check health is_healthy
check readiness is_ready
check interface describes
for peer in ${CEOAGENT_PEERS:-}; do
    check "$peer/health" curl -fsS -m 10 "$peer/health"
    check "$peer/metrics" curl -fsS -m 10 "$peer/metrics"
done

if [[ -z ${CEOAGENT_API_KEY:-} ]]; then
    say "no CEOAGENT_API_KEY: no decision was asked"
    exit 0
fi
key() { echo "header = \"X-API-Key: $CEOAGENT_API_KEY\""; }
body='{"query": "Should the smoke test of this deployment pass?", "mode": "async",
       "options": ["yes", "no"]}'
status=$(curl -sS -m 30 -K <(key) -H 'Content-Type: application/json' -d "$body" -o "$work/answer" -w '%{http_code}' \
    "$CEOAGENT_URL/api/v1/decision/analyze")
[[ $status == 20[0-2] ]] || die "FAIL decision: $status $(head -c 300 "$work/answer")"
id=$(jq -r '.data.decision_id // .data.id // .decision_id' "$work/answer")
decided() {
    curl -fsS -m 10 -K <(key) -o "$work/decision" "$CEOAGENT_URL/api/v1/decisions/$id" &&
        [[ $(jq -r '.data.status // .status' "$work/decision") == completed ]]
}
check "decision $id" decided
