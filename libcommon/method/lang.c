/* lang.c: the language of a question, by its letters alone. */
#include "libcommon/base/compat.h"
#include "libcommon/method/lang.h"
#include "libcommon/method/study.h"

/* A Latin question without any of these is taken for another language only when it has letters
 * outside ASCII or none of the commonest English words. */
static const char *const english[] = {
    "the", "a",    "we", "our",  "should", "is",     "to",   "or",   "and",  "of", "in", "for",
    "it",  "with", "do", "what", "how",    "which",  "can",  "will", "are",  "by", "on", "buy",
    "now", "not",  "be", "this", "that",   "invest", "than", "from", "need", "i",  "an", "versus"};

/* Small words of other languages in Latin letters. */
static const char *const foreign[] = {
    "wir", "die",      "der",    "das", "oder", "und", "sollen", "soll",    "nicht",
    "ist", "eine",     "nous",   "le",  "la",   "les", "ou",     "et",      "est",
    "une", "dans",     "el",     "los", "las",  "una", "para",   "debemos", "il",
    "che", "dobbiamo", "di",     "o",   "y",    "um",  "uma",    "devemos", "wij",
    "een", "het",      "moeten", "ska", "vi",   "och", "eller",  "czy",     "lub"};

struct common {
    int hits, words, foreign;
};

static void count_word(void *arg, struct str term, size_t start, size_t end)
{
    struct common *c = arg;

    (void)start;
    (void)end;
    c->words++;
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
        c->foreign += str_eqz(term, foreign[i]);
    for (size_t i = 0; i < ARRAY_LEN(english); i++) {
        char stem[16];
        size_t n = strlen(english[i]);
        memcpy(stem, english[i], n);
        n = unicode_stem(stem, n);
        if (str_eq(term, (struct str){stem, n})) {
            c->hits++;
            return;
        }
    }
}

const char *lang_detect(struct str query, bool *other)
{
    size_t letters = 0, han = 0, kana = 0, ascii = 0, pos = 0;
    struct common c = {0, 0, 0};

    while (pos < query.n) {
        uint32_t cp = utf8_next(query, &pos);
        letters += unicode_is_letter(cp);
        han += unicode_is_han(cp);
        kana += unicode_is_kana(cp);
        ascii += unicode_is_letter(cp) && cp < 0x80;
    }
    *other = false;
    if (kana == 0 && han > 0 && han * 5 >= letters)
        return "zh";
    unicode_terms(query, count_word, &c);
    *other = kana > 0 || (letters > 0 && ascii * 2 < letters) || (c.words >= 5 && c.hits == 0) ||
             c.foreign > c.hits;
    return "en";
}
