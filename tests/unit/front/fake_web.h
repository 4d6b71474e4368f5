#pragma once

/* Stands in for io/web and io/peer: requests without sockets, answers that can be looked at. */

#include <stdbool.h>
#include <sys/types.h>

#include "io/web.h"

enum { FAKE_TEXT_MAX = 64 * 1024 };

struct web_request {
    const char *method;
    char path[WEB_PATH_MAX];
    char query[WEB_QUERY_MAX];
    char parameters[WEB_QUERY_MAX]; /* the query, cut up */
    const char *names[WEB_PARAMETERS_MAX];
    const char *values[WEB_PARAMETERS_MAX];
    size_t parameter_count;
    const char *body;
    const char *accept;
    struct web_header_line headers[WEB_HEADERS_MAX]; /* of the request, beside it; may come twice */
    uid_t uid;

    void *userdata;
    void (*gone)(void *userdata);

    int answers; /* how often it was answered */
    int status;
    char content_type[64];
    char answer[FAKE_TEXT_MAX];
    char retry_after[32];
    char allow[64];

    const char *last_event_id;
    bool streams, stream_ended;
    size_t stream_room; /* bytes that it takes yet */
};

/* Where servers can be made (by default none can): what was made last. */
struct fake_server {
    bool possible; /* set by the test */
    int refuse;    /* what web_listen_tcp() fails with, -errno; 0: it does not */
    size_t live;   /* how many there are */
    web_handler handler;
    void *userdata;
    struct web_options options;
};
extern struct fake_server fake_server;

/* A request that was sent but not handled yet. body may be NULL. Freed with free(). */
struct web_request *fake_request(const char *method, const char *target, const char *body,
                                 uid_t uid);

/* The client hangs up, or reads nothing any more. */
void fake_hang_up(struct web_request *request);
