#pragma once

/*
 * What the daemon and its clients share: paths, field names' limits, error codes. Data only; the
 * text of the interface is api.yaml, which the tests hold both sides to.
 */

#define WIRE_VERSION_PREFIX "/v1"
#define WIRE_PATH_TOKEN "/v1/token/"      /* + provider/label */
#define WIRE_PATH_ACCOUNTS "/v1/accounts" /* alone, or + /provider/label */
#define WIRE_PATH_LOGIN "/v1/login/"      /* + provider/label */
#define WIRE_PATH_LOGINS "/v1/logins/"    /* + login_id */
#define WIRE_PATH_REFRESH "/v1/refresh/"  /* + provider/label */
#define WIRE_PATH_REJECT "/v1/reject/"    /* + provider/label */
#define WIRE_PATH_RETRY "/v1/retry"       /* alone, or + /provider/label */
#define WIRE_PATH_HELD "/v1/held"         /* alone, or + /provider/label */
#define WIRE_PATH_RENAME "/v1/rename/"    /* + provider/label */
#define WIRE_PATH_AUDIT "/v1/audit"
#define WIRE_PATH_HEALTH "/v1/health"
#define WIRE_PATH_AUTHORITY "/v1/authority"
#define WIRE_PATH_METRICS "/metrics"

#define WIRE_SOCKET_NAME "tokenbroker/api.sock" /* below $XDG_RUNTIME_DIR */
#define WIRE_SYSTEM_SOCKET "/run/tokenbroker/api.sock"
#define WIRE_SOCKET_VARIABLE "TOKENBROKER_SOCKET"

enum {
    WIRE_WAIT_DEFAULT_S = 30,
    WIRE_WAIT_MAX_S = 60,
    WIRE_BODY_MAX = 64 * 1024,
    WIRE_ANSWER_MAX = 1024 * 1024,
    WIRE_LIST_LIMIT_DEFAULT = 100,
    WIRE_LIST_LIMIT_MAX = 500,
};

/* name, HTTP status, exit code of the command */
#define WIRE_ERRORS(X)                                                                             \
    X(BAD_REQUEST, "bad_request", 400, 2)                                                          \
    X(FORBIDDEN, "forbidden", 403, 4)                                                              \
    X(UNKNOWN_ACCOUNT, "unknown_account", 404, 5)                                                  \
    X(UNKNOWN_PROVIDER, "unknown_provider", 404, 5)                                                \
    X(NOT_FOUND, "not_found", 404, 1)                                                              \
    X(CONSENT_REQUIRED, "consent_required", 409, 3)                                                \
    X(TOO_MANY_REQUESTS, "too_many_requests", 429, 1)                                              \
    X(INTERNAL, "internal", 500, 1)                                                                \
    X(PROVIDER_REJECTED, "provider_rejected", 502, 6)                                              \
    X(PROVIDER_UNAVAILABLE, "provider_unavailable", 503, 6)                                        \
    X(BUSY, "busy", 503, 1)                                                                        \
    X(TIMEOUT, "timeout", 504, 6)

#define WIRE_ERROR_ENUM(symbol, name, status, exit_code) WIRE_##symbol,
enum wire_error { WIRE_ERRORS(WIRE_ERROR_ENUM) WIRE_ERROR_COUNT };
#undef WIRE_ERROR_ENUM

struct wire_error_row {
    const char *name;
    int status;
    int exit_code;
};

#define WIRE_ERROR_ROW(symbol, name, status, exit_code) { name, status, exit_code },
static const struct wire_error_row wire_errors[]
    __attribute__((unused)) = { WIRE_ERRORS(WIRE_ERROR_ROW) };
#undef WIRE_ERROR_ROW
