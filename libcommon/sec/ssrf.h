/* ssrf.h: which addresses a URL that somebody else gave us may lead to. The name is not asked, the
 * resolved address is, at the moment of connecting: a name that points inside, also for a moment
 * only, gets nowhere. Fits http_request.allow_address. */
#pragma once
#include "libcommon/base/compat.h"

struct sockaddr;

/* True for addresses of the public Internet; false for loopback, private, link-local (cloud
 * metadata lives there), shared, multicast, reserved and documentation ranges, also when they are
 * wrapped into IPv6 (mapped, NAT64, 6to4), and for families other than IPv4 and IPv6. arg is not
 * used. */
bool ssrf_public(const struct sockaddr *address, void *arg);
