/* main.c: ceoagent-worker, the process of the jobs. The zygote comes before everything else. */
#include "libcommon/base/compat.h"
#include <signal.h>
#include "libcommon/base/buf.h"
#include "libcommon/base/log.h"
#include "libcommon/io/health.h"
#include "libcommon/io/reload.h"
#include "services/worker/app.h"
#include "services/worker/indexer.h"
#include "services/worker/task_outbox.h"

static struct worker worker;
static struct zygote zygote;

static int print_help(int argc, char **argv)
{
    struct buf b;

    (void)argc;
    (void)argv;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "ceoagent-worker: runs jobs.\n"
                 "  --version, --healthcheck, --webhook-secret TENANT\n"
                 "  reindex: sends every vector to the vector store again\n"
                 "Settings come from the environment:\n\n");
    cfg_help(settings_rows, settings_count, CFG_WORKER, &b);
    fwrite(b.p, 1, b.n, stdout);
    buf_done(&b);
    return 0;
}

static int print_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("ceoagent-worker " CEO_VERSION);
    return 0;
}

static int healthcheck(int argc, char **argv)
{
    struct settings s;
    struct err err;

    (void)argc;
    (void)argv;
    if (settings_load(&s, CFG_WORKER, &err) < 0)
        return 1;
    return health_check((int)s.health_port);
}

/* What a tenant needs to check the signature of our webhooks. */
static int print_webhook_secret(int argc, char **argv)
{
    struct settings s;
    struct err err;
    struct uuid tenant;
    char text[65];

    if (argc < 3 || uuid_parse(str_of(argv[2]), &tenant) != 0) {
        fputs("usage: ceoagent-worker --webhook-secret TENANT\n", stderr);
        return 2;
    }
    if (settings_load(&s, CFG_WORKER, &err) < 0) {
        fprintf(stderr, "ceoagent-worker: %s\n", err.msg);
        return 2;
    }
    puts(webhook_secret(&s, tenant, text));
    return 0;
}

static int reindex(int argc, char **argv)
{
    struct settings s;
    struct err err;
    int64_t rows;
    int rc;

    (void)argc;
    (void)argv;
    if (settings_load(&s, CFG_WORKER, &err) < 0) {
        fprintf(stderr, "ceoagent-worker: %s\n", err.msg);
        return 2;
    }
    rc = indexer_refill_all(s.database_url, &rows, &err);
    settings_free(&s);
    if (rc < 0) {
        fprintf(stderr, "ceoagent-worker: %s\n", err.msg);
        return 1;
    }
    printf("{\"outbox_rows\": %" PRId64 "}\n", rows);
    return 0;
}

static const struct {
    const char *name;
    int (*fn)(int argc, char **argv);
} commands[] = {
    {"--help", print_help},         {"--version", print_version},
    {"--healthcheck", healthcheck}, {"--webhook-secret", print_webhook_secret},
    {"reindex", reindex},
};

static void on_signal(int signo, void *arg)
{
    (void)arg;
    if (signo == SIGHUP) {
        reload_settings(&worker.settings, CFG_WORKER, worker.pg);
        return;
    }
    if (worker.draining)
        loop_stop(worker.loop);
    worker_drain(&worker);
}

static int serve(void)
{
    enum log_level level = LOG_INFO;
    struct err err = {0};

    if (zygote_start(&zygote, &err) < 0 || settings_load(&worker.settings, CFG_WORKER, &err) < 0) {
        fprintf(stderr, "ceoagent-worker: %s\n", err.msg);
        return 2;
    }
    if (log_level_parse(str_of(worker.settings.log_level), &level) == 0)
        log_init("ceoagent-worker", level);
    worker.zygote = &zygote;
    if (worker_new(&worker, &err) < 0) {
        log_error("start failed", LOG_S("error", err.msg));
        return 1;
    }
    loop_on_signal(worker.loop, SIGTERM, on_signal, NULL);
    loop_on_signal(worker.loop, SIGINT, on_signal, NULL);
    loop_on_signal(worker.loop, SIGHUP, on_signal, NULL);
    log_info("worker started", LOG_S("node", worker.node), LOG_S("version", CEO_VERSION),
             LOG_S("queues", worker.settings.worker_queues));
    loop_run(worker.loop);
    worker_free(&worker);
    zygote_stop(&zygote);
    settings_free(&worker.settings);
    log_info("worker stopped");
    return worker.broken ? 1 : 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].fn(argc, argv);
    if (argc > 1) {
        fprintf(stderr, "ceoagent-worker: unknown argument %s, see --help\n", argv[1]);
        return 2;
    }
    return serve();
}
