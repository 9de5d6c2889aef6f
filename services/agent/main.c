/* main.c: ceoagent-agent, the process of the reasoning loops. Options, signals, and the loop. */
#include "libcommon/base/compat.h"

#include <signal.h>
#include <unistd.h>

#include "libcommon/base/buf.h"
#include "libcommon/base/log.h"
#include "libcommon/io/health.h"
#include "libcommon/io/reload.h"
#include "services/agent/app.h"
#include "services/agent/prompts.h"

static struct app app;

static int print_help(void)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    buf_puts(&b, "ceoagent-agent: runs decisions. Settings come from the environment:\n\n");
    cfg_help(settings_rows, settings_count, CFG_AGENT, &b);
    fwrite(b.p, 1, b.n, stdout);
    buf_done(&b);
    return 0;
}

static int print_version(void)
{
    puts("ceoagent-agent " CEO_VERSION);
    return 0;
}

static int healthcheck(void)
{
    struct settings s;
    struct err err;

    if (settings_load(&s, CFG_AGENT, &err) < 0)
        return 1;
    return health_check((int)s.health_port);
}

static const struct {
    const char *name;
    int (*fn)(void);
} commands[] = {
    {"--help", print_help}, {"--version", print_version}, {"--healthcheck", healthcheck}};

static void on_signal(int signo, void *arg UNUSED)
{
    struct err err;

    if (signo == SIGHUP) {
        reload_settings(&app.settings, CFG_AGENT, app.pg);
        if (prompts_reload(app.prompts, &err) < 0)
            log_error("prompts not read again", LOG_S("error", err.msg));
        return;
    }
    if (app.draining)
        loop_stop(app.loop);
    app_drain(&app);
}

static int serve(void)
{
    enum log_level level = LOG_INFO;
    struct err err = {0};

    if (settings_load(&app.settings, CFG_AGENT, &err) < 0) {
        fprintf(stderr, "ceoagent-agent: %s\n", err.msg);
        return 2;
    }
    if (log_level_parse(str_of(app.settings.log_level), &level) == 0)
        log_init("ceoagent-agent", level);
    if (app_new(&app, &err) < 0) {
        log_error("start failed", LOG_S("error", err.msg));
        return 1;
    }
    loop_on_signal(app.loop, SIGTERM, on_signal, NULL);
    loop_on_signal(app.loop, SIGINT, on_signal, NULL);
    loop_on_signal(app.loop, SIGHUP, on_signal, NULL);
    log_info("agent started", LOG_S("node", app.node), LOG_S("version", CEO_VERSION),
             LOG_S("providers", app.settings.providers));
    loop_run(app.loop);
    app_free(&app);
    settings_free(&app.settings);
    log_info("agent stopped");
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].fn();
    if (argc > 1) {
        fprintf(stderr, "ceoagent-agent: unknown argument %s, see --help\n", argv[1]);
        return 2;
    }
    return serve();
}
