#!/bin/bash
# Every row of the table of settings is documented, shown in the example environment and can be set
# through the chart and compose; and the documentation says what the program says. A file that does
# not exist is not checked.
set -u
cd "$(dirname "$0")/../.." || exit 1

status=0
names=$(sed -nE 's/^    \{CFG_[A-Z0-9]+, "([A-Z0-9_]+)[|"].*/\1/p' libcommon/base/settings.c)
[ -n "$names" ] || { echo "no rows found in settings.c"; exit 1; }

# A name of its own: METRICS_PORT is not in MY_METRICS_PORT.
mentions() {
    local name=$1
    shift
    cat "$@" | grep -qE "(^|[^A-Z0-9_])$name([^A-Z0-9_]|\$)"
}

require() {
    local what=$1 name
    shift
    [ $# -gt 0 ] && [ -f "$1" ] || return 0
    for name in $names; do
        mentions "$name" "$@" || { echo "$what: $name is missing"; status=1; }
    done
}

require docs/configuration.md docs/configuration.md
require .env.example .env.example
mapfile -t compose < <(ls deploy/docker-compose.dev.yml .env.example 2>/dev/null)
[ -f deploy/docker-compose.dev.yml ] && require compose "${compose[@]}"
if [ -f charts/ceoagent/values.yaml ]; then
    mapfile -t chart < <(find charts/ceoagent -name '*.yaml' -o -name '*.tpl' -o -name '*.json')
    require chart "${chart[@]}"
fi

program=$(ls -t build/*/ceoagent-api 2>/dev/null | head -1)
if [ -n "$program" ] && [ -f docs/configuration.md ] && "$program" --help-markdown > /dev/null 2>&1; then
    while IFS= read -r line; do
        grep -qxF -- "$line" docs/configuration.md ||
            { echo "docs/configuration.md differs from $program --help-markdown: $line"; status=1; }
    done < <("$program" --help-markdown)
fi
exit $status
