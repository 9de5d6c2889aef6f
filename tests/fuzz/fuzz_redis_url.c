/* REDIS_URL. */
#include "libcommon/base/compat.h"
#include "libcommon/io/redis_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redis_url u = {0};
    char *z = xstrndup((const char *)data, size);

    if (redis_url_parse(&u, z, NULL) == 0)
        assert(u.count >= 1 && u.count <= REDIS_HOSTS_MAX && u.addr[0].host[0] != '\0');
    free(z);
    return 0;
}
