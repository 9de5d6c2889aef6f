/* fuse.c: relative scores. The two halves measure differently (cover density against a cosine whose
 * whole range may be 0.75 to 0.9), so each list is stretched until its best is 1 and its worst 0.
 */
#include "libcommon/base/compat.h"
#include "libcommon/base/map.h"
#include "libcommon/knowledge/search.h"

static struct str key_of(const struct knowledge_rank *r)
{
    return (struct str){(const char *)r->id.b, sizeof r->id.b};
}

static void add_list(struct map *at, struct knowledge_rank *all, int *count,
                     const struct knowledge_rank *list, int n, double low, double weight)
{
    double high = n > 0 ? list[0].score : 0;

    for (int i = 0; i < n; i++) {
        double share = high > low ? (list[i].score - low) / (high - low) : 1;
        struct knowledge_rank *r = map_get(at, key_of(&list[i]));

        if (r == NULL) {
            r = &all[(*count)++];
            *r = (struct knowledge_rank){.id = list[i].id};
            map_set(at, key_of(r), r);
        }
        r->score += weight * share;
    }
}

/* Equal scores: the smaller id, so that the order is one. */
static int by_score(const void *x, const void *y)
{
    const struct knowledge_rank *a = x, *b = y;

    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    return memcmp(a->id.b, b->id.b, sizeof a->id.b);
}

int knowledge_fuse(struct arena *a, const struct knowledge_rank *text, int text_count,
                   const struct knowledge_rank *vectors, int vector_count, double vector_weight,
                   struct knowledge_rank *out, int limit)
{
    struct knowledge_rank *all =
        arena_array(a, struct knowledge_rank, text_count + vector_count + 1);
    struct map *at = map_new();
    int n = 0;

    add_list(at, all, &n, text, text_count, 0, 1 - vector_weight);
    add_list(at, all, &n, vectors, vector_count,
             vector_count > 0 ? vectors[vector_count - 1].score : 0, vector_weight);
    map_free(at);
    qsort(all, (size_t)n, sizeof *all, by_score);
    n = MIN(n, limit);
    memcpy(out, all, sizeof *out * (size_t)n);
    return n;
}
