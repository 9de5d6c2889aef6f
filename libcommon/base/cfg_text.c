/* cfg_text.c: the table of options as text: --help and the Markdown of the documentation. */
#include "libcommon/base/compat.h"
#include "libcommon/base/cfg.h"

#define HELP_COLUMN 34

static const char *const type_names[] = {
    [CFG_STRING] = "text",      [CFG_INT] = "whole number",
    [CFG_REAL] = "number",      [CFG_BOOL] = "on or off",
    [CFG_ENUM] = "one of",      [CFG_URL] = "URL",
    [CFG_LIST] = "list",        [CFG_KEY32] = "32 bytes, base64",
    [CFG_JSON] = "JSON object",
};

/* "whole number, 1 to 65535"; "one of a, b"; "URL (http, https)". */
static void add_type(const struct cfg_option *o, struct buf *out)
{
    struct str rest = o->allowed == NULL ? STR("") : str_of(o->allowed);
    const char *sep = o->type == CFG_ENUM ? " " : o->type == CFG_URL ? " (" : " of ";

    buf_puts(out, type_names[o->type]);
    if (o->type == CFG_INT || o->type == CFG_REAL)
        buf_printf(out, ", %.15g to %.15g", o->min, o->max);
    while (rest.n > 0) {
        buf_puts(out, sep);
        buf_str(out, str_split(&rest, '|'));
        sep = ", ";
    }
    if (o->type == CFG_URL)
        buf_putc(out, ')');
}

static void add_names(const struct cfg_option *o, struct buf *out, const char *quote)
{
    struct str rest = str_of(o->name);
    const char *sep = "";

    while (rest.n > 0) {
        struct str name = str_split(&rest, '|');

        buf_printf(out, "%s%s%.*s%s", sep, quote, STR_ARG(name), quote);
        sep = " or ";
    }
}

void cfg_help(const struct cfg_option *rows, size_t count, unsigned programs, struct buf *out)
{
    buf_puts(out,
             "Settings come from the environment. Any NAME may be given as NAME_FILE, the path "
             "of a file\nthat holds the value.\n\n");
    for (size_t i = 0; i < count; i++) {
        const struct cfg_option *o = &rows[i];
        size_t start = out->n;

        if ((o->flags & programs) == 0)
            continue;
        buf_puts(out, "  ");
        add_names(o, out, "");
        buf_putc(out, ' ');
        while (out->n - start < HELP_COLUMN && !out->overflow)
            buf_putc(out, ' ');
        buf_printf(out, "%s\n%*s", o->help, HELP_COLUMN, "");
        add_type(o, out);
        if (o->flags & CFG_REQUIRED)
            buf_puts(out, "; required");
        else if (o->dflt != NULL)
            buf_printf(out, "; default %s", o->dflt[0] == '\0' ? "empty" : o->dflt);
        buf_putc(out, '\n');
    }
}

static void add_programs(const struct cfg_option *o, struct buf *out)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {{CFG_API, "api"}, {CFG_AGENT, "agent"}, {CFG_WORKER, "worker"}};
    const char *sep = "";

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (o->flags & names[i].flag) {
            buf_printf(out, "%s%s", sep, names[i].name);
            sep = ", ";
        }
}

static void add_default(const struct cfg_option *o, struct buf *out)
{
    if (o->flags & CFG_REQUIRED)
        buf_puts(out, "required");
    else if (o->dflt == NULL)
        buf_puts(out, "unset");
    else if (o->dflt[0] == '\0')
        buf_puts(out, "empty");
    else
        buf_printf(out, "`%s`", o->dflt);
}

void cfg_markdown(const struct cfg_option *rows, size_t count, struct buf *out)
{
    buf_puts(out, "| Name | Type | Default | Programs | Meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        const struct cfg_option *o = &rows[i];

        buf_puts(out, "| ");
        add_names(o, out, "`");
        buf_puts(out, " | ");
        add_type(o, out);
        buf_puts(out, " | ");
        add_default(o, out);
        buf_puts(out, " | ");
        add_programs(o, out);
        buf_printf(out, " | %s.%s%s |\n", o->help, o->flags & CFG_SECRET ? " Secret." : "",
                   o->flags & CFG_RELOAD ? " Read again while running." : "");
    }
}
