/* metrics.c: the series of each metric, in the order in which they came, with a map from their
 * label values. Label values come from outside in part, so their length and number are bounded. */
#include "libcommon/base/compat.h"
#include "libcommon/base/metrics.h"
#include "libcommon/base/map.h"
#include <math.h>

#define LABEL_LEN_MAX 128u
#define BUCKETS_MAX 16
#define RENDER_FNS_MAX 32

struct series {
    char *labels[METRIC_LABELS_MAX];
    double value; /* of a counter or gauge; the sum of the others */
    uint64_t count;
    uint64_t buckets[BUCKETS_MAX]; /* not cumulated */
};

struct row {
    const char *name;
    enum metric_type type;
    const char *labels, *buckets, *help;
};

static const struct row rows[METRIC__MAX] = {
#define X(id, name, type, labels, buckets, help) {name, type, labels, buckets, help},
#include "libcommon/base/metrics_table.h"
#undef X
};

struct metric_state {
    struct map *index; /* NULL until the first use */
    struct series **series;
    size_t count;
    int label_count, bucket_count;
    double bounds[BUCKETS_MAX];
};

static struct metric_state states[METRIC__MAX];

static struct {
    void (*fn)(void *arg);
    void *arg;
} render_fns[RENDER_FNS_MAX];
static size_t render_fn_count;

static void state_init(struct metric_state *st, const struct row *row)
{
    struct str rest = str_of(row->labels);

    st->index = map_new();
    while (rest.n > 0 && st->label_count < METRIC_LABELS_MAX) {
        str_split(&rest, ',');
        st->label_count++;
    }
    rest = str_of(row->buckets);
    while (rest.n > 0) {
        assert(st->bucket_count < BUCKETS_MAX);
        if (str_f64(str_split(&rest, ' '), &st->bounds[st->bucket_count++]) != 0)
            abort(); /* the table is ours */
    }
}

static struct str label_value(const char *z)
{
    struct str s = z == NULL ? STR("") : (struct str){z, strnlen(z, LABEL_LEN_MAX * 4)};

    return utf8_cut(s, LABEL_LEN_MAX);
}

static struct series *series_new(struct metric_state *st, const struct str *labels, struct str key)
{
    struct series *s = xcalloc(1, sizeof *s);

    for (int i = 0; i < st->label_count; i++)
        s->labels[i] = xstrndup(labels[i].p, labels[i].n);
    if ((st->count & (st->count - 1)) == 0)
        st->series = xrealloc(st->series, MAX(st->count * 2, 1) * sizeof(struct series *));
    st->series[st->count++] = s;
    map_set(st->index, key, s);
    return s;
}

/* The series of these label values; one beyond the cap is that of "other". NULL when it does not
 * exist and is not wanted. */
static struct series *series_of(enum metric m, const char *const values[METRIC_LABELS_MAX],
                                bool create)
{
    struct metric_state *st = &states[m];
    struct str labels[METRIC_LABELS_MAX];
    char key[METRIC_LABELS_MAX * (LABEL_LEN_MAX * 4 + 1)];
    struct series *s;
    size_t n = 0;

    assert((unsigned)m < METRIC__MAX);
    if (st->index == NULL)
        state_init(st, &rows[m]);
    for (int i = 0; i < st->label_count; i++) {
        labels[i] = label_value(values[i]);
        memcpy(key + n, labels[i].p, labels[i].n);
        n += labels[i].n;
        key[n++] = '\0';
    }
    s = map_get(st->index, (struct str){key, n});
    if (s != NULL || !create)
        return s;
    if (st->count >= METRIC_SERIES_MAX && strcmp(values[0], "other") != 0)
        return series_of(m, (const char *const[]){"other", "other", "other"}, true);
    return series_new(st, labels, (struct str){key, n});
}

void metric_add(enum metric m, double v, const char *l1, const char *l2, const char *l3)
{
    series_of(m, (const char *const[]){l1, l2, l3}, true)->value += v;
}

void metric_set(enum metric m, double v, const char *l1, const char *l2, const char *l3)
{
    series_of(m, (const char *const[]){l1, l2, l3}, true)->value = v;
}

void metric_observe(enum metric m, double v, const char *l1, const char *l2, const char *l3)
{
    struct series *s = series_of(m, (const char *const[]){l1, l2, l3}, true);

    s->count++;
    s->value += v;
    for (int i = 0; i < states[m].bucket_count; i++)
        if (v <= states[m].bounds[i]) {
            s->buckets[i]++;
            break;
        }
}

static bool has_count(enum metric m)
{
    return rows[m].type == METRIC_HISTOGRAM || rows[m].type == METRIC_SUMMARY;
}

double metric_value(enum metric m, const char *l1, const char *l2, const char *l3)
{
    const struct series *s = series_of(m, (const char *const[]){l1, l2, l3}, false);

    if (s == NULL)
        return 0;
    return has_count(m) ? (double)s->count : s->value;
}

void metrics_on_render(void (*fn)(void *arg), void *arg)
{
    assert(render_fn_count < RENDER_FNS_MAX);
    render_fns[render_fn_count].fn = fn;
    render_fns[render_fn_count++].arg = arg;
}

static void render_number(struct buf *out, double v)
{
    if (isnan(v))
        buf_puts(out, "NaN");
    else if (isinf(v))
        buf_puts(out, v > 0 ? "+Inf" : "-Inf");
    else
        buf_printf(out, v == floor(v) && fabs(v) < 1e15 ? "%.0f" : "%.15g", v);
}

static void render_label_value(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t at = i;

        if (utf8_next(s, &i) == 0xFFFD)
            buf_puts(out, "\xEF\xBF\xBD");
        else if (s.p[at] == '\n')
            buf_puts(out, "\\n");
        else if (s.p[at] == '"' || s.p[at] == '\\')
            buf_add(out, (char[]){'\\', s.p[at]}, 2);
        else
            buf_add(out, s.p + at, i - at);
    }
}

/* {a="x",b="y",le="1"}; `le` is NULL or the further label of a bucket. */
static void render_labels(struct buf *out, enum metric m, const struct series *s, const char *le)
{
    struct str names = str_of(rows[m].labels);
    const char *sep = "{";

    for (int i = 0; i < states[m].label_count; i++) {
        buf_puts(out, sep);
        buf_str(out, str_split(&names, ','));
        buf_puts(out, "=\"");
        render_label_value(out, str_of(s->labels[i]));
        buf_putc(out, '"');
        sep = ",";
    }
    if (le != NULL)
        buf_printf(out, "%sle=\"%s\"", sep, le);
    if (le != NULL || states[m].label_count > 0)
        buf_putc(out, '}');
}

static void render_line(struct buf *out, enum metric m, const struct series *s, const char *suffix,
                        const char *le, double v)
{
    buf_printf(out, "%s%s", rows[m].name, suffix);
    render_labels(out, m, s, le);
    buf_putc(out, ' ');
    render_number(out, v);
    buf_putc(out, '\n');
}

static void render_series(struct buf *out, enum metric m, const struct series *s)
{
    struct str bounds = str_of(rows[m].buckets);
    uint64_t below = 0;

    if (!has_count(m)) {
        render_line(out, m, s, "", NULL, s->value);
        return;
    }
    if (rows[m].type == METRIC_HISTOGRAM) {
        for (int i = 0; i < states[m].bucket_count; i++) {
            struct str bound = str_split(&bounds, ' ');
            char le[32];

            below += s->buckets[i];
            snprintf(le, sizeof le, "%.*s", STR_ARG(bound));
            render_line(out, m, s, "_bucket", le, (double)below);
        }
        render_line(out, m, s, "_bucket", "+Inf", (double)s->count);
    }
    render_line(out, m, s, "_sum", NULL, s->value);
    render_line(out, m, s, "_count", NULL, (double)s->count);
}

void metrics_render(struct buf *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram", "summary"};

    for (size_t i = 0; i < render_fn_count; i++)
        render_fns[i].fn(render_fns[i].arg);
    for (enum metric m = 0; m < METRIC__MAX; m++) {
        if (rows[m].labels[0] == '\0') /* so that it is there before it moves */
            (void)series_of(m, (const char *const[]){NULL, NULL, NULL}, true);
        if (states[m].count == 0)
            continue;
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", rows[m].name, rows[m].help, rows[m].name,
                   types[rows[m].type]);
        for (size_t i = 0; i < states[m].count; i++)
            render_series(out, m, states[m].series[i]);
    }
}

void metrics_reset(void)
{
    for (enum metric m = 0; m < METRIC__MAX; m++) {
        struct metric_state *st = &states[m];

        for (size_t i = 0; i < st->count; i++) {
            for (int k = 0; k < METRIC_LABELS_MAX; k++)
                free(st->series[i]->labels[k]);
            free(st->series[i]);
        }
        free(st->series);
        map_free(st->index);
        *st = (struct metric_state){0};
    }
    render_fn_count = 0;
}
