/* arena.h: memory of one natural lifetime (an HTTP request, a job, an action, a run). Everything
 * in it goes at once. The owner of the lifetime owns the arena and passes it explicitly; there is
 * no current arena. Not thread-safe. Under ASan freed parts are poisoned. */
#pragma once
#include "libcommon/base/compat.h"
#include "libcommon/base/str.h"

struct arena;

/* An empty arena; takes no chunk before the first allocation (so a waiting run costs little). */
struct arena *arena_new(void);

/* Runs the callbacks (last first), then frees all. NULL is fine. */
void arena_free(struct arena *a);

/* The same, but the arena stays usable and keeps one chunk. */
void arena_reset(struct arena *a);

/* Zeroed, aligned for any type. Never NULL (xmalloc). n may be 0. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_memdup(struct arena *a, const void *p, size_t n);
char *arena_strdup(struct arena *a, const char *s); /* NULL gives NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);
struct str arena_str(struct arena *a, struct str s); /* the copy has a NUL behind it */
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Ties something foreign to the arena: fn(p) runs at reset and free, in reverse order. */
void arena_on_reset(struct arena *a, void (*fn)(void *p), void *p);

/* Bytes handed out and bytes held, for limits and metrics. */
size_t arena_used(const struct arena *a);

#define arena_new_of(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, count) ((type *)arena_alloc((a), sizeof(type) * (size_t)(count)))
