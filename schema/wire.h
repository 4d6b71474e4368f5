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
#define WIRE_PATH_LINKS "/v1/links"       /* alone, or + /provider/label */
#define WIRE_PATH_RENAME "/v1/rename/"    /* + provider/label */
#define WIRE_PATH_REKEY "/v1/rekey"
#define WIRE_PATH_RESUME "/v1/resume"
#define WIRE_PATH_BACKUPS "/v1/backups" /* alone, or + /backup_id */
#define WIRE_PATH_AUDIT "/v1/audit"
#define WIRE_PATH_CALLERS "/v1/callers" /* alone, or + /id */
#define WIRE_PATH_EVENTS "/v1/events"
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
    WIRE_BACKUP_PIECE_MAX = 256 * 1024, /* bytes, before base64 */
    WIRE_LIST_LIMIT_DEFAULT = 100,
    WIRE_LIST_LIMIT_MAX = 500,
};

/* What is told to those who follow, and, where a person may have to do something, to on_event:
 * name, what happened. With provider_… it is about a provider, else about an account. */
#define WIRE_EVENTS(X)                                                                             \
    X("consent_required", "the grant is dead: a person has to consent again")                      \
    X("identity_mismatch", "a consent for another identity is held: accept or discard it")         \
    X("consent_held", "a consent that nobody vouches for is held: accept or discard it")           \
    X("identity_changed", "a refresh says that the grant is another's than before")                \
    X("grant_dies_soon", "the grant will die unless a person consents again")                      \
    X("provider_paused", "nothing is sent to this provider but probes")                            \
    X("provider_resumed", "the provider took a refresh again: all goes on")                        \
    X("client_secret_changed", "client_secret_next works: make it client_secret")                  \
    X("client_secret_refused", "client_secret_next was refused: the old one stays")                \
    X("broker_paused", "the store is a copy: nothing is refreshed before a resume")                \
    X("broker_resumed", "the copy of the store is in use: each provider tries one account first")  \
    X("caller_waits", "somebody asks for the first time under a rule with approve: approve it")    \
    X("broker_moved", "the store was moved: nothing is refreshed here any more")                   \
    X("refreshed", "a refresh brought a new token")                                                \
    X("refresh_failed", "a refresh failed; it is tried again where that can help")                 \
    X("login_started", "someone began a login")                                                    \
    X("login_granted", "a login ended with a grant; the text names the identity")                  \
    X("login_held", "a login ended with a consent that is held")                                   \
    X("login_failed", "a login ended without a grant")                                             \
    X("login_expired", "nobody finished the login in time")                                        \
    X("login_cancelled", "the login was cancelled, or replaced by a newer one")                    \
    X("lost", "some events were not told: look at the accounts themselves")

/* Why a provider is paused after a resume of a copied store. */
#define WIRE_REASON_COPIED "a copied store: one account tries first"

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
