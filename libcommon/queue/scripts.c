/* scripts.c: the texts of lua/ in the program's read-only data. */
#include "libcommon/base/compat.h"
#include "libcommon/base/embed.h"
#include "libcommon/queue/scripts.h"

EMBED(lua_beat, "libcommon/queue/lua/beat.lua");
EMBED(lua_dead, "libcommon/queue/lua/dead.lua");
EMBED(lua_depth, "libcommon/queue/lua/depth.lua");
EMBED(lua_fetch, "libcommon/queue/lua/fetch.lua");
EMBED(lua_leave, "libcommon/queue/lua/leave.lua");
EMBED(lua_orphans, "libcommon/queue/lua/orphans.lua");
EMBED(lua_overdue, "libcommon/queue/lua/overdue.lua");
EMBED(lua_promote, "libcommon/queue/lua/promote.lua");
EMBED(lua_publish, "libcommon/queue/lua/publish.lua");
EMBED(lua_restore, "libcommon/queue/lua/restore.lua");
EMBED(lua_result, "libcommon/queue/lua/result.lua");
EMBED(lua_settle, "libcommon/queue/lua/settle.lua");
EMBED(lua_untake, "libcommon/queue/lua/untake.lua");

static const struct {
    const char *name, *text;
} scripts[SCRIPT__MAX] = {
    [SCRIPT_BEAT] = {"queue-beat", embed_lua_beat},
    [SCRIPT_DEAD] = {"queue-dead", embed_lua_dead},
    [SCRIPT_DEPTH] = {"queue-depth", embed_lua_depth},
    [SCRIPT_FETCH] = {"queue-fetch", embed_lua_fetch},
    [SCRIPT_LEAVE] = {"queue-leave", embed_lua_leave},
    [SCRIPT_ORPHANS] = {"queue-orphans", embed_lua_orphans},
    [SCRIPT_OVERDUE] = {"queue-overdue", embed_lua_overdue},
    [SCRIPT_PROMOTE] = {"queue-promote", embed_lua_promote},
    [SCRIPT_PUBLISH] = {"queue-publish", embed_lua_publish},
    [SCRIPT_RESTORE] = {"queue-restore", embed_lua_restore},
    [SCRIPT_RESULT] = {"queue-result", embed_lua_result},
    [SCRIPT_SETTLE] = {"queue-settle", embed_lua_settle},
    [SCRIPT_UNTAKE] = {"queue-untake", embed_lua_untake},
};

struct redis_script script_of(enum queue_script which, int keys)
{
    return (struct redis_script){
        .name = scripts[which].name, .text = scripts[which].text, .keys = keys};
}

void script_run(struct redis *r, struct arena *a, enum queue_script which, int nkeys,
                const struct str *keys, int argc, const struct str *argv, int64_t deadline_ms,
                struct redis_op *op, op_fn *done, void *arg)
{
    struct redis_script script = script_of(which, nkeys);

    redis_script(r, a, &script, keys, argc, argv, deadline_ms, op, done, arg);
}
