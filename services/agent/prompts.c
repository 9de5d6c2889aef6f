/* prompts.c: see prompts.h. Files are read outside of any run, at start and on a signal. */
#include "libcommon/base/compat.h"
#include "services/agent/prompts.h"

#include <dirent.h>
#include <errno.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/map.h"
#include "services/agent/engine/prompt.h"

#define PROMPT_MAX (64u << 10)

struct prompts {
    const char *dir;
    struct arena *arena; /* grows by a set of texts with each reload */
    struct map *texts;   /* "version/name" */
};

static int read_text(struct prompts *p, const char *path, const char **out, struct err *err)
{
    FILE *f = fopen(path, "re");
    char *text = arena_alloc(p->arena, PROMPT_MAX + 1);
    size_t n;

    if (f == NULL)
        return err_set(err, ERR_INVALID, "PROMPT_DIR: %s: %s", path, strerror(errno));
    n = fread(text, 1, PROMPT_MAX + 1, f);
    fclose(f);
    if (n > PROMPT_MAX)
        return err_set(err, ERR_TOOBIG, "PROMPT_DIR: %s is over 64 KiB", path);
    if (!utf8_valid((struct str){text, n}) || memchr(text, 0, n) != NULL)
        return err_set(err, ERR_INVALID, "PROMPT_DIR: %s is not UTF-8 text", path);
    text[n] = '\0';
    *out = text;
    return 0;
}

static int read_version(struct prompts *p, struct map *into, const char *version, struct err *err)
{
    const char *folder = arena_printf(p->arena, "%s/%s", p->dir, version), *text = NULL;
    DIR *d = opendir(folder);
    struct dirent *e;
    int rc = 0;

    if (d == NULL)
        return 0; /* a plain file beside the versions */
    while (rc == 0 && (e = readdir(d)) != NULL) {
        size_t n = strlen(e->d_name);

        if (n < 5 || e->d_name[0] == '.' || strcmp(e->d_name + n - 4, ".txt") != 0)
            continue;
        rc = read_text(p, arena_printf(p->arena, "%s/%s", folder, e->d_name), &text, err);
        if (rc == 0)
            map_set(into,
                    str_of(arena_printf(p->arena, "%s/%.*s", version, (int)(n - 4), e->d_name)),
                    (void *)(uintptr_t)text);
    }
    closedir(d);
    return rc;
}

int prompts_reload(struct prompts *p, struct err *err)
{
    struct map *fresh = map_new();
    DIR *d = p->dir == NULL ? NULL : opendir(p->dir);
    struct dirent *e;
    int rc = 0;

    if (p->dir != NULL && d == NULL)
        rc = err_set(err, ERR_INVALID, "PROMPT_DIR: %s: %s", p->dir, strerror(errno));
    while (rc == 0 && d != NULL && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            rc = read_version(p, fresh, e->d_name, err);
    if (d != NULL)
        closedir(d);
    if (rc < 0) {
        map_free(fresh);
        return rc;
    }
    map_free(p->texts);
    p->texts = fresh;
    return 0;
}

int prompts_new(const char *dir, struct prompts **out, struct err *err)
{
    struct prompts *p = xcalloc(1, sizeof(*p));

    p->arena = arena_new();
    p->dir = arena_strdup(p->arena, dir);
    if (prompts_reload(p, err) < 0) {
        prompts_free(p);
        return err->code;
    }
    *out = p;
    return 0;
}

void prompts_free(struct prompts *p)
{
    if (p == NULL)
        return;
    map_free(p->texts);
    arena_free(p->arena);
    free(p);
}

const char *prompts_get(const char *version, const char *name, void *arg)
{
    const struct prompts *p = arg;
    char key[160];
    const char *text = NULL;
    int n = snprintf(key, sizeof(key), "%s/%s", version, name);

    if (n > 0 && (size_t)n < sizeof(key))
        text = map_get(p->texts, (struct str){key, (size_t)n});
    if (text == NULL)
        text = prompt_builtin(version, name);
    return text != NULL ? text : prompt_builtin("v1", name);
}
