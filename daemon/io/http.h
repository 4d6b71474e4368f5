#pragma once

/*
 * The client side of HTTPS, by libcurl's multi interface on a loop. https is verified, TLS 1.2 at
 * least; http goes to loopback hosts alone; no redirects; no environment (proxy, SSLKEYLOGFILE);
 * one pool of connections with HTTP/2 where offered.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/secret.h"
#include "io/loop.h"

enum {
    HTTP_CONNECT_TIMEOUT_MS = 5 * 1000,
    HTTP_WHOLE_TIMEOUT_MS = 30 * 1000,
    HTTP_REQUEST_MAX = 256 * 1024, /* its body, its address, each of its headers */
    HTTP_REPLY_MAX = 64 * 1024,
    HTTP_REPLY_USUAL = 8 * 1024, /* for which memory is taken before anything is sent */
    HTTP_TRANSFERS_MAX = 512,
};

struct http_client;
struct http_transfer;

enum http_outcome {
    HTTP_ANSWERED,
    HTTP_NOT_SENT,  /* DNS, connect, TLS, or refused by our own rules: the server saw no request */
    HTTP_NO_ANSWER, /* sent, at least in part: time-out, reset, broken protocol */
};

struct http_request {
    const char *method; /* "GET", "POST" */
    const char *url;
    const char *content_type; /* NULL: no body. A GET's body is not sent */
    const char *body;
    size_t body_length;
    const char *authorization; /* the header's value; NULL or "": none */
    const char *accept;        /* NULL: application/json */
    const char *ca_file;       /* NULL: the system's bundle */
    const char *proxy;         /* NULL: none, whatever the environment says; never for http */
    /* In PEM: a certificate, those that lead to it, its key (RFC 8705); NULL: none. A connection
     * that one identity has made serves no other, nor a request without one. */
    const struct secret *client_identity;
    int timeout_ms; /* of the whole; 0: HTTP_WHOLE_TIMEOUT_MS */
};

/* With HTTP_NO_ANSWER, status (0: none), content_type and body are what had come until then: a
 * server that hangs up without a proper end may have said all. */
struct http_reply {
    enum http_outcome outcome;
    int status;
    const char *content_type; /* may be NULL */
    const char *body;         /* NUL-ended; valid during the callback, wiped after it */
    size_t length;
    bool truncated;        /* it was larger than HTTP_REPLY_MAX */
    int64_t retry_after_s; /* Retry-After in seconds, from either form; -1: none */
    char problem[160];     /* one line for a person when outcome is not HTTP_ANSWERED: no secret,
                              no address with a query */
};

typedef void (*http_done)(void *userdata, const struct http_reply *reply);

/* Returns 0 or -errno. */
int http_client_new(struct loop *loop, struct http_client **ret);
/* Ends what is under way without calling back; before the loop. NULL is fine; returns NULL. */
struct http_client *http_client_free(struct http_client *client);

/* Copies what it needs of the request. done is called once, later, never from inside http_send().
 * The request is written at most once: it is never repeated on another connection.
 * Returns 0 or -errno (-EBUSY: HTTP_TRANSFERS_MAX are under way; -EINVAL: another method, or a
 * header with a line break; -E2BIG: past HTTP_REQUEST_MAX). */
int http_send(struct http_client *client, const struct http_request *request, http_done done,
              void *userdata, struct http_transfer **ret);

/* Ends a transfer; done is not called. NULL is fine, and so is a transfer whose done is running;
 * after that it must not be touched. This and http_client_free() may be called from inside a done.
 */
void http_cancel(struct http_transfer *transfer);

DEFINE_CLEANUP(struct http_client *, http_client, http_client_free)
