/* live.c: see live.h. */
#include "libcommon/base/compat.h"
#include "libcommon/model/live.h"

static struct str channel(struct arena *a, struct uuid tenant, const char *kind, struct uuid id)
{
    char t[UUID_LEN + 1], i[UUID_LEN + 1];

    return str_of(arena_printf(a, "t:%s:%s:%s", uuid_text(tenant, t), kind, uuid_text(id, i)));
}

struct str live_channel(struct arena *a, struct uuid tenant, struct uuid decision)
{
    return channel(a, tenant, "live", decision);
}

struct str control_channel(struct arena *a, struct uuid tenant, struct uuid decision)
{
    return channel(a, tenant, "control", decision);
}

struct str job_channel(struct arena *a, struct uuid tenant, struct uuid job)
{
    return channel(a, tenant, "job", job);
}

struct str document_channel(struct arena *a, struct uuid tenant, struct uuid document)
{
    return channel(a, tenant, "document", document);
}
