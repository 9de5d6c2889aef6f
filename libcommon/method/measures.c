/* measures.c: what a figure measures, by the words nearest to it. One row a measure; the longest
 * match nearest to the figure wins, so "cost to complete" is not a cost of running. */
#include "libcommon/base/compat.h"
#include "libcommon/method/study.h"

const struct measure_row measures[M__MAX] = {
    [M_NONE] = {"none", CASH_NONE, "figure", "数据", {NULL}},
    [M_DISCOUNT_RATE] = {"discount_rate",
                         CASH_NONE,
                         "discount rate",
                         "折现率",
                         {"discount rate", "wacc", "hurdle rate", "cost of capital",
                          "required return", "折现率", "贴现率", "资本成本", "必要回报率"}},
    [M_BUDGET] = {"budget",
                  CASH_NONE,
                  "budget",
                  "预算",
                  {"budget limit", "approved budget", "budget", "spending limit", "spending cap",
                   "capital limit", "预算上限", "预算", "资金上限", "投资上限"}},
    [M_MINIMUM] = {"minimum",
                   CASH_NONE,
                   "required minimum",
                   "最低要求",
                   {"covenant", "required minimum", "minimum return", "minimum irr",
                    "minimum margin", "minimum cash", "最低要求", "最低回报", "下限"}},
    [M_SPENT] = {"spent",
                 CASH_NONE,
                 "amount already spent",
                 "已支出金额",
                 {"spent to date", "already spent", "have spent", "has spent", "already paid",
                  "already invested", "have invested", "has invested", "invested so far",
                  "paid so far", "sunk", "spent", "已投入", "已支出", "已支付", "已花费", "已付",
                  "沉没"}},
    [M_TERMINAL] = {"terminal_value",
                    CASH_TERMINAL,
                    "terminal value",
                    "终值",
                    {"terminal value", "residual value", "salvage value", "salvage", "exit value",
                     "resale value", "scrap value", "残值", "终值"}},
    [M_COMPLETE] = {"cost_to_complete",
                    CASH_OUTLAY,
                    "cost still to come",
                    "尚需投入",
                    {"estimate to complete", "cost to complete",
                     "of the budget remains to be spent", "of the budget remains",
                     "of the budget is left", "remains to be spent", "still to be spent",
                     "remaining cost", "left to spend", "to finish", "尚需投入", "完工成本",
                     "剩余投入"}},
    [M_FREE_CASH] = {"free_cash_flow",
                     CASH_IN,
                     "free cash flow",
                     "自由现金流",
                     {"free cash flow", "free cash flows", "net cash flow", "net cash flows",
                      "cash flow", "cash flows", "fcf", "net cash inflow", "cash inflow",
                      "自由现金流", "净现金流", "现金流"}},
    [M_EBITDA] = {"ebitda", CASH_NONE, "EBITDA", "EBITDA", {"ebitda", "息税折旧摊销前利润"}},
    [M_PROFIT] = {"profit",
                  CASH_NONE,
                  "profit",
                  "利润",
                  {"net income", "net profit", "operating profit", "profit", "ebit", "earnings",
                   "净利润", "营业利润", "利润"}},
    [M_SYNERGY] = {"synergies",
                   CASH_NONE,
                   "synergies",
                   "协同效益",
                   {"synergies", "synergy", "depot overlap", "协同效益", "协同效应", "协同"}},
    [M_BENEFIT] = {"benefit",
                   CASH_IN,
                   "benefit",
                   "收益",
                   {"benefit",  "benefits",      "saving",       "savings",  "saves",
                    "gain",     "gains",         "contribution", "income",   "cash back",
                    "proceeds", "sale proceeds", "sale price",   "出售所得", "处置收入",
                    "收益",     "节省",          "节约",         "效益",     "增收",
                    "毛利",     "贡献"}},
    [M_REVENUE] = {"revenue",
                   CASH_NONE,
                   "revenue",
                   "收入",
                   {"revenue", "revenues", "sales", "turnover", "sales target", "营收", "营业收入",
                    "销售额", "销售目标", "收入"}},
    [M_PRICE_PAID] = {"purchase_price",
                      CASH_OUTLAY,
                      "purchase price",
                      "收购价",
                      {"purchase price", "asking price", "acquisition price", "offer price",
                       "the price is", "at eur", "收购价", "对价", "报价总额", "要价"}},
    [M_OUTLAY] = {"outlay",
                  CASH_OUTLAY,
                  "outlay",
                  "投资",
                  {"capex",
                   "fit out",
                   "equipment",
                   "refurbishment",
                   "machinery",
                   "设备",
                   "装修",
                   "deposit",
                   "down payment",
                   "押金",
                   "首付",
                   "capital expenditure",
                   "investment",
                   "outlay",
                   "initial cost",
                   "upfront cost",
                   "upfront",
                   "migration",
                   "tooling",
                   "setup",
                   "set up",
                   "implementation",
                   "installation",
                   "integration",
                   "integration cost",
                   "one-off cost",
                   "purchase cost",
                   "launch cost",
                   "build cost",
                   "总投资",
                   "购置",
                   "投资额",
                   "投资"}},
    [M_FEE] = {"fee",
               CASH_COST,
               "fee",
               "费用",
               {"fee", "fees", "subscription", "licence", "license", "lease", "rent", "royalty",
                "年费", "租金", "许可费", "服务费"}},
    [M_RUNNING] = {"running_cost",
                   CASH_COST,
                   "running cost",
                   "运营成本",
                   {"running cost", "running costs", "operating cost", "operating costs", "opex",
                    "maintenance", "salaries", "salary", "wages", "staff cost", "upkeep",
                    "运营成本", "运营费用", "维护费", "维护", "人工成本"}},
    [M_UNIT_COST] = {"unit_cost",
                     CASH_NONE,
                     "unit cost",
                     "单位成本",
                     {"unit cost", "cost to serve", "cost per unit", "cost of one",
                      "unit cost to serve", "variable cost", "单位成本", "单件成本"}},
    [M_UNIT_PRICE] = {"unit_price",
                      CASH_NONE,
                      "price",
                      "单价",
                      {"price per month", "price per unit", "unit price", "list price", "price",
                       "单价", "均价", "售价", "价格"}},
    [M_QUANTITY] = {"quantity",
                    CASH_NONE,
                    "quantity",
                    "数量",
                    {"units per year", "units a year", "yearly volume", "annual volume", "volume",
                     "units", "demand", "annual units", "年用量", "年运量", "运量", "用量",
                     "年销量", "年产量", "销量", "产量", "数量"}},
    [M_NEW_CUSTOMERS] = {"new_customers",
                         CASH_NONE,
                         "new customers",
                         "新客户",
                         {"new customers", "new customers per month", "新客户", "新增客户"}},
    [M_CUSTOMERS] = {"customers",
                     CASH_NONE,
                     "customers",
                     "客户数",
                     {"customers start", "customers", "members", "会员", "subscribers", "users",
                      "accounts", "客户数", "用户数", "客户"}},
    [M_CHURN] = {"churn",
                 CASH_NONE,
                 "churn",
                 "流失率",
                 {"churn", "churn rate", "attrition", "staff turnover", "employee turnover",
                  "流失率", "流失"}},
    [M_GROWTH] = {"growth",
                  CASH_NONE,
                  "growth",
                  "增长率",
                  {"growth", "growth rate", "growing", "grew", "grow", "cagr", "同比增长",
                   "年均增长", "增长率", "增长", "增速", "同比"}},
    [M_MARKET_SHARE] = {"market_share",
                        CASH_NONE,
                        "market share",
                        "市场份额",
                        {"market share", "share of the market", "市场份额", "市占率", "占市场",
                         "仅占市场"}},
    [M_MARKET] = {"market_size",
                  CASH_NONE,
                  "market size",
                  "市场规模",
                  {"market size", "size of the market", "market volume", "total market",
                   "retail sales", "市场规模", "零售额", "市场总额"}},
    [M_LIFE] = {"life",
                CASH_NONE,
                "horizon",
                "年限",
                {"life years", "lease years", "lease term", "contract term", "contract years",
                 "useful life", "life", "horizon", "evaluation period", "term", "time horizon",
                 "period", "duration", "评价期", "使用年限", "年限", "期限", "周期"}},
    [M_PROBABILITY] = {"probability",
                       CASH_NONE,
                       "probability",
                       "概率",
                       {"probability", "chance", "likelihood", "odds", "success rate", "概率",
                        "可能性", "成功率"}},
    [M_LEAD_TIME] = {"lead_time",
                     CASH_NONE,
                     "lead time",
                     "交期",
                     {"lead time", "lead time weeks", "delivery time", "build time", "construction",
                      "交期", "交货期", "建设期"}},
    [M_DEFECTS] = {"defects",
                   CASH_NONE,
                   "defects",
                   "不良率",
                   {"defects", "defects ppm", "defect rate", "reject rate", "ppm", "不良率",
                    "次品率"}},
    [M_EXCHANGE] = {"exchange_rate",
                    CASH_NONE,
                    "exchange rate",
                    "汇率",
                    {"exchange rate", "fx rate", "fx", "汇率"}},
    [M_HEADCOUNT] = {"headcount",
                     CASH_NONE,
                     "headcount",
                     "人数",
                     {"headcount", "employees", "staff", "fte", "hires", "people", "人数", "员工"}},
    [M_MINIMUM_ORDER] = {"minimum_order",
                         CASH_NONE,
                         "minimum order",
                         "最小订量",
                         {"minimum order", "moq", "最小订量", "起订量"}},
    [M_ELASTICITY] = {"elasticity",
                      CASH_NONE,
                      "price elasticity",
                      "价格弹性",
                      {"elasticity", "price elasticity", "弹性"}},
    [M_COST] = {"cost",
                CASH_COST,
                "cost",
                "成本",
                {"cost", "costs", "expense", "expenses", "cost of", "freight", "inspection", "成本",
                 "费用", "支出", "出资", "投入"}},
};

/* The longest word of a measure at p; *which is untouched when there is none. */
static size_t measure_at(struct str text, size_t p, enum measure *which)
{
    char first = text.p[p] >= 'A' && text.p[p] <= 'Z' ? (char)(text.p[p] - 'A' + 'a') : text.p[p];
    size_t best = 0;

    if (p > 0 && unicode_alnum((unsigned char)text.p[p]) &&
        unicode_alnum((unsigned char)text.p[p - 1]))
        return 0;
    for (int m = M_NONE + 1; m < M__MAX; m++) {
        for (size_t i = 0; i < ARRAY_LEN(measures[m].words) && measures[m].words[i] != NULL; i++) {
            size_t n =
                measures[m].words[i][0] == first ? lex_match(measures[m].words[i], text, p) : 0;
            if (n > best) {
                best = n;
                *which = (enum measure)m;
            }
        }
    }
    return best;
}

bool measure_named(enum measure m, struct str text)
{
    for (size_t p = 0; p < text.n; p++) {
        if (((unsigned char)text.p[p] & 0xC0) == 0x80)
            continue;
        for (size_t i = 0; i < ARRAY_LEN(measures[m].words) && measures[m].words[i] != NULL; i++)
            if (lex_match(measures[m].words[i], text, p) > 0)
                return true;
    }
    return false;
}

enum measure measure_of(struct str text, size_t near, size_t *at)
{
    enum measure best = M_NONE;
    size_t nearest = SIZE_MAX;

    for (size_t p = 0; p < text.n;) {
        enum measure m = M_NONE;
        size_t n = 0;

        if (((unsigned char)text.p[p] & 0xC0) != 0x80)
            n = measure_at(text, p, &m);
        if (n == 0) {
            p++;
            continue;
        }
        /* Words before a figure count more than words behind it. */
        size_t gap = p + n <= near ? near - (p + n) : (p >= near ? (p - near) + 24 : 0);
        if (gap < nearest) {
            nearest = gap;
            best = m;
            *at = p;
        }
        p += n;
    }
    return best;
}
