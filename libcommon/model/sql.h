/* sql.h: pieces of SQL text that the statements of this room share. */
#pragma once

/* Microseconds since 1970 and back. An interval of whole microseconds is exact; a double of seconds
 * is not. */
#define SQL_US(column) "(extract(epoch FROM " column ") * 1000000)::bigint"
#define SQL_TIME(param) "('epoch'::timestamptz + " param "::bigint * interval '1 microsecond')"
#define SQL_MS(param) "(" param "::bigint * interval '1 millisecond')"
