/* err_codes.h: the API's error codes, one row each; the only place that pairs a code with a
 * status. Sources: docs/api.md, section "Error codes".
 *
 * X(name, HTTP status, retryable, default internal code, when)
 * `retryable` is what a client may assume: the same request may succeed later. */
#pragma once

#define API_ERRORS(X)                                                                          \
    X(INTERNAL_ERROR, 500, true, "anything unexpected")                                        \
    X(INVALID_REQUEST, 400, false, "not JSON, a required field missing, or a wrong type")      \
    X(INVALID_INPUT, 400, false, "query empty or too long, context not an object or too big")  \
    X(VALIDATION_ERROR, 422, false, "a field outside its range")                               \
    X(RATE_LIMIT_EXCEEDED, 429, true, "too many requests")                                     \
    X(AUTH_REQUIRED, 401, false, "no credentials")                                             \
    X(AUTH_INVALID_TOKEN, 401, false, "credentials that we did not give out, or revoked")      \
    X(AUTH_TOKEN_EXPIRED, 401, false, "credentials past their end")                            \
    X(AUTH_INSUFFICIENT_PERMISSIONS, 403, false, "the role lacks the permission")              \
    X(AUTH_INVALID_CREDENTIALS, 401, false, "wrong e-mail or password")                        \
    X(AUTH_USER_EXISTS, 409, false, "register with a known e-mail")                            \
    X(NOT_FOUND, 404, false, "no such route")                                                  \
    X(METHOD_NOT_ALLOWED, 405, false, "the route has no such method")                          \
    X(PAYLOAD_TOO_LARGE, 413, false, "the body is over its limit")                             \
    X(UNSUPPORTED_MEDIA_TYPE, 415, false, "a body of a type that is not read")                 \
    X(DECISION_NOT_FOUND, 404, false, "unknown, deleted, or another user's")                   \
    X(DECISION_INVALID_QUERY, 422, false, "a decision field breaks a rule")                    \
    X(DECISION_EXECUTION_FAILED, 500, true, "the analysis failed for a reason not named here") \
    X(LLM_ERROR, 502, true, "the model provider answered with an error")                       \
    X(LLM_RATE_LIMITED, 503, true, "the provider is limiting us and waiting did not help")     \
    X(TIMEOUT, 504, true, "no answer within the limit")                                        \
    X(PARSE_ERROR, 500, false, "the model's answer could not be read as a result")             \
    X(CONVERSATION_NOT_FOUND, 404, false, "unknown or expired conversation")                   \
    X(DATA_SOURCE_UNAVAILABLE, 503, true, "a data source cannot be reached")                   \
    X(DATA_INVALID_FORMAT, 422, false, "data in a form that is not read")                      \
    X(DATA_NOT_FOUND, 404, false, "no such data or document")                                  \
    X(SKILL_NOT_FOUND, 404, false, "unknown skill")                                            \
    X(SKILL_INVALID_PARAMS, 422, false, "parameters do not fit the skill's schema")            \
    X(SKILL_EXECUTION_FAILED, 500, true, "the skill reported an error")                        \
    X(IDEMPOTENCY_CONFLICT, 409, false, "the key was used with another body, or is in use")    \
    X(CONFLICT, 409, false, "the state does not allow it")                                     \
    X(BUDGET_EXCEEDED, 500, false, "a budget ran out")                                         \
    X(SERVICE_UNAVAILABLE, 503, true, "draining, or a dependency is down")

enum api_code {
#define X(name, status, retryable, when) API_##name,
    API_ERRORS(X)
#undef X
        API__MAX
};

struct api_code_row {
    const char *name;
    int status;
    bool retryable;
    const char *when;
};

/* The table itself, indexed by enum api_code. */
extern const struct api_code_row api_codes[API__MAX];
