/* tls.h: TLS client contexts for the adapters of this storey (rediss://). TLS 1.2 or later, peers
 * verified against the system's certificates or CEO_CA_FILE, host names checked. */
#pragma once
#include "libcommon/base/err.h"
#include "libcommon/ev/loop.h"

struct tls;
struct bufferevent;

int tls_new(struct tls **out, struct err *err) MUST_CHECK;
void tls_free(struct tls *t);
/* A bufferevent that connects to host:port through TLS; the caller owns it. NULL on failure. */
struct bufferevent *tls_bufferevent(struct tls *t, struct loop *l, const char *host);
