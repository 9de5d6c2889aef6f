/* expr.c: a recursive descent over the text that writes postfix code as it goes. Depth and size are
 * counted while parsing, so that a hostile text ends early; the stack of an evaluation can then be
 * a fixed array, since no program needs more slots than it has nodes. Laziness is two jumps: code
 * that is jumped over is never run, hence cannot fail. */
#include "libcommon/base/compat.h"
#include "libcommon/method/expr.h"
#include <math.h>
#include "libcommon/base/err.h"
#include "libcommon/method/expr_functions.h"

enum op {
    OP_NUMBER,
    OP_NAME,
    OP_CALL, /* expr_functions[slot] of `args` values */
    OP_NEGATE,
    OP_NOT,
    OP_TRUTH,      /* 1 unless 0 */
    OP_JUMP,       /* to slot */
    OP_JUMP_FALSE, /* takes the value */
    OP_KEEP_FALSE, /* jumps when the value is 0 and leaves 0; else takes it */
    OP_KEEP_TRUE,  /* jumps when the value is not 0 and leaves 1; else takes it */
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_MODULO,
    OP_POWER,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_EQUAL,
    OP_NOT_EQUAL,
};

struct instr {
    enum op op;
    uint32_t slot; /* of the name, the function or the jump */
    uint16_t args;
    uint16_t at; /* character of the text, for messages */
    double number;
};

/* if, && and || cost two instructions, every other node one. */
#define CODE_MAX (2 * EXPR_NODES_MAX)

struct expr {
    size_t size;
    struct instr code[];
};

struct parser {
    struct str text;
    size_t pos, size, nodes, depth;
    const struct expr_names *names;
    struct expr_fault *fault;
    bool failed;
    struct instr spare; /* written instead of code once the parse has failed */
    struct instr code[CODE_MAX];
};

static void parse_or(struct parser *p);
static void parse_unary(struct parser *p);

static void fail(struct parser *p, const char *reason, size_t at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* The first fault stands; everything after it is a no-op until the recursion has unwound. */
static void fail(struct parser *p, const char *reason, size_t at, const char *fmt, ...)
{
    char what[128];
    va_list ap;

    if (p->failed)
        return;
    p->failed = true;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    p->fault->reason = reason;
    snprintf(p->fault->message, sizeof(p->fault->message), "%s at character %zu", what, at + 1);
}

static char peek(struct parser *p)
{
    const struct str *t = &p->text;

    while (p->pos < t->n && (t->p[p->pos] == ' ' || (t->p[p->pos] >= '\t' && t->p[p->pos] <= '\r')))
        p->pos++;
    return p->pos < t->n && !p->failed ? t->p[p->pos] : '\0';
}

static bool take(struct parser *p, const char *op)
{
    size_t n = strlen(op);

    if (peek(p) != op[0] || p->text.n - p->pos < n || memcmp(p->text.p + p->pos, op, n) != 0)
        return false;
    p->pos += n;
    return true;
}

static void expect(struct parser *p, const char *op)
{
    if (!take(p, op))
        fail(p, "expression_syntax", p->pos, "expected %s", op);
}

static struct instr *emit(struct parser *p, enum op op, size_t at)
{
    if (p->failed)
        return &p->spare;
    assert(p->size < CODE_MAX);
    p->code[p->size] = (struct instr){.op = op, .at = (uint16_t)at};
    return &p->code[p->size++];
}

/* Each number, name, operator and call is a node. */
static void count_node(struct parser *p, size_t at)
{
    if (++p->nodes > EXPR_NODES_MAX)
        fail(p, "expression_too_large", at, "more than %d numbers, names and operators",
             EXPR_NODES_MAX);
}

static struct instr *emit_node(struct parser *p, enum op op, size_t at)
{
    count_node(p, at);
    return emit(p, op, at);
}

static size_t emit_jump(struct parser *p, enum op op, size_t at)
{
    emit(p, op, at);
    return p->size - 1;
}

static void land(struct parser *p, size_t jump)
{
    if (!p->failed)
        p->code[jump].slot = (uint32_t)p->size;
}

static bool deeper(struct parser *p, size_t at)
{
    if (++p->depth > EXPR_DEPTH_MAX)
        fail(p, "expression_too_large", at, "nested deeper than %d", EXPR_DEPTH_MAX);
    return !p->failed;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t skip_digits(const struct parser *p, size_t at)
{
    while (at < p->text.n && is_digit(p->text.p[at]))
        at++;
    return at;
}

static void parse_number(struct parser *p)
{
    size_t start = p->pos, end = skip_digits(p, start), tail;
    double v = 0;

    if (end < p->text.n && p->text.p[end] == '.')
        end = skip_digits(p, end + 1);
    tail = end;
    if (tail < p->text.n && (p->text.p[tail] == 'e' || p->text.p[tail] == 'E')) {
        tail++;
        if (tail < p->text.n && (p->text.p[tail] == '+' || p->text.p[tail] == '-'))
            tail++;
        if (skip_digits(p, tail) > tail)
            end = skip_digits(p, tail);
    }
    p->pos = end;
    if (str_f64((struct str){p->text.p + start, end - start}, &v) != 0)
        fail(p, "expression_not_finite", start, "a number out of range");
    emit_node(p, OP_NUMBER, start)->number = v;
}

static void parse_if(struct parser *p, size_t at)
{
    size_t to_else, to_end;

    count_node(p, at);
    parse_or(p);
    expect(p, ",");
    to_else = emit_jump(p, OP_JUMP_FALSE, at);
    parse_or(p);
    expect(p, ",");
    to_end = emit_jump(p, OP_JUMP, at);
    land(p, to_else);
    parse_or(p);
    expect(p, ")");
    land(p, to_end);
}

static void parse_arguments(struct parser *p, const struct expr_function *f, size_t at)
{
    struct instr *call;
    int n = 0;

    do {
        parse_or(p);
        n++;
    } while (take(p, ","));
    expect(p, ")");
    if (n < f->min || n > f->max)
        fail(p, "expression_syntax", at, "%s does not take %d argument%s", f->name, n,
             n == 1 ? "" : "s");
    call = emit_node(p, OP_CALL, at);
    call->slot = (uint32_t)(f - expr_functions);
    call->args = (uint16_t)n;
}

static void parse_call(struct parser *p, struct str name, size_t at)
{
    int found = expr_function_find(name);
    const struct expr_function *f = &expr_functions[MAX(found, 0)];

    if (found < 0)
        return fail(p, "unknown_name", at, "unknown function %.*s", (int)MIN(name.n, 64), name.p);
    if (!deeper(p, at))
        return;
    if (f->fn == NULL)
        parse_if(p, at);
    else
        parse_arguments(p, f, at);
    p->depth--;
}

static void parse_name(struct parser *p)
{
    size_t at = p->pos, end = at;
    struct str name;

    while (end < p->text.n && (is_name_start(p->text.p[end]) || is_digit(p->text.p[end])))
        end++;
    name = (struct str){p->text.p + at, end - at};
    p->pos = end;
    if (take(p, "("))
        return parse_call(p, name, at);
    for (size_t i = 0; i < p->names->count; i++)
        if (str_eqz(name, p->names->name[i])) {
            emit_node(p, OP_NAME, at)->slot = (uint32_t)i;
            return;
        }
    fail(p, "unknown_name", at, "unknown name %.*s", (int)MIN(name.n, 64), name.p);
}

static void parse_atom(struct parser *p)
{
    char c = peek(p);
    size_t at = p->pos;

    if (is_digit(c) || (c == '.' && at + 1 < p->text.n && is_digit(p->text.p[at + 1])))
        return parse_number(p);
    if (is_name_start(c))
        return parse_name(p);
    if (!take(p, "("))
        return fail(p, "expression_syntax", at, "expected a number, a name or (");
    if (!deeper(p, at))
        return;
    parse_or(p);
    expect(p, ")");
    p->depth--;
}

static void parse_power(struct parser *p)
{
    size_t at;

    parse_atom(p);
    if (peek(p) != '^')
        return;
    at = p->pos++;
    if (!deeper(p, at))
        return;
    parse_unary(p);
    emit_node(p, OP_POWER, at);
    p->depth--;
}

static void parse_unary(struct parser *p)
{
    char c = peek(p);
    size_t at = p->pos;

    if (c != '-' && c != '!')
        return parse_power(p);
    if (!deeper(p, at))
        return;
    p->pos++;
    parse_unary(p);
    emit_node(p, c == '-' ? OP_NEGATE : OP_NOT, at);
    p->depth--;
}

/* The binary operators by level; within one the longer text first. */
static const struct binary {
    const char *text;
    enum op op;
} term_ops[] = {{"*", OP_MULTIPLY}, {"/", OP_DIVIDE}, {"%", OP_MODULO}, {NULL, OP_ADD}},
  sum_ops[] = {{"+", OP_ADD}, {"-", OP_SUBTRACT}, {NULL, OP_ADD}},
  cmp_ops[] = {{"<=", OP_LESS_EQUAL}, {"<", OP_LESS},   {">=", OP_GREATER_EQUAL},
               {">", OP_GREATER},     {"==", OP_EQUAL}, {"!=", OP_NOT_EQUAL},
               {NULL, OP_ADD}};

static const struct binary *take_binary(struct parser *p, const struct binary *ops, size_t *at)
{
    peek(p);
    *at = p->pos;
    for (; ops->text != NULL; ops++)
        if (take(p, ops->text))
            return ops;
    return NULL;
}

static void parse_left(struct parser *p, const struct binary *ops, void (*next)(struct parser *p))
{
    const struct binary *b;
    size_t at;

    next(p);
    while ((b = take_binary(p, ops, &at)) != NULL) {
        next(p);
        emit_node(p, b->op, at);
    }
}

static void parse_term(struct parser *p)
{
    parse_left(p, term_ops, parse_unary);
}

static void parse_sum(struct parser *p)
{
    parse_left(p, sum_ops, parse_term);
}

static void parse_cmp(struct parser *p)
{
    const struct binary *b;
    size_t at;

    parse_sum(p);
    if ((b = take_binary(p, cmp_ops, &at)) != NULL) {
        parse_sum(p);
        emit_node(p, b->op, at);
    }
}

/* The right side is jumped over when the left one has decided. */
static void parse_logic(struct parser *p, const char *op, enum op keep,
                        void (*next)(struct parser *p))
{
    next(p);
    for (;;) {
        size_t at, jump;

        peek(p);
        at = p->pos;
        if (!take(p, op))
            return;
        count_node(p, at);
        jump = emit_jump(p, keep, at);
        next(p);
        emit(p, OP_TRUTH, at);
        land(p, jump);
    }
}

static void parse_and(struct parser *p)
{
    parse_logic(p, "&&", OP_KEEP_FALSE, parse_cmp);
}

static void parse_or(struct parser *p)
{
    parse_logic(p, "||", OP_KEEP_TRUE, parse_and);
}

int expr_parse(struct arena *a, struct str text, const struct expr_names *names, struct expr **out,
               struct expr_fault *fault)
{
    struct parser *p = arena_new_of(a, struct parser);
    struct expr *e;

    p->text = text;
    p->names = names;
    p->fault = fault;
    if (text.n > EXPR_CHARS_MAX) {
        fail(p, "expression_too_large", EXPR_CHARS_MAX, "longer than %d characters",
             EXPR_CHARS_MAX);
        return ERR_INVALID;
    }
    parse_or(p);
    if (peek(p) != '\0' || p->pos < text.n)
        fail(p, "expression_syntax", p->pos, "unexpected text");
    if (p->failed)
        return ERR_INVALID;
    e = arena_alloc(a, sizeof(*e) + p->size * sizeof(struct instr));
    e->size = p->size;
    memcpy(e->code, p->code, p->size * sizeof(struct instr));
    *out = e;
    return 0;
}

size_t expr_size(const struct expr *e)
{
    return e->size;
}

static double binary(enum op op, double x, double y)
{
    switch (op) {
    case OP_ADD:
        return x + y;
    case OP_SUBTRACT:
        return x - y;
    case OP_MULTIPLY:
        return x * y;
    case OP_DIVIDE:
        return x / y;
    case OP_MODULO:
        return fmod(x, y);
    case OP_POWER:
        return pow(x, y);
    case OP_LESS:
        return x < y;
    case OP_LESS_EQUAL:
        return x <= y;
    case OP_GREATER:
        return x > y;
    case OP_GREATER_EQUAL:
        return x >= y;
    case OP_EQUAL:
        return x == y;
    default:
        return x != y;
    }
}

static int not_finite(const struct instr *i, struct expr_fault *fault)
{
    const char *what = i->op == OP_DIVIDE ? "a division"
                       : i->op == OP_CALL ? expr_functions[i->slot].name
                                          : "an operation";

    if (fault == NULL)
        return ERR_INVALID;
    fault->reason = "expression_not_finite";
    snprintf(fault->message, sizeof(fault->message), "%s at character %d has no finite result",
             what, i->at + 1);
    return ERR_INVALID;
}

/* The instructions that move values or control; the top of the stack is s[-1]. Returns the next
 * instruction, NULL when i is an operation on numbers. */
static const struct instr *control(const struct expr *e, const struct instr *i, double **s)
{
    const struct instr *target = e->code + i->slot;

    switch (i->op) {
    case OP_JUMP:
        return target;
    case OP_JUMP_FALSE:
        return *--*s == 0 ? target : i + 1;
    case OP_KEEP_FALSE:
        if (*--*s != 0)
            return i + 1;
        *(*s)++ = 0;
        return target;
    case OP_KEEP_TRUE:
        if (*--*s == 0)
            return i + 1;
        *(*s)++ = 1;
        return target;
    default:
        return NULL;
    }
}

int expr_eval(const struct expr *e, const double *values, double *out, struct expr_fault *fault)
{
    double stack[EXPR_NODES_MAX + 1], *s = stack;
    const struct instr *i = e->code, *end = e->code + e->size;

    while (i < end) {
        const struct instr *next = control(e, i, &s);

        if (next != NULL) {
            i = next;
            continue;
        }
        if (i->op == OP_NUMBER) {
            *s++ = i->number;
        } else if (i->op == OP_NAME) {
            *s++ = values[i->slot];
        } else if (i->op == OP_NEGATE) {
            s[-1] = -s[-1];
        } else if (i->op == OP_NOT || i->op == OP_TRUTH) {
            s[-1] = (s[-1] == 0) == (i->op == OP_NOT);
        } else if (i->op == OP_CALL) {
            s -= i->args;
            *s = expr_functions[i->slot].fn(s, i->args);
            s++;
        } else {
            s--;
            s[-1] = binary(i->op, s[-1], *s);
        }
        if (!isfinite(s[-1]))
            return not_finite(i, fault);
        i++;
    }
    *out = s[-1];
    return 0;
}
