# shellcheck shell=bash
# Shared by the scripts of this folder: free ports, waiting, a private PostgreSQL and Redis.

PG_BIN=${PG_BIN:-/usr/lib/postgresql/15/bin}

die() {
    echo "$0: $*" >&2
    exit 1
}

# A TCP port of the loopback address that nobody listens on.
free_port() {
    local p
    while :; do
        p=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || break
    done
    echo "$p"
}

# wait_until SECONDS COMMAND...: 0 as soon as the command succeeds.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

alive() { # PIDFILE
    [[ -s $1 ]] && kill -0 "$(<"$1")" 2>/dev/null
}

# stop PIDFILE [SECONDS]: SIGTERM, then SIGKILL after that time.
stop_pid() {
    local pid
    [[ -s $1 ]] || return 0
    pid=$(<"$1")
    if kill -TERM "$pid" 2>/dev/null; then
        wait_until "${2:-30}" gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
        wait_until 5 gone "$pid" || true
    fi
    rm -f "$1"
}

gone() {
    ! kill -0 "$1" 2>/dev/null
}

random_secret() {
    head -c 24 /dev/urandom | base64 | tr '+/' '-_'
}

# PostgreSQL refuses to run as root: then the postgres user runs it, where that user can reach the folder.
as_pg() {
    if [[ $(id -u) == 0 ]]; then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

# pg_start DIR PORT LOG PIDFILE SECRETFILE: makes the cluster at the first call. The superuser's password is in
# SECRETFILE. DIR may become a link into the temporary folder when the postgres user can't reach it.
pg_start() {
    local dir=$1 port=$2 log=$3 pidfile=$4 secret=$5
    if [[ ! -e $dir/PG_VERSION ]]; then
        mkdir -p "$dir"
        if [[ $(id -u) == 0 ]]; then
            chown postgres "$dir"
            if ! runuser -u postgres -- test -w "$dir"; then
                rmdir "$dir"
                ln -s "$(mktemp -d -t ceoagent-pg.XXXXXX)" "$dir"
                chown postgres "$dir/"
            fi
        fi
        chmod 700 "$dir/"
        local pw
        pw=$(mktemp)
        chmod 600 "$pw"
        cat "$secret" >"$pw"
        [[ $(id -u) != 0 ]] || chown postgres "$pw"
        # By its real path and from a folder that the postgres user can enter.
        (cd / && as_pg "$PG_BIN/initdb" -D "$(readlink -f "$dir")" -U postgres -A scram-sha-256 --pwfile="$pw" \
            -E UTF8 --locale=C.UTF-8) >>"$log" 2>&1 || die "initdb failed, see $log"
        rm -f "$pw"
    fi
    (cd / && exec </dev/null >>"$log" 2>&1 && as_pg "$PG_BIN/postgres" -D "$(readlink -f "$dir")" -p "$port" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 \
        -c shared_buffers=128MB &) || die "postgres did not start, see $log"
    wait_until 60 "$PG_BIN/pg_isready" -q -h 127.0.0.1 -p "$port" || die "postgres did not start, see $log"
    head -n 1 "$(readlink -f "$dir")/postmaster.pid" >"$pidfile"
}

# redis_start DIR PORT LOG PIDFILE SECRETFILE
redis_start() {
    local dir=$1 port=$2 log=$3 pidfile=$4 secret=$5
    mkdir -p "$dir"
    (
        umask 077
        cat >"$dir/redis.conf" <<CONF
bind 127.0.0.1
port $port
dir $dir
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
save ""
requirepass $(<"$secret")
CONF
    )
    setsid redis-server "$dir/redis.conf" >>"$log" 2>&1 </dev/null &
    echo $! >"$pidfile"
    REDISCLI_AUTH=$(<"$secret") wait_until 20 redis_answers "$port" || die "redis did not start, see $log"
}

redis_answers() {
    [[ $(redis-cli -h 127.0.0.1 -p "$1" ping 2>/dev/null) == PONG ]]
}
