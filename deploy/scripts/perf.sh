#!/bin/bash
# A short load test after a deployment: many small requests, and some decisions that are accepted and not waited for.
# Writes a report as JSON and fails when a limit is passed or the figures fell behind the baseline.
#   CEOAGENT_URL=http://127.0.0.1:8000 CEOAGENT_API_KEY=... perf.sh
# Environment: REQUESTS (500), PARALLEL (20), DECISIONS (20), REPORT (build/perf.json), BASELINE (a report to compare with),
#   MAX_MEAN_MS (500), MAX_P95_MS (500), MAX_P99_MS (1000), MAX_ERROR_PERMILLE (1), MAX_REGRESSION_PERCENT (50)
. "$(dirname "$0")/lib.sh" "$@"
need curl jq sort awk

URL=${CEOAGENT_URL:?} REQUESTS=${REQUESTS:-500} PARALLEL=${PARALLEL:-20} DECISIONS=${DECISIONS:-20}
REPORT=${REPORT:-build/perf.json}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$(dirname "$REPORT")"

# measure NAME COUNT CURL-ARGUMENTS...: statistics of COUNT requests as JSON.
measure() {
    local name=$1 count=$2 i
    shift 2
    for ((i = 0; i < count; i++)); do
        printf 'next\n'
        printf '%s\n' "$@" 'output = /dev/null' 'write-out = "%{http_code} %{time_total}\\n"' 'max-time = 30'
    done | sed 1d >"$work/config"
    curl -s --parallel --parallel-max "$PARALLEL" -K "$work/config" >"$work/lines" 2>/dev/null || true
    sort -k2,2n "$work/lines" | awk -v name="$name" -v count="$count" '
        { t[NR] = $2 * 1000; sum += t[NR]; if ($1 !~ /^[23]/) bad++ }
        function at(p,   i) { i = int(NR * p + 0.999999); return t[i < 1 ? 1 : i] }
        END {
            bad += count - NR
            printf "{\"name\":\"%s\",\"requests\":%d,\"errors\":%d,\"mean_ms\":%.1f,\"p50_ms\":%.1f,\"p95_ms\":%.1f,\"p99_ms\":%.1f}\n",
                name, count, bad, NR ? sum / NR : 0, at(0.5), at(0.95), at(0.99)
        }'
}

if ((DRY_RUN)); then
    say "would send $REQUESTS requests and $DECISIONS decisions to $URL"
    exit 0
fi
{
    measure health "$REQUESTS" "url = $URL/health"
    if [[ -n ${CEOAGENT_API_KEY:-} ]]; then
        header="header = \"X-API-Key: $CEOAGENT_API_KEY\""
        measure list "$REQUESTS" "url = $URL/api/v1/decisions?page_size=10" "$header"
        measure accept "$DECISIONS" "url = $URL/api/v1/decision/analyze" "$header" \
            'header = "Content-Type: application/json"' \
            'data = "{\"query\":\"Load test of a deployment: keep or change?\",\"mode\":\"async\"}"'
    fi
} | jq -s --arg at "$(now_iso)" '{at: $at, results: .}' >"$REPORT"
jq -r '.results[] | "\(.name): \(.requests) requests, \(.errors) errors, mean \(.mean_ms) ms, p95 \(.p95_ms) ms, p99 \(.p99_ms) ms"' "$REPORT" >&2

jq -e --argjson mean "${MAX_MEAN_MS:-500}" --argjson p95 "${MAX_P95_MS:-500}" --argjson p99 "${MAX_P99_MS:-1000}" \
    --argjson errors "${MAX_ERROR_PERMILLE:-1}" \
    'all(.results[]; .mean_ms <= $mean and .p95_ms <= $p95 and .p99_ms <= $p99 and .errors * 1000 <= $errors * .requests)' \
    "$REPORT" >/dev/null || die "FAIL: a limit was passed, see $REPORT"
if [[ -n ${BASELINE:-} && -s ${BASELINE:-} ]]; then
    jq -e --slurpfile base "$BASELINE" --argjson more "${MAX_REGRESSION_PERCENT:-50}" \
        '[.results[] as $r | $base[0].results[] | select(.name == $r.name) | $r.p95_ms <= .p95_ms * (1 + $more / 100) + 5] | all' \
        "$REPORT" >/dev/null || die "FAIL: slower than $BASELINE by more than ${MAX_REGRESSION_PERCENT:-50} %"
fi
say "ok   $REPORT"
