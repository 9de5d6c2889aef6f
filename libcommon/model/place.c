/* place.c: see place.h. */
#include "libcommon/base/compat.h"
#include "libcommon/model/place.h"

struct str place_of(struct arena *a, const char *table, struct uuid id, const char *what)
{
    char text[UUID_LEN + 1];

    return str_of(arena_printf(a, "%s:%s:%s", table, uuid_text(id, text), what));
}
