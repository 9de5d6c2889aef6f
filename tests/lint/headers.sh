#!/bin/bash
# Each header compiles alone, with the warnings of the build. Tables that are included several times
# (no #pragma once) are left out.
set -u
cd "$(dirname "$0")/../.." || exit 1

packages="libevent libevent_openssl libpq hiredis libcurl libcjson rdkafka libssl libcrypto zlib libutf8proc"
# shellcheck disable=SC2086 # a list of words
flags="-I. -D_GNU_SOURCE -std=gnu11 -Wall -Wextra -Wstrict-prototypes -Werror $(pkg-config --cflags $packages)"
export flags

one() {
    # shellcheck disable=SC2086
    printf '#include "libcommon/base/compat.h"\n#include "%s"\n' "$1" |
        gcc $flags -fsyntax-only -Wno-unused -x c - 2> >(sed "s|^<stdin>|$1|" >&2)
}
export -f one

find libcommon services tests/harness -name '*.h' 2>/dev/null | sort |
    xargs -r grep -l '^#pragma once' | xargs -r -P 2 -I{} bash -c 'one {}'
