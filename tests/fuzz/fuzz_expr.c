/* Expressions: any text either parses or says why not; what evaluates is finite, and the same each
 * time. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "libcommon/method/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_reason(const char *reason)
{
    static const char *const known[] = {"expression_syntax", "unknown_name", "expression_too_large",
                                        "expression_not_finite"};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (reason != NULL && strcmp(reason, known[i]) == 0)
            return true;
    return false;
}

static void evaluate(const struct expr *e, double x)
{
    const double values[] = {x, 2, 0};
    struct expr_fault f = {0};
    double first = NAN, again = NAN;
    int rc = expr_eval(e, values, &first, &f);

    assert(rc == expr_eval(e, values, &again, NULL));
    if (rc == 0)
        assert(isfinite(first) && first == again);
    else
        assert(is_reason(f.reason));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const name[] = {"x", "rate", "t"};
    struct arena *a = arena_new();
    struct expr_fault f = {0};
    struct expr *e;

    if (expr_parse(a, (struct str){(const char *)data, size}, &(struct expr_names){name, 3}, &e,
                   &f) == 0) {
        assert(expr_size(e) <= 2 * EXPR_NODES_MAX);
        for (int x = -2; x <= 2; x++)
            evaluate(e, x);
    } else {
        assert(is_reason(f.reason) && f.message[0] != '\0');
    }
    arena_free(a);
    return 0;
}
