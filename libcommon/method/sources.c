/* sources.c: the chunks of the material, normalised and cut, each with what its words say about who
 * wrote it. A document is one voice: what one chunk admits ("prepared by the seller's adviser")
 * holds for all chunks of it. */
#include "libcommon/base/compat.h"
#include "libcommon/method/study.h"

#define HEAD_BYTES 300
#define CHUNK_MAX (256u << 10)
#define MATERIAL_MAX (512u << 10)

static bool only_table(const struct source *src)
{
    size_t rows = 0;

    for (size_t i = 0; i < src->segs.count; i++)
        rows += src->segs.at[i].kind == SEGMENT_ROW;
    return rows > 1 && rows + 2 >= src->segs.count;
}

struct voice {
    enum lex words;
    enum source_rank rank;
};

/* By the title and the first line: those say who speaks; a word deep in the text may be about
 * others. Only where the first line says nothing does the opening count. */
static enum source_rank rank_of(const struct source *src, struct str first, struct str opening)
{
    static const struct voice voices[] = {{LEX_AUDITED, RANK_AUDITED},
                                          {LEX_OWN, RANK_OWN},
                                          {LEX_SELLER, RANK_SELLER},
                                          {LEX_THIRD, RANK_THIRD},
                                          {LEX_PLAN, RANK_PLAN}};

    for (size_t i = 0; i < ARRAY_LEN(voices); i++)
        if (lex_has(voices[i].words, first))
            return voices[i].rank;
    for (size_t i = 0; i < 3; i++)
        if (lex_has(voices[i].words, opening) &&
            (voices[i].rank != RANK_SELLER || lex_has(LEX_PREPARED, opening)))
            return voices[i].rank;
    return only_table(src) ? RANK_AUDITED : RANK_OWN;
}

static struct str opening_of(const struct source *src)
{
    struct str body = src->n.text;

    if (src->segs.count > 0 && src->segs.at[0].kind == SEGMENT_ROW)
        return STR("");
    body.n = MIN(body.n, HEAD_BYTES);
    while (body.n > 0 && body.n < src->n.text.n &&
           ((unsigned char)src->n.text.p[body.n] & 0xC0) == 0x80)
        body.n--;
    return body;
}

static struct str first_line(struct arena *a, const struct source *src)
{
    struct str line = {src->n.text.p, 0};

    if (src->segs.count > 0 && src->segs.at[0].kind != SEGMENT_ROW) /* a header names columns */
        line = (struct str){src->n.text.p + src->segs.at[0].start,
                            src->segs.at[0].end - src->segs.at[0].start};
    return str_of(arena_printf(a, "%s\n%.*s", src->title, STR_ARG(line)));
}

static void read_one(struct study *s, struct source *src, const cJSON *c)
{
    struct str text = str_of(json_str(c, "text", ""));

    text.n = MIN(text.n, CHUNK_MAX);
    src->chunk_id = json_str(c, "chunk_id", "");
    src->document_id = json_str(c, "document_id", src->chunk_id);
    src->title = json_str(c, "title", "");
    src->sha256 = json_str(c, "content_sha256", "");
    src->supplied = json_bool(c, "supplied", false);
    src->offset = json_i64(c, "start", 0);
    src->raw = text;
    src->n = unicode_nfkc(s->a, text);
    src->segs = segments_of(s->a, src->n.text);
    src->rank = rank_of(src, first_line(s->a, src), opening_of(src));
    src->interested = src->rank == RANK_SELLER;
}

static void join_documents(struct study *s)
{
    for (int i = 0; i < s->sources_count; i++) {
        struct source *src = &s->sources[i];
        src->document = -1;
        for (int k = 0; k < i && src->document < 0; k++) {
            if (strcmp(s->sources[k].document_id, src->document_id) != 0)
                continue;
            src->document = s->sources[k].document;
            src->rank = s->sources[k].rank;
            src->interested = s->sources[k].interested;
        }
        if (src->document < 0)
            src->document = s->documents_count++;
    }
}

void sources_read(struct study *s, const cJSON *material)
{
    const cJSON *c;
    size_t total = 0;

    s->sources = arena_array(s->a, struct source, STUDY_SOURCES_MAX);
    cJSON_ArrayForEach (c, material) {
        const char *text = json_str(c, "text", NULL);
        if (s->sources_count >= STUDY_SOURCES_MAX || total > MATERIAL_MAX)
            break;
        total += text != NULL ? strlen(text) : 0;
        if (text != NULL)
            read_one(s, &s->sources[s->sources_count++], c);
    }
    join_documents(s);
}
