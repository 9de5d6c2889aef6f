/* redis_lab.h: Redis processes beyond the one of servers.h: replicas, sentinels, cluster nodes,
 * TLS. On free loopback ports, in folders of their own, ended with the test program (also by a
 * signal), and by lab_kill. A process that does not start ends the run with the reason. */
#pragma once
#include "libcommon/base/compat.h"
#include <sys/types.h>

struct lab_redis {
    int port;
    pid_t pid;
    char dir[64];
};

/* redis-server with "--port P --dir D --save '' --bind 127.0.0.1" and the lines of `config` (may be
 * NULL), waited for until the port answers. sentinel: runs as one. */
void lab_start(struct lab_redis *r, bool sentinel, const char *config);
void lab_kill(struct lab_redis *r); /* -9, and removes its folder */
void lab_pause(struct lab_redis *r, bool on);

/* redis-cli on it; the output, static, cut at 64 KiB. */
const char *lab_cli(const struct lab_redis *r, const char *words);
/* redis-cli until the output holds `text`; ends the run after 20 s. */
void lab_wait(const struct lab_redis *r, const char *words, const char *text);

/* A private CA and a certificate for 127.0.0.1 and localhost in the folder of r (made before its
 * start: lab_start keeps a folder that is there): ca.pem, cert.pem, key.pem. */
void lab_certificates(struct lab_redis *r);
