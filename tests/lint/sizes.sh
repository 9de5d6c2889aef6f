#!/bin/sh
# The largest functions and files, to be looked at again. Says nothing about right and wrong.
cd "$(dirname "$0")/../.." || exit 1

sources() { find libcommon services -name "$1" 2>/dev/null | sort; }

echo "functions (lines of the body)"
sources '*.c' | xargs awk '
    FNR == 1 { head = ""; start = 0 }
    /^[a-zA-Z].*\(/ && !/;$/ { head = $0 }
    /^{/ { start = FNR }
    /^}/ && start {
        name = head
        sub(/\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        printf "%6d  %s  %s\n", FNR - start - 1, name, FILENAME
        start = 0
    }' | sort -rn | head -15
echo "files"
{ sources '*.c'; sources '*.h'; } | xargs wc -l | grep -v ' total$' | sort -rn | head -15
