/* tls.c: TLS for the adapters that speak over bufferevents. One context a client: TLS 1.2 or later,
 * certificates and host names verified against the system's roots, or CEO_CA_FILE for a private
 * one. */
#include "libcommon/base/compat.h"
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include "libcommon/io/tls.h"

struct tls {
    SSL_CTX *ctx;
};

int tls_new(struct tls **out, struct err *err)
{
    const char *ca_file = getenv("CEO_CA_FILE");
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct tls *t;

    if (ctx == NULL)
        return err_set(err, ERR_INTERNAL, "no TLS context");
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (ca_file != NULL && ca_file[0] != '\0') {
        if (SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1) {
            SSL_CTX_free(ctx);
            return err_set(err, ERR_INVALID, "CEO_CA_FILE=%s cannot be read as PEM certificates",
                           ca_file);
        }
    } else {
        SSL_CTX_set_default_verify_paths(ctx);
    }
    t = xcalloc(1, sizeof(*t));
    t->ctx = ctx;
    *out = t;
    return 0;
}

void tls_free(struct tls *t)
{
    if (t == NULL)
        return;
    SSL_CTX_free(t->ctx); /* connections hold their own reference */
    free(t);
}

static bool is_address(const char *host)
{
    unsigned char parsed[16];

    return inet_pton(AF_INET, host, parsed) == 1 || inet_pton(AF_INET6, host, parsed) == 1;
}

struct bufferevent *tls_bufferevent(struct tls *t, struct loop *l, const char *host)
{
    SSL *ssl = SSL_new(t->ctx);
    struct bufferevent *bev;

    if (ssl == NULL)
        return NULL;
    if (is_address(host))
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    else if (SSL_set1_host(ssl, host) != 1 || SSL_set_tlsext_host_name(ssl, host) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    bev = bufferevent_openssl_socket_new(loop_base(l), -1, ssl, BUFFEREVENT_SSL_CONNECTING,
                                         BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    /* Peers that close without close_notify are seen as closed, not as an error of the protocol. */
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}
