/* servers.h: private PostgreSQL and Redis for a test program, on free loopback ports, started at
 * the first use and stopped and removed at its end, also when it aborts. A server that can't be
 * started fails the run with the reason; nothing is ever skipped. Blocking; single-threaded. */
#pragma once
#include "libcommon/base/compat.h"

/* PostgreSQL with fsync on (default) or off; before the first use. Off: much faster where no test
 * of the program cuts the power (killing the server alone loses nothing either way). */
void server_pg_fsync(bool on);

/* A fresh database with all migrations, for the login user "ceoagent", who owns it and is no
 * superuser, so that row-level security bites. The text lives until the program's end. */
const char *server_pg_url(void);
/* The same without migrations. */
const char *server_pg_empty_url(void);
/* The superuser on the database of the last URL above: for what a test does behind the programs'
 * backs. */
const char *server_pg_admin_url(void);

void server_pg_stop(void);  /* orderly: sessions are ended */
void server_pg_kill(void);  /* kill -9 of the whole server: the next start recovers from the log */
void server_pg_start(void); /* on the same port; returns when it answers */
void server_pg_restart(void); /* stop and start */
void server_pg_pause(
    bool on); /* SIGSTOP or SIGCONT for all its processes: it hangs, sockets stay open */

/* The database of the last URL above through PgBouncer in transaction mode with two server
 * connections. Its password file knows "ceoagent" alone. */
const char *server_pgbouncer_url(void);

/* A database number of its own in one redis-server with AOF (appendfsync always). */
const char *server_redis_url(void);
void server_redis_stop(void);
void server_redis_kill(void);
void server_redis_start(void);
void server_redis_restart(void);
void server_redis_pause(bool on);

/* A port that was free a moment ago. */
int server_free_port(void);
