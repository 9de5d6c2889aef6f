# shellcheck shell=bash
# Shared by the scripts of this folder. Source it first; it reads --dry-run and --help off the arguments: what is left
# stands in the array ARGS. The help is the comment at the head of the script.
set -euo pipefail
umask 077

ME=$(basename "$0")
DRY_RUN=0
ARGS=()
for arg in "$@"; do
    case $arg in
    --dry-run) DRY_RUN=1 ;;
    --help | -h)
        sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
        exit 0
        ;;
    *) ARGS+=("$arg") ;;
    esac
done

say() { echo "$ME: $*" >&2; }
die() {
    say "$*"
    exit 1
}
need() {
    local c
    for c in "$@"; do command -v "$c" >/dev/null || die "$c is missing"; done
}

# Runs what changes something; with --dry-run only says it. Secrets never stand in these arguments.
run() {
    if ((DRY_RUN)); then
        printf 'would run:' >&2
        printf ' %q' "$@" >&2
        echo >&2
    else
        "$@"
    fi
}

# wait_for SECONDS COMMAND...
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.5
    done
}

now_iso() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# The part of a PostgreSQL URL without its database, and the database.
url_database() {
    local rest=${1%%\?*}
    echo "${rest##*/}"
}
url_with_database() { # URL NAME
    local query=""
    [[ $1 != *\?* ]] || query="?${1#*\?}"
    local rest=${1%%\?*}
    echo "${rest%/*}/$2$query"
}

# s3 METHOD KEY [FILE]: one request to an S3-compatible store (S3, OSS, MinIO), path style, signature 4. The credentials
# go through a file descriptor, so that no list of processes shows them.
s3_on() { [[ -n ${S3_BUCKET:-} ]]; }
s3() {
    local method=$1 key=$2 file=${3:-}
    local endpoint=${S3_ENDPOINT:-https://s3.${S3_REGION:-us-east-1}.amazonaws.com}
    local args=(-fsS --retry 3 --retry-connrefused -m 3600 --aws-sigv4 "aws:amz:${S3_REGION:-us-east-1}:s3" -K /dev/fd/3)
    # The store compares this with what arrives. Older curls do not send it by themselves.
    local sum
    sum=$(sha256sum <"$([[ $method == PUT ]] && echo "$file" || echo /dev/null)" | cut -d' ' -f1)
    args+=(-H "x-amz-content-sha256: $sum")
    case $method in
    PUT) args+=(-T "$file") ;;
    GET) args+=(-o "$file") ;;
    HEAD) args+=(-I) ;;
    *) args+=(-X "$method") ;;
    esac
    curl "${args[@]}" "$endpoint/$S3_BUCKET/$key" 3<<<"user = \"$S3_ACCESS_KEY:$S3_SECRET_KEY\""
}

# One line per table of schema public: name, rows, checksum. The checksum does not depend on the order of the rows. Run it
# in the transaction whose snapshot is meant.
# shellcheck disable=SC2034 # used by those who source this
TABLE_SUMS=$(
    cat <<'SQL'
SELECT format('SELECT %L || '' '' || count(*) || '' '' || coalesce(sum((''x'' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0) FROM %I.%I t', relname, nspname, relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = 'public' AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
\gexec
SQL
)

# vectors URL: one line per class: name, objects, checksum over ids and vectors.
vectors() {
    local class after page count sum
    for class in $(curl -fsS -m 30 "$1/v1/schema" | jq -r '.classes[].class' | sort); do
        after="" count=0
        sum=$(mktemp)
        while :; do
            page=$(curl -fsS -m 60 "$1/v1/objects?class=$class&include=vector&limit=500${after:+&after=$after}")
            [[ $(jq '.objects | length' <<<"$page") != 0 ]] || break
            jq -c '.objects[] | [.id, .vector]' <<<"$page" >>"$sum"
            after=$(jq -r '.objects[-1].id' <<<"$page")
        done
        count=$(wc -l <"$sum")
        echo "$class $count $(sort "$sum" | sha256sum | cut -c1-32)"
        rm -f "$sum"
    done
}
