/* lexicon.c: word lists, one row an idea. Add a word here, not an if elsewhere. */
#include "libcommon/base/compat.h"
#include "libcommon/method/lexicon.h"
#include <ctype.h>
#include "libcommon/method/unicode.h"

static const char *const lists[LEX__MAX][64] = {
    [LEX_DO_NOTHING] = {"nothing", "keep", "keeping", "stop", "no", "not", "decline", "leave it",
                        "status quo", "reject", "stay", "不", "维持", "放弃", "保持现状", "保持",
                        "现状", "停止", "拒绝"},
    [LEX_DELAY] = {"not now", "wait", "delay", "delayed", "later", "freeze", "postpone", "defer",
                   "mothball", "pause", "hold off", "暂停", "暂缓", "推迟", "暂不", "延期", "等待",
                   "观望"},
    [LEX_STAGED] = {"pilot", "stage", "staged", "stages", "option", "trial", "test", "phase",
                    "phased", "试点", "分期", "试行", "分阶段", "小规模"},
    [LEX_HYBRID] = {"split", "half and half", "mix", "both", "combine", "hybrid", "一半", "各半",
                    "混合", "两者"},
    [LEX_NEGATION] = {"not",    "no",    "never",  "without", "n't",  "don't",   "doesn't",
                      "cannot", "isn't", "wasn't", "hardly",  "nor",  "neither", "不",
                      "没有",   "无",    "未",     "非",      "并非", "没"},
    [LEX_SUNK] = {"sunk",
                  "already spent",
                  "already paid",
                  "already invested",
                  "spent",
                  "spent to date",
                  "invested so far",
                  "have invested",
                  "has invested",
                  "have spent",
                  "has spent",
                  "paid so far",
                  "written off",
                  "non-refundable",
                  "not refundable",
                  "已投入",
                  "已支出",
                  "已花费",
                  "已付",
                  "已经投入",
                  "不可退",
                  "不予退还",
                  "沉没",
                  "前期投入"},
    [LEX_ALLOCATED] = {"allocated", "allocation", "overhead share", "share of overhead", "overhead",
                       "overheads", "apportioned", "corporate charge", "分摊", "摊销分配",
                       "间接费用", "管理费分摊"},
    [LEX_AVOIDABLE] = {"avoidable", "would end", "would stop", "would fall away", "would go away",
                       "would be saved", "could be saved", "saved if", "end if", "ends if",
                       "would disappear", "drops away", "可避免", "可节省", "将取消", "会消失",
                       "不再发生"},
    [LEX_STAYS] = {"would stay", "would remain", "stays", "remains either way", "unavoidable",
                   "regardless", "in any case", "仍将发生", "不可避免", "仍会", "照常"},
    [LEX_TOTAL] = {"total", "totals", "full cost", "sum", "subtotal", "all in", "合计", "总计",
                   "小计", "总成本", "完全成本"},
    [LEX_FREED] = {"freed", "released", "forgone", "opportunity", "sublet", "let out", "resale of",
                   "腾出", "释放", "机会成本", "空出"},
    [LEX_INBOUND] = {"freight", "inspection", "customs", "duty", "duties", "shipping", "transport",
                     "import", "inbound", "landing", "insurance in transit", "tariff", "运费",
                     "检验", "关税", "运输", "进口"},
    [LEX_SELLER] = {"seller",
                    "maker",
                    "offer of",
                    "offer from",
                    "proposal of",
                    "proposal from",
                    "seller's",
                    "sellers",
                    "adviser",
                    "advisor",
                    "advisers",
                    "broker",
                    "brokers",
                    "vendor",
                    "vendor's",
                    "sale memorandum",
                    "information memorandum",
                    "teaser",
                    "sales pitch",
                    "supplier's brochure",
                    "brochure",
                    "promoter",
                    "commission agent",
                    "顾问",
                    "卖方",
                    "中介",
                    "经纪",
                    "供应商宣传",
                    "推介",
                    "招商"},
    [LEX_AUDITED] = {"audited", "system of record", "ledger", "statutory accounts", "auditor",
                     "审计", "经审计", "账面", "系统导出"},
    [LEX_OWN] = {"our finance", "finance team", "finance department", "controller", "controlling",
                 "plant accounts", "our accounts", "project office", "internal", "财务部", "我方",
                 "本公司", "内部", "项目办"},
    [LEX_THIRD] = {"association", "statistics", "statistical office", "census", "ministry",
                   "regulator", "survey", "analyst", "research firm", "independent", "third party",
                   "协会", "统计局", "统计", "监管", "第三方", "研究机构"},
    [LEX_PLAN] = {"plan", "planned", "management plan", "forecast", "projection", "projected",
                  "target", "budgeted", "expected", "deck", "memo", "计划", "预测", "规划", "目标",
                  "预计", "可行性"},
    [LEX_SUPERLATIVE] = {"guaranteed",
                         "guarantee",
                         "guarantees",
                         "cannot fail",
                         "can't fail",
                         "certain",
                         "certainly",
                         "risk-free",
                         "no risk",
                         "without risk",
                         "fully achievable",
                         "clearly",
                         "sure thing",
                         "never fails",
                         "no-brainer",
                         "undoubtedly",
                         "excellent",
                         "must act now",
                         "once in a lifetime",
                         "is certain",
                         "sure to",
                         "必定",
                         "必然",
                         "毫无风险",
                         "零风险",
                         "稳赚",
                         "一定会",
                         "万无一失",
                         "十分保守",
                         "毫无疑问",
                         "确保"},
    [LEX_INSTRUCTION] = {"automated assistant*",
                         "dear assistant*",
                         "dear ai",
                         "dear model",
                         "note to the model",
                         "ai tool*",
                         "copilot*",
                         "do not mention this",
                         "机器人请",
                         "智能体",
                         "ai助手",
                         "ai assistant*",
                         "ai system*",
                         "language model*",
                         "ignore previous",
                         "ignore all",
                         "ignore any",
                         "ignore the above",
                         "ignore your",
                         "ignore these",
                         "ignore earlier",
                         "disregard previous",
                         "disregard all",
                         "disregard the",
                         "disregard any",
                         "disregard your",
                         "system prompt",
                         "you are an ai",
                         "as an ai",
                         "llm",
                         "llms",
                         "chatbot*",
                         "assistants reading",
                         "note for assistants",
                         "note to assistants",
                         "to any ai",
                         "ai model*",
                         "ai reader*",
                         "ai agent*",
                         "automated reader*",
                         "automated system*",
                         "machine reader*",
                         "your instructions",
                         "new instructions",
                         "override your",
                         "智能助手",
                         "自动程序",
                         "大模型",
                         "语言模型",
                         "人工智能助手",
                         "忽略以上",
                         "忽略之前",
                         "忽略前面",
                         "忽略上述",
                         "忽略所有"},
    [LEX_RISK] = {"risk",
                  "risks",
                  "risky",
                  "threat",
                  "exposure",
                  "dependent",
                  "dependence",
                  "concentration",
                  "penalty",
                  "lawsuit",
                  "litigation",
                  "claim for",
                  "breach",
                  "default",
                  "shortage",
                  "outage",
                  "delay",
                  "delays",
                  "overrun",
                  "loss of",
                  "lose",
                  "uncertain",
                  "not been reviewed",
                  "not reviewed",
                  "recurred",
                  "expire",
                  "expires",
                  "both contracts end",
                  "key person",
                  "sole supplier",
                  "single supplier",
                  "风险",
                  "依赖",
                  "诉讼",
                  "违约",
                  "处罚",
                  "集中",
                  "不确定",
                  "延误",
                  "短缺",
                  "流失",
                  "到期",
                  "超支"},
    [LEX_POSITIVE] = {"good",     "better",   "strong",      "profitable", "gain",     "gains",
                      "benefit",  "benefits", "grow",        "growing",    "growth",   "improve",
                      "improves", "improved", "advantage",   "attractive", "success",  "successful",
                      "save",     "saves",    "saving",      "faster",     "reliable", "easy",
                      "easier",   "supports", "opportunity", "stable",     "优势",     "增长",
                      "改善",     "提高",     "成功",        "盈利",       "节省",     "稳定",
                      "深厚",     "机会",     "快"},
    [LEX_NEGATIVE] = {"bad",      "worse",    "weak",      "loss",      "losses",    "lose",
                      "loses",    "lost",     "decline",   "declining", "fail",      "fails",
                      "failed",   "failure",  "risk",      "risks",     "risky",     "late",
                      "delay",    "delays",   "expensive", "costly",    "difficult", "problem",
                      "problems", "shortage", "penalty",   "dispute",   "unproven",  "overrun",
                      "damage",   "blunt",    "亏损",      "失败",      "风险",      "下降",
                      "困难",     "延误",     "昂贵",      "问题",      "纠纷",      "流失",
                      "恶化",     "慢"},
    [LEX_CLAIM] = {"probability",
                   "likelihood",
                   "chance",
                   "success rate",
                   "success",
                   "succeed",
                   "achievable",
                   "confident",
                   "will succeed",
                   "expected to",
                   "synergies",
                   "synergy",
                   "without visible damage",
                   "odds",
                   "near",
                   "概率",
                   "可能性",
                   "成功率",
                   "有把握",
                   "协同",
                   "成功",
                   "深厚"},
    [LEX_PRESSURE] = {"other parties", "other bidders", "early signature", "sign soon",
                      "as soon as possible", "advanced stage", "limited time", "last chance",
                      "exclusive until", "expires on", "act now", "admitting failure", "尽快签约",
                      "尽快", "抢占", "机不可失", "时间窗口"},
    [LEX_UNREVIEWED] = {"not been reviewed",
                        "not yet been reviewed",
                        "not reviewed",
                        "not yet reviewed",
                        "not recorded",
                        "was not recorded",
                        "were not recorded",
                        "not been checked",
                        "not verified",
                        "unverified",
                        "unknown",
                        "not available",
                        "no data",
                        "not measured",
                        "to be confirmed",
                        "not been tested",
                        "have made no",
                        "has made no",
                        "no existing",
                        "never been",
                        "未核实",
                        "尚未",
                        "未经审查",
                        "未知",
                        "未提供",
                        "待确认"},
    [LEX_SAMPLE] = {"sample", "respondents", "interviewed", "interviews", "tested", "participants",
                    "trial users", "pilots", "launches", "cases", "sites", "stores", "launched",
                    "surveyed", "样本", "受访", "试点", "案例"},
    [LEX_CAUTIOUS] = {"low", "conservative", "cautious", "averse", "risk-averse", "careful",
                      "prudent", "稳健", "保守", "谨慎", "低"},
    [LEX_BOLD] = {"high", "aggressive", "bold", "激进", "进取", "高"},
    [LEX_HALF_NOW] = {"half is spent now", "half now", "half is due now", "half is paid now",
                      "half at once", "50 % now", "50% now", "一半现在", "首付一半", "先付一半",
                      "当期一半"},
    [LEX_IRREVERSIBLE] = {"irreversible",
                          "cannot be undone",
                          "cannot be reversed",
                          "permanent",
                          "final",
                          "close",
                          "closing",
                          "acquire",
                          "acquisition",
                          "sell",
                          "demolish",
                          "build",
                          "merge",
                          "不可逆",
                          "收购",
                          "自建",
                          "建厂",
                          "出售",
                          "关闭",
                          "拆除",
                          "并购"},
    [LEX_REVERSIBLE] = {"pilot", "trial", "lease", "rent", "cancel any time", "monthly", "试点",
                        "租赁", "可撤"},
    [LEX_AT_MOST] = {"limit", "maximum", "max", "at most", "cap", "ceiling", "budget", "not exceed",
                     "no more than", "上限", "最多", "不超过", "预算"},
    [LEX_AT_LEAST] = {"minimum", "at least", "covenant", "not below", "no less than", "下限",
                      "至少", "不低于", "最低"},
    [LEX_ACQUIRE] = {"acquire", "acquisition", "takeover", "buy 100*", "buy the company",
                     "purchase", "merge", "merger", "integration", "收购", "并购", "整合"},
    [LEX_BUY_IN] = {"buy", "purchase", "outsource", "source from", "order from", "supplier",
                    "import", "外购", "采购", "外包"},
    [LEX_IF_NOT] = {"unless", "if not", "如不", "若不", "如果不", "未能", "除非"},
    [LEX_DELTA] = {"adjustment", "adds back", "add back", "difference", "gap of", "more than last",
                   "add-back", "差额", "调整额"},
    [LEX_LOST] = {"lost", "churned", "cancelled", "canceled", "left", "流失数", "流失"},
    [LEX_AT_START] = {"start", "customers start", "at start", "opening", "beginning", "期初",
                      "月初", "年初"},
    [LEX_WHOLE] = {"everyone", "everybody", "all", "company-wide", "nationwide", "everywhere",
                   "全部", "全体", "全国", "全面"},
    [LEX_GOAL] = {"goal", "objective", "aim", "target", "purpose", "目标", "目的"},
    [LEX_CONCENTRATED] = {"make up", "makes up", "accounts for", "account for", "contracts end",
                          "contract ends", "占收入", "占营收", "合同到期"},
    [LEX_LOSES] = {"loses", "lose", "would lose", "leave", "would leave", "leaves", "流失", "失去"},
    [LEX_EXIT] = {"close",  "exit",       "shut",    "shut down", "withdraw",
                  "cancel", "terminate",  "abandon", "wind down", "divest",
                  "sell",   "dispose of", "sale of", "出售",      "转让",
                  "关闭",   "退出",       "终止",    "取消",      "撤出"},
    [LEX_TIMELINE] = {"year", "years", "yr", "t", "period", "年", "年份", "年度", "期数", "期"},
    [LEX_SELLS] = {"sell", "sale of", "divest", "dispose of", "出售", "转让"},
    [LEX_PREPARED] = {"prepared by", "on behalf of", "commissioned by", "we offer", "our offer",
                      "we can sell", "we, the", "our client", "编制", "受托", "代表", "我司产品"},
    [LEX_ONE_YEAR] = {"a year", "one year", "1 year", "一年"},
    [LEX_LOSS] = {"loss", "losses", "damage", "damages", "fine", "fines", "penalty", "would cost",
                  "lose", "write-off", "损失", "罚款", "亏损", "赔偿"},
    [LEX_BANNED] = {"clearly", "certainly", "guaranteed", "proven", "optimal", "best possible",
                    "必然", "一定", "最优", "毫无疑问"},
};

static bool boundary(struct str t, size_t pos)
{
    return pos == 0 || pos >= t.n || !unicode_alnum((unsigned char)t.p[pos]) ||
           !unicode_alnum((unsigned char)t.p[pos - 1]);
}

size_t lex_match(const char *entry, struct str text, size_t pos)
{
    size_t p = pos;
    bool latin = (unsigned char)entry[0] < 0x80;

    if (latin && pos > 0 && unicode_alnum((unsigned char)text.p[pos - 1]))
        return 0;
    for (const char *e = entry; *e != '\0'; e++) {
        if (*e == '*' && e[1] == '\0') {
            while (p < text.n && unicode_alpha((unsigned char)text.p[p]))
                p++;
            return p - pos;
        }
        if (*e == ' ' || *e == '_') {
            size_t start = p;
            while (p < text.n &&
                   (isspace((unsigned char)text.p[p]) || text.p[p] == '_' || text.p[p] == '-'))
                p++;
            if (p == start)
                return 0;
            continue;
        }
        if (p >= text.n || tolower((unsigned char)text.p[p]) != (unsigned char)*e)
            return 0;
        p++;
    }
    return !latin || boundary(text, p) ? p - pos : 0;
}

/* Most entries fall at their first letter. */
static size_t longest_match(enum lex which, struct str text, size_t p)
{
    unsigned char first = (unsigned char)tolower((unsigned char)text.p[p]);
    size_t best = 0;

    if (first < 0x80 && (!unicode_alnum(first) || !boundary(text, p)))
        return 0;
    for (size_t i = 0; lists[which][i] != NULL; i++)
        if ((unsigned char)lists[which][i][0] == first)
            best = MAX(best, lex_match(lists[which][i], text, p));
    return best;
}

bool lex_find(enum lex which, struct str text, size_t from, size_t *at, size_t *len)
{
    for (size_t p = from; p < text.n; p++) {
        size_t n = ((unsigned char)text.p[p] & 0xC0) == 0x80 ? 0 : longest_match(which, text, p);

        if (n == 0)
            continue;
        *at = p;
        *len = n;
        return true;
    }
    return false;
}

bool lex_instructs(struct str text)
{
    static const char *const roles[] = {"system:", "assistant:", "user:", "系统:"};

    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        for (size_t p = 0; p < text.n; p++) {
            bool opens = p == 0 || text.p[p - 1] == '\n' || strchr("\"'`>*", text.p[p - 1]) != NULL;
            size_t n = strlen(roles[i]);
            if ((opens &&
                 str_ieq((struct str){text.p + p, MIN(n, text.n - p)}, str_of(roles[i]))) ||
                (text.n - p >= 7 && memcmp(text.p + p, "SYSTEM:", 7) == 0))
                return true;
        }
    return lex_has(LEX_INSTRUCTION, text);
}

/* A negation within the three words before `at`. */
static bool is_negated(struct str text, size_t at)
{
    size_t p = at, words = 0, found, len;

    while (p > 0 && words < 4 && strchr(".;!?", text.p[p - 1]) == NULL && at - p < 40) {
        p--;
        words += text.p[p] == ' ';
    }
    while (p < at && ((unsigned char)text.p[p] & 0xC0) == 0x80)
        p++;
    return lex_find(LEX_NEGATION, (struct str){text.p + p, at - p}, 0, &found, &len);
}

int lex_count(enum lex which, struct str text, int *turned)
{
    size_t pos = 0, at, len;
    int n = 0;

    while (lex_find(which, text, pos, &at, &len)) {
        if (turned != NULL && is_negated(text, at))
            *turned += 1;
        else
            n++;
        pos = at + len;
    }
    return n;
}
