/* cfg.h: settings from the environment, table-driven. Each option is one row; parsing, --help, the
 * docs and the checks of chart and compose are made from the rows (settings.c). Any NAME may be
 * given as NAME_FILE, the path of a file whose trimmed content is the value; such values can be
 * read again (cfg_reload). A bad value ends the start with its name, its fault and an example; it
 * is never silently replaced. An empty value is like none. */
#pragma once
#include "libcommon/base/compat.h"
#include "libcommon/base/err.h"
#include "libcommon/base/buf.h"

enum cfg_type {
    CFG_STRING, /* const char * */
    CFG_INT,    /* int64_t */
    CFG_REAL,   /* double */
    CFG_BOOL,   /* bool: on/off, true/false, 1/0, yes/no */
    CFG_ENUM,   /* const char *, one of `allowed`, separated by '|' */
    CFG_URL,    /* const char *, scheme one of `allowed` ('|') */
    CFG_LIST,   /* const char *, comma separated; each part one of `allowed` when that is given */
    CFG_KEY32,  /* const char *: 32 bytes in base64 */
    CFG_JSON    /* const char *, a JSON object */
};

#define CFG_SECRET 1u   /* never printed or logged */
#define CFG_RELOAD 2u   /* read again on SIGHUP and when its file changes */
#define CFG_REQUIRED 4u /* no default: the start ends without it */
#define CFG_API 8u      /* which programs use it */
#define CFG_AGENT 16u
#define CFG_WORKER 32u
#define CFG_ALL (CFG_API | CFG_AGENT | CFG_WORKER)

struct cfg_option {
    enum cfg_type type;
    const char *name; /* further names of the same setting after '|' */
    const char *dflt; /* as text; NULL: unset (NULL string, 0, false) */
    double min, max;  /* CFG_INT, CFG_REAL; length bounds of CFG_STRING when max > 0 */
    const char *allowed;
    size_t offset; /* of the member in the settings struct */
    unsigned flags;
    const char *help; /* one line */
};

/* Fills `into` from the environment: the rows whose flags intersect `programs`; others get their
 * defaults unchecked. Strings live until cfg_free. */
int cfg_load(const struct cfg_option *rows, size_t count, unsigned programs, void *into,
             struct err *err) MUST_CHECK;
/* Reads the CFG_RELOAD rows again; *changed tells whether any value differs. On failure nothing
 * changes. A value that is gone keeps its old one; replaced strings live until cfg_free. */
int cfg_reload(const struct cfg_option *rows, size_t count, unsigned programs, void *into,
               bool *changed, struct err *err) MUST_CHECK;
void cfg_free(const struct cfg_option *rows, size_t count, void *into);
/* The table as text for --help, or as Markdown for docs/configuration.md. */
void cfg_help(const struct cfg_option *rows, size_t count, unsigned programs, struct buf *out);
void cfg_markdown(const struct cfg_option *rows, size_t count, struct buf *out);
