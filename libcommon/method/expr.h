/* expr.h: the expression language of the tools (docs/decision-method.md, 2.1).
 *
 *   or := and ('||' and)*                   and := cmp ('&&' cmp)*
 *   cmp := sum (('<'|'<='|'>'|'>='|'=='|'!=') sum)?
 *   sum := term (('+'|'-') term)*           term := unary (('*'|'/'|'%') unary)*
 *   unary := ('-'|'!') unary | power        power := atom ('^' unary)?
 *   atom := number | name | name '(' or (',' or)* ')' | '(' or ')'
 *
 * So -2^2 is -4 and 2^3^2 is 512. A text is parsed once to a postfix program, which is then
 * evaluated many times with other values. if() evaluates one branch only; && and || stop as soon as
 * the answer is known. An operation whose result is not finite ends the evaluation: infinity never
 * travels on into a comparison that would look like an answer. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/str.h"

#define EXPR_CHARS_MAX 2000
#define EXPR_NODES_MAX 500
#define EXPR_DEPTH_MAX 64

struct expr;

/* The variables, in the order of their values at evaluation. The strings are the caller's and
 * must outlive the parse only. */
struct expr_names {
    const char *const *name;
    size_t count;
};

struct expr_fault {
    const char
        *reason; /* expression_syntax, unknown_name, expression_too_large, expression_not_finite */
    char message[200]; /* says where, counted in characters from 1 */
};

/* *out is the arena's. 0, or ERR_INVALID with the fault filled. */
int expr_parse(struct arena *a, struct str text, const struct expr_names *names, struct expr **out,
               struct expr_fault *fault) MUST_CHECK;

/* values[i] belongs to names[i] of the parse. 0, or ERR_INVALID (expression_not_finite); then *out
 * is untouched. fault may be NULL, which is faster where failure is expected. */
int expr_eval(const struct expr *e, const double *values, double *out,
              struct expr_fault *fault) MUST_CHECK;

/* The number of operations, for estimates of cost. */
size_t expr_size(const struct expr *e);
