/* peers.h: whose word about the client's address is taken. TRUSTED_PROXIES is a comma separated
 * list of addresses and networks ("10.0.0.0/8, ::1"). */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/err.h"

struct peers;

int peers_new(const char *list, struct peers **out, struct err *err) MUST_CHECK; /* NULL: empty */
void peers_free(struct peers *p);
bool peers_trusts(const struct peers *p, const char *address);
/* The client: the last address of X-Forwarded-For that no trusted proxy added; the socket's peer
 * when that is not trusted, or the header is absent or malformed. */
const char *peers_client(const struct peers *p, struct arena *a, const char *peer,
                         struct str forwarded_for);
