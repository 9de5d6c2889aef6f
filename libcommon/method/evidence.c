/* evidence.c: which sentences and rows are worth quoting: BM25 against the words of the question,
 * the options and the criteria, at most four of a document, at least one of each document that the
 * asker supplied, no two that say the same. */
#include "libcommon/base/compat.h"
#include "libcommon/method/study.h"
#include <math.h>

#define BEST 12
#define PER_DOCUMENT 4
#define QUOTE_CHARS 300
#define K1 1.2
#define B 0.75
#define SAME 0.8
#define SEGMENTS_SCORED 4000

struct candidate {
    int source, segment;
    struct terms terms;
    int length;
    double score;
    bool dropped;
};

struct counter {
    const struct terms *query;
    int *tf, length;
};

static void count_terms(void *arg, struct str term, size_t start, size_t end)
{
    struct counter *c = arg;

    (void)start;
    (void)end;
    c->length++;
    for (int i = 0; i < c->query->count; i++)
        if (str_eq(c->query->at[i], term))
            c->tf[i]++;
}

static struct terms query_terms(struct study *s)
{
    static const char *const criteria =
        "value cost risk time price customers budget 价值 成本 风险 时间 客户 预算";
    struct buf b;

    buf_init(&b, 64u << 10);
    buf_puts(&b, s->query);
    for (int i = 0; i < s->options_count; i++) {
        buf_putc(&b, '\n');
        buf_puts(&b, s->options[i].name);
    }
    buf_putc(&b, '\n');
    buf_puts(&b, criteria);
    struct terms t = terms_of(s->a, unicode_nfkc(s->a, buf_view(&b)).text, true);
    buf_done(&b);
    return t;
}

static struct str segment_text(const struct study *s, int source, int segment)
{
    const struct source *src = &s->sources[source];
    const struct segment *g = &src->segs.at[segment];

    return (struct str){src->n.text.p + g->start, g->end - g->start};
}

static int gather(struct study *s, struct candidate *c)
{
    int n = 0;

    for (int i = 0; i < s->sources_count; i++) {
        const struct segments *g = &s->sources[i].segs;
        for (size_t k = 0; k < g->count && n < SEGMENTS_SCORED; k++) {
            bool head = g->at[k].kind == SEGMENT_ROW && g->at[k].row == 0;
            if (!head && g->at[k].end - g->at[k].start > 3)
                c[n++] = (struct candidate){.source = i, .segment = (int)k};
        }
    }
    return n;
}

static void score(struct study *s, struct candidate *c, int n)
{
    struct terms q = query_terms(s);
    int *tf = arena_array(s->a, int, (size_t)MAX(n, 1) * (size_t)MAX(q.count, 1));
    int *df = arena_array(s->a, int, MAX(q.count, 1));
    double total = 0;

    for (int i = 0; i < n; i++) {
        struct counter count = {&q, tf + (size_t)i * (size_t)q.count, 0};
        unicode_terms(segment_text(s, c[i].source, c[i].segment), count_terms, &count);
        c[i].length = count.length;
        total += count.length;
        for (int t = 0; t < q.count; t++)
            df[t] += count.tf[t] > 0;
    }
    double mean = n > 0 ? MAX(total / n, 1) : 1;
    for (int i = 0; i < n; i++) {
        for (int t = 0; t < q.count; t++) {
            double f = tf[(size_t)i * (size_t)q.count + (size_t)t];
            double idf = log(1 + (n - df[t] + 0.5) / (df[t] + 0.5));
            c[i].score += idf * f * (K1 + 1) / (f + K1 * (1 - B + B * c[i].length / mean));
        }
    }
}

static bool same_words(struct study *s, struct candidate *x, struct candidate *y)
{
    int both = 0;

    if (x->terms.at == NULL)
        x->terms = terms_of(s->a, segment_text(s, x->source, x->segment), false);
    if (y->terms.at == NULL)
        y->terms = terms_of(s->a, segment_text(s, y->source, y->segment), false);
    for (int i = 0; i < x->terms.count; i++)
        both += terms_has(&y->terms, x->terms.at[i]);
    int all = x->terms.count + y->terms.count - both;
    return all > 0 && both > SAME * all;
}

static int document_of(const struct study *s, const struct candidate *c)
{
    return s->sources[c->source].document;
}

/* The best not taken yet, of one document (or of any: -1). Ties: first in the material. */
static int next_best(struct study *s, struct candidate *c, int n, int document, const int *used)
{
    int best = -1;

    for (int i = 0; i < n; i++) {
        int d = document_of(s, &c[i]);
        bool open = !c[i].dropped && (document < 0 ? used[d] < PER_DOCUMENT : d == document);
        if (open && (best < 0 || c[i].score > c[best].score))
            best = i;
    }
    return best;
}

static void take(struct study *s, struct candidate *c, int n, int chosen, int *used)
{
    s->quotes[s->quotes_count++] =
        (struct quote){c[chosen].source, c[chosen].segment, c[chosen].score, 0};
    used[document_of(s, &c[chosen])]++;
    c[chosen].dropped = true;
    for (int i = 0; i < n; i++)
        if (!c[i].dropped && same_words(s, &c[chosen], &c[i]))
            c[i].dropped = true;
}

static bool is_supplied(const struct study *s, int document)
{
    for (int i = 0; i < s->sources_count; i++)
        if (s->sources[i].document == document && s->sources[i].supplied)
            return true;
    return false;
}

void evidence_select(struct study *s)
{
    struct candidate *c = arena_array(s->a, struct candidate, SEGMENTS_SCORED);
    int *used = arena_array(s->a, int, MAX(s->documents_count, 1));
    int n = gather(s, c), chosen;

    score(s, c, n);
    for (int d = 0; d < s->documents_count && s->quotes_count < BEST; d++)
        if (is_supplied(s, d) && (chosen = next_best(s, c, n, d, used)) >= 0)
            take(s, c, n, chosen, used);
    while (s->quotes_count < BEST && (chosen = next_best(s, c, n, -1, used)) >= 0 &&
           c[chosen].score > 0)
        take(s, c, n, chosen, used);
}

/* Back to the start of a character, then on to the next word. */
static size_t word_start(struct str t, size_t p)
{
    while (p > 0 && p < t.n && t.p[p] != ' ' && (unsigned char)t.p[p] < 0x80)
        p++;
    while (p > 0 && p < t.n && (((unsigned char)t.p[p] & 0xC0) == 0x80 || t.p[p] == ' '))
        p++;
    return p;
}

struct str evidence_quote(const struct study *s, int source, int segment, size_t focus)
{
    const struct source *src = &s->sources[source];
    const struct segment *g = &src->segs.at[segment];
    size_t start = src->n.src[g->start], end = src->n.src[g->end];
    struct str raw = str_trim((struct str){src->raw.p + start, end - start});

    if (utf8_chars(raw) <= QUOTE_CHARS)
        return raw;
    size_t at = focus > g->start ? src->n.src[MIN(focus, g->end)] - start : 0;
    if (at > QUOTE_CHARS / 2) {
        size_t skip = word_start(raw, MIN(at - QUOTE_CHARS / 2, raw.n - 1));
        raw = (struct str){raw.p + skip, raw.n - skip};
    }
    struct str cut = utf8_cut(raw, QUOTE_CHARS);
    if (cut.n < raw.n)
        for (size_t i = cut.n; i > cut.n / 2; i--)
            if (cut.p[i - 1] == ' ')
                return (struct str){cut.p, i - 1};
    return cut;
}
