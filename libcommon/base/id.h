/* id.h: identifiers. UUID version 7 (RFC 9562), lower case: sorted by time within a process. */
#pragma once
#include "libcommon/base/compat.h"
#include "libcommon/base/str.h"

#define UUID_LEN 36
struct uuid {
    uint8_t b[16];
};

struct uuid uuid_v7(void);
struct uuid uuid_v4(void);
/* Writes 36 characters and a NUL. Returns out. */
char *uuid_text(struct uuid u, char out[UUID_LEN + 1]);
/* Canonical 36-character form, lower or upper case. 0 or ERR_INVALID. */
int uuid_parse(struct str s, struct uuid *out) MUST_CHECK;

/* From the kernel's generator (getrandom); aborts if there is none. */
void random_bytes(void *p, size_t n);
/* Tests: replaces the source of random_bytes; NULL restores it. */
void random_replace(void (*fn)(void *p, size_t n));

/* Lower-case hex with a NUL; out has 2n + 1 bytes. hex_decode: 0 or ERR_INVALID. */
char *hex_encode(const void *p, size_t n, char *out);
int hex_decode(struct str s, void *out, size_t n) MUST_CHECK;

/* Base64 (RFC 4648 section 4; url: section 5, no padding). encode: out has 4*((n+2)/3)+1 bytes,
 * returns the length. decode: strict, returns the length or ERR_INVALID / ERR_TOOBIG. */
size_t base64_encode(const void *p, size_t n, bool url, char *out);
ptrdiff_t base64_decode(struct str s, bool url, void *out, size_t cap) MUST_CHECK;
