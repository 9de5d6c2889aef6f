/* compat.h: the first include of every .c file. What the compiler and libc give us under one
 * name, and the few macros that every storey uses. Nothing here has state. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* A long-lived struct starts with `unsigned magic;`, set to NAME_MAGIC by its constructor and to 0
 * by its destructor; CHECK stands at each public entry and callback. A failed CHECK is our own
 * bug, so it aborts in production too. See miniobj.h in varnish for the idea. */
#define CHECK(obj, NAME) assert((obj) != NULL && (obj)->magic == NAME##_MAGIC)

/* Memory that cannot be had ends the process (a limit on input is ERR_TOOBIG, not this). */
void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);

#include "libcommon/base/banned.h"
