/* err.c: filling struct err, the names of the codes, and the table of the API's codes. */
#include "libcommon/base/compat.h"
#include "libcommon/base/err.h"
#include "libcommon/base/err_codes.h"

static const char *const names[] = {
    [-ERR_OK] = "OK",
    [-ERR_INVALID] = "INVALID",
    [-ERR_NOTFOUND] = "NOTFOUND",
    [-ERR_CONFLICT] = "CONFLICT",
    [-ERR_DENIED] = "DENIED",
    [-ERR_BUSY] = "BUSY",
    [-ERR_TIMEOUT] = "TIMEOUT",
    [-ERR_UNAVAILABLE] = "UNAVAILABLE",
    [-ERR_PROTOCOL] = "PROTOCOL",
    [-ERR_TOOBIG] = "TOOBIG",
    [-ERR_CANCELLED] = "CANCELLED",
    [-ERR_INTERNAL] = "INTERNAL",
};

const struct api_code_row api_codes[API__MAX] = {
#define X(name, status, retryable, when) {#name, status, retryable, when},
    API_ERRORS(X)
#undef X
};

int err_set(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return code;
    err->code = code;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    return code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    char old[sizeof err->msg];
    va_list ap;
    int n;

    memcpy(old, err->msg, sizeof old);
    va_start(ap, fmt);
    n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n + 2 < sizeof err->msg) {
        size_t room = sizeof err->msg - (size_t)n - 3;

        memcpy(err->msg + n, ": ", 2);
        old[MIN(strlen(old), room)] = '\0';
        memcpy(err->msg + n + 2, old, strlen(old) + 1);
    }
    return err->code;
}

const char *err_name(int code)
{
    if (code > 0 || -(int64_t)code >= (int64_t)ARRAY_LEN(names))
        return "UNKNOWN";
    return names[-code];
}
