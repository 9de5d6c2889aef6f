/* log.h: one JSON object a line on stderr: timestamp, level, service, request_id, user_id, message,
 * then decision_id, job_id, tenant_id, trace_id and the event's own fields. E-mail addresses, phone
 * numbers and money amounts inside string values are masked; keys whose name holds key, token,
 * secret, password or authorization are written as "***". Never prompt text. A line over 16 KiB
 * loses its longest value. Writing never blocks the loop for long: one write(2) a line. */
#pragma once
#include "libcommon/base/compat.h"
#include "libcommon/base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG__MAX };

struct log_field {
    const char *key; /* NULL ends the list */
    char type;       /* 's' string, 'n' str view, 'i' integer, 'f' double, 'b' bool */
    union {
        const char *s;
        struct str n;
        int64_t i;
        double f;
        bool b;
    } v;
};

#define LOG_S(k, val) ((struct log_field){.key = (k), .type = 's', .v.s = (val)})
#define LOG_N(k, val) ((struct log_field){.key = (k), .type = 'n', .v.n = (val)})
#define LOG_I(k, val) ((struct log_field){.key = (k), .type = 'i', .v.i = (int64_t)(val)})
#define LOG_F(k, val) ((struct log_field){.key = (k), .type = 'f', .v.f = (val)})
#define LOG_B(k, val) ((struct log_field){.key = (k), .type = 'b', .v.b = (val)})

/* service: "ceoagent-api"; static. Before log_init the level is INFO and the service "ceoagent". */
void log_init(const char *service, enum log_level level);
void log_set_level(enum log_level level);
/* DEBUG, INFO, WARNING, ERROR (any case; CRITICAL counts as ERROR). 0 or ERR_INVALID. */
int log_level_parse(struct str s, enum log_level *out) MUST_CHECK;
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *message, const struct log_field *fields);
/* Masks personal data in text as log_write does; out is NUL-terminated, at most cap bytes. */
void log_mask(struct str text, char *out, size_t cap);

/* The first field only stands before a comma, so that there may be none. */
#define log_emit(level, msg, ...)                                                           \
    do {                                                                                    \
        if (log_enabled(level))                                                             \
            log_write(level, msg, (const struct log_field[]){{0}, ##__VA_ARGS__, {0}} + 1); \
    } while (0)
#define log_debug(msg, ...) log_emit(LOG_DEBUG, msg, ##__VA_ARGS__)
#define log_info(msg, ...) log_emit(LOG_INFO, msg, ##__VA_ARGS__)
#define log_warning(msg, ...) log_emit(LOG_WARNING, msg, ##__VA_ARGS__)
#define log_error(msg, ...) log_emit(LOG_ERROR, msg, ##__VA_ARGS__)
