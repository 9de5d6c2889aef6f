/* arena.c: a chain of chunks that grow from 1 KiB to 64 KiB; what is larger gets a chunk of its own
 * behind the current one. Thousands of arenas lie idle (one a waiting run), hence the small start
 * and no chunk before the first byte. */
#include "libcommon/base/compat.h"
#include "libcommon/base/arena.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define ARENA_MAGIC 0xA12E4A01u
#define CHUNK_MIN 1024u
#define CHUNK_MAX 65536u
#define ALIGN _Alignof(max_align_t)
/* Under ASan a gap stays poisoned behind each part, so that running over its end is seen. */
#if defined(__SANITIZE_ADDRESS__)
#define GAP ALIGN
#else
#define GAP 0u
#endif

struct chunk {
    struct chunk *next;
    size_t size, used;
    _Alignas(max_align_t) char data[];
};

struct callback {
    struct callback *next;
    void (*fn)(void *p);
    void *p;
};

struct arena {
    unsigned magic;
    struct chunk *chunks; /* the first is the one that serves */
    struct callback *callbacks;
    size_t used;
};

struct arena *arena_new(void)
{
    struct arena *a = xcalloc(1, sizeof *a);

    a->magic = ARENA_MAGIC;
    return a;
}

static void run_callbacks(struct arena *a)
{
    while (a->callbacks != NULL) {
        struct callback *c = a->callbacks;

        a->callbacks = c->next;
        c->fn(c->p);
    }
}

static void free_chunks(struct chunk *c)
{
    while (c != NULL) {
        struct chunk *next = c->next;

        ASAN_UNPOISON_MEMORY_REGION(c->data, c->size);
        free(c);
        c = next;
    }
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    CHECK(a, ARENA);
    run_callbacks(a);
    free_chunks(a->chunks);
    a->magic = 0;
    free(a);
}

void arena_reset(struct arena *a)
{
    CHECK(a, ARENA);
    run_callbacks(a);
    a->used = 0;
    if (a->chunks == NULL)
        return;
    free_chunks(a->chunks->next);
    a->chunks->next = NULL;
    a->chunks->used = 0;
    ASAN_POISON_MEMORY_REGION(a->chunks->data, a->chunks->size);
}

static struct chunk *chunk_new(size_t size)
{
    struct chunk *c = xmalloc(sizeof *c + size);

    c->next = NULL;
    c->size = size;
    c->used = 0;
    ASAN_POISON_MEMORY_REGION(c->data, size);
    return c;
}

/* The chunk that takes n bytes: the first, a new first, or one of its own behind the first (so that
 * a large part does not waste the rest of the first). */
static struct chunk *chunk_for(struct arena *a, size_t n)
{
    struct chunk *first = a->chunks, *c;
    size_t size;

    if (first != NULL && first->size - first->used >= n)
        return first;
    size = first == NULL ? CHUNK_MIN : MIN(MAX(first->size, CHUNK_MIN) * 2, CHUNK_MAX);
    if (n > CHUNK_MAX / 4 && first != NULL) {
        c = chunk_new(n);
        c->next = first->next;
        first->next = c;
        return c;
    }
    c = chunk_new(MAX(size, n));
    c->next = first;
    a->chunks = c;
    return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t need = (n + GAP + ALIGN - 1) / ALIGN * ALIGN;
    struct chunk *c;
    void *p;

    CHECK(a, ARENA);
    assert(need >= n);
    c = chunk_for(a, need);
    p = c->data + c->used;
    c->used += need;
    a->used += n;
    ASAN_UNPOISON_MEMORY_REGION(p, n);
    memset(p, 0, n);
    return p;
}

void *arena_memdup(struct arena *a, const void *p, size_t n)
{
    void *q = arena_alloc(a, n);

    if (n > 0)
        memcpy(q, p, n);
    return q;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return s == NULL ? NULL : arena_memdup(a, s, strlen(s) + 1);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *p = arena_alloc(a, len + 1);

    memcpy(p, s, len);
    return p;
}

struct str arena_str(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);

    if (s.n > 0)
        memcpy(p, s.p, s.n);
    return (struct str){p, s.n};
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    char *p;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    assert(n >= 0);
    p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return p;
}

void arena_on_reset(struct arena *a, void (*fn)(void *p), void *p)
{
    struct callback *c = arena_new_of(a, struct callback);

    c->fn = fn;
    c->p = p;
    c->next = a->callbacks;
    a->callbacks = c;
}

size_t arena_used(const struct arena *a)
{
    CHECK(a, ARENA);
    return a->used;
}
