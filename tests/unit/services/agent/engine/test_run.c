/* Whole runs in one process: the briefs, the offline analyst as the model, the real tools. No
 * shell, no stores. What a user of the product gets on a machine without a key must come out here.
 */
#include "libcommon/base/compat.h"
#include "tests/unit/services/agent/engine/play.h"
#include <dirent.h>
#include "libcommon/llm/wire.h"
#include "libcommon/method/tool.h"
#include "libcommon/skills/registry.h"

#define BRIEFS "tests/data/briefs/"

static struct engine_tool offered[64];
static int offered_count;

static void offer_tools(void)
{
    for (int i = 0; i < skill_count() && offered_count < (int)ARRAY_LEN(offered); i++) {
        const struct skill *s = skill_at(i);

        if (skill_offered(s))
            offered[offered_count++] = (struct engine_tool){s->name, s->description,
                                                            skill_model_schema(s), s->side_effects};
    }
}

/* ---- material: one chunk a paragraph or table ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int list_files(struct arena *a, const char *dir, const char **names, int most)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    int n = 0;

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL && n < most)
        if (entry->d_name[0] != '.')
            names[n++] = arena_strdup(a, entry->d_name);
    closedir(d);
    qsort(names, (size_t)n, sizeof(*names), by_name);
    return n;
}

static const char *gather_of(struct arena *a, const char *brief)
{
    const char *dir = arena_printf(a, BRIEFS "%s/documents", brief), *names[16];
    int n = list_files(a, dir, names, 16);
    cJSON *payload = json_obj(a), *material = json_add_arr(payload, "material");

    for (int i = 0; i < n; i++) {
        struct str text = play_file(a, arena_printf(a, "%s/%s", dir, names[i]));
        cJSON *chunk = cJSON_CreateObject();

        json_add_str(chunk, "chunk_id", arena_printf(a, "c%d", i + 1));
        json_add_str(chunk, "document_id", arena_printf(a, "d%d", i + 1));
        json_add_str(chunk, "title", names[i]);
        json_add_strn(chunk, "text", text);
        json_add_num(chunk, "start", 0);
        json_add_num(chunk, "end", (double)text.n);
        json_add_bool(chunk, "supplied", true);
        cJSON_AddItemToArray(material, chunk);
    }
    json_add_arr(payload, "missing");
    json_add_str(payload, "nonce", "00112233445566aa");
    return json_print(a, payload).p;
}

/* ---- the model and the tools ---- */

static const char *analyst_model(struct play *p, const struct action *a)
{
    struct llm_request req = {.analyst = a->model.analyst};
    struct llm_result r = {0};
    struct arena *scratch = arena_new();
    cJSON *stages, *stage;
    struct err err;
    const char *payload;

    if (offline_answer(&req, scratch, &r, &err) != 0)
        fail_msg("%s", err.msg);
    assert_int_equal(json_parse(scratch, r.stages_json, JSON_DEPTH_MAX, &stages, &err), 0);
    cJSON_ArrayForEach (stage, stages) {
        play_must(p, EV_REASON, json_str(stage, "stage", "stage"), a->id,
                  json_print(p->a, stage).p);
    }
    payload = arena_printf(
        p->a,
        "{\"content\":%s,\"stop_reason\":\"%s\",\"usage\":{\"input_tokens\":0,"
        "\"output_tokens\":0,\"cache_read_tokens\":0,\"cache_write_tokens\":0},"
        "\"provider\":\"offline\",\"model\":\"offline\",\"cost_usd\":0,\"degraded\":false,"
        "\"attempts\":1,\"nonce\":\"%s\"}",
        r.content_json.p, r.stop_reason, play_nonce(p));
    arena_free(scratch);
    return payload;
}

static const char *real_tool(struct play *p, const struct action *a)
{
    struct arena *scratch = arena_new();
    struct tool_fault fault = {0};
    cJSON *payload = json_obj(scratch), *out, *error;
    const char *text;

    json_add_str(payload, "tool", a->tool.name);
    json_add_str(payload, "tool_use_id", a->tool.tool_use_id);
    json_add_copy(payload, "input", a->tool.input);
    if (strcmp(a->tool.name, "knowledge_retrieval") == 0) {
        out = json_add_obj(payload, "output");
        json_add_arr(out, "results");
        json_add_bool(out, "degraded", true);
    } else if (tool_run(a->tool.name, a->tool.input, scratch, &out, &fault) == 0) {
        json_add_copy(payload, "output", out);
    } else {
        print_message("%s refuses: %s %s %s\n", a->tool.name, fault.field, fault.reason,
                      fault.message);
        error = json_add_obj(payload, "error");
        json_add_str(error, "code", "SKILL_INVALID_PARAMS");
        json_add_str(error, "message", fault.message);
    }
    json_add_str(payload, "nonce", play_nonce(p));
    text = arena_strdup(p->a, json_print(scratch, payload).p);
    arena_free(scratch);
    return text;
}

static void play_brief(struct play *p, const char *brief, const char *mode)
{
    struct arena *a = arena_new();

    play_init(p, play_file(a, arena_printf(a, BRIEFS "%s/request.json", brief)).p, mode);
    p->s.tools = offered;
    p->s.tool_count = offered_count;
    p->s.offline_only = true;
    play_life(p);
    p->gather = arena_strdup(p->a, gather_of(a, brief));
    p->model = analyst_model;
    p->tool = real_tool;
    play_pump(p);
    arena_free(a);
}

static bool has_text(const cJSON *array, const char *text)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, array) {
        if (cJSON_IsString(item) && strcmp(item->valuestring, text) == 0)
            return true;
    }
    return false;
}

static void check_brief(const char *brief, const char *mode)
{
    struct play p, again;
    struct engine_view v;
    const cJSON *final;
    cJSON *grading;
    const char *choice;
    struct str grades;

    play_brief(&p, brief, mode);
    engine_look(p.e, &v);
    final = engine_final(p.e);
    if (final == NULL || strcmp(v.status, "completed") != 0)
        fail_msg("%s in %s: %s %s", brief, mode, play_status(&p),
                 final == NULL ? "" : json_print(p.a, json_get(final, "error")).p);
    grades = play_file(p.a, arena_printf(p.a, BRIEFS "%s/grading.json", brief));
    assert_int_equal(json_parse(p.a, grades, JSON_DEPTH_MAX, &grading, &p.err), 0);
    choice = json_str(json_get(final, "recommendation"), "option", "");
    print_message("%s in %s: %s, confidence %.2f, %d events, %d tools\n", brief, mode, choice,
                  json_num(json_get(final, "recommendation"), "confidence", 0), p.events,
                  cJSON_GetArraySize(json_get(final, "skills")));
    assert_false(has_text(json_get(grading, "unacceptable_choice"), choice));
    assert_true(has_text(json_get(p.request, "options"), choice));
    assert_true(json_num(json_get(final, "recommendation"), "confidence", 1) <=
                json_num(grading, "confidence_max", 1));
    assert_string_equal(json_at(final, "/agent/mode")->valuestring, "offline");
    assert_true(cJSON_GetArraySize(json_get(final, "skills")) >= 2);
    assert_string_equal(v.lang, strstr(brief, "-zh") != NULL ? "zh" : "en");
    assert_true(v.usd == 0 && v.tokens_in == 0);
    play_record(&p, arena_printf(p.a, "%s-%s", brief, mode));
    play_brief(&again, brief, mode);
    assert_int_equal(again.events, p.events);
    assert_true(play_hash(again.e) == play_hash(p.e));
    play_done(&again);
    play_done(&p);
}

static void for_each_brief(const char *mode)
{
    struct arena *a = arena_new();
    const char *names[16];
    int n = list_files(a, BRIEFS, names, 16);

    assert_true(n >= 5);
    for (int i = 0; i < n; i++)
        check_brief(names[i], mode);
    arena_free(a);
}

static void test_run__the_briefs_are_decided_without_a_model(void **state)
{
    (void)state;
    for_each_brief("auto");
}

static void test_run__the_briefs_are_decided_by_plan_too(void **state)
{
    (void)state;
    for_each_brief("plan_and_execute");
}

static void test_run__a_bare_question_gets_an_answer(void **state)
{
    struct play p;

    (void)state;
    play_init(&p, "{\"query\":\"Should we hire a second accountant?\"}", "auto");
    p.s.tools = offered;
    p.s.tool_count = offered_count;
    p.s.offline_only = true;
    play_life(&p);
    p.model = analyst_model;
    p.tool = real_tool;
    play_pump(&p);
    assert_string_equal(play_status(&p), "completed");
    assert_true(json_num(json_get(engine_final(p.e), "recommendation"), "confidence", 1) <= 0.4);
    play_done(&p);
}

static void test_run__small_budgets_still_give_a_partial_answer(void **state)
{
    struct play p;

    (void)state;
    for (int steps = 1; steps <= 3; steps++) {
        play_init(&p, PLAY_REQUEST, "auto");
        p.s.tools = offered;
        p.s.tool_count = offered_count;
        p.s.offline_only = true;
        p.s.budget_steps = steps;
        play_life(&p);
        p.model = analyst_model;
        p.tool = real_tool;
        play_pump(&p);
        assert_string_equal(play_status(&p), "completed");
        assert_true(json_bool(json_get(engine_final(p.e), "result"), "partial", false));
        play_done(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run__the_briefs_are_decided_without_a_model),
        cmocka_unit_test(test_run__the_briefs_are_decided_by_plan_too),
        cmocka_unit_test(test_run__a_bare_question_gets_an_answer),
        cmocka_unit_test(test_run__small_budgets_still_give_a_partial_answer),
    };
    offer_tools();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
