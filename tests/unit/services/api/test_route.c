/* The route table itself: what no compiler checks. */
#include "libcommon/base/compat.h"
#include <setjmp.h>
#include <cmocka.h>
#include "libcommon/base/json.h"
#include "services/api/openapi.h"
#include "services/api/route.h"

static const struct route *find(const char *method, const char *path,
                                struct str params[ROUTE_PARAMS], char allowed[64])
{
    return route_find(method, str_of(path), params, allowed, 64);
}

static void test_route__finds_by_method_and_segments(void **state UNUSED)
{
    struct str p[ROUTE_PARAMS] = {{0}};
    char allowed[64];
    const struct route *r = find("GET", "/api/v1/decisions/x%2Fy/trail", p, allowed);

    assert_string_equal(r->pattern, "/api/v1/decisions/{id}/trail");
    assert_true(str_eq(p[0], STR("x%2Fy")));
    assert_ptr_equal(find("HEAD", "/health", p, allowed), find("GET", "/health", p, allowed));
    assert_null(find("POST", "/api/v1/decisions/x", p, allowed));
    assert_string_equal(allowed, "GET, HEAD, DELETE");
    assert_null(find("GET", "/api/v1/decisions/", p, allowed));
    assert_null(find("GET", "/api/v1/decisions//trail", p, allowed));
    assert_null(find("GET", "/api/v1/decisions/x/trail/", p, allowed));
    assert_string_equal(allowed, "");
}

static void test_route__no_two_rows_answer_the_same(void **state UNUSED)
{
    for (size_t i = 0; i < route_count; i++)
        for (size_t j = i + 1; j < route_count; j++)
            assert_false(strcmp(routes[i].method, routes[j].method) == 0 &&
                         strcmp(routes[i].pattern, routes[j].pattern) == 0);
}

static void test_route__bodies_have_a_limit_and_a_schema(void **state UNUSED)
{
    for (size_t i = 0; i < route_count; i++) {
        const struct route *r = &routes[i];
        assert_int_equal(r->body_max > 0, (r->flags & ROUTE_JSON) != 0);
        assert_int_equal(r->request_schema != NULL, (r->flags & ROUTE_JSON) != 0);
        assert_true(r->summary[0] != '\0' && r->handler != NULL);
        assert_true(r->permission == PERM_NONE || perm_name(r->permission)[0] != '\0');
        assert_true(r->status == 204 || r->response_schema != NULL);
    }
}

static void test_route__the_description_names_only_schemas_that_exist(void **state UNUSED)
{
    static const struct str mark = {"#/components/schemas/", 21};
    struct arena *a = arena_new();
    struct str doc = openapi_json(a), rest = doc;
    cJSON *tree = NULL;
    struct err err;
    ptrdiff_t at;

    assert_int_equal(json_parse(a, doc, JSON_DEPTH_MAX, &tree, &err), 0);
    while ((at = str_find(rest, mark)) >= 0) {
        rest = (struct str){rest.p + at + mark.n, rest.n - (size_t)at - mark.n};
        struct str tail = rest;
        struct str name = str_split(&tail, '"');
        assert_non_null(
            json_get(json_at(tree, "/components/schemas"), arena_strndup(a, name.p, name.n)));
    }
    arena_free(a);
}

static void test_route__roles_hold_what_the_contract_says(void **state UNUSED)
{
    static const struct {
        const char *role;
        bool create, read, update, del, write, audit;
    } rows[] = {{"super_admin", true, true, true, true, true, true},
                {"admin", true, true, true, false, true, true},
                {"ceo", true, true, false, false, false, false},
                {"executive", true, true, false, false, false, false},
                {"analyst", true, true, false, false, true, false},
                {"viewer", false, true, false, false, false, false}};
    unsigned has;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(perm_role(rows[i].role, &has));
        assert_int_equal(perm_allows(has, PERM_DECISION_CREATE), rows[i].create);
        assert_int_equal(perm_allows(has, PERM_DECISION_READ), rows[i].read);
        assert_int_equal(perm_allows(has, PERM_DECISION_UPDATE), rows[i].update);
        assert_int_equal(perm_allows(has, PERM_DECISION_DELETE), rows[i].del);
        assert_int_equal(perm_allows(has, PERM_DATA_WRITE), rows[i].write);
        assert_int_equal(perm_allows(has, PERM_AUDIT_VIEW), rows[i].audit);
    }
    assert_false(perm_role("king", &has));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route__finds_by_method_and_segments),
        cmocka_unit_test(test_route__no_two_rows_answer_the_same),
        cmocka_unit_test(test_route__bodies_have_a_limit_and_a_schema),
        cmocka_unit_test(test_route__the_description_names_only_schemas_that_exist),
        cmocka_unit_test(test_route__roles_hold_what_the_contract_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
