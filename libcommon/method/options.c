/* options.c: which options there are, what kind each is, and which words belong to one of them
 * alone: by those a figure finds its option. */
#include "libcommon/base/compat.h"
#include "libcommon/method/study.h"
#include <math.h>
#include "libcommon/method/dates.h"
#include "libcommon/method/numbers.h"

#define NAME_MAX_BYTES 500
#define TERMS_MAX 400

/* Words that tell no option from another. Stems, as unicode_terms gives them. */
static const char *const stop_words[] = {
    "a",          "an",     "the",      "and",    "or",      "of",      "to",      "for",
    "from",       "with",   "in",       "on",     "at",      "by",      "is",      "are",
    "be",         "been",   "it",       "its",    "our",     "we",      "us",      "this",
    "that",       "not",    "no",       "do",     "doe",     "as",      "if",      "than",
    "then",       "will",   "would",    "should", "could",   "can",     "have",    "has",
    "had",        "their",  "they",     "them",   "you",     "your",    "i",       "per",
    "all",        "any",    "each",     "more",   "most",    "year",    "month",   "week",
    "day",        "now",    "next",     "new",    "which",   "what",    "who",     "how",
    "when",       "was",    "were",     "but",    "so",      "up",      "out",     "into",
    "over",       "under",  "about",    "only",   "also",    "other",   "option",  "eur",
    "usd",        "gbp",    "chf",      "cny",    "one",     "two",     "three",   "thre",
    "four",       "five",   "six",      "itself", "old",     "rise",    "raise",   "raising",
    "price",      "pric",   "random",   "half",   "own",     "everyon", "product", "invest",
    "investment", "leav",   "customer", "client", "user",    "account", "market",  "cost",
    "revenue",    "revenu", "profit",   "budget", "company", "busines", "plan",    "是否",
    "我们",       "以及",   "方案",     "建议",   "进行",    "还是",    "应该",    "一个",
    "这个",       "可以",   "如何",     "什么",
};

static const char *const sameness[][8] = {
    {"finish", "complet", "continu", "completion", "remain"},
    {"acquir", "acquisition", "takeover", "purchas"},
    {"build", "built", "greenfield", "construct", "construction"},
    {"mak", "made", "manufactur", "produc", "inhous"},
    {"stop", "cancel", "abandon", "terminat", "cancellation", "kill"},
    {"switch", "migrat", "migration", "host", "move"},
    {"buy", "bought", "purchas", "outsourc"},
    {"leas", "rent", "rental"},
    {"hir", "recruit", "employ"},
    {"everyth", "full", "entir", "whol"},
    {"stay", "keep", "current", "exist"},
    {"extend", "extension"},
    {"clos", "closur", "shut"},
    {"维持", "现状", "现有", "目前"},
    {"sell", "sold", "divest", "dispos", "sale"},
    {"export", "dealer", "distributor"},
};

struct collector {
    struct arena *a;
    struct terms *t;
    bool content_only;
};

bool terms_has(const struct terms *t, struct str term)
{
    for (int i = 0; i < t->count; i++)
        if (str_eq(t->at[i], term))
            return true;
    return false;
}

static bool is_stop(struct str term)
{
    static const char *const counting[] = {"万", "亿", "元"};

    for (size_t i = 0; i < term.n; i++)
        if (unicode_digit((unsigned char)term.p[i]))
            return true;
    if (term.n < 2)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(counting); i++) /* "万元" tells no option from another */
        if (str_find(term, str_of(counting[i])) >= 0)
            return true;
    for (size_t i = 0; i < ARRAY_LEN(stop_words); i++)
        if (str_eqz(term, stop_words[i]))
            return true;
    return false;
}

static void collect(void *arg, struct str term, size_t start, size_t end)
{
    struct collector *c = arg;

    (void)start;
    (void)end;
    if (c->t->count >= TERMS_MAX || (c->content_only && is_stop(term)) || terms_has(c->t, term))
        return;
    c->t->at[c->t->count++] = arena_str(c->a, term);
}

struct terms terms_of(struct arena *a, struct str text, bool content_only)
{
    struct terms t = {arena_array(a, struct str, TERMS_MAX), 0};
    struct collector c = {a, &t, content_only};

    unicode_terms(text, collect, &c);
    return t;
}

/* "if the project is not finished", "unless built": what is said holds for the others. */
static bool is_denied(struct str text, size_t at)
{
    size_t start = at > 48 ? at - 48 : 0;
    struct str before = {text.p + start, at - start};
    size_t p, len;

    while (before.n > 0 && ((unsigned char)before.p[0] & 0xC0) == 0x80)
        before = (struct str){before.p + 1, before.n - 1};
    if (lex_find(LEX_IF_NOT, before, 0, &p, &len))
        return true;
    ptrdiff_t cond = str_find(before, STR("if "));
    if (cond < 0)
        return false;
    return lex_find(LEX_NEGATION, before, (size_t)cond, &p, &len);
}

struct owner_search {
    const struct terms *own;
    struct str text;
    bool found, denied;
};

static void seek_own(void *arg, struct str term, size_t start, size_t end)
{
    struct owner_search *o = arg;

    (void)end;
    if (!terms_has(o->own, term))
        return;
    o->found = true;
    o->denied = o->denied || is_denied(o->text, start);
}

bool option_owns(const struct option *o, struct str text)
{
    struct owner_search search = {&o->own, text, false, false};

    if (o->own.count > 0)
        unicode_terms(text, seek_own, &search);
    return search.found;
}

static bool has_name(struct str text, struct str name)
{
    for (size_t p = 0; name.n >= 4 && p + name.n <= text.n; p++)
        if (str_ieq((struct str){text.p + p, name.n}, name))
            return true;
    return false;
}

/* Options whose whole name stands in the text, without those inside a longer name that does too. */
static uint32_t named_in_full(const struct study *s, struct str text)
{
    uint32_t mask = 0;

    for (int i = 0; i < s->options_count; i++)
        if (s->options[i].given && has_name(text, s->options[i].folded))
            mask |= 1u << i;
    for (int i = 0; mask != 0 && i < s->options_count; i++)
        for (int k = 0; k < s->options_count; k++)
            if (i != k && (mask >> i & 1) && (mask >> k & 1) &&
                s->options[i].folded.n < s->options[k].folded.n &&
                has_name(s->options[k].folded, s->options[i].folded))
                mask &= ~(1u << i);
    return mask;
}

uint32_t options_named(const struct study *s, struct str text, bool *complement)
{
    uint32_t mask = named_in_full(s, text), denied = 0, others = 0;

    if (mask != 0) {
        if (complement != NULL)
            *complement = false;
        return mask;
    }
    for (int i = 0; i < s->options_count; i++) {
        struct owner_search search = {&s->options[i].own, text, false, false};

        if (s->options[i].given && s->options[i].kind != OPTION_HYBRID)
            others |= 1u << i;
        if (search.own->count > 0)
            unicode_terms(text, seek_own, &search);
        mask |= search.found ? 1u << i : 0;
        denied |= search.denied ? 1u << i : 0;
    }
    bool turned = denied != 0;
    if (complement != NULL)
        *complement = turned;
    return turned ? others & ~denied : mask & ~denied;
}

/* A match of DO_NOTHING, DELAY, STAGED in the order of the method: delay, staged, do_nothing. */
static enum option_kind kind_of(struct str name)
{
    if (lex_has(LEX_DELAY, name))
        return OPTION_DELAY;
    if (lex_has(LEX_STAGED, name))
        return OPTION_STAGED;
    if (lex_has(LEX_DO_NOTHING, name))
        return OPTION_DO_NOTHING;
    if (lex_has(LEX_HYBRID, name))
        return OPTION_HYBRID;
    return OPTION_GIVEN;
}

static bool is_change(struct str name, size_t figure_at, double *sign)
{
    static const char *const up[] = {"raise", "raising", "increase", "rise", "提高",
                                     "上调",  "涨价",    "提价",     "加价"};
    static const char *const down[] = {"cut",      "lower", "reduce", "decrease",
                                       "discount", "降低",  "下调",   "降价"};

    for (size_t p = 0; p < figure_at; p++) {
        for (size_t i = 0; i < ARRAY_LEN(up); i++)
            if (lex_match(up[i], name, p) > 0) {
                *sign = 1;
                return true;
            }
        for (size_t i = 0; i < ARRAY_LEN(down); i++)
            if (lex_match(down[i], name, p) > 0) {
                *sign = -1;
                return true;
            }
    }
    return false;
}

/* The figures in an option's own name: a share, a price, a change. */
static void read_name(struct study *s, struct option *o)
{
    struct figure *f;
    struct str name = str_of(o->name);
    size_t n = figures_scan(s->a, name, s->lang, &f);
    double sign;

    o->share = o->amount = o->change = NAN;
    for (size_t i = 0; i < n; i++) {
        if (f[i].unit == FIGURE_RATIO && is_change(name, f[i].start, &sign))
            o->change = sign * f[i].value;
        else if (f[i].unit == FIGURE_RATIO && f[i].value > 0 && f[i].value <= 1)
            o->share = f[i].value;
        else if (f[i].unit == FIGURE_CURRENCY && isnan(o->amount))
            o->amount = f[i].value;
        else if (f[i].unit == FIGURE_YEARS && f[i].value >= 1 && f[i].value < 40 &&
                 o->kind == OPTION_DELAY)
            o->years = (int)f[i].value;
    }
    if (o->kind == OPTION_DELAY && (lex_has(LEX_ONE_YEAR, name)))
        o->years = 1;
}

static void add_option(struct study *s, const char *name, bool given)
{
    if (s->options_count >= STUDY_OPTIONS_MAX || name == NULL || name[0] == '\0')
        return;
    struct str full = str_trim(str_of(name));
    struct option *o = &s->options[s->options_count];

    if (full.n == 0)
        return;
    for (int i = 0; i < s->options_count; i++)
        if (str_eqz(full, s->options[i].name))
            return;
    *o = (struct option){.given = given, .part_of = {-1, -1}};
    o->name = arena_strndup(s->a, full.p, full.n);
    struct str folded = o->folded = unicode_fold(s->a, full);
    o->kind = kind_of(folded);
    o->negated = o->kind == OPTION_DO_NOTHING || o->kind == OPTION_DELAY
                     ? str_starts(folded, STR("do not")) || str_starts(folded, STR("no")) ||
                           str_starts(folded, STR("don't")) || str_starts(folded, STR("不")) ||
                           !given
                     : false;
    o->buys_in = lex_has(LEX_BUY_IN, folded);
    read_name(s, o);
    o->all = terms_of(s->a, folded, true);
    s->options_count++;
    s->given_count += given;
}

static bool splits_at(struct str q, size_t p, size_t *end)
{
    static const char *const seps[] = {"or", "vs", "vs.", "versus", "还是", "或者", "或"};

    for (size_t i = 0; i < ARRAY_LEN(seps); i++) {
        size_t n = lex_match(seps[i], q, p);
        if (n > 0) {
            *end = p + n;
            return true;
        }
    }
    return false;
}

/* Without "Should we", "是否应该" and the question mark. */
static struct str bare_part(struct str p)
{
    static const char *const heads[] = {
        "should we",  "shall we", "do we", "can we",   "is it better to",
        "whether to", "should i", "to",    "我们应该", "是否应该",
        "是否应",     "是否要",   "是否",  "应该",     "应当"};
    bool again = true;

    while (again) {
        again = false;
        p = str_trim(p);
        while (p.n > 0 && strchr("?.,;:!", p.p[p.n - 1]) != NULL)
            p.n--;
        for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
            size_t n = lex_match(heads[i], p, 0);
            if (n > 0 && n < p.n) {
                p = (struct str){p.p + n, p.n - n};
                again = true;
                break;
            }
        }
    }
    return p;
}

/* The sentence that asks: the last one with a question mark, else all. */
static struct str question_of(struct str q)
{
    size_t start = 0, end = q.n;

    for (size_t i = 0; i < q.n; i++) {
        bool stop = (q.p[i] == '.' && i + 1 < q.n && q.p[i + 1] == ' ') || text_at(q, i, "。");
        if (stop && memchr(q.p + i + 1, '?', q.n - i - 1) != NULL)
            start = i + (text_at(q, i, "。") ? 3 : 1);
        if (q.p[i] == '?') {
            end = i;
            break;
        }
    }
    return str_trim((struct str){q.p + start, end > start ? end - start : 0});
}

/* "Should we acquire it, take a stake, or leave it?" has a comma list before its "or". */
static void add_parts(struct study *s, struct str part, bool commas)
{
    size_t start = 0;

    for (size_t i = 0; i <= part.n; i++) {
        bool cut = i == part.n ||
                   (commas && part.p[i] == ',' && i + 1 < part.n && part.p[i + 1] == ' ') ||
                   (commas && text_at(part, i, "、"));
        if (!cut)
            continue;
        struct str one = bare_part((struct str){part.p + start, i - start});
        if (one.n > 1 && one.n <= NAME_MAX_BYTES)
            add_option(s, arena_strndup(s->a, one.p, one.n), true);
        start = i + (i < part.n && !text_at(part, i, "、") ? 1 : 3);
    }
}

static bool add_alternatives(struct study *s, struct str question)
{
    size_t start = 0, end;
    bool found = false;
    size_t ask;

    /* What stands before "should" is no part of the first option. */
    for (ask = 0; ask < question.n; ask++)
        if (lex_match("should", question, ask) > 0)
            break;
    if (ask < question.n)
        start = ask;
    for (size_t p = start; p < question.n; p++) {
        if (!splits_at(question, p, &end))
            continue;
        add_parts(s, (struct str){question.p + start, p - start}, true);
        found = true;
        start = end;
        p = end - 1;
    }
    if (found)
        add_parts(s, (struct str){question.p + start, question.n - start}, false);
    return found;
}

static const char *one_proposal(struct study *s, struct str question)
{
    static const char *const marks[] = {"should we", "shall we", "should i", "is it worth",
                                        "是否应该",  "是否应当", "是否应",   "是否要",
                                        "是否",      "要不要",   "该不该"};

    for (size_t p = 0; p < question.n; p++) {
        for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
            size_t n = lex_match(marks[i], question, p);
            if (n == 0 || p + n >= question.n)
                continue;
            struct str rest = bare_part((struct str){question.p + p + n, question.n - p - n});
            return rest.n > 0 ? arena_strndup(s->a, rest.p, MIN(rest.n, NAME_MAX_BYTES)) : NULL;
        }
    }
    return NULL;
}

static void from_query(struct study *s)
{
    struct str question = question_of(unicode_nfkc(s->a, str_of(s->query)).text);

    if (add_alternatives(s, question) && s->given_count >= 2)
        return;
    s->options_count = s->given_count = 0;
    const char *proposal = one_proposal(s, question);
    if (proposal != NULL) {
        add_option(s, proposal, true);
        add_option(s, s->zh ? "暂不" : "Not now", true);
        return;
    }
    s->no_options = true;
    add_option(s, s->zh ? "推进" : "Proceed", true);
    add_option(s, s->zh ? "不推进" : "Do not proceed", true);
}

static void from_request(struct study *s)
{
    const cJSON *options = json_get(s->request, "options");
    const cJSON *o;

    cJSON_ArrayForEach (o, options) {
        if (cJSON_IsString(o))
            add_option(s, o->valuestring, true);
        else if (cJSON_IsObject(o))
            add_option(s, json_str(o, "name", json_str(o, "title", NULL)), true);
    }
    s->asked_options = s->given_count > 0;
}

static void own_synonyms(struct study *s, struct option *o)
{
    for (size_t g = 0; g < ARRAY_LEN(sameness); g++) {
        bool mine = false;
        for (size_t k = 0; k < 8 && sameness[g][k] != NULL; k++)
            mine = mine || terms_has(&o->all, str_of(sameness[g][k]));
        for (size_t k = 0; mine && k < 8 && sameness[g][k] != NULL; k++)
            if (o->all.count < TERMS_MAX && !terms_has(&o->all, str_of(sameness[g][k])))
                o->all.at[o->all.count++] = arena_str(s->a, str_of(sameness[g][k]));
    }
}

/* Own: in no other option. A mix of others does not take their words away. */
static void own_terms(struct study *s, int i)
{
    struct option *o = &s->options[i];

    o->own = (struct terms){arena_array(s->a, struct str, TERMS_MAX), 0};
    if (o->negated || o->kind == OPTION_HYBRID)
        return;
    for (int t = 0; t < o->all.count; t++) {
        bool shared = false;
        for (int k = 0; k < s->options_count && !shared; k++)
            shared = k != i && s->options[k].kind != OPTION_HYBRID &&
                     terms_has(&s->options[k].all, o->all.at[t]);
        if (!shared)
            o->own.at[o->own.count++] = o->all.at[t];
    }
}

static void find_parts(struct study *s, int i)
{
    struct option *o = &s->options[i];

    for (int k = 0; k < s->options_count; k++) {
        const struct option *p = &s->options[k];
        bool named = false;
        if (k == i || p->kind == OPTION_HYBRID)
            continue;
        for (int t = 0; t < p->own.count && !named; t++)
            named = terms_has(&o->all, p->own.at[t]);
        if (named && o->part_of[0] < 0)
            o->part_of[0] = k;
        else if (named && o->part_of[1] < 0)
            o->part_of[1] = k;
    }
    for (int k = 0; k < s->options_count && o->part_of[1] < 0; k++)
        if (s->options[k].kind == OPTION_DO_NOTHING && s->options[k].given && k != o->part_of[0])
            o->part_of[1] = k;
}

static bool same_terms(const struct terms *a, const struct terms *b)
{
    for (int i = 0; i < a->count; i++)
        if (!terms_has(b, a->at[i]))
            return false;
    return a->count > 0 && a->count == b->count;
}

static bool names_date(struct str name)
{
    char period[16];
    size_t end;
    int64_t year;

    for (size_t p = 0; p < name.n; p++) {
        if (p > 0 && unicode_alnum((unsigned char)name.p[p - 1]))
            continue;
        if (date_at(name, p, &end, period))
            return true;
        if (name.n - p >= 4 && str_i64((struct str){name.p + p, 4}, &year) == 0 && year > 2000 &&
            year < 2100)
            return true;
    }
    return false;
}

/* "Open now" and "Open in 2027" are one deed, the second a delay of it. */
static void find_delays(struct study *s)
{
    for (int i = 0; i < s->options_count; i++)
        for (int k = 0; k < s->options_count; k++) {
            struct option *late = &s->options[i], *now = &s->options[k];
            if (i != k && late->kind == OPTION_GIVEN && now->kind == OPTION_GIVEN &&
                names_date(late->folded) && !names_date(now->folded) &&
                same_terms(&late->all, &now->all))
                late->kind = OPTION_DELAY;
        }
}

void options_read(struct study *s)
{
    bool nothing = false, later = false;

    from_request(s);
    if (s->given_count == 0)
        from_query(s);
    find_delays(s);
    for (int i = 0; i < s->options_count; i++) {
        nothing = nothing || s->options[i].kind == OPTION_DO_NOTHING;
        later = later || s->options[i].kind == OPTION_DELAY || s->options[i].kind == OPTION_STAGED;
    }
    if (!nothing)
        add_option(s, s->zh ? "维持现状" : "Do nothing", false);
    if (!later)
        add_option(s, s->zh ? "推迟决定" : "Delay the decision", false);
    for (int i = 0; i < s->options_count; i++)
        own_synonyms(s, &s->options[i]);
    for (int i = 0; i < s->options_count; i++)
        own_terms(s, i);
    for (int i = 0; i < s->options_count; i++)
        if (s->options[i].kind == OPTION_HYBRID)
            find_parts(s, i);
}
