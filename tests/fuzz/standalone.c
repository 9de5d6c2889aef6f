/* Replays the corpus of a fuzz target as cmocka tests, one a file: the program fuzz_NAME reads
 * tests/fuzz/corpus/NAME/, or the files given as arguments. A new crash goes there as a file. */
#include "libcommon/base/compat.h"
#include <dirent.h>
#include <setjmp.h>
#include <cmocka.h>

#define FILES_MAX 1000
#define FILE_MAX_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(void **state)
{
    FILE *f = fopen(*state, "rb");
    uint8_t *room = xmalloc(FILE_MAX_BYTES), *exact;
    size_t n;

    assert_non_null(f);
    n = fread(room, 1, FILE_MAX_BYTES, f);
    fclose(f);
    exact = memcpy(xmalloc(n), room, n); /* ASan sees a step over the end */
    free(room);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

static void add(struct CMUnitTest *tests, size_t *count, const char *target, const char *path)
{
    const char *base = strrchr(path, '/');
    char name[512];

    if (*count == FILES_MAX)
        return;
    snprintf(name, sizeof name, "%s__survives_%s", target, base == NULL ? path : base + 1);
    tests[(*count)++] = (struct CMUnitTest){xstrdup(name), replay, NULL, NULL, xstrdup(path)};
}

static void add_corpus(struct CMUnitTest *tests, size_t *count, const char *target)
{
    const char *kind = strchr(target, '_');
    char folder[256], path[600];
    struct dirent *entry;
    DIR *dir;

    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", kind == NULL ? target : kind + 1);
    dir = opendir(folder);
    if (dir == NULL) {
        fprintf(stderr, "no corpus at %s\n", folder);
        exit(1);
    }
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            add(tests, count, target, path);
        }
    closedir(dir);
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/'), *target = slash == NULL ? argv[0] : slash + 1;
    struct CMUnitTest *tests = xcalloc(FILES_MAX, sizeof *tests);
    size_t count = 0;
    int rc;

    if (argc < 2)
        add_corpus(tests, &count, target);
    for (int i = 1; i < argc; i++)
        add(tests, &count, target, argv[i]);
    rc = _cmocka_run_group_tests(target, tests, count, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        free((char *)(uintptr_t)tests[i].name);
        free(tests[i].initial_state);
    }
    free(tests);
    return rc;
}
