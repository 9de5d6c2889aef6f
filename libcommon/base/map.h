/* map.h: a hash map from byte strings to pointers, keyed by SipHash-1-3 with a random key of the
 * process, since keys may come from a network. Keys are copied; values are the owner's. */
#pragma once
#include "libcommon/base/compat.h"
#include "libcommon/base/str.h"

struct map;

struct map *map_new(void);
void map_free(struct map *m); /* values are not touched; NULL is fine */
size_t map_count(const struct map *m);

/* Sets and returns the value that was there before, or NULL. value must not be NULL. */
void *map_set(struct map *m, struct str key, void *value);
void *map_get(const struct map *m, struct str key); /* NULL when there is none */
void *map_del(struct map *m, struct str key);       /* the removed value, or NULL */

/* Walks all entries in no order; the map must not change meanwhile. Start with *pos = 0; false at
 * the end. */
bool map_next(const struct map *m, size_t *pos, struct str *key, void **value);

/* The hash itself: the same for the same bytes within a process, different in another. */
uint64_t map_hash(struct str key);
