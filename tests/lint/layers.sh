#!/bin/sh
# Who may include what (the storeys of the house). Prints each include that breaks a rule.
cd "$(dirname "$0")/../.." || exit 1

find libcommon services tests bench -name '*.[ch]' -not -path 'tests/lab/*' 2>/dev/null | sort |
    xargs awk '
    # The folders that a folder may include from, besides itself.
    BEGIN {
        may["libcommon/base"] = ""
        may["libcommon/ev"] = "base"
        may["libcommon/io"] = "base ev"
        may["libcommon/method"] = "base"
        may["libcommon/sec"] = "base ev io"
        may["libcommon/model"] = "base ev io sec"
        may["libcommon/queue"] = "base ev io model"
        may["libcommon/llm"] = "base ev io method"
        may["libcommon/knowledge"] = "base ev io model llm sec"
        may["libcommon/skills"] = "base ev io method model llm sec knowledge"
        may["services/agent/engine"] = "base method"

        # Headers of other products, and the files that may see them.
        only["libpq-fe.h"] = "^libcommon/io/pg[^/]*$"
        only["hiredis/"] = "^libcommon/io/redis[^/]*$"
        only["curl/"] = "^libcommon/io/http_client[.]c$"
        only["librdkafka/"] = "^libcommon/io/kafka[.]c$"
        only["http_parser.h"] = "^libcommon/io/http_server[^/]*[.][ch]$"
        only["wslay/"] = "^libcommon/io/websocket[.]c$"
        only["openssl/"] = "^libcommon/(io/tls[.]c|sec/[^/]*)$"
        only["openssl/ssl.h"] = "^libcommon/io/tls[.]c$"
        only["event2/"] = "^libcommon/(ev|io)/[^/]*$"
    }

    function folder(path) {
        if (path ~ /^services\/agent\/engine\//) return "services/agent/engine"
        if (match(path, /^(libcommon|services)\/[^\/]*/)) return substr(path, 1, RLENGTH)
        return "tests"
    }

    function bad(why) {
        printf "%s:%d: %s: %s\n", FILENAME, FNR, $2, why
        failed = 1
    }

    function check_ours(path,    from, to) {
        from = folder(FILENAME)
        to = folder(path)
        if (path !~ /^(libcommon|services|tests|bench)\//) {
            bad("write the path from the root of the tree")
        } else if (from == "tests" || from == to) {
            return
        } else if (from in may) {
            if (to !~ /^libcommon\// || index(" " may[from] " ", " " substr(to, 11) " ") == 0)
                bad(from " may not include " to)
        } else if (to ~ /^services\// && !(from == "services/agent" && to ~ /^services\/agent/)) {
            bad("services do not include each other")
        }
    }

    function check_foreign(path,    prefix, longest) {
        longest = ""
        for (prefix in only)
            if (index(path, prefix) == 1 && length(prefix) > length(longest)) longest = prefix
        if (longest != "" && folder(FILENAME) != "tests" && FILENAME !~ only[longest])
            bad("only files like " only[longest] " may see it")
    }

    FNR == 1 { seen = 0 }
    /^#[ \t]*include/ {
        path = substr($2, 2, length($2) - 2)
        if (!seen && FILENAME ~ /^(libcommon|services)\/.*[.]c$/ && path != "libcommon/base/compat.h")
            bad("the first include of a .c file is libcommon/base/compat.h")
        seen = 1
        if ($2 ~ /^"/) check_ours(path)
        else check_foreign(path)
    }
    END { exit failed }'
