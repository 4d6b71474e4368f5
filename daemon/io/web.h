#pragma once

/*
 * HTTP/1.1 servers on a loop, by libmicrohttpd: the socket API's and the callback's. What the
 * library lets pass is refused here before a handler sees it: no or two Host headers, two
 * Content-Length, Content-Length with Transfer-Encoding, a NUL or a broken percent-encoding in a
 * path or parameter, a header or body above its cap. Every connection has an absolute deadline for
 * sending its request, and an idle one between requests. Where there are too many, the uid that
 * holds most loses its idle ones, then those that have been sending longest, then the newest that
 * wait (with 429 on the socket API).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/secret.h"
#include "io/loop.h"

enum {
    WEB_PATH_MAX = 1024,
    WEB_QUERY_MAX = 6 * 1024,
    WEB_BODY_MAX = 64 * 1024,
    WEB_PARAMETERS_MAX = 32,
    WEB_HEADERS_MAX = 8, /* of an answer */
};

struct web_server;
struct web_request;
struct web_tls;

struct web_options {
    int listen_fd;            /* listening stream socket, Unix or TCP; taken over on success */
    unsigned connections_max; /* above it, one of the uid that holds most gives way */
    unsigned connections_per_uid_max; /* likewise; 0: as many as connections_max */
    unsigned request_deadline_s; /* from accept, or from the request line of a later request, to
                                    the whole request; not 0 */
    unsigned idle_s;             /* from an answer to the next request line; not 0 */
    size_t body_max;             /* at most WEB_BODY_MAX; 0: bodies are refused */
    bool require_host;           /* exactly one Host header, for TCP listeners; the handler checks
                                    its value. A Unix socket's clients may leave it out. */
    bool reject_malformed_json;  /* the refusals above as the socket API's JSON, else plain text */
    struct web_tls *tls;         /* not NULL: https with this; must outlive the server */
};

/* Called once for each whole request. It must be answered with web_answer(), at once or later from
 * the same thread. */
typedef void (*web_handler)(void *userdata, struct web_request *request);

/* Returns 0 or -errno. */
int web_server_new(struct loop *loop, const struct web_options *options, web_handler handler,
                   void *userdata, struct web_server **ret);

/* Ends every connection (the callbacks of web_on_gone() run) and frees. Not to be called from
 * within a handler. NULL is fine; returns NULL. */
struct web_server *web_server_free(struct web_server *server);

/*
 * The certificate of https servers (TLS 1.2 or better); several may share one. It belongs to the
 * thread of its servers. A handshake counts as part of the first request: it has the connection's
 * deadline. Returns 0 or -ENOMEM.
 */
int web_tls_new(struct web_tls **ret);

/* Takes copies of a PEM chain, the server's own first, and its PEM key: for every handshake from
 * now on. That both are sound is the caller's business. Returns 0 or -errno. */
int web_tls_set(struct web_tls *tls, const char *chain, const struct secret *key);

/* False until the first web_tls_set(): every handshake fails. */
bool web_tls_ready(const struct web_tls *tls);

/* After its servers. NULL is fine; returns NULL. */
struct web_tls *web_tls_free(struct web_tls *tls);

/* Everything below is owned by the request and lives until it is answered. */
const char *web_method(const struct web_request *request);
const char *web_path(const struct web_request *request);  /* raw, without the query */
const char *web_query(const struct web_request *request); /* raw, after '?'; "" when none */
/* The only header of that name; NULL when it is absent or came twice. name without regard to
 * case. */
const char *web_header(const struct web_request *request, const char *name);
/* Whether there is one, or several. */
bool web_has_header(const struct web_request *request, const char *name);
const char *web_body(const struct web_request *request, size_t *ret_length);
int web_fd(const struct web_request *request); /* the connection's socket, for peer_identify() */

#define WEB_UID_UNKNOWN ((uid_t)-1)
/* Whose socket the other end of a TCP connection within this machine is, as the kernel has it now;
 * WEB_UID_UNKNOWN where it does not say, or nobody holds that socket any more. */
uid_t web_holder(const struct web_request *request);

/* A decoded query parameter (percent-encoding and '+'), the first of that name; NULL when absent.
 */
const char *web_parameter(const struct web_request *request, const char *name);
size_t web_parameter_count(const struct web_request *request, const char *name);
/* The first parameter whose name is not in the NULL-ended list, or that came twice; NULL when all
 * are known and single. */
const char *web_odd_parameter(const struct web_request *request, const char *const *known);

/* Something of the handler's for the request's life; NULL at first. */
void web_set_userdata(struct web_request *request, void *userdata);
void *web_userdata(const struct web_request *request);

/* gone(userdata of web_set_userdata) is called if the client hangs up before the answer (closing
 * only its sending side counts too); the request must not be touched from then on. Set it, within
 * the handler, whenever the answer comes later. */
void web_on_gone(struct web_request *request, void (*gone)(void *userdata));

struct web_header_line {
    const char *name;
    const char *value;
};

struct web_answer {
    int status;
    const char *content_type; /* NULL when there is no body */
    const char *body;         /* copied, and the copy wiped after sending */
    size_t length;
    struct web_header_line headers[WEB_HEADERS_MAX]; /* ends at the first NULL name */
    bool close;                                      /* end the connection after it */
};

/* Answers and gives the request back; it must not be touched from then on. HEAD gets no body. When
 * memory is short, or a header has a line break in it, the connection is closed. The client has
 * request_deadline_s to take the answer. Nothing is called back before it returns: neither the
 * handler for a next request nor anybody's gone(). */
void web_answer(struct web_request *request, const struct web_answer *answer);

/*
 * Answers 200 with a body that comes in pieces for as long as both sides want, within the handler.
 * The request is the caller's until web_stream_end() or until gone() of web_on_gone() was called,
 * which here also says that the client did not take what was sent within request_deadline_s.
 * unread_max: bytes that may wait for the client. No deadline runs while nothing waits.
 */
void web_stream_begin(struct web_request *request, const struct web_answer *head,
                      size_t unread_max);

/* Sends a piece soon. False, and nothing was taken: it does not fit behind what waits, or memory is
 * short. */
bool web_stream_send(struct web_request *request, const char *text, size_t length);

/* Ends the body once all was sent, and gives the request back; gone() is not called any more. */
void web_stream_end(struct web_request *request);

/* A listening Unix stream socket at path, mode as given; a stale socket file is replaced, a live
 * one is -EADDRINUSE (complaint says who), anything else at path is -EEXIST. Changes the process's
 * umask for a moment: call it while no other thread makes files. Returns the descriptor or
 * -errno. */
int web_listen_unix(const char *path, unsigned mode, struct complaint *complaint);

/* A listening TCP socket on a loopback address ("127.0.0.1" or "::1"), IPv6 only for "::1", port 0
 * for any. -EADDRINUSE: complaint names the holder's uid where the kernel tells it. Returns the
 * descriptor or -errno. */
int web_listen_tcp(const char *address, uint16_t port, struct complaint *complaint);

DEFINE_CLEANUP(struct web_server *, web_server, web_server_free)
DEFINE_CLEANUP(struct web_tls *, web_tls, web_tls_free)
