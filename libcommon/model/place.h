/* place.h: what a sealed value is bound to (associated data), so that rows can't be swapped. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/id.h"

/* "table:id:what", where what is the column, or the seq of an event. */
struct str place_of(struct arena *a, const char *table, struct uuid id, const char *what);
