/* answer.h: one model answer while it arrives, whichever protocol carries it. The protocols'
 * readers (anthropic.c, openai.c) open blocks and add text to them; answer_result makes the
 * canonical content of provider.h from what has come. Bounded: ANSWER_BYTES_MAX over all blocks. */
#pragma once
#include "libcommon/llm/provider.h"

#define ANSWER_BYTES_MAX (8u * 1024 * 1024)
#define ANSWER_BLOCKS_MAX 256
#define ANSWER_INPUT_DEPTH                                                 \
    40 /* of a tool's input, so that events around it stay under the limit \
        */

enum block_kind { BLOCK_TEXT, BLOCK_THINKING, BLOCK_REDACTED, BLOCK_TOOL };

struct answer_block {
    enum block_kind kind;
    int key;         /* the protocol's own index */
    struct buf text; /* text, thinking, data, or the JSON text of the tool's input */
    struct buf signature;
    char *id, *name; /* of a tool call; NULL until known */
    bool closed;
};

/* An error that the provider reported: in a stream or as a status. */
struct llm_failure {
    int status; /* HTTP's, or the one that stands for the error's type; 0: none */
    char message[300];
};

struct answer {
    struct answer_block *blocks;
    int count;
    size_t bytes;
    const char *stop_reason; /* canonical; NULL until known */
    int64_t input_tokens, output_tokens, cache_read_tokens, cache_write_tokens;
    char model[128];
    bool complete; /* the protocol's own end was seen */
    int64_t started_us, first_token_us;
    struct llm_failure failure;
    struct err err;        /* the answer breaks its protocol or a bound */
    struct arena *scratch; /* of one event */
    void (*on_delta)(void *arg, enum llm_delta kind, int block, struct str text);
    void *arg;
};

/* on_delta may be NULL. */
void answer_init(struct answer *ans,
                 void (*on_delta)(void *arg, enum llm_delta kind, int block, struct str text),
                 void *arg);
void answer_done(struct answer *ans); /* repeatable; zeroed answers are fine */

/* NULL (and ans->err) when there are too many. */
struct answer_block *answer_open(struct answer *ans, enum block_kind kind, int key);
/* The last block with that key, or NULL. */
struct answer_block *answer_find(struct answer *ans, int key);
/* Adds to the block's text and passes the piece on; answer_sign adds to the signature. */
void answer_add(struct answer *ans, struct answer_block *b, struct str piece);
void answer_sign(struct answer *ans, struct answer_block *b, struct str piece);
void answer_model(struct answer *ans, const char *model); /* the first one counts; NULL is fine */

/* The canonical content, stop reason and tokens into r (texts in the arena). ERR_PROTOCOL when
 * no stop reason came. */
int answer_result(const struct answer *ans, struct arena *a, struct llm_result *r,
                  struct err *err) MUST_CHECK;

/* Notes the provider's own words, bounded, with anything like a key masked. */
void failure_set(struct llm_failure *f, int status, struct str message);
/* Reads the body of an error answer in any of the shapes in use; else its beginning as text. */
void failure_of_body(struct llm_failure *f, int status, struct str body);
