/* servers.c: each server is a child with PR_SET_PDEATHSIG, so that it ends with the test program
 * whatever happens; a janitor process, which waits for the end of a pipe that only the test program
 * holds open, then removes the folder. PostgreSQL refuses to run as root, so a root parent becomes
 * user postgres in the child (runuser would put a process of its own in between, which the death
 * signal does not pass). */
#include "libcommon/base/compat.h"
#include "tests/harness/servers.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "libcommon/base/clock.h"
#include "libcommon/io/pg.h"
#include "services/api/migrate.h"

#define PG_BIN "/usr/lib/postgresql/15/bin/"
#define START_TRIES 5
#define START_MS 30000
#define REDIS_DATABASES 4096

struct server {
    const char *name;
    void (*exec)(struct server *s); /* in the child; never returns */
    bool (*answers)(struct server *s);
    const struct passwd *user; /* NULL: stay who we are */
    int death_signal, stop_signal;
    int port;
    pid_t pid; /* 0: not running */
    int count; /* databases given out */
    char dir[64], log[96];
};

static char root[48];
static int janitor_pipe = -1;
static pid_t janitor;
static bool pg_fsync = true;
static char pg_database[32] = "postgres";

static NORETURN void die(const char *what, const struct server *s)
{
    char line[512];
    FILE *f = s == NULL ? NULL : fopen(s->log, "r");

    fprintf(stderr, "harness: %s: %s\n", what, strerror(errno));
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        fprintf(stderr, "  %s: %s", s->name, line);
    _exit(1);
}

static void nap(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

/* --- folder and janitor --------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st UNUSED, int flag UNUSED,
                      struct FTW *ftw UNUSED)
{
    return remove(path);
}

/* Servers die with the program; PostgreSQL's orderly end still writes, so removal is tried again.
 */
static NORETURN void run_janitor(int fd)
{
    char c;

    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    while (read(fd, &c, 1) < 0 && errno == EINTR)
        ;
    for (int i = 0; i < 100; i++) {
        nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        if (access(root, F_OK) != 0)
            _exit(0);
        nap(100);
    }
    _exit(1);
}

static void stop(struct server *s, int sig);
static struct server pg_server, pgbouncer_server, redis_server;

static void clean_up(void)
{
    if (janitor == 0 || getpid() == janitor)
        return;
    stop(&pg_server, SIGQUIT); /* what it would still write is about to be removed */
    stop(&pgbouncer_server, SIGKILL);
    stop(&redis_server, SIGKILL);
    close(janitor_pipe);
    waitpid(janitor, NULL, 0);
}

static void make_root(void)
{
    int fds[2];

    if (root[0] != '\0')
        return;
    snprintf(root, sizeof root, "/tmp/ceoagent-test-XXXXXX");
    if (mkdtemp(root) == NULL || chmod(root, 0755) != 0 || pipe2(fds, O_CLOEXEC) != 0)
        die("temporary folder", NULL);
    janitor = fork();
    if (janitor < 0)
        die("fork", NULL);
    if (janitor == 0) {
        close(fds[1]);
        setpgid(0, 0); /* a Ctrl-C in the terminal is not for it */
        run_janitor(fds[0]);
    }
    close(fds[0]);
    janitor_pipe = fds[1];
    atexit(clean_up);
}

/* Texts given out live as long as the program; held here, so that they are not leaks. */
static const char *keep(const char *text)
{
    static const char **kept;
    static size_t count;

    kept = xrealloc(kept, ++count * sizeof *kept);
    return kept[count - 1] = xstrdup(text);
}

/* --- processes ---------------------------------------------------------------------------------
 */

int server_free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        die("free port", NULL);
    close(fd);
    return ntohs(a.sin_port);
}

static int tcp_connect(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

/* In the child: become the server's user, end with the parent, write to the log. The death signal
 * is cleared by a change of user, hence the order. */
static void enter_child(const struct server *s, pid_t parent)
{
    int fd = open(s->log, O_WRONLY | O_CREAT | O_APPEND, 0644);

    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        _exit(120);
    if (s->user != NULL && geteuid() == 0 &&
        (initgroups(s->user->pw_name, s->user->pw_gid) != 0 || setgid(s->user->pw_gid) != 0 ||
         setuid(s->user->pw_uid) != 0))
        _exit(121);
    if (chdir(s->dir) != 0 || prctl(PR_SET_PDEATHSIG, s->death_signal) != 0 || getppid() != parent)
        _exit(122);
    setpgid(0, 0);
    unsetenv("LD_PRELOAD");
}

static pid_t spawn(struct server *s, void (*exec)(struct server *s))
{
    pid_t parent = getpid(), pid = fork();

    if (pid < 0)
        die("fork", s);
    if (pid == 0) {
        enter_child(s, parent);
        exec(s);
        _exit(127);
    }
    return pid;
}

static bool gone(struct server *s)
{
    if (s->pid != 0 && waitpid(s->pid, NULL, WNOHANG) == s->pid)
        s->pid = 0;
    return s->pid == 0;
}

static bool try_start(struct server *s)
{
    int64_t give_up = clock_mono_us() + START_MS * INT64_C(1000);

    s->pid = spawn(s, s->exec);
    while (clock_mono_us() < give_up) {
        if (gone(s))
            return false;
        if (s->answers(s))
            return true;
        nap(10);
    }
    return false;
}

/* A server that was just killed leaves its port or its shared memory for a moment. */
static void start(struct server *s)
{
    if (s->pid != 0)
        return;
    for (int i = 0; i < START_TRIES; i++) {
        if (try_start(s))
            return;
        nap(200);
    }
    die("the server does not start", s);
}

static void stop(struct server *s, int sig)
{
    if (s->pid == 0)
        return;
    kill(s->pid, sig);
    kill(s->pid, SIGCONT);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

/* PostgreSQL's backends make sessions of their own, so they are found by their parent. */
static void signal_children(pid_t parent, int sig)
{
    char path[64], line[4096];
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    f = fopen(path, "r");
    if (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *p = line;

        for (long pid = strtol(p, &p, 10); pid > 0; pid = strtol(p, &p, 10))
            kill((pid_t)pid, sig);
    }
    if (f != NULL)
        fclose(f);
}

/* With its children: orphans would hold port and shared memory for a while. */
static void kill_all(struct server *s)
{
    if (s->pid == 0)
        return;
    kill(s->pid, SIGSTOP);
    signal_children(s->pid, SIGKILL);
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

static void make_home(struct server *s)
{
    make_root();
    snprintf(s->dir, sizeof s->dir, "%s/%s", root, s->name);
    snprintf(s->log, sizeof s->log, "%s/%s.log", root, s->name);
    if (mkdir(s->dir, 0700) != 0)
        die("server folder", NULL);
    if (s->user != NULL && geteuid() == 0 && chown(s->dir, s->user->pw_uid, s->user->pw_gid) != 0)
        die("owner of the server folder", NULL);
    s->port = server_free_port();
}

/* --- PostgreSQL --------------------------------------------------------------------------------
 */

/* The whole path as argv[0]: these programs look for each other beside it. */
static void exec_initdb(struct server *s UNUSED)
{
    execl(PG_BIN "initdb", PG_BIN "initdb", "-D", "data", "-A", "trust", "-U", "postgres", "-E",
          "UTF8", "--locale=C.UTF-8", "-N", (char *)NULL);
}

static void exec_postgres(struct server *s)
{
    char port[16], sockets[96];

    snprintf(port, sizeof port, "%d", s->port);
    snprintf(sockets, sizeof sockets, "unix_socket_directories=%s", s->dir);
    execl(PG_BIN "postgres", PG_BIN "postgres", "-D", "data", "-p", port, "-c", sockets, "-c",
          "listen_addresses=127.0.0.1", "-c", "shared_buffers=32MB", "-c", "max_connections=60",
          "-c", pg_fsync ? "fsync=on" : "fsync=off", "-c", "log_min_messages=warning", "-c",
          "autovacuum_naptime=5s", (char *)NULL);
}

static const char *pg_url(const char *user, const char *database)
{
    char url[160];

    snprintf(url, sizeof url, "postgresql://%s@127.0.0.1:%d/%s?application_name=test", user,
             pg_server.port, database);
    return keep(url);
}

static bool pg_answers(struct server *s UNUSED)
{
    const char *url = pg_url("postgres", "postgres");
    struct pg_sync *c = NULL;
    bool ok = pg_sync_open(url, &c, NULL) == 0;

    pg_sync_close(c);
    return ok;
}

static struct server pg_server = {.name = "postgres",
                                  .exec = exec_postgres,
                                  .answers = pg_answers,
                                  .death_signal = SIGQUIT,
                                  .stop_signal = SIGINT};

static void as_superuser(const char *database, const char *sql)
{
    const char *url = pg_url("postgres", database);
    struct pg_sync *c = NULL;
    struct err err = {0};

    if (pg_sync_open(url, &c, &err) != 0 || pg_sync_script(c, sql, &err) != 0) {
        fprintf(stderr, "harness: %s: %s\n", sql, err.msg);
        _exit(1);
    }
    pg_sync_close(c);
}

static void pg_initdb(void)
{
    int status;
    pid_t pid = spawn(&pg_server, exec_initdb);

    if (waitpid(pid, &status, 0) != pid || status != 0)
        die("initdb", &pg_server);
}

void server_pg_fsync(bool on)
{
    assert(pg_server.port == 0 || on == pg_fsync);
    pg_fsync = on;
}

static void pg_ensure(void)
{
    if (pg_server.port == 0) {
        pg_server.user = getpwnam("postgres");
        if (pg_server.user == NULL)
            die("user postgres", NULL);
        make_home(&pg_server);
        pg_initdb();
        start(&pg_server);
        as_superuser("postgres", "CREATE ROLE ceoagent LOGIN CREATEROLE");
    }
    start(&pg_server);
}

static const char *create_database(const char *name, const char *template)
{
    char sql[160];

    snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE %s OWNER ceoagent", name, template);
    as_superuser("postgres", sql);
    /* Since version 15 only its owner may create in schema public. */
    as_superuser(name, "ALTER SCHEMA public OWNER TO ceoagent");
    return pg_url("ceoagent", name);
}

const char *server_pg_empty_url(void)
{
    pg_ensure();
    snprintf(pg_database, sizeof pg_database, "test_%d", ++pg_server.count);
    return create_database(pg_database, "template0");
}

static void make_template(void)
{
    static bool made;
    const char *url;
    struct err err = {0};

    if (made)
        return;
    url = create_database("ceo_template", "template0");
    if (migrate_run(url, &err) != 0) {
        fprintf(stderr, "harness: migrations: %s\n", err.msg);
        _exit(1);
    }
    made = true;
}

const char *server_pg_url(void)
{
    pg_ensure();
    make_template();
    snprintf(pg_database, sizeof pg_database, "test_%d", ++pg_server.count);
    return create_database(pg_database, "ceo_template");
}

const char *server_pg_admin_url(void)
{
    pg_ensure();
    return pg_url("postgres", pg_database);
}

void server_pg_stop(void)
{
    stop(&pg_server, SIGINT);
}

void server_pg_kill(void)
{
    kill_all(&pg_server);
}

void server_pg_start(void)
{
    pg_ensure();
}

void server_pg_restart(void)
{
    server_pg_stop();
    server_pg_start();
}

static void pause_server(struct server *s, bool on)
{
    if (s->pid == 0)
        return;
    kill(s->pid, on ? SIGSTOP : SIGCONT);
    signal_children(s->pid, on ? SIGSTOP : SIGCONT);
}

void server_pg_pause(bool on)
{
    pause_server(&pg_server, on);
}

/* --- PgBouncer ------------------------------------------------------------------------------- */

static void exec_pgbouncer(struct server *s UNUSED)
{
    execlp("pgbouncer", "pgbouncer", "pgbouncer.ini", (char *)NULL);
}

static bool pgbouncer_answers(struct server *s)
{
    int fd = tcp_connect(s->port);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static struct server pgbouncer_server = {.name = "pgbouncer",
                                         .exec = exec_pgbouncer,
                                         .answers = pgbouncer_answers,
                                         .death_signal = SIGKILL};

static void write_file(const struct server *s, const char *name, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", s->dir, name);
    f = fopen(path, "w");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0 || chmod(path, 0644) != 0)
        die("configuration file", NULL);
}

static void pgbouncer_ensure(void)
{
    struct server *s = &pgbouncer_server;
    char ini[512];

    if (s->port == 0) {
        s->user = pg_server.user;
        make_home(s);
        snprintf(ini, sizeof ini,
                 "[databases]\n* = host=127.0.0.1 port=%d\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                 "listen_port = %d\nunix_socket_dir =\nauth_type = trust\nauth_file = users.txt\n"
                 "pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 100\n",
                 pg_server.port, s->port);
        write_file(s, "pgbouncer.ini", ini);
        write_file(s, "users.txt", "\"ceoagent\" \"\"\n");
    }
    start(s);
}

const char *server_pgbouncer_url(void)
{
    char url[160];

    pg_ensure();
    pgbouncer_ensure();
    snprintf(url, sizeof url, "postgresql://ceoagent@127.0.0.1:%d/%s?application_name=test",
             pgbouncer_server.port, pg_database);
    return keep(url);
}

/* --- Redis ---------------------------------------------------------------------------------------
 */

static void exec_redis(struct server *s)
{
    char port[16], databases[16];

    snprintf(port, sizeof port, "%d", s->port);
    snprintf(databases, sizeof databases, "%d", REDIS_DATABASES);
    execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--databases",
           databases, "--appendonly", "yes", "--appendfsync", "always", "--save", "", (char *)NULL);
}

/* Not before the AOF is loaded: until then it answers "-LOADING". */
static bool redis_answers(struct server *s)
{
    char answer[64] = "";
    int fd = tcp_connect(s->port);
    bool ok = fd >= 0 && write(fd, "PING\r\n", 6) == 6 && read(fd, answer, sizeof answer - 1) > 0 &&
              strncmp(answer, "+PONG", 5) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

static struct server redis_server = {.name = "redis",
                                     .exec = exec_redis,
                                     .answers = redis_answers,
                                     .death_signal = SIGKILL,
                                     .stop_signal = SIGTERM};

static void redis_ensure(void)
{
    if (redis_server.port == 0)
        make_home(&redis_server);
    start(&redis_server);
}

const char *server_redis_url(void)
{
    char url[64];

    redis_ensure();
    if (redis_server.count == REDIS_DATABASES)
        die("no database number is left", NULL);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d/%d", redis_server.port, redis_server.count++);
    return keep(url);
}

void server_redis_stop(void)
{
    stop(&redis_server, SIGTERM);
}

void server_redis_kill(void)
{
    kill_all(&redis_server);
}

void server_redis_start(void)
{
    redis_ensure();
}

void server_redis_restart(void)
{
    server_redis_stop();
    server_redis_start();
}

void server_redis_pause(bool on)
{
    pause_server(&redis_server, on);
}
