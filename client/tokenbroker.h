/*
 * libtokenbroker: asks tokenbrokerd, the broker of this machine, for access tokens.
 *
 *     struct tb_broker *broker = NULL;
 *     struct tb_token *token = NULL;
 *     struct tb_error *error = NULL;
 *
 *     if (tb_connect(NULL, &broker, &error) == TB_OK &&
 *         tb_token(broker, "zenegy/acme", TB_DEFAULT, TB_DEFAULT, &token, &error) == TB_OK)
 *         use(token->access_token);
 *     else
 *         complain(error->message);
 *     tb_token_free(token);
 *     tb_error_free(error);
 *     tb_close(broker);
 *
 * Ownership: what a function gives through a ret_ pointer belongs to the caller, who frees it with
 * the function named beside it; on failure ret_ pointers are left as they are, except ret_error.
 * Text inside of a struct belongs to the struct and ends with it. All text is UTF-8 without control
 * characters in the middle of what the broker itself wrote; text of a provider's is as it came.
 * Structs are made by the library alone: later versions add members at their ends.
 *
 * Threads: one struct tb_broker is used by one thread at a time; there is no global state. After
 * fork() parent and child may both go on: the child's next call makes a connection of its own.
 * Signals: SIGPIPE is never raised, and a call goes on after a signal handler has run. Descriptors
 * are closed on exec. Memory that held a token, a request or a reply is overwritten before it is
 * freed.
 */
#ifndef TOKENBROKER_H
#define TOKENBROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define TB_API extern "C" __attribute__((visibility("default")))
#else
#define TB_API __attribute__((visibility("default")))
#endif

/* In place of a duration: the broker's default. Also the value of a number that is not known. */
#define TB_DEFAULT (-1)

/* How a call ended; the same numbers as the exit codes of the command tokenbroker(1). */
enum tb_status {
    TB_OK = 0,
    TB_FAILED = 1,               /* none of those below: see tb_error.code and .message */
    TB_USAGE = 2,                /* the request is not one that the broker understands */
    TB_CONSENT_REQUIRED = 3,     /* a person has to log in: `tokenbroker login ACCOUNT` */
    TB_FORBIDDEN = 4,            /* no access rule lets this process do it */
    TB_UNKNOWN = 5,              /* no such account or provider */
    TB_PROVIDER_UNAVAILABLE = 6, /* the provider does not answer, or answers wrong; try later */
    TB_NO_BROKER = 7,            /* no broker accepts connections */
};

/* A connection to a broker. */
struct tb_broker;

/* An answer of the broker: JSON. */
struct tb_reply;

/* One value inside of an answer; lives as long as its tb_reply. */
struct tb_value;

/* Why a call failed. */
struct tb_error {
    enum tb_status status; /* never TB_OK */
    const char *code;    /* the broker's word, such as "consent_required"; NULL: no answer of its */
    const char *message; /* one line for a person, without a secret; never NULL */
    const char *account; /* "provider/label", or NULL */
    const char *start_url; /* where a person may consent, or NULL */
    const char *broker;    /* the path of the socket that answered, or NULL */
    int64_t retry_after;   /* seconds until it is worth another try, or TB_DEFAULT */
    int64_t max_min_ttl;   /* seconds: the most that min_ttl may be, or TB_DEFAULT */
};

/* Where an API wants the token. */
enum tb_place {
    TB_HEADER, /* a header line "NAME: VALUE" */
    TB_QUERY,  /* a parameter NAME=VALUE of the address, VALUE percent-encoded by the caller */
};

/* An access token that is valid now. */
struct tb_token {
    const char *account;       /* "provider/label" */
    const char *access_token;  /* the token itself: a secret */
    const char *token_type;    /* as the provider wrote it, such as "bearer" */
    const char *scope;         /* separated by spaces, or NULL when not known */
    const char *api_base;      /* the API's address as configured, or NULL */
    const char *present_name;  /* of the header or the parameter, such as "Authorization" */
    const char *present_value; /* its whole value, such as "Bearer TOKEN": a secret */
    enum tb_place present_in;
    int64_t expires_in; /* seconds left, rounded down, or TB_DEFAULT: it has no end */
    int64_t expires_at; /* Unix seconds, or TB_DEFAULT: it has no end */
};

/* What a tb_value is. */
enum tb_type {
    TB_NULL, /* also: no value at all */
    TB_BOOLEAN,
    TB_NUMBER,
    TB_STRING,
    TB_ARRAY,
    TB_OBJECT,
};

/* The library's version, such as "0.1.0". */
TB_API const char *tb_version(void);

/* What a status means, in a few words of English; static text, never NULL. */
TB_API const char *tb_status_text(enum tb_status status);

/*
 * Connects to the broker on socket_path. With NULL: to the first that accepts of
 * $TOKENBROKER_SOCKET, $XDG_RUNTIME_DIR/tokenbroker/api.sock and /run/tokenbroker/api.sock (the
 * environment is not looked at in a set-user-ID program). The connection is made anew when the
 * broker closed it between two calls.
 *
 * ret_error may be NULL, here and everywhere. TB_NO_BROKER: none accepts; the message names each
 * socket that was tried, and why not. TB_FAILED: out of memory. Close with tb_close().
 */
TB_API enum tb_status tb_connect(const char *socket_path, struct tb_broker **ret_broker,
                                 struct tb_error **ret_error);

/* Closes the connection; NULL is nothing. Returns NULL. Tokens and errors live on. */
TB_API struct tb_broker *tb_close(struct tb_broker *broker);

/* The path of the socket that the broker was found on; belongs to the broker. */
TB_API const char *tb_broker_path(const struct tb_broker *broker);

/*
 * The most that one call of tb_call() may take, from its beginning to the whole answer, in
 * milliseconds; 65,000 at first. A call that takes longer fails with TB_FAILED.
 */
TB_API void tb_set_timeout(struct tb_broker *broker, int timeout_ms);

/*
 * Calls end early, with TB_FAILED and the code "interrupted", while this descriptor is readable,
 * such as a signalfd or the read end of a pipe; -1 (at first): none. The descriptor stays the
 * caller's.
 */
TB_API void tb_set_interrupt(struct tb_broker *broker, int fd);

/*
 * The access token of an account, written "provider/label", or "provider" for "provider/default".
 * It is valid for min_ttl_s seconds yet (TB_DEFAULT: the smaller of 30 s and a tenth of its
 * lifetime); the broker refreshes it first where needed, which takes wait_s seconds at most
 * (TB_DEFAULT: 30, at most 60). Never cache a token beyond expires_at: ask again, that is cheap.
 *
 * Any tb_status; TB_USAGE also for an account that is none, without asking the broker. Free with
 * tb_token_free().
 */
TB_API enum tb_status tb_token(struct tb_broker *broker, const char *account, int64_t min_ttl_s,
                               int64_t wait_s, struct tb_token **ret_token,
                               struct tb_error **ret_error);

/* Overwrites and frees a token; NULL is nothing. Returns NULL. */
TB_API struct tb_token *tb_token_free(struct tb_token *token);

/*
 * One request of the socket API: method "GET", "POST", "PUT" or "DELETE"; path with its query,
 * such as "/v1/accounts?limit=10", percent-encoded by the caller; body JSON text or NULL. An answer
 * of 200 is given in ret_reply; any other is a tb_error with the broker's code and message.
 *
 * TB_USAGE: also for a path that is none. TB_FAILED: also for an answer that is not HTTP, not JSON
 * or larger than 1 MiB, for one that takes too long, and for a connection that broke; where that
 * was a kept connection and the request has no effect when repeated, it is sent once more on a new
 * one. Free with tb_reply_free().
 */
TB_API enum tb_status tb_call(struct tb_broker *broker, const char *method, const char *path,
                              const char *body, struct tb_reply **ret_reply,
                              struct tb_error **ret_error);

/* Overwrites and frees an answer and all its values; NULL is nothing. Returns NULL. */
TB_API struct tb_reply *tb_reply_free(struct tb_reply *reply);

/* The outermost value of an answer; belongs to the reply, never NULL. */
TB_API const struct tb_value *tb_reply_value(const struct tb_reply *reply);

/*
 * Walking through an answer. All take NULL for a value that is not there, so that
 * tb_value_text(tb_value_member(tb_value_member(account, "last_error"), "error"), NULL) needs no
 * checks.
 */

/* What it is; TB_NULL for NULL. */
TB_API enum tb_type tb_value_type(const struct tb_value *value);

/* A string's text, which holds no NUL inside; otherwise is returned for anything else. */
TB_API const char *tb_value_text(const struct tb_value *value, const char *otherwise);

/* A whole number of 64 bits; otherwise is returned for anything else, fractions among it. */
TB_API int64_t tb_value_integer(const struct tb_value *value, int64_t otherwise);

/* Whether it is true, and not anything else. */
TB_API bool tb_value_true(const struct tb_value *value);

/* An object's member of that name, or NULL. */
TB_API const struct tb_value *tb_value_member(const struct tb_value *object, const char *name);

/* The first value of an array or object, or NULL when it is empty, or neither. */
TB_API const struct tb_value *tb_value_first(const struct tb_value *value);

/* The value after this one in its array or object, or NULL. */
TB_API const struct tb_value *tb_value_next(const struct tb_value *value);

/* The name of a member of an object, or NULL for anything else. */
TB_API const char *tb_value_name(const struct tb_value *value);

/* The value as JSON text, as the broker wrote it: *ret_length bytes, not ended by a NUL. */
TB_API const char *tb_value_json(const struct tb_value *value, size_t *ret_length);

/* Frees an error; NULL is nothing. Returns NULL. */
TB_API struct tb_error *tb_error_free(struct tb_error *error);

#endif
