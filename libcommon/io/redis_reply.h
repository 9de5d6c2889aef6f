/* redis_reply.h: hiredis' reader over our reply trees. Inside io/redis*.c alone. */
#pragma once
#include <hiredis/hiredis.h>
#include "libcommon/io/redis.h"

/* Replies are built in `scratch`, which may be reset after each. redisReaderFree frees it. */
redisReader *redis_reader_new(struct arena *scratch);
struct redis_reply *redis_reply_dup(struct arena *a, const struct redis_reply *r);
/* The ERR_* of an error reply's first word. */
int redis_error_code(struct str text);
