/* json_parse.c: from scanned text to a cJSON tree. cJSON's own parser is not used: it copies a
 * number into 64 bytes and fails on a longer one. The text has passed json_scan, so nothing is
 * checked again, and the recursion is bounded by its depth. */
#include "libcommon/base/compat.h"
#include "libcommon/base/json.h"
#include "libcommon/base/json_text.h"

struct parse {
    const char *p, *end;
};

static cJSON *parse_value(struct parse *t);

static void skip_space(struct parse *t)
{
    while (*t->p == ' ' || *t->p == '\n' || *t->p == '\t' || *t->p == '\r')
        t->p++;
}

static cJSON *new_item(int type)
{
    cJSON *item = cJSON_CreateNull();

    if (item == NULL)
        abort();
    item->type = type;
    return item;
}

/* t->p stands at the opening quote. The copy is freed by cJSON_Delete, hence malloc. */
static char *parse_string(struct parse *t)
{
    const char *first = t->p + 1, *at = first;
    bool escaped = false;
    size_t n;
    char *out;

    for (; *at != '"'; at++)
        if (*at == '\\') {
            escaped = true;
            at++;
        }
    n = (size_t)(at - first);
    out = xmalloc(n + 1);
    if (escaped)
        n = json_unescape((struct str){first, n}, out);
    else
        memcpy(out, first, n);
    out[n] = '\0';
    t->p = at + 1;
    return out;
}

static cJSON *parse_number(struct parse *t)
{
    char text[JSON_NUMBER_LEN_MAX + 1];
    cJSON *item = new_item(cJSON_Number);
    size_t n = 0;

    while (n < JSON_NUMBER_LEN_MAX && t->p + n < t->end && t->p[n] != '\0' &&
           strchr("+-.0123456789Ee", t->p[n]) != NULL)
        n++;
    memcpy(text, t->p, n);
    text[n] = '\0';
    t->p += n;
    cJSON_SetNumberValue(item, strtod(text, NULL));
    return item;
}

/* Appends without the checks of cJSON_Add*: the last child is at hand as head->prev. */
static void append(cJSON *parent, cJSON *item)
{
    cJSON *head = parent->child;

    if (head == NULL) {
        parent->child = item->prev = item;
        return;
    }
    item->prev = head->prev;
    head->prev->next = item;
    head->prev = item;
}

static cJSON *parse_members(struct parse *t, int type)
{
    cJSON *parent = new_item(type);
    char close = type == cJSON_Object ? '}' : ']';

    t->p++;
    skip_space(t);
    while (*t->p != close) {
        char *key = NULL;
        cJSON *item;

        if (type == cJSON_Object) {
            key = parse_string(t);
            skip_space(t);
            t->p++; /* : */
        }
        item = parse_value(t);
        item->string = key;
        append(parent, item);
        skip_space(t);
        if (*t->p == ',') {
            t->p++;
            skip_space(t);
        }
    }
    t->p++;
    return parent;
}

static cJSON *parse_word(struct parse *t)
{
    int type = *t->p == 't' ? cJSON_True : *t->p == 'f' ? cJSON_False : cJSON_NULL;

    t->p += type == cJSON_False ? 5 : 4;
    return new_item(type);
}

static cJSON *parse_value(struct parse *t)
{
    cJSON *item;

    skip_space(t);
    switch (*t->p) {
    case '{':
        return parse_members(t, cJSON_Object);
    case '[':
        return parse_members(t, cJSON_Array);
    case '"':
        item = new_item(cJSON_String);
        item->valuestring = parse_string(t);
        return item;
    case 't':
    case 'f':
    case 'n':
        return parse_word(t);
    default:
        return parse_number(t);
    }
}

int json_parse(struct arena *a, struct str text, int max_depth, cJSON **out, struct err *err)
{
    int rc = json_scan(text, max_depth, err);
    struct parse t = {text.p, text.p + text.n};

    if (rc != 0)
        return rc;
    *out = json_own(a, parse_value(&t));
    return 0;
}
