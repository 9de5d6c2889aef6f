/* states.c: what may happen, with probabilities and what each option is worth then; and series long
 * enough to forecast. Both are read from the context or from a table, never completed. */
#include "libcommon/base/compat.h"
#include "libcommon/method/study.h"
#include <math.h>

#define PROBABILITY_WITHIN 1e-6
#define SERIES_MIN 8

static double number_of(const struct study *s, const cJSON *item)
{
    struct figure *f;

    if (cJSON_IsNumber(item))
        return item->valuedouble;
    if (cJSON_IsString(item) && figures_scan(s->a, str_of(item->valuestring), s->lang, &f) == 1)
        return f->value;
    return NAN;
}

static double first_number(const struct study *s, const cJSON *obj, const char *const *keys)
{
    for (; *keys != NULL; keys++)
        if (json_get(obj, *keys) != NULL)
            return number_of(s, json_get(obj, *keys));
    return NAN;
}

/* The option that a key or header cell names alone; -1. */
static int option_of(const struct study *s, struct str name)
{
    struct str folded = unicode_fold(s->a, name);
    uint32_t mask;

    for (int i = 0; i < s->options_count; i++)
        if (str_eq(unicode_fold(s->a, str_of(s->options[i].name)), folded))
            return i;
    mask = options_named(s, folded, NULL);
    if (mask == 0 || (mask & (mask - 1)) != 0)
        return -1;
    for (int i = 0; i < s->options_count; i++)
        if (mask == 1u << i)
            return i;
    return -1;
}

static void read_payoffs(const struct study *s, const cJSON *state, double *pay)
{
    static const char *const groups[] = {"payoffs", "values", "outcomes", "npv", "收益", "净现值"};
    const cJSON *from = state, *item;

    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        if (cJSON_IsObject(json_get(state, groups[i])))
            from = json_get(state, groups[i]);
    cJSON_ArrayForEach (item, from) {
        int i = item->string == NULL ? -1 : option_of(s, str_of(item->string));
        if (i >= 0)
            pay[i] = number_of(s, item);
    }
}

static void clear(struct states *st)
{
    *st = (struct states){.count = 0};
    for (int i = 0; i < STUDY_OPTIONS_MAX; i++)
        for (int k = 0; k < STATES_MAX; k++)
            st->pay[i][k] = NAN;
}

static void from_list(struct study *s, const cJSON *list)
{
    static const char *const probability[] = {"probability", "prob", "p",
                                              "likelihood",  "概率", NULL};
    struct states *st = &s->states;
    const cJSON *state;

    clear(st);
    cJSON_ArrayForEach (state, list) {
        double pay[STUDY_OPTIONS_MAX], p = first_number(s, state, probability);
        if (!cJSON_IsObject(state) || isnan(p) || st->count >= STATES_MAX)
            return;
        for (int i = 0; i < STUDY_OPTIONS_MAX; i++)
            pay[i] = NAN;
        read_payoffs(s, state, pay);
        const char *name =
            json_str(state, "name", json_str(state, "state", json_str(state, "名称", NULL)));
        st->name[st->count] = name != NULL ? name : say(s, "%d", st->count + 1);
        st->p[st->count] = p;
        for (int i = 0; i < s->options_count; i++)
            st->pay[i][st->count] = pay[i];
        st->count++;
    }
}

static bool is_complete(const struct study *s, int option)
{
    for (int k = 0; k < s->states.count; k++)
        if (isnan(s->states.pay[option][k]))
            return false;
    return s->states.count > 0;
}

/* Two states and two options at least. */
static bool settle(struct study *s)
{
    struct states *st = &s->states;
    double sum = 0;
    int options = 0;

    for (int k = 0; k < st->count; k++)
        sum += st->p[k];
    for (int i = 0; i < s->options_count; i++) {
        st->has[i] = s->options[i].given && is_complete(s, i);
        options += st->has[i];
    }
    if (st->count < 2 || options < 2)
        return false;
    if (fabs(sum - 1) > PROBABILITY_WITHIN) {
        study_miss(s,
                   say(s,
                       tr(s, "probabilities that sum to 1 (those given sum to %.3g)",
                          "合计为1的概率（所给合计%.3g）"),
                       sum),
                   tr(s, "without them no expected value can be computed", "否则无法计算期望值"),
                   true);
        return false;
    }
    return true;
}

static double cell_number(const struct study *s, struct str cell)
{
    struct figure *f;

    return figures_scan(s->a, cell, s->lang, &f) >= 1 ? f->value : NAN;
}

/* state, probability, option, option … */
static void from_table(struct study *s, int source, const struct table *t)
{
    struct states *st = &s->states;
    int options[TABLE_COLS_MAX], p_col = -1;

    clear(st);
    for (int c = 0; c < t->cols; c++) {
        struct str head = table_cell(t, 0, c);
        options[c] = c == 0 ? -1 : option_of(s, head);
        if (measure_named(M_PROBABILITY, head))
            p_col = c;
    }
    for (int r = 1; p_col >= 0 && r < t->rows && st->count < STATES_MAX; r++) {
        st->p[st->count] = cell_number(s, table_cell(t, r, p_col));
        if (isnan(st->p[st->count]))
            break;
        struct str name = table_cell(t, r, 0);
        st->name[st->count] = arena_strndup(s->a, name.p, name.n);
        for (int c = 0; c < t->cols; c++)
            if (options[c] >= 0 && c != p_col)
                for (int i = 0; i < s->facts_count; i++) {
                    const struct fact *k = &s->facts[i];
                    if (k->origin == source && k->table >= 0 &&
                        &s->sources[source].segs.tables[k->table] == t && k->row == r &&
                        k->col == c)
                        st->pay[options[c]][st->count] = k->f.value;
                }
        st->count++;
    }
    st->source = source;
}

static void read_states(struct study *s)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, s->context) {
        if (!cJSON_IsArray(item) || !cJSON_IsObject(item->child))
            continue;
        from_list(s, item);
        s->states.source = FROM_CONTEXT;
        s->states.path = say(s, "/context/%s", item->string);
        if (settle(s))
            return;
    }
    for (int i = 0; i < s->sources_count; i++)
        for (int t = 0; t < s->sources[i].segs.tables_count; t++) {
            from_table(s, i, &s->sources[i].segs.tables[t]);
            if (settle(s))
                return;
        }
    clear(&s->states);
}

static int frequency_of(const char *period)
{
    return strchr(period, 'Q') != NULL ? 4 : strlen(period) == 7 ? 12 : 1;
}

/* A dated column of at least eight values in order of time. */
static void read_column(struct study *s, int source, int table, int col)
{
    struct series *out = &s->series[s->series_count];
    const char *last = "";

    *out = (struct series){.fact = -1};
    for (int i = 0; i < s->facts_count; i++) {
        const struct fact *k = &s->facts[i];
        if (k->origin != source || k->table != table || k->col != col || k->derived ||
            isnan(k->f.value))
            continue;
        if (!unicode_digit((unsigned char)k->f.period[0]) || strcmp(k->f.period, last) <= 0 ||
            k->options != 0)
            return;
        last = k->f.period;
        if (out->count >= SERIES_MAX)
            return;
        out->value[out->count++] = k->f.value;
        out->frequency = frequency_of(k->f.period);
        out->fact = i;
        struct str head = table_cell(&s->sources[source].segs.tables[table], 0, col);
        out->label = arena_strndup(s->a, head.p, head.n);
    }
    if (out->count >= SERIES_MIN)
        s->series_count++;
}

static void read_series(struct study *s)
{
    for (int i = 0; i < s->sources_count; i++)
        for (int t = 0; t < s->sources[i].segs.tables_count; t++)
            for (int c = 1; c < s->sources[i].segs.tables[t].cols && s->series_count < SERIES_KEPT;
                 c++)
                read_column(s, i, t, c);
}

void states_read(struct study *s)
{
    read_states(s);
    read_series(s);
}
