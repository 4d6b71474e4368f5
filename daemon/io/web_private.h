#pragma once

/* What the files of the web server share: a connection, its one request, its deadline. */

#include <sys/queue.h>

#include <microhttpd.h>

#include "io/web.h"

enum {
    /*
     * libmicrohttpd's pool for one connection: the request's head, a copy of its cookies, a record
     * for each header line and cookie, and the answer's head. When the latter does not fit, the
     * library hangs up without a word, so room is kept for it: the head and all that the library
     * makes of it has 16 KiB, of which path and query may take 7.
     */
    WEB_POOL_SIZE = 24 * 1024,
    WEB_ANSWER_HEAD_ROOM = 8 * 1024,
    WEB_RECORD_SIZE = 64,
    /* Of a chunked body that is too large, read in order to answer 413 and not just hang up. */
    WEB_SWALLOW_MAX = 256 * 1024,
    WEB_TLS_OPTIONS = 3,
    WEB_REST_MS = 5, /* until the library is run again where there was nothing to do for it */
    /* Accepted above the cap until the end of the turn, when some give way: more than the library
     * takes in one. */
    WEB_AHEAD_MAX = 16,
};

/* Why a request is refused before the handler sees it. */
enum web_refusal {
    WEB_REFUSED_NOT,
    WEB_REFUSED_METHOD,
    WEB_REFUSED_TARGET,
    WEB_REFUSED_PATH_TOO_LONG,
    WEB_REFUSED_QUERY,
    WEB_REFUSED_PARAMETERS,
    WEB_REFUSED_HEADER,
    WEB_REFUSED_HEAD_TOO_LARGE,
    WEB_REFUSED_HOST,
    WEB_REFUSED_FRAMING,
    WEB_REFUSED_BODY_TOO_LARGE,
};

enum web_stage {
    WEB_STAGE_NONE,     /* between requests */
    WEB_STAGE_HEAD,     /* the request line is known */
    WEB_STAGE_BODY,     /* the head was good */
    WEB_STAGE_HANDLING, /* within the handler */
    WEB_STAGE_WAITING,  /* suspended until web_answer() */
    WEB_STAGE_ANSWERED, /* the response is ready to be queued; NULL: memory was short */
    WEB_STAGE_SENDING,
    WEB_STAGE_GONE, /* the client hung up while it waited */
};

struct web_parameter {
    char *name;
    char *value;
};

struct web_connection;

/* Lives as long as its connection and serves one request after the other. */
struct web_request {
    struct web_connection *connection;
    enum web_stage stage;
    enum web_refusal refusal; /* found while the request line was read */
    const char *method;       /* the library's */
    const char *raw_target;   /* the library's; only to be compared */
    size_t raw_length;
    bool pool_is_full; /* the library has no room for an answer's head */

    char *target; /* path, NUL, query, NUL, decoded parameters; wiped when the request ends */
    size_t target_size;
    const char *query;
    struct web_parameter parameters[WEB_PARAMETERS_MAX];
    size_t parameter_count;

    struct buffer body;
    bool body_too_large;
    size_t swallowed;

    void *userdata;
    void (*gone)(void *userdata);
    struct loop_source *watch; /* for the hang-up, while it waits */

    int status;
    struct MHD_Response *response;

    bool streams;         /* answered with web_stream_begin() */
    bool stream_ended;    /* nothing more comes; what waits is sent yet */
    bool stream_rests;    /* all was sent: suspended until there is more */
    struct buffer stream; /* what the client has not taken yet */
};

TAILQ_HEAD(web_connections, web_connection);

struct web_connection {
    struct web_server *server;
    struct MHD_Connection *mhd;
    int fd;
    uid_t uid;     /* or WEB_UID_UNKNOWN */
    unsigned turn; /* of the server when it came */
    bool counted;  /* in its uid's share */
    int64_t deadline_ms;
    struct web_connections *list; /* the one it is in */
    TAILQ_ENTRY(web_connection) entry;
    struct web_request request;
};

/* What a uid holds of a server's connections. */
struct web_share {
    uid_t uid;
    unsigned connections; /* without those that are ending */
};

struct web_server {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct loop_source *readiness; /* of the library's epoll */
    struct loop_source *run_again;
    struct loop_source *rest; /* a timer: the library is run again after it */
    bool stirred; /* something came since the library was last run, or came of that run */
    struct web_options options;
    web_handler handler;
    void *userdata;

    /* Each connection is in one of these; the first two are in the order of their deadlines. */
    struct web_connections busy;    /* sending its request, or taking its answer */
    struct web_connections idle;    /* between requests */
    struct web_connections waiting; /* for the handler's answer, or more of it: no deadline */
    struct web_connections ending;  /* shut down; the library is about to close it */

    struct web_share *shares; /* none is empty */
    size_t share_count;
    unsigned per_uid_max;
    unsigned counted; /* connections of all shares */
    unsigned turn;    /* of the library, counted to tell older connections from new ones */
    bool crowded;     /* there may be too many */

    struct loop_source *timer;
    bool timer_set;
    int64_t timer_due_ms;
};

/* web_deadline.c: one timer for all connections. */
int web_deadlines_start(struct web_server *server);
void web_connection_busy(struct web_connection *connection);
void web_connection_idle(struct web_connection *connection);
void web_connection_waits(struct web_connection *connection);
/* Shuts the socket down; the library sees it and closes. */
void web_connection_end(struct web_connection *connection);

/* web_share.c: who holds how many connections. */
int web_shares_start(struct web_server *server);
void web_share_join(struct web_connection *connection);
/* Once is enough, twice is fine. */
void web_share_leave(struct web_connection *connection);
/* At the end of a turn: ends what is too much. */
void web_shares_settle(struct web_server *server);

/* web_uid.c: whose connection it is; WEB_UID_UNKNOWN where the kernel does not say. A client's TCP
 * socket that nobody holds any more counts as root's. */
uid_t web_uid_of(int fd);
/* The same of a TCP connection alone, and unknown where nobody holds the other end. */
uid_t web_holder_of(int fd);

/* web.c: a waiting request ends without an answer, and its connection with it. */
void web_request_gone(struct web_request *request);

/* web_target.c: cuts the request line's target up. Returns 0 (request->refusal says whether it was
 * good) or -ENOMEM. The query's bytes are wiped in the library's memory. */
int web_take_target(struct web_request *request, char *raw);

/* web_head.c: what is wrong with the head. version is the library's pointer into its buffer. */
enum web_refusal web_check_head(struct web_request *request, const char *version);

/* web_answer.c */
void web_make_answer(struct web_request *request, const struct web_answer *answer);
enum MHD_Result web_queue_answer(struct web_request *request);
/* Answers and has the connection closed. */
enum MHD_Result web_refuse(struct web_request *request, enum web_refusal refusal);

/* web.c: has the loop tell when the client of a suspended request hangs up. */
void web_watch(struct web_request *request);

/* web_answer.c: sends past the library, once and without waiting. */
void web_send_past(struct web_connection *connection, const char *text, size_t length);

/* web_answer.c: false when memory is short, or a header has a line break in it. */
bool web_add_headers(struct MHD_Response *response, const struct web_answer *answer);

/* web_tls.c: the library's options for TLS; none for a server without it. */
void web_tls_options(const struct web_options *options,
                     struct MHD_OptionItem items[static WEB_TLS_OPTIONS]);
void web_tls_send(struct web_connection *connection, const char *text, size_t length);

/* web.c: the server whose connections the library looks at just now; NULL: none. */
const struct web_server *web_running(void);

/* web.c: has the library look at its connections soon, never from within the caller. */
void web_run_soon(struct web_server *server);
