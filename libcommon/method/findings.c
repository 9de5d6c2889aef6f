/* findings.c: the detectors. Each is one function; the table at the end gives their order. Those
 * about figures run first, since what they find decides which figures are used. */
#include "libcommon/base/compat.h"
#include "libcommon/method/study.h"
#include <math.h>

#define APART 0.02
#define PER_CODE_MAX 6
#define SMALL 30

static struct finding *add_finding(struct study *s, const char *code)
{
    int same = 0;

    for (int i = 0; i < s->findings_count; i++)
        same += strcmp(s->findings[i].code, code) == 0;
    if (same >= PER_CODE_MAX || s->findings_count >= STUDY_FINDINGS_MAX)
        return NULL;
    struct finding *f = &s->findings[s->findings_count++];
    *f = (struct finding){
        .code = code, .fact = -1, .other = -1, .source = -1, .segment = -1, .option = -1};
    return f;
}

bool study_found(const struct study *s, const char *code)
{
    for (int i = 0; i < s->findings_count; i++)
        if (strcmp(s->findings[i].code, code) == 0)
            return true;
    return false;
}

void study_miss(struct study *s, const char *what, const char *why, bool could_change)
{
    for (int i = 0; i < s->missing_count; i++)
        if (strcmp(s->missing[i].what, what) == 0)
            return;
    if (s->missing_count < (int)ARRAY_LEN(s->missing))
        s->missing[s->missing_count++] = (struct missing){what, why, could_change};
}

static const char *measure_name(const struct study *s, const struct fact *k)
{
    const struct measure_row *m = &measures[k->measure];

    return tr(s, m->en, m->zh);
}

static const char *origin_name(const struct study *s, const struct fact *k)
{
    if (k->origin >= 0)
        return s->sources[k->origin].title[0] != '\0' ? s->sources[k->origin].title
                                                      : s->sources[k->origin].document_id;
    return k->origin == FROM_QUERY ? tr(s, "the question", "问题本身")
                                   : tr(s, "the request", "请求");
}

/* Measures that mean one thing for the whole company or market, so two values are a conflict. */
static bool is_comparable(enum measure m)
{
    static const enum measure list[] = {
        M_COMPLETE,      M_EBITDA,  M_PROFIT,       M_REVENUE,   M_FREE_CASH,  M_SYNERGY,
        M_UNIT_COST,     M_CHURN,   M_GROWTH,       M_MARKET,    M_PRICE_PAID, M_EXCHANGE,
        M_DISCOUNT_RATE, M_LIFE,    M_MARKET_SHARE, M_HEADCOUNT, M_LEAD_TIME,  M_PROBABILITY,
        M_TERMINAL,      M_BENEFIT, M_OUTLAY,       M_FEE,       M_DEFECTS,    M_UNIT_PRICE};

    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        if (list[i] == m)
            return true;
    return false;
}

/* These have many instances; only the same option's are the same figure. */
static bool needs_option(enum measure m)
{
    return m == M_BENEFIT || m == M_OUTLAY || m == M_FEE || m == M_LEAD_TIME || m == M_DEFECTS ||
           m == M_PROBABILITY || m == M_LIFE || m == M_FREE_CASH || m == M_TERMINAL ||
           m == M_UNIT_PRICE;
}

static bool is_date_period(const char *p)
{
    return unicode_digit((unsigned char)p[0]) || p[0] == 'F';
}

static bool periods_fit(const struct fact *a, const struct fact *b)
{
    bool da = is_date_period(a->f.period), db = is_date_period(b->f.period);

    if (a->f.period[0] == '\0' || b->f.period[0] == '\0')
        return true;
    if (da && db)
        return strncmp(a->f.period, b->f.period, 4) == 0 &&
               (strlen(a->f.period) != strlen(b->f.period) ||
                strcmp(a->f.period, b->f.period) == 0);
    bool amounts = a->f.unit != FIGURE_RATIO && b->f.unit != FIGURE_RATIO;
    return da != db || amounts || strcmp(a->f.period, b->f.period) == 0;
}

/* Of a dated column or row only its last actual value speaks against figures without that date. */
static bool superseded(const struct study *s, const struct fact *k, const struct fact *by)
{
    if (k->table < 0 || !is_date_period(k->f.period) || strcmp(k->f.period, by->f.period) == 0)
        return false;
    if (k->plan)
        return true;
    for (int i = 0; i < s->facts_count; i++) {
        const struct fact *o = &s->facts[i];
        if (o->origin == k->origin && o->table == k->table &&
            (o->col == k->col || o->row == k->row) && o->measure == k->measure && !o->plan &&
            strcmp(o->f.period, k->f.period) > 0)
            return true;
    }
    return false;
}

static bool units_fit(const struct fact *a, const struct fact *b)
{
    bool money_a = a->f.unit == FIGURE_CURRENCY || a->f.unit == FIGURE_NUMBER;
    bool money_b = b->f.unit == FIGURE_CURRENCY || b->f.unit == FIGURE_NUMBER;

    if (a->f.unit != b->f.unit && !(money_a && money_b))
        return false;
    return a->f.currency[0] == '\0' || b->f.currency[0] == '\0' ||
           strcmp(a->f.currency, b->f.currency) == 0;
}

static bool same_key(const struct study *s, const struct fact *a, const struct fact *b)
{
    if (a->measure != b->measure || !is_comparable(a->measure) || !units_fit(a, b) ||
        !periods_fit(a, b))
        return false;
    if (needs_option(a->measure) &&
        (a->options == 0 || a->options != b->options || a->f.per_unit != b->f.per_unit))
        return false;
    if (a->options != 0 && b->options != 0 && a->options != b->options)
        return false;
    if (a->origin == b->origin &&
        (a->origin < 0 || a->segment == b->segment || a->table == b->table))
        return false;
    if (isnan(a->f.value) || isnan(b->f.value) || a->f.value == 0 || b->f.value == 0)
        return false;
    return !superseded(s, a, b) && !superseded(s, b, a);
}

/* Amounts of money by month and by year are compared by year; rates are not, detect_periods is for
 * those. */
static double comparable(const struct fact *k)
{
    static const struct {
        const char *period;
        double times;
    } rows[] = {{"month", 12}, {"quarter", 4}, {"week", 52}, {"day", 365}};

    for (size_t i = 0; k->f.unit != FIGURE_RATIO && i < ARRAY_LEN(rows); i++)
        if (strcmp(k->f.period, rows[i].period) == 0)
            return fabs(k->f.value) * rows[i].times;
    return fabs(k->f.value);
}

static double ratio_of(const struct fact *a, const struct fact *b)
{
    double x = comparable(a), y = comparable(b);

    return MAX(x, y) / MIN(x, y);
}

/* The factor that a slip of unit would leave, 0 for none. */
static double slip_of(const struct study *s, double ratio)
{
    static const double slips[] = {10, 12, 52, 60, 100, 1000, 10000};

    for (size_t i = 0; i < ARRAY_LEN(slips); i++)
        if (fabs(ratio / slips[i] - 1) <= 0.02)
            return slips[i];
    for (int i = 0; i < s->facts_count; i++) {
        const struct fact *k = &s->facts[i];
        if (k->measure == M_EXCHANGE && k->origin < 0 && k->f.value > 1 &&
            fabs(ratio / k->f.value - 1) <= 0.02)
            return k->f.value;
    }
    return 0;
}

static const char *rank_reason(const struct study *s, const struct fact *won,
                               const struct fact *lost)
{
    static const char *const en[] = {"",
                                     "the seller or an adviser",
                                     "a plan",
                                     "a third party",
                                     "the own finance",
                                     "audited figures or a system of record"};
    static const char *const zh[] = {"",       "卖方或顾问", "计划",
                                     "第三方", "本公司财务", "经审计或系统记录的数据"};

    if (won->rank != lost->rank)
        return s->zh ? say(s, "%s优先于%s", zh[won->rank], zh[lost->rank])
                     : say(s, "%s %s before %s", en[won->rank],
                           won->rank == RANK_AUDITED ? "come" : "comes", en[lost->rank]);
    if (strcmp(won->f.period, lost->f.period) != 0)
        return tr(s, "it is the later figure of equal rank", "同级来源中日期较新");
    return tr(s, "the sources rank alike; the first was used and the other tested",
              "来源同级；采用先出现者，并检验另一值");
}

static bool conflict_known(const struct study *s, const struct fact *a, const struct fact *b)
{
    for (int i = 0; i < s->findings_count; i++) {
        const struct finding *f = &s->findings[i];
        if (f->fact < 0 || f->other < 0 || strcmp(f->code, "conflict") != 0)
            continue;
        const struct fact *x = &s->facts[f->fact], *y = &s->facts[f->other];
        bool pair = (x->origin == a->origin && y->origin == b->origin) ||
                    (x->origin == b->origin && y->origin == a->origin);
        if (pair && x->measure == a->measure &&
            ((x->options | y->options) == (a->options | b->options)))
            return true;
    }
    return false;
}

static void add_conflict(struct study *s, int i, int k)
{
    struct fact *a = &s->facts[i], *b = &s->facts[k];
    bool second =
        b->rank > a->rank ||
        (b->rank == a->rank && strcmp(b->f.period, a->f.period) > 0 && is_date_period(b->f.period));
    struct fact *won = second ? b : a, *lost = second ? a : b;

    lost->beaten = true;
    if (conflict_known(s, a, b))
        return;
    struct finding *f = add_finding(s, "conflict");
    if (f == NULL)
        return;
    f->fact = (int)(won - s->facts);
    f->other = (int)(lost - s->facts);
    f->why = rank_reason(s, won, lost);
    f->message = say(s,
                     tr(s, "Sources disagree on %s: %s (%s) and %s (%s)",
                        "关于%s的来源不一致：%s（%s），%s（%s）"),
                     measure_name(s, a), fact_value_text(s, won), origin_name(s, won),
                     fact_value_text(s, lost), origin_name(s, lost));
    double slip = slip_of(s, ratio_of(a, b));
    if (slip == 0 || (f = add_finding(s, "unit_suspect")) == NULL)
        return;
    f->fact = (int)(won - s->facts);
    f->other = (int)(lost - s->facts);
    f->message =
        say(s,
            tr(s, "The two values of %s differ %s-fold; a slip of unit is likely: %s against %s",
               "两处%s相差%s倍，疑为单位错误：%s对%s"),
            measure_name(s, a), study_amount(s, slip, FIGURE_NUMBER, NULL), fact_value_text(s, won),
            fact_value_text(s, lost));
}

static void detect_conflicts(struct study *s)
{
    for (int i = 0; i < s->facts_count; i++) {
        if (!is_comparable(s->facts[i].measure))
            continue;
        for (int k = i + 1; k < s->facts_count; k++)
            if (same_key(s, &s->facts[i], &s->facts[k]) &&
                ratio_of(&s->facts[i], &s->facts[k]) > 1 + APART)
                add_conflict(s, i, k);
    }
}

/* The same rate by month and by year. */
static void detect_periods(struct study *s)
{
    for (int i = 0; i < s->facts_count; i++) {
        struct fact *a = &s->facts[i];
        bool rate = a->f.unit == FIGURE_RATIO && a->measure != M_NONE && a->f.value != 0;

        for (int k = 0; rate && strcmp(a->f.period, "month") == 0 && k < s->facts_count; k++) {
            struct fact *b = &s->facts[k];
            if (b->measure != a->measure || b->f.unit != FIGURE_RATIO ||
                strcmp(b->f.period, "year") != 0 || b->f.value == 0 || ratio_of(a, b) > 1.05)
                continue;
            struct finding *f = add_finding(s, "period_suspect");
            if (f == NULL)
                return;
            struct fact *won = b->rank > a->rank ? b : a;
            f->fact = (int)(won - s->facts);
            f->other = won == a ? k : i;
            s->facts[f->other].beaten = true;
            f->message =
                say(s,
                    tr(s,
                       "%s of %s stands once by month (%s) and once by year (%s); by month it is "
                       "about %s a year",
                       "%s为%s，一处按月（%s），一处按年（%s）；若按月计，约合每年%s"),
                    measure_name(s, a), study_amount(s, a->f.value, FIGURE_RATIO, NULL),
                    origin_name(s, a), origin_name(s, b),
                    study_amount(s, 1 - pow(1 - fabs(a->f.value), 12), FIGURE_RATIO, NULL));
            break;
        }
    }
}

static double amount_spent(const struct study *s)
{
    int n = fact_best(s, M_SPENT, -1);

    return n < 0 ? 0 : s->facts[n].f.value;
}

static void detect_limits(struct study *s)
{
    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *k = &s->facts[n];
        if (k->measure != M_BUDGET || k->f.value <= 0 || k->f.unit == FIGURE_RATIO || k->beaten ||
            k->origin >= 0)
            continue;
        bool approved = k->label != NULL && amount_spent(s) > 0;
        for (int i = 0; i < s->options_count; i++) {
            struct option *o = &s->options[i];
            double need =
                o->cash.outlay + (approved && o->kind == OPTION_GIVEN && o->cash.count > 0 &&
                                          o->cash.items[0].fact >= 0 &&
                                          s->facts[o->cash.items[0].fact].measure == M_COMPLETE
                                      ? amount_spent(s)
                                      : 0);
            if (!o->given || need <= k->f.value * 1.0000001 || o->infeasible)
                continue;
            o->infeasible = true;
            struct finding *f = add_finding(s, "over_limit");
            if (f == NULL)
                return;
            f->option = i;
            f->fact = n;
            f->message = say(
                s, tr(s, "%s needs %s, over the limit of %s", "%s需要%s，超过预算上限%s"), o->name,
                study_amount(s, need, FIGURE_CURRENCY, s->currency), fact_value_text(s, k));
        }
    }
}

static void detect_sunk(struct study *s)
{
    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *k = &s->facts[n];
        bool known = false;

        if (!k->sunk || isnan(k->f.value) || k->f.unit == FIGURE_RATIO || k->f.unit == FIGURE_YEARS)
            continue;
        for (int i = 0; i < s->findings_count; i++)
            known = known || (strcmp(s->findings[i].code, "sunk_cost") == 0 &&
                              fabs(s->facts[s->findings[i].fact].f.value / k->f.value - 1) < APART);
        struct finding *f = known ? NULL : add_finding(s, "sunk_cost");
        if (f == NULL)
            continue;
        f->fact = n;
        f->message = say(s,
                         tr(s, "%s is already spent and was left out of the comparison.",
                            "已支出的%s为沉没成本，未计入比较。"),
                         fact_value_text(s, k));
    }
}

static void detect_allocated(struct study *s)
{
    const struct fact *part = NULL;
    int whole = -1;

    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *k = &s->facts[n];
        if (k->allocated && k->f.unit == FIGURE_CURRENCY && whole < 0 && !k->avoidable && !k->stays)
            whole = n;
        if (k->allocated && k->avoidable && k->f.unit == FIGURE_CURRENCY && part == NULL)
            part = k;
    }
    struct finding *f = whole < 0 ? NULL : add_finding(s, "allocated_cost");
    if (f == NULL)
        return;
    f->fact = whole;
    if (part != NULL) {
        f->other = (int)(part - s->facts);
        f->message = say(s,
                         tr(s,
                            "Of the allocated cost of %s only %s is avoidable; the rest would stay "
                            "and was left out.",
                            "分摊成本%s中仅%s可避免，其余仍会发生，未计入。"),
                         fact_value_text(s, &s->facts[whole]), fact_value_text(s, part));
        return;
    }
    f->message =
        say(s,
            tr(s, "%s is an allocated cost; no part of it is called avoidable, so it was left out.",
               "%s为分摊成本，未说明可避免部分，故未计入。"),
            fact_value_text(s, &s->facts[whole]));
    study_miss(
        s, tr(s, "avoidable part of the allocated cost", "分摊成本中可避免的部分"),
        tr(s, "only what would end with the decision counts", "只有随决策而停止的成本才应计入"),
        true);
}

static struct str text_of(const struct study *s, int source, size_t segment)
{
    const struct segment *g = &s->sources[source].segs.at[segment];

    return (struct str){s->sources[source].n.text.p + g->start, g->end - g->start};
}

static double number_at(struct str t, size_t *p)
{
    double v = 0;

    while (*p < t.n && unicode_digit((unsigned char)t.p[*p]) && v < 1e9)
        v = v * 10 + (t.p[(*p)++] - '0');
    return v;
}

static bool count_english(struct str rest, double *of)
{
    static const char *const words[] = {" of ", " out of ", " of the ", " of our "};
    static const char *const numerals[] = {"two",   "three", "four", "five", "six",
                                           "seven", "eight", "nine", "ten"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t p = strlen(words[i]);
        if (!str_starts(rest, str_of(words[i])))
            continue;
        if (p < rest.n && unicode_digit((unsigned char)rest.p[p])) {
            *of = number_at(rest, &p);
            return *of > 0 && !(p < rest.n && (rest.p[p] == '.' || rest.p[p] == '%'));
        }
        for (size_t k = 0; k < ARRAY_LEN(numerals); k++)
            if (lex_match(numerals[k], rest, p) > 0) {
                *of = (double)k + 2;
                return true;
            }
    }
    return false;
}

/* 40家中有7家, 40个项目中7个 */
static bool count_chinese(struct str rest, double *hits)
{
    ptrdiff_t in = str_find(rest, STR("中"));

    if (in < 0 || in > 18 || rest.n == 0 || (unsigned char)rest.p[0] < 0x80)
        return false;
    size_t p = (size_t)in + 3;
    struct str tail = {rest.p + p, rest.n - p};
    if (str_starts(tail, STR("有")) || str_starts(tail, STR("仅")))
        p += 3;
    if (p >= rest.n || !unicode_digit((unsigned char)rest.p[p]))
        return false;
    *hits = number_at(rest, &p);
    return true;
}

bool count_in(struct str t, double *hits, double *of)
{
    for (size_t p = 0; p < t.n;) {
        if (!unicode_digit((unsigned char)t.p[p]) ||
            (p > 0 && (unicode_alnum((unsigned char)t.p[p - 1]) || t.p[p - 1] == '.'))) {
            p++;
            continue;
        }
        double first = number_at(t, &p), second;
        struct str rest = {t.p + p, t.n - p};
        if (count_english(rest, &second) && first <= second) {
            *hits = first;
            *of = second;
            return true;
        }
        if (count_chinese(rest, &second) && second <= first) {
            *hits = second;
            *of = first;
            return true;
        }
    }
    return false;
}

static bool has_count(struct str t)
{
    double hits, of;

    return count_in(t, &hits, &of);
}

static bool fires(enum lex list, struct str t)
{
    return list == LEX_INSTRUCTION ? lex_instructs(t) : lex_has(list, t);
}

/* One finding for each segment of the sources for which the word list fires. */
static void detect_words(struct study *s, enum lex list, const char *code, const char *en,
                         const char *zh, bool no_count)
{
    for (int i = 0; i < s->sources_count; i++) {
        for (size_t g = 0; g < s->sources[i].segs.count; g++) {
            struct str t = text_of(s, i, g);
            if (s->sources[i].segs.at[g].kind == SEGMENT_ROW || !fires(list, t) ||
                (no_count && has_count(t)))
                continue;
            struct finding *f = add_finding(s, code);
            if (f == NULL)
                return;
            f->source = i;
            f->segment = (int)g;
            f->message = say(s, "%s%s", s->sources[i].title, tr(s, en, zh));
        }
    }
}

static void detect_base_rate(struct study *s)
{
    bool counted = false;

    for (int i = 0; i < s->sources_count; i++)
        for (size_t g = 0; g < s->sources[i].segs.count; g++)
            counted = counted || has_count(text_of(s, i, g));
    detect_words(s, LEX_CLAIM, "no_base_rate",
                 " claims a result without a count of like cases behind it (no base rate).",
                 "的说法没有同类案例的统计支持（缺少基础比率）。", true);
    if (!counted)
        study_miss(s,
                   tr(s, "base rate: how often decisions of this kind turned out as claimed",
                      "基础比率：同类决策的成功率"),
                   tr(s, "the claims have no track record behind them", "相关说法缺少历史记录支持"),
                   false);
}

static void detect_small_samples(struct study *s)
{
    for (int n = 0; n < s->facts_count; n++) {
        const struct fact *k = &s->facts[n];
        double v = k->f.value;
        bool count = k->origin >= 0 && k->table < 0 && k->f.unit == FIGURE_NUMBER &&
                     v == floor(v) && v > 0 && v < SMALL;
        size_t end = MIN(k->f.end + 24, k->text.n);
        double hits, of; /* of "3 of 4" the 4 is the sample */

        if (count && count_in((struct str){k->text.p + k->f.start, end - k->f.start}, &hits, &of) &&
            hits == v && of != v)
            continue;

        while (count && end < k->text.n && ((unsigned char)k->text.p[end] & 0xC0) == 0x80)
            end++;
        if (!count || !lex_has(LEX_SAMPLE, (struct str){k->text.p + k->f.end, end - k->f.end}))
            continue;
        struct finding *f = add_finding(s, "small_sample");
        if (f == NULL)
            return;
        f->fact = n;
        f->source = k->origin;
        f->segment = k->segment;
        f->message = say(s, tr(s, "A count of %s is a small sample (%s).", "样本量%s偏小（%s）。"),
                         fact_value_text(s, k), origin_name(s, k));
    }
}

static void detect_interest(struct study *s)
{
    for (int i = 0; i < s->sources_count; i++) {
        bool first = true;
        for (int k = 0; k < i; k++)
            first = first && s->sources[k].document != s->sources[i].document;
        if (!s->sources[i].interested || !first)
            continue;
        struct finding *f = add_finding(s, "interested_source");
        if (f == NULL)
            return;
        f->source = i;
        f->segment = s->sources[i].segs.count > 0 ? 0 : -1;
        f->message = say(s,
                         tr(s,
                            "%s comes from a seller or adviser with an interest; its figures rank "
                            "below the others.",
                            "%s出自有利益关系的卖方或顾问，其数据的采信顺序靠后。"),
                         s->sources[i].title);
    }
}

static void detect_pressure(struct study *s)
{
    detect_words(s, LEX_PRESSURE, "pressure",
                 " presses for a quick decision or anchors on a claim; that is no reason.",
                 "有催促或锚定之意，这不构成理由。", false);
}

static void detect_superlatives(struct study *s)
{
    detect_words(s, LEX_SUPERLATIVE, "superlative", " states as sure what is not.",
                 "把不确定之事说成必然。", false);
}

static void detect_instructions(struct study *s)
{
    detect_words(
        s, LEX_INSTRUCTION, "instruction",
        " contains text addressed to an automated reader (an instruction); it was not followed.",
        "含有针对自动程序的指令，未予执行。", false);
}

/* What the sources themselves say was not looked at. */
static void detect_unreviewed(struct study *s)
{
    for (int i = 0; i < s->sources_count; i++) {
        for (size_t g = 0; g < s->sources[i].segs.count; g++) {
            struct str t = text_of(s, i, g);
            if (s->sources[i].segs.at[g].kind == SEGMENT_ROW || !lex_has(LEX_UNREVIEWED, t))
                continue;
            const char *what = text_cut(s->a, arena_strndup(s->a, t.p, t.n), 160);
            study_miss(s,
                       say(s, tr(s, "what %s leaves open: \"%s\"", "%s未落实之处：“%s”"),
                           s->sources[i].title, what),
                       tr(s, "the source itself names it as open", "来源自身指出该项尚未落实"),
                       true);
        }
    }
}

/* A limit, a horizon, a rate: what the calculation wanted and did not get. */
static void miss_cash(struct study *s)
{
    bool any = false;

    for (int i = 0; i < s->options_count; i++)
        any = any || s->options[i].cash.known;
    for (int i = 0; i < s->options_count; i++) {
        const struct option *o = &s->options[i];
        if (!o->given || o->cash.known || o->cash.baseline || o->kind == OPTION_HYBRID ||
            s->states.has[i])
            continue;
        study_miss(
            s, say(s, tr(s, "cash flows of %s (%s)", "“%s”的现金流（%s）"), o->name, o->cash.gap),
            tr(s, "without them its value cannot be computed", "没有它就无法计算该方案的价值"),
            !o->infeasible && any);
    }
    if (any && !s->rate_given)
        study_miss(s, tr(s, "discount rate", "折现率"), tr(s, "10% was assumed", "按10%假设"),
                   false);
}

/* Who commits, and by when. */
static void miss_commitment(struct study *s)
{
    static const char *const owners[] = {"decision_owner", "owner", "决策人", "负责人"};
    static const char *const dates[] = {"deadline", "answer_due", "due",  "decide_by",
                                        "due_date", "截止日期",   "期限", "答复期限"};
    bool owner = false, date = false;

    for (size_t i = 0; i < ARRAY_LEN(owners); i++)
        owner = owner || json_str(s->context, owners[i], NULL) != NULL;
    for (size_t i = 0; i < ARRAY_LEN(dates); i++)
        date = date || json_str(s->context, dates[i], NULL) != NULL;
    if (!owner)
        study_miss(s, tr(s, "owner of the decision", "决策负责人"),
                   tr(s, "nobody is named to commit", "未指明由谁承诺"), false);
    if (!date)
        study_miss(s, tr(s, "deadline of the decision", "决策期限"),
                   tr(s, "no date was given", "未给出日期"), false);
}

static void miss_currency(struct study *s)
{
    bool converted = false;

    for (int i = 0; i < s->facts_count; i++)
        converted = converted || s->facts[i].measure == M_EXCHANGE;
    for (int i = 0; i < s->facts_count && !converted; i++) {
        const struct fact *k = &s->facts[i];
        if (k->f.unit == FIGURE_CURRENCY && k->f.currency[0] != '\0' &&
            strcmp(k->f.currency, s->currency) != 0) {
            study_miss(
                s,
                say(s, tr(s, "exchange rate of %s to %s", "%s兑%s的汇率"), k->f.currency,
                    s->currency),
                tr(s, "figures in two currencies cannot be compared", "两种货币的数据无法比较"),
                false);
            return;
        }
    }
}

void findings_make(struct study *s)
{
    static void (*const before_cash[])(struct study *) = {detect_conflicts, detect_periods};
    static void (*const after_cash[])(struct study *) = {
        detect_limits,        detect_sunk,       detect_allocated, detect_base_rate,
        detect_small_samples, detect_interest,   detect_pressure,  detect_superlatives,
        detect_instructions,  detect_unreviewed, miss_cash,        miss_commitment,
        miss_currency};

    for (size_t i = 0; i < ARRAY_LEN(before_cash); i++)
        before_cash[i](s);
    cash_build(s);
    for (size_t i = 0; i < ARRAY_LEN(after_cash); i++)
        after_cash[i](s);
}
