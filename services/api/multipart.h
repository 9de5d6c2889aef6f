/* multipart.h: reads multipart/form-data (RFC 7578) out of a body that is whole. Pure. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/err.h"

#define MULTIPART_PARTS_MAX 32

struct form_part {
    struct str name;
    struct str filename; /* {NULL,0}: none */
    struct str type;     /* of the part; {NULL,0}: none */
    struct str body;     /* inside the body given */
};

bool multipart_is(struct str content_type);
/* The parts in the arena; their texts are views. ERR_INVALID when it is malformed, ERR_TOOBIG for
 * too many parts. */
int multipart_read(struct arena *a, struct str content_type, struct str body,
                   struct form_part **out, int *count, struct err *err) MUST_CHECK;
