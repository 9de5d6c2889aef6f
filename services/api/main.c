/* main.c: ceoagent-api, the gateway. Serves unless a subcommand is named. */
#include "libcommon/base/compat.h"
#include <signal.h>
#include "libcommon/base/log.h"
#include "libcommon/base/settings.h"
#include "libcommon/io/health.h"
#include "libcommon/io/reload.h"
#include "services/api/app.h"
#include "services/api/commands.h"
#include "services/api/migrate.h"
#include "services/api/openapi.h"

#define TEXT_MAX (1 << 20)

static struct app app;
static struct settings set;

static int fail(const struct err *err, int status)
{
    fprintf(stderr, "ceoagent-api: %s\n", err->msg);
    return status;
}

/* --- subcommands
 * --- */

static int print_help(int argc UNUSED, char **argv UNUSED)
{
    struct buf b;

    buf_init(&b, TEXT_MAX);
    buf_puts(&b, "ceoagent-api                the gateway: serves\n"
                 "ceoagent-api migrate        brings the database to this release\n"
                 "ceoagent-api keys ...       create, list, revoke API keys\n"
                 "ceoagent-api openapi        prints the OpenAPI document\n"
                 "ceoagent-api --healthcheck  asks the running gateway\n"
                 "ceoagent-api --help-markdown, --version\n\n"
                 "Settings come from the environment:\n\n");
    cfg_help(settings_rows, settings_count, CFG_API, &b);
    fwrite(b.p, 1, b.n, stdout);
    buf_done(&b);
    return 0;
}

static int print_markdown(int argc UNUSED, char **argv UNUSED)
{
    struct buf b;

    buf_init(&b, TEXT_MAX);
    cfg_markdown(settings_rows, settings_count, &b);
    fwrite(b.p, 1, b.n, stdout);
    buf_done(&b);
    return 0;
}

static int print_version(int argc UNUSED, char **argv UNUSED)
{
    puts("ceoagent-api " CEO_VERSION);
    return 0;
}

static int print_openapi(int argc UNUSED, char **argv UNUSED)
{
    struct arena *a = arena_new();
    struct str doc = openapi_json(a);

    printf("%.*s\n", STR_ARG(doc));
    arena_free(a);
    return 0;
}

static int healthcheck(int argc UNUSED, char **argv UNUSED)
{
    const char *port = getenv("API_PORT");

    return health_check(port == NULL ? 8000 : (int)strtol(port, NULL, 10));
}

static int migrate(int argc UNUSED, char **argv UNUSED)
{
    struct err err;

    if (settings_load(&set, CFG_API, &err) != 0)
        return fail(&err, 2);
    int rc = migrate_run(set.database_migrate_url, &err);
    settings_free(&set);
    return rc == 0 ? 0 : fail(&err, 1);
}

static int keys(int argc, char **argv)
{
    struct err err;

    if (settings_load(&set, CFG_API, &err) != 0)
        return fail(&err, 2);
    int rc = command_keys(argc, argv, &set);
    settings_free(&set);
    return rc;
}

static const struct {
    const char *name;
    int (*fn)(int argc, char **argv); /* without the subcommand's own name */
} commands[] = {{"--help", print_help},       {"--help-markdown", print_markdown},
                {"--version", print_version}, {"--healthcheck", healthcheck},
                {"migrate", migrate},         {"keys", keys},
                {"openapi", print_openapi}};

/* --- serving
 * --- */

static void on_signal(int signo, void *arg UNUSED)
{
    if (signo == SIGHUP) {
        reload_settings(&set, CFG_API, app.pg);
        return;
    }
    if (app.draining)
        loop_stop(app.loop);
    app_drain(&app);
}

static int serve(void)
{
    enum log_level level = LOG_INFO;
    struct loop *loop;
    struct err err = {0};

    if (settings_load(&set, CFG_API, &err) != 0)
        return fail(&err, 2);
    if (log_level_parse(str_of(set.log_level), &level) == 0)
        log_init("ceoagent-api", level);
    loop = loop_new();
    if (app_start(&app, loop, &set, &err) != 0) {
        log_error("start failed", LOG_S("error", err.msg));
        return 1;
    }
    loop_on_signal(loop, SIGTERM, on_signal, NULL);
    loop_on_signal(loop, SIGINT, on_signal, NULL);
    loop_on_signal(loop, SIGHUP, on_signal, NULL);
    log_info("gateway started", LOG_S("version", CEO_VERSION),
             LOG_I("port", http_server_port(app.http)));
    loop_run(loop);
    app_stop(&app);
    loop_free(loop);
    settings_free(&set);
    log_info("gateway stopped");
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].fn(argc - 2, argv + 2);
    if (argc > 1) {
        fprintf(stderr, "ceoagent-api: unknown argument %s, see --help\n", argv[1]);
        return 2;
    }
    return serve();
}
