/* reload.c: see reload.h. The database's pool keeps its own copy of the URL, so it has to be told.
 */
#include "libcommon/base/compat.h"
#include "libcommon/io/reload.h"

#include "libcommon/base/log.h"
#include "libcommon/io/pg.h"

void reload_settings(struct settings *s, unsigned program, struct pg *pg)
{
    enum log_level level;
    bool changed = false;
    struct err err;

    if (cfg_reload(settings_rows, settings_count, program, s, &changed, &err) < 0 ||
        (changed && pg_set_url(pg, s->database_url, &err) < 0)) {
        log_error("settings not read again", LOG_S("error", err.msg));
        return;
    }
    if (log_level_parse(str_of(s->log_level), &level) == 0)
        log_set_level(level);
    log_info("settings read again", LOG_B("changed", changed));
}
