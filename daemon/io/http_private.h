#pragma once

/* What the files of the HTTP client share. */

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#include "io/http.h"

enum {
    HTTP_HOST_MAX = 64, /* as it is shown to a person */
    HTTP_REFUSAL_MAX = 80,
    HTTP_HEADER_MAX = 32 * 1024,     /* of an answer, all lines together */
    HTTP_POOL_MAX = 64,              /* connections kept open between requests */
    HTTP_IDLE_MAX_S = 60,            /* servers close about then; a close that crosses a request
                                        costs that request its answer */
    HTTP_CONNECTION_MAX_S = 10 * 60, /* so that a connection that hangs is not used for ever */
    HTTP_UNACKNOWLEDGED_MAX_MS = 20 * 1000, /* the same, where the network is gone */
    HTTP_CA_CACHE_S = 60 * 60,
    HTTP_LOOK_MS = 100, /* a deadline ends a transfer after so long in which the thread was free */
    HTTP_LATE_MS = 50,  /* a timer that comes later: the thread was held, or the machine asleep */
    HTTP_LOOKS_MAX = 10,
};

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct loop_source *timer;    /* libcurl's */
    struct loop_source *refusals; /* hands out what was refused in http_send() */
    struct http_transfer *transfers;
    size_t count;
    unsigned serving; /* how often it stands on the stack; it is freed when that is left */
    bool gone;        /* http_client_free() was called meanwhile */
};

struct http_transfer {
    struct http_client *client;
    struct http_transfer *next, *previous;
    CURL *easy;
    struct curl_slist *headers;
    struct buffer body;
    struct buffer reply;
    http_done done;
    void *userdata;
    int whole_ms;                 /* how long it may take as a whole */
    struct loop_source *deadline; /* NULL for one that is refused */
    int64_t due_at;
    unsigned looks; /* for a reply that lies in the socket since the deadline */

    bool plain;   /* http, so to loopback addresses alone */
    bool written; /* libcurl was about to write the request: the server may have seen it */
    bool truncated;
    bool header_whole;
    bool no_memory;
    bool delivering; /* done() is running */
    size_t header_bytes;
    char host[HTTP_HOST_MAX];
    char refusal[HTTP_REFUSAL_MAX]; /* why it is not sent at all, "" when it is */
    char error[CURL_ERROR_SIZE];
};

/* libcurl with an allocator that wipes what is freed. Returns 0 or -EIO; ends with
 * curl_global_cleanup(). */
int http_memory_start(void);

/* Takes scheme and host from the URL into the transfer, and its refusal when our rules forbid it.
 * Returns 0 or -ENOMEM. */
int http_check_url(struct http_transfer *transfer, const char *url);

/* A transfer that is ready for libcurl (or refused). Returns 0, -EINVAL, -E2BIG or -ENOMEM. */
int http_transfer_new(const struct http_request *request, struct http_transfer **ret);
struct http_transfer *http_transfer_free(struct http_transfer *transfer);

/* What came of it. The texts of the reply belong to the transfer. */
void http_transfer_reply(struct http_transfer *transfer, CURLcode code, struct http_reply *ret);

DEFINE_CLEANUP(struct http_transfer *, http_transfer, http_transfer_free)
