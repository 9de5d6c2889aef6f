/* message.h: one message of the Celery protocol, as text. A message is never rebuilt through a JSON
 * library: the head's fields are read out of the text, changes are spliced in, all other bytes stay
 * (numbers over 2^53, [] against {}, unknown headers). See queue/README.md for the wire format.
 *
 * Views and strings made here live in the arena that is passed, or lie inside the text. Pure. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/buf.h"
#include "libcommon/base/err.h"

#define MESSAGE_MAX (16u << 20) /* bytes of one message, decoded body included */
#define MESSAGE_PRIORITY_STEPS 4

struct message {
    struct str text;                   /* all of it; must outlive this struct */
    int version;                       /* of the protocol: 2, or 1 (task in the body) */
    const char *task, *id;             /* never NULL, never empty */
    const char *root_id, *parent_id;   /* NULL when absent */
    const char *group, *origin;        /* NULL when absent */
    const char *eta, *expires;         /* as sent; NULL when absent */
    int64_t eta_us, expires_us;        /* wall clock; 0: none */
    double hard_limit_s, soft_limit_s; /* 0: none */
    int retries;                       /* attempts already made */
    int priority;                      /* 0 (first) to 9 */
    int redeliveries;                  /* our header ceo-redelivered */
    bool redelivered;                  /* header redelivered: somebody had it before */
    bool ignore_result;
    const char *tenant, *decision, *traceparent; /* our headers; NULL when absent */
    const char *content_type;                    /* NULL when absent */
    const char *routing_key;                     /* of delivery_info; NULL when absent */
    struct str headers;                          /* raw object */
    struct str body;                             /* raw JSON string */
    bool base64;                                 /* of the body */
    const char *compression;                     /* NULL: none */
};

/* Reads the head. ERR_INVALID when the text is no message (not JSON, no task, no id, wrong types),
 * ERR_TOOBIG over MESSAGE_MAX. *out is untouched on failure. */
int message_parse(struct arena *a, struct str text, struct message *out,
                  struct err *err) MUST_CHECK;

struct message_body {
    struct str args;   /* raw JSON array */
    struct str kwargs; /* raw JSON object */
    struct str embed;  /* raw JSON object */
};
/* Decodes the body. ERR_DENIED for a content type or encoding that is not read (anything but JSON:
 * its bytes are not looked at), ERR_INVALID when it is not [array, object, object]. */
int message_body(struct arena *a, const struct message *m, struct message_body *out,
                 struct err *err) MUST_CHECK;

/* The text with `key` of the object at `pointer` ("/headers", "/properties/delivery_info") set to
 * the raw JSON value: replaced where it stands, else added as the last member. ERR_NOTFOUND when
 * there is no such object, ERR_TOOBIG. */
int message_set(struct arena *a, struct str text, const char *pointer, const char *key,
                struct str raw, struct str *out, struct err *err) MUST_CHECK;
/* As it goes back to a queue: redelivered = true in both places, ceo-redelivered = count. */
int message_redelivered(struct arena *a, struct str text, int count, struct str *out,
                        struct err *err) MUST_CHECK;

/* What a producer says. NULL or 0 means absent, unless noted. */
struct publish {
    const char *queue; /* required */
    const char *task;  /* required */
    const char *id;    /* NULL: a new UUID */
    const char *root_id, *parent_id;
    struct str args_json;   /* raw array; empty: [] */
    struct str kwargs_json; /* raw object; empty: {} */
    struct str embed_json;  /* raw object; empty: no callbacks */
    int priority;           /* 0 (first) to 9; clamped */
    int retries;
    int64_t eta_us, expires_us; /* wall clock */
    double hard_limit_s, soft_limit_s;
    bool ignore_result;
    const char *tenant, *decision, *traceparent; /* our headers */
};
/* Writes the message into the arena. ERR_INVALID when a raw part is not JSON of its kind. */
int message_build(struct arena *a, const struct publish *p, struct str *out,
                  struct err *err) MUST_CHECK;

/* For a retry: the same message with retries + 1, an ETA and a new delivery tag; unknown headers
 * keep their bytes. */
int message_retry(struct arena *a, struct str text, int retries, int64_t eta_us, struct str *out,
                  struct err *err) MUST_CHECK;

/* "2026-11-24T06:11:51.426033+00:00" as Python prints it (no fraction when it is 0). */
#define MESSAGE_TIME_LEN 40
char *message_time(int64_t wall_us, char out[MESSAGE_TIME_LEN]);

/* The step of a priority: 0, 3, 6 or 9. */
int message_step(int priority);
