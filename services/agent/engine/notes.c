/* notes.c: what happened so far, for the analyst and the validator. Kept as text: a waiting run
 * holds the outputs of its tools, and their trees would be several times as large. Trees are made
 * when somebody asks, in the asker's arena. */
#include "libcommon/base/compat.h"
#include "services/agent/engine/state.h"

void note_add(struct engine *e, const struct note *n)
{
    if (e->note_count == e->note_cap) {
        int cap = e->note_cap == 0 ? 16 : e->note_cap * 2;
        struct note *grown = arena_array(e->a, struct note, cap);

        if (e->note_count > 0)
            memcpy(grown, e->notes, sizeof(*grown) * (size_t)e->note_count);
        e->notes = grown;
        e->note_cap = cap;
    }
    e->notes[e->note_count++] = *n;
}

/* The value of a text under a key; nothing when there is no text. */
static void add_parsed(cJSON *obj, const char *key, struct str text, struct arena *a)
{
    cJSON *value;

    if (text.n > 0 && json_parse(a, text, JSON_DEPTH_MAX, &value, NULL) == 0)
        cJSON_AddItemReferenceToObject(obj, key, value);
}

static cJSON *turn_of(const struct note *n, struct arena *a)
{
    cJSON *turn = cJSON_CreateObject();

    if (n->tool == NULL) {
        json_add_str(turn, "stage", n->stage);
        add_parsed(turn, "output", n->value, a);
        return turn;
    }
    json_add_str(turn, "tool", n->tool);
    json_add_str(turn, "id", n->id);
    add_parsed(turn, "input", n->input, a);
    add_parsed(turn, n->failed ? "error" : "output", n->value, a);
    json_add_num(turn, "seq", (double)n->seq);
    return turn;
}

cJSON *notes_turns(const struct engine *e, struct arena *a)
{
    cJSON *turns = json_arr(a);

    for (int i = 0; i < e->note_count; i++)
        cJSON_AddItemToArray(turns, turn_of(&e->notes[i], a));
    return turns;
}

cJSON *notes_results(const struct engine *e, struct arena *a)
{
    cJSON *results = json_arr(a), *item;

    for (int i = 0; i < e->note_count; i++) {
        const struct note *n = &e->notes[i];

        if (n->tool == NULL || n->failed)
            continue;
        item = cJSON_CreateObject();
        json_add_num(item, "seq", (double)n->seq);
        json_add_str(item, "tool", n->tool);
        json_add_str(item, "id", n->id);
        add_parsed(item, "output", n->value, a);
        cJSON_AddItemToArray(results, item);
    }
    return results;
}
