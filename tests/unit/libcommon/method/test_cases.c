/* test_cases.c: every reference case of tests/data/decision-cases.json, compared as the file says.
 * prng and figure_reader are entries of the library, not tools. */
#include "tests/unit/libcommon/method/tooltest.h"
#include "libcommon/method/figures.h"
#include "libcommon/method/prng.h"

#define FILE_MAX (1 << 20)

static cJSON *load(struct arena *a)
{
    static char text[FILE_MAX];
    struct err err = {0};
    cJSON *root = NULL;
    FILE *f = fopen("tests/data/decision-cases.json", "r");
    size_t n = f == NULL ? 0 : fread(text, 1, sizeof(text), f);

    if (f != NULL)
        fclose(f);
    if (json_parse(a, (struct str){text, n}, JSON_DEPTH_MAX, &root, &err) != 0) {
        fprintf(stderr, "decision-cases.json: %s\n", err.msg);
        exit(1);
    }
    return root;
}

static uint64_t u64(const char *z)
{
    return strtoull(z, NULL, 10);
}

static cJSON *run_prng(const cJSON *in)
{
    cJSON *out = json_obj(mem), *list = json_add_arr(out, "u64");
    bool splitmix = strcmp(json_str(in, "algorithm", ""), "splitmix64") == 0;
    uint64_t seed = u64(json_str(in, "seed", "0"));
    struct prng g;
    int k = 0;
    const cJSON *word;

    prng_seed(&g, seed);
    cJSON_ArrayForEach (word, json_get(in, "state"))
        g.s[k++] = u64(word->valuestring);
    for (int64_t i = 0; i < json_i64(in, "count", 0); i++)
        json_push_str(list,
                      arena_printf(mem, "%" PRIu64, splitmix ? splitmix64(&seed) : prng_u64(&g)));
    return out;
}

/* The first figure of each text. */
static cJSON *run_figure_reader(const cJSON *in)
{
    cJSON *out = json_obj(mem), *list = json_add_arr(out, "figures"), *found;
    const cJSON *text;

    cJSON_ArrayForEach (text, json_get(in, "texts")) {
        assert_int_equal(
            figures_read(str_of(text->valuestring), json_str(in, "language", NULL), mem, &found),
            0);
        json_push_copy(list, cJSON_GetArrayItem(found, 0));
    }
    json_add_arr(out, "warnings");
    fits_schema("figure_reader", out);
    return out;
}

static cJSON *run_entry(const char *name, const cJSON *in)
{
    if (strcmp(name, "prng") == 0)
        return run_prng(in);
    return strcmp(name, "figure_reader") == 0 ? run_figure_reader(in) : run_tree(name, in);
}

static bool same(const cJSON *got, const cJSON *want, double abs_, double rel)
{
    const cJSON *g, *w;

    if (cJSON_IsNumber(want))
        return cJSON_IsNumber(got) &&
               fabs(got->valuedouble - want->valuedouble) <= abs_ + rel * fabs(want->valuedouble);
    if (!cJSON_IsArray(want) && !cJSON_IsObject(want))
        return json_same(got, want);
    if (got == NULL || got->type != want->type ||
        cJSON_GetArraySize(got) != cJSON_GetArraySize(want))
        return false;
    for (w = want->child, g = got->child; w != NULL; w = w->next, g = g->next)
        if (!same(cJSON_IsObject(want) ? json_get(got, w->string) : g, w, abs_, rel))
            return false;
    return true;
}

static void check(const cJSON *one, const cJSON *out, double scale)
{
    const cJSON *want;

    cJSON_ArrayForEach (want, json_get(one, "expected")) {
        const cJSON *by_path = json_get(json_get(one, "tolerance_by_path"), want->string);
        const cJSON *t = by_path != NULL ? by_path : json_get(one, "tolerance");
        const cJSON *got = json_at(out, want->string);

        if (!same(got, want, scale * json_num(t, "abs", 0), json_num(t, "rel", 0)))
            fail_msg("%s: got %s, want %s", want->string,
                     got == NULL ? "nothing" : json_print(mem, got).p, json_print(mem, want).p);
    }
}

static void reference_case(void **state)
{
    const cJSON *one = *state;

    mem = arena_new();
    check(one, run_entry(json_str(one, "tool", ""), json_get(one, "input")), 1);
    arena_free(mem);
}

/* Statistical cases hold for other seeds too. The file's tolerances are over 4 standard errors of
 * its own sample; fewer samples here widen them by the root. */
static void other_seeds(const cJSON *one, const char *samples_at, const char *seed_at, int samples)
{
    double of = at(one, samples_at);

    mem = arena_new();
    for (int seed = 1001; seed <= 1020; seed++) {
        cJSON *copy = json_own(mem, cJSON_Duplicate(one, true));

        cJSON_SetNumberValue(json_at(copy, samples_at), samples);
        cJSON_SetNumberValue(json_at(copy, seed_at), seed);
        check(copy, run_tree(json_str(one, "tool", ""), json_get(copy, "input")),
              sqrt(of / samples));
        arena_reset(mem);
    }
    arena_free(mem);
}

static void monte_carlo_with_20_seeds(void **state)
{
    other_seeds(*state, "/input/iterations", "/input/seed", 10000);
}

static void smaa_with_20_seeds(void **state)
{
    other_seeds(*state, "/input/smaa/samples", "/input/smaa/seed", 10000);
}

static bool starts(const char *z, const char *prefix)
{
    return strncmp(z, prefix, strlen(prefix)) == 0;
}

int main(void)
{
    struct arena *a = arena_new();
    const cJSON *cases = json_get(load(a), "cases"), *one;
    struct CMUnitTest *tests = arena_array(a, struct CMUnitTest, 2 * cJSON_GetArraySize(cases));
    size_t n = 0;
    int rc;

    cJSON_ArrayForEach (one, cases) {
        const char *id = json_str(one, "id", "");
        void *arg = (void *)(uintptr_t)one;

        tests[n++] = (struct CMUnitTest){.name = arena_printf(a, "test_cases__%s", id),
                                         .test_func = reference_case,
                                         .initial_state = arg};
        if ((starts(id, "mc-") && strcmp(id, "mc-stream-uniform-42") != 0) || starts(id, "dm-smaa"))
            tests[n++] = (struct CMUnitTest){
                .name = arena_printf(a, "test_cases__%s_with_20_seeds", id),
                .test_func = starts(id, "mc-") ? monte_carlo_with_20_seeds : smaa_with_20_seeds,
                .initial_state = arg};
    }
    rc = _cmocka_run_group_tests("decision-cases", tests, n, NULL, NULL);
    arena_free(a);
    return rc;
}
