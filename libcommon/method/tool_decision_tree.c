/* tool_decision_tree.c: decisions under risk, as a tree rolled back from its leaves, or as a table
 * of payoffs by state with the value of information.
 *
 * Costs of branches come off everything behind them. Expectation and the certainty equivalent of
 * exponential utility both move one for one with a constant, so a node can be solved without
 * knowing what was spent on the way to it, and the result is that of the net totals. */
#include "libcommon/base/compat.h"
#include <math.h>
#include "libcommon/method/outcome.h"
#include "libcommon/method/sum.h"
#include "libcommon/method/tool_call.h"

#define PROBABILITY_SLACK 1e-6
#define BRANCHES_MAX 20
#define STATES_MAX 50

/* The parts that a tree and a table have in common. */
struct question {
    struct tool_call *c;
    double risk_tolerance;   /* NaN: by expected value */
    struct outcome *profile; /* of the chosen policy */
    size_t outcomes;
};

static bool by_utility(const struct question *q)
{
    return !isnan(q->risk_tolerance);
}

static double certainty(const struct question *q, const struct outcome *o, size_t n)
{
    return by_utility(q) ? outcome_certainty(o, n, q->risk_tolerance) : NAN;
}

static int check_sum(struct tool_call *c, double sum, const char *at)
{
    if (fabs(sum - 1) <= PROBABILITY_SLACK)
        return 0;
    return tool_fail(c, "probabilities_not_one", at, "the probabilities sum to %.9g, not to 1",
                     sum);
}

/* choice and choice_by_expected_value stand before this. */
static int add_values(struct question *q, double expected, double ce)
{
    cJSON *out = q->c->out, *list;
    struct sum loss = {0};

    if (!isfinite(expected) || (by_utility(q) && !isfinite(ce)))
        return tool_fail(q->c, "not_finite", "", "the values are out of range");
    json_add_num(out, "expected_value", expected);
    if (by_utility(q)) {
        json_add_num(out, "certainty_equivalent", ce);
        json_add_num(out, "risk_premium", expected - ce);
    }
    q->outcomes = outcome_profile(q->profile, q->outcomes);
    for (size_t i = 0; i < q->outcomes; i++)
        if (q->profile[i].value < 0)
            sum_add(&loss, q->profile[i].p);
    json_add_num(out, "probability_of_loss", fmin(1, sum_value(&loss)));
    list = json_add_arr(out, "risk_profile");
    for (size_t i = 0; i < q->outcomes; i++) {
        cJSON *o = tool_push_obj(list);

        json_add_num(o, "value", q->profile[i].value);
        json_add_num(o, "probability", fmin(1, q->profile[i].p));
    }
    return 0;
}

static void warn_tie(struct tool_call *c, const char *at, const char *where)
{
    tool_warn(c, "tie", at, "equal values at %s: the first one listed was taken", where);
}

enum kind { TERMINAL, CHANCE, DECISION };

struct node {
    enum kind kind;
    const char *name;
    struct branch *branch;
    size_t n, choice, choice_by_ev;
    double ev, ce;  /* of the policy that is followed */
    double best_ev; /* of the policy of the largest expected value */
};

struct branch {
    const char *label;
    double p, cost;
    struct node *node;
};

struct tree {
    struct question q;
    size_t terminals;
};

static int read_node(struct tree *t, const cJSON *in, const char *at, struct node **out);

static int read_branches(struct tree *t, const cJSON *in, const char *at, struct node *n)
{
    const cJSON *list = json_get(in, "branches"), *b;
    struct sum p = {0};

    n->branch = arena_array(t->q.c->a, struct branch, tool_count(list));
    cJSON_ArrayForEach (b, list) {
        struct branch *x = &n->branch[n->n];
        int rc = read_node(t, json_get(b, "node"),
                           tool_path(t->q.c, "%s/branches/%zu/node", at, n->n), &x->node);

        if (rc != 0)
            return rc;
        *x = (struct branch){.label = json_str(b, "label", ""),
                             .p = json_num(b, "probability", 1),
                             .cost = json_num(b, "cost", 0),
                             .node = x->node};
        sum_add(&p, x->p);
        n->n++;
    }
    if (n->kind == CHANCE)
        return check_sum(t->q.c, sum_value(&p), at);
    return tool_unique(t->q.c, list, "label", tool_path(t->q.c, "%s/branches", at));
}

static void solve_chance(const struct tree *t, struct node *n)
{
    struct outcome ev[BRANCHES_MAX], ce[BRANCHES_MAX], best[BRANCHES_MAX];

    for (size_t i = 0; i < n->n; i++) {
        const struct branch *b = &n->branch[i];

        ev[i] = (struct outcome){b->node->ev - b->cost, b->p};
        ce[i] = (struct outcome){b->node->ce - b->cost, b->p};
        best[i] = (struct outcome){b->node->best_ev - b->cost, b->p};
    }
    n->ev = outcome_mean(ev, n->n);
    n->best_ev = outcome_mean(best, n->n);
    n->ce = certainty(&t->q, ce, n->n);
}

static void solve_decision(const struct tree *t, struct node *n)
{
    double by_ev[BRANCHES_MAX], by_ce[BRANCHES_MAX];
    bool tie, other_tie;

    for (size_t i = 0; i < n->n; i++) {
        by_ev[i] = n->branch[i].node->best_ev - n->branch[i].cost;
        by_ce[i] = n->branch[i].node->ce - n->branch[i].cost;
    }
    n->choice_by_ev = outcome_best(by_ev, n->n, &tie);
    n->choice = n->choice_by_ev;
    if (by_utility(&t->q)) {
        n->choice = outcome_best(by_ce, n->n, &other_tie);
        tie = other_tie;
    }
    n->best_ev = by_ev[n->choice_by_ev];
    n->ev = n->branch[n->choice].node->ev - n->branch[n->choice].cost;
    n->ce = by_ce[n->choice];
    if (tie)
        warn_tie(t->q.c, "/policy", n->name);
}

static int read_node(struct tree *t, const cJSON *in, const char *at, struct node **out)
{
    struct node *n = *out = arena_new_of(t->q.c->a, struct node);
    const char *type = json_str(in, "type", "");
    int rc;

    n->name = json_str(in, "name", "");
    n->kind = strcmp(type, "terminal") == 0 ? TERMINAL
              : strcmp(type, "chance") == 0 ? CHANCE
                                            : DECISION;
    if (n->kind == TERMINAL) {
        n->ev = n->best_ev = n->ce = tool_number(in, "value");
        t->terminals++;
        return tool_tick(t->q.c, 1);
    }
    rc = read_branches(t, in, at, n);
    if (rc != 0)
        return rc;
    if (n->kind == CHANCE)
        solve_chance(t, n);
    else
        solve_decision(t, n);
    return 0;
}

/* Walks what the policy leaves open: its outcomes and its decisions, in the order of the tree. */
static void follow(struct tree *t, const struct node *n, double p, double spent, cJSON *policy)
{
    cJSON *o;

    if (n->kind == TERMINAL) {
        t->q.profile[t->q.outcomes++] = (struct outcome){n->ev - spent, p};
        return;
    }
    if (n->kind == DECISION) {
        const struct branch *b = &n->branch[n->choice];

        o = tool_push_obj(policy);
        json_add_str(o, "node", n->name);
        json_add_str(o, "choice", b->label);
        follow(t, b->node, p, spent + b->cost, policy);
        return;
    }
    for (size_t i = 0; i < n->n; i++)
        follow(t, n->branch[i].node, p * n->branch[i].p, spent + n->branch[i].cost, policy);
}

static void add_alternatives(struct question *q, const struct node *root)
{
    cJSON *list = json_add_arr(q->c->out, "alternatives");

    for (size_t i = 0; i < root->n; i++) {
        const struct branch *b = &root->branch[i];
        cJSON *o = tool_push_obj(list);

        json_add_str(o, "name", b->label);
        json_add_num(o, "expected_value", b->node->ev - b->cost);
        if (by_utility(q))
            json_add_num(o, "certainty_equivalent", b->node->ce - b->cost);
    }
}

static int solve_tree(struct question *q, const cJSON *in)
{
    struct tree t = {.q = *q};
    cJSON *policy = json_arr(q->c->a), *out = q->c->out;
    struct node *root;
    int rc = read_node(&t, in, "/tree", &root);
    bool decides;

    if (rc != 0)
        return rc;
    decides = root->kind == DECISION;
    json_add_str(out, "choice", decides ? root->branch[root->choice].label : NULL);
    json_add_str(out, "choice_by_expected_value",
                 decides ? root->branch[root->choice_by_ev].label : NULL);
    t.q.profile = arena_array(q->c->a, struct outcome, t.terminals);
    follow(&t, root, 1, 0, policy);
    rc = add_values(&t.q, root->ev, root->ce);
    if (rc != 0)
        return rc;
    json_add_copy(out, "policy", policy);
    add_alternatives(&t.q, root);
    return 0;
}

struct table {
    struct question *q;
    size_t states, actions, choice, choice_by_ev;
    double p[STATES_MAX];
    const char *name[BRANCHES_MAX];
    double payoff[BRANCHES_MAX][STATES_MAX];
    double ev[BRANCHES_MAX], ce[BRANCHES_MAX];
};

static int read_states(struct table *t, const cJSON *states)
{
    const cJSON *s;
    int rc = tool_unique(t->q->c, states, "name", "/table/states");

    if (rc != 0)
        return rc;
    cJSON_ArrayForEach (s, states)
        t->p[t->states++] = tool_number(s, "probability");
    return check_sum(t->q->c, sum_of(t->p, t->states), "/table/states");
}

static int read_actions(struct table *t, const cJSON *actions)
{
    const cJSON *a;
    int rc = tool_unique(t->q->c, actions, "name", "/table/actions");
    size_t n;

    if (rc != 0)
        return rc;
    cJSON_ArrayForEach (a, actions) {
        const double *v = tool_numbers(t->q->c, json_get(a, "payoffs"), &n);

        if (n != t->states)
            return tool_fail(t->q->c, "dimension_mismatch",
                             tool_path(t->q->c, "/table/actions/%zu/payoffs", t->actions),
                             "%zu payoffs for %zu states", n, t->states);
        memcpy(t->payoff[t->actions], v, n * sizeof(*v));
        t->name[t->actions++] = json_str(a, "name", "");
    }
    return 0;
}

static void outcomes_of(const struct table *t, size_t action, struct outcome *o)
{
    for (size_t s = 0; s < t->states; s++)
        o[s] = (struct outcome){t->payoff[action][s], t->p[s]};
}

static void choose_action(struct table *t)
{
    struct outcome o[STATES_MAX];
    bool tie, other_tie;

    for (size_t a = 0; a < t->actions; a++) {
        outcomes_of(t, a, o);
        t->ev[a] = outcome_mean(o, t->states);
        t->ce[a] = certainty(t->q, o, t->states);
    }
    t->choice = t->choice_by_ev = outcome_best(t->ev, t->actions, &tie);
    if (by_utility(t->q)) {
        t->choice = outcome_best(t->ce, t->actions, &other_tie);
        tie = other_tie;
    }
    if (tie)
        warn_tie(t->q->c, "/choice", t->name[t->choice]);
}

static void add_actions(struct table *t)
{
    cJSON *list = json_add_arr(t->q->c->out, "actions");
    struct outcome o[STATES_MAX];

    for (size_t a = 0; a < t->actions; a++) {
        cJSON *x = tool_push_obj(list);

        outcomes_of(t, a, o);
        json_add_str(x, "name", t->name[a]);
        json_add_num(x, "expected_value", t->ev[a]);
        json_add_num(x, "sd", outcome_sd(o, t->states));
        if (by_utility(t->q))
            json_add_num(x, "certainty_equivalent", t->ce[a]);
    }
}

/* What knowing the state beforehand would be worth. */
static double perfect_information(const struct table *t)
{
    struct sum with = {0};

    for (size_t s = 0; s < t->states; s++) {
        double best = t->payoff[0][s];

        for (size_t a = 1; a < t->actions; a++)
            best = fmax(best, t->payoff[a][s]);
        sum_add(&with, t->p[s] * best);
    }
    return fmax(0, sum_value(&with) - t->ev[t->choice_by_ev]);
}

/* likelihood[s * outcomes + k] */
static int read_likelihoods(struct table *t, const cJSON *test, size_t outcomes, double *likelihood)
{
    const cJSON *rows = json_get(test, "likelihoods"), *row;
    struct tool_call *c = t->q->c;
    size_t s = 0, n;

    if ((size_t)tool_count(rows) != t->states)
        return tool_fail(c, "dimension_mismatch", "/table/test/likelihoods",
                         "%d rows for %zu states", (int)tool_count(rows), t->states);
    cJSON_ArrayForEach (row, rows) {
        const char *at = tool_path(c, "/table/test/likelihoods/%zu", s);
        const double *v = tool_numbers(c, row, &n);

        if (n != outcomes)
            return tool_fail(c, "dimension_mismatch", at, "%zu likelihoods for %zu outcomes", n,
                             outcomes);
        if (check_sum(c, sum_of(v, n), at) != 0)
            return ERR_INVALID;
        memcpy(likelihood + s++ * outcomes, v, n * sizeof(*v));
    }
    return 0;
}

/* One result of the test; returns its probability times the value of acting on it. */
static double add_test_outcome(struct table *t, cJSON *o, const char *name, size_t k,
                               const double *likelihood, size_t outcomes)
{
    double joint[STATES_MAX], posterior[STATES_MAX], value[BRANCHES_MAX], p;
    bool tie = false;
    size_t best;

    for (size_t s = 0; s < t->states; s++)
        joint[s] = t->p[s] * likelihood[s * outcomes + k];
    p = sum_of(joint, t->states);
    json_add_str(o, "outcome", name);
    json_add_num(o, "probability", fmin(1, p));
    if (p == 0) {
        json_add_arr(o, "posterior");
        json_add_null(o, "action");
        json_add_null(o, "value");
        return 0;
    }
    for (size_t s = 0; s < t->states; s++)
        posterior[s] = fmin(1, joint[s] / p);
    for (size_t a = 0; a < t->actions; a++)
        value[a] = sum_dot(posterior, t->payoff[a], t->states);
    best = outcome_best(value, t->actions, &tie);
    tool_add_numbers(o, "posterior", posterior, t->states);
    json_add_str(o, "action", t->name[best]);
    json_add_num(o, "value", value[best]);
    if (tie)
        warn_tie(t->q->c, tool_path(t->q->c, "/test/%zu/action", k), name);
    return p * value[best];
}

static int add_test(struct table *t, const cJSON *test)
{
    const cJSON *names = json_get(test, "outcomes"), *name;
    struct tool_call *c = t->q->c;
    size_t outcomes = (size_t)tool_count(names), k = 0;
    double *likelihood = arena_array(c->a, double, t->states *outcomes);
    double cost = tool_number(test, "cost"), evsi;
    cJSON *list = json_arr(c->a);
    struct sum with = {0};
    int rc = read_likelihoods(t, test, outcomes, likelihood);

    if (rc == 0)
        rc = tool_unique(c, names, NULL, "/table/test/outcomes");
    if (rc != 0)
        return rc;
    cJSON_ArrayForEach (name, names) {
        sum_add(&with, add_test_outcome(t, tool_push_obj(list), name->valuestring, k, likelihood,
                                        outcomes));
        k++;
    }
    evsi = fmax(0, sum_value(&with) - t->ev[t->choice_by_ev]);
    json_add_num(c->out, "evsi", evsi);
    json_add_num(c->out, "enbs", evsi - cost);
    if (isnan(cost))
        tool_warn(c, "test_cost_unknown", "/enbs", "the test has no cost, so no net benefit");
    json_add_copy(c->out, "test", list);
    return 0;
}

static int solve_table(struct question *q, const cJSON *in)
{
    struct table *t = arena_new_of(q->c->a, struct table);
    const cJSON *test = json_get(in, "test");
    cJSON *out = q->c->out;
    int rc;

    t->q = q;
    rc = read_states(t, json_get(in, "states"));
    if (rc == 0)
        rc = read_actions(t, json_get(in, "actions"));
    if (rc != 0)
        return rc;
    choose_action(t);
    json_add_str(out, "choice", t->name[t->choice]);
    json_add_str(out, "choice_by_expected_value", t->name[t->choice_by_ev]);
    q->outcomes = t->states;
    q->profile = arena_array(q->c->a, struct outcome, t->states);
    outcomes_of(t, t->choice, q->profile);
    rc = add_values(q, t->ev[t->choice], t->ce[t->choice]);
    if (rc != 0)
        return rc;
    add_actions(t);
    json_add_num(out, "evpi", perfect_information(t));
    return test == NULL ? 0 : add_test(t, test);
}

int tool_decision_tree(struct tool_call *c)
{
    struct question q = {.c = c};
    const cJSON *tree = json_get(c->in, "tree");

    q.risk_tolerance = tool_number(json_get(c->in, "utility"), "risk_tolerance");
    return tree != NULL ? solve_tree(&q, tree) : solve_table(&q, json_get(c->in, "table"));
}

static int64_t nodes_in(const cJSON *node, int depth)
{
    const cJSON *b;
    int64_t n = 1;

    if (depth > JSON_DEPTH_MAX)
        return n;
    cJSON_ArrayForEach (b, json_get(node, "branches"))
        n += nodes_in(json_get(b, "node"), depth + 1);
    return n;
}

int64_t tool_decision_tree_cost(const cJSON *in)
{
    return 50 + 2 * nodes_in(json_get(in, "tree"), 0);
}
