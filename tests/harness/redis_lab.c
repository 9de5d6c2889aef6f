/* redis_lab.c: see the header. */
#include "libcommon/base/compat.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/harness/redis_lab.h"
#include "tests/harness/servers.h"

#define LABS_MAX 16

static struct lab_redis *started[LABS_MAX];

NORETURN static void give_up(const char *what)
{
    fprintf(stderr, "redis_lab: %s\n", what);
    exit(1);
}

static void kill_all(void)
{
    for (size_t i = 0; i < ARRAY_LEN(started); i++)
        lab_kill(started[i]);
}

static void remember(struct lab_redis *r)
{
    static bool registered;
    size_t i = 0;

    if (!registered)
        atexit(kill_all);
    registered = true;
    while (i < LABS_MAX && started[i] != NULL)
        i++;
    if (i == LABS_MAX)
        give_up("too many servers");
    started[i] = r;
}

static void make_dir(struct lab_redis *r)
{
    if (r->dir[0] != '\0')
        return;
    remember(r);
    snprintf(r->dir, sizeof(r->dir), "/tmp/ceo-redis-XXXXXX");
    if (mkdtemp(r->dir) == NULL)
        give_up("no folder");
}

static void write_config(const struct lab_redis *r, const char *config)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/redis.conf", r->dir);
    f = fopen(path, "w");
    if (f == NULL)
        give_up(path);
    if (config == NULL || strstr(config, "tls-port") == NULL)
        fprintf(f, "port %d\n", r->port);
    fprintf(f, "dir %s\nbind 127.0.0.1\n%s\n", r->dir, config == NULL ? "" : config);
    fclose(f);
}

void lab_start(struct lab_redis *r, bool sentinel, const char *config)
{
    char path[128];

    make_dir(r);
    if (r->port == 0)
        r->port = server_free_port();
    write_config(r, config);
    snprintf(path, sizeof(path), "%s/redis.conf", r->dir);
    r->pid = fork();
    if (r->pid == 0) {
        int null = open("/dev/null", O_RDWR);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(null, 0);
        dup2(null, 1);
        if (sentinel)
            execlp("redis-server", "redis-server", path, "--sentinel", NULL);
        else
            execlp("redis-server", "redis-server", path, "--save", "", NULL);
        _exit(127);
    }
    if (config == NULL || strstr(config, "tls-port") == NULL)
        lab_wait(r, "PING", "PONG");
    else
        usleep(500000);
}

void lab_kill(struct lab_redis *r)
{
    char command[128];

    if (r == NULL)
        return;
    for (size_t i = 0; i < ARRAY_LEN(started); i++)
        if (started[i] == r)
            started[i] = NULL;
    if (r->pid > 0) {
        kill(r->pid, SIGKILL);
        waitpid(r->pid, NULL, 0);
    }
    r->pid = 0;
    if (r->dir[0] != '\0') {
        snprintf(command, sizeof(command), "rm -rf '%s'", r->dir);
        if (system(command) != 0)
            give_up(command);
    }
    r->dir[0] = '\0';
}

void lab_pause(struct lab_redis *r, bool on)
{
    kill(r->pid, on ? SIGSTOP : SIGCONT);
}

const char *lab_cli(const struct lab_redis *r, const char *words)
{
    static char out[65536];
    char command[1024];
    size_t n;
    FILE *p;

    snprintf(command, sizeof(command), "timeout 5 redis-cli -p %d %s 2>&1", r->port, words);
    p = popen(command, "r");
    if (p == NULL)
        give_up(command);
    n = fread(out, 1, sizeof(out) - 1, p);
    out[n] = '\0';
    pclose(p);
    return out;
}

void lab_wait(const struct lab_redis *r, const char *words, const char *text)
{
    for (int i = 0; i < 200; i++) {
        if (strstr(lab_cli(r, words), text) != NULL)
            return;
        usleep(100000);
    }
    give_up(words);
}

void lab_certificates(struct lab_redis *r)
{
    char command[2048];

    make_dir(r);
    snprintf(command, sizeof(command),
             "cd '%s' && exec 2>/dev/null && "
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
             "-subj /CN=lab-ca -keyout ca.key -out ca.pem && "
             "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=lab "
             "-keyout key.pem -out req.pem && "
             "printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\\n' > ext && "
             "openssl x509 -req -in req.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
             "-extfile ext -out cert.pem",
             r->dir);
    if (system(command) != 0)
        give_up("openssl");
}
