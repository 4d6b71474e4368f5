#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include "io/web_private.h"

/* From now on, whatever the library does next is news. */
static void stir(struct web_server *server)
{
    server->stirred = true;
}

void web_run_soon(struct web_server *server)
{
    stir(server);
    /* There is none while the server is being freed. Setting it fails only for want of memory, and
     * then the next event makes up for it. */
    if (server->run_again)
        (void)loop_idle_set(server->run_again);
}

/* The library gives no userdata to what looks certificates up; each thread runs one at a time. */
static _Thread_local const struct web_server *running;

const struct web_server *web_running(void)
{
    return running;
}

/* The library wants to be run again "now" also while a handshake waits for its client, which would
 * never end: after a run that brought nothing it has to wait a little. */
static void run_again(struct web_server *server, bool stirred)
{
    if (stirred || !server->options.tls)
        (void)loop_idle_set(server->run_again);
    else
        (void)loop_timer_set(server->rest, WEB_REST_MS);
}

static void run(struct web_server *server)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    const bool stirred = server->stirred;

    running = server;
    server->turn++;
    server->stirred = false;
    (void)MHD_run(server->daemon);
    running = NULL;
    web_shares_settle(server);
    /* The library has no time-outs of its own here: the answer is "now" or "none". */
    if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES)
        run_again(server, stirred || server->stirred);
}

static void on_readiness(void *userdata, int fd, uint32_t events)
{
    stir(userdata);
    run(userdata);
}

/* Whoever feeds a stream has to stop; all others were told when it happened. */
static void tell_stream_ended(struct web_request *request)
{
    if (request->streams && request->gone)
        request->gone(request->userdata);
}

static void request_end(struct web_request *request)
{
    tell_stream_ended(request);
    if (request->target)
        explicit_bzero(request->target, request->target_size);
    free(request->target);
    buffer_release(&request->body);
    buffer_release(&request->stream);
    loop_source_free(request->watch);
    if (request->response)
        MHD_destroy_response(request->response);
    *request = (struct web_request){ .connection = request->connection };
}

/* The client of a waiting request is no more: the library gets the connection back to close it. */
void web_request_gone(struct web_request *request)
{
    void (*gone)(void *userdata) = request->gone;
    void *userdata = request->userdata;

    request->watch = loop_source_free(request->watch);
    request->gone = NULL;
    request->stage = WEB_STAGE_GONE;
    web_connection_end(request->connection);
    MHD_resume_connection(request->connection->mhd);
    web_run_soon(request->connection->server);
    if (gone)
        gone(userdata);
}

static void on_hang_up(void *userdata, int fd, uint32_t events)
{
    struct web_request *request = userdata;

    if (request->gone)
        web_request_gone(request);
    else /* the handler does not want to know, and answers in its time */
        request->watch = loop_source_free(request->watch);
}

void web_watch(struct web_request *request)
{
    const struct web_connection *connection = request->connection;

    /* Without the watch, for want of memory, a hang-up is noticed when something is sent. */
    (void)loop_add_fd(connection->server->loop, connection->fd, EPOLLRDHUP, on_hang_up, request,
                      &request->watch);
}

static enum MHD_Result take_head(struct web_request *request, const char *method,
                                 const char *version)
{
    request->method = method;
    enum web_refusal refusal = web_check_head(request, version);
    if (refusal)
        return web_refuse(request, refusal);

    request->body = BUFFER_WITH_MAXIMUM(request->connection->server->options.body_max);
    request->stage = WEB_STAGE_BODY;
    return MHD_YES;
}

static enum MHD_Result take_body(struct web_request *request, char *bytes, size_t *length)
{
    size_t room = request->body.maximum - request->body.length;

    if (*length > room)
        request->body_too_large = true;
    if (request->body_too_large) {
        request->swallowed += *length;
        buffer_clear(&request->body);
    } else {
        buffer_append(&request->body, bytes, *length);
    }
    /* The library frees its buffer as it is, and a body may hold a token. */
    explicit_bzero(bytes, *length);
    *length = 0;
    return request->body.failed || request->swallowed > WEB_SWALLOW_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result handle(struct web_request *request)
{
    struct web_connection *connection = request->connection;
    struct web_server *server = connection->server;

    if (request->body_too_large)
        return web_refuse(request, WEB_REFUSED_BODY_TOO_LARGE);

    request->stage = WEB_STAGE_HANDLING;
    server->handler(server->userdata, request);
    if (request->stage == WEB_STAGE_ANSWERED)
        return web_queue_answer(request);

    request->stage = WEB_STAGE_WAITING;
    MHD_suspend_connection(connection->mhd);
    web_connection_waits(connection);
    web_watch(request);
    return MHD_YES;
}

/* Called for the head, for each piece of the body, for its end, and once more after a resume. */
static enum MHD_Result on_call(void *userdata, struct MHD_Connection *mhd, const char *url,
                               const char *method, const char *version, const char *bytes,
                               size_t *length, void **context)
{
    struct web_request *request = *context;

    stir(userdata);
    if (!request)
        return MHD_NO;
    switch (request->stage) {
    case WEB_STAGE_HEAD:
        return take_head(request, method, version);
    case WEB_STAGE_BODY:
        /* const only in the callback's type: the bytes lie in the library's read buffer. */
        return *length > 0 ? take_body(request, (char *)bytes, length) : handle(request);
    case WEB_STAGE_ANSWERED:
        return web_queue_answer(request);
    default:
        return MHD_NO;
    }
}

static void *on_target(void *userdata, const char *uri, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct web_connection *connection = info ? info->socket_context : NULL;

    if (!connection || !uri)
        return NULL;
    if (connection->list == &connection->server->idle)
        web_connection_busy(connection);
    /* const only in the callback's type: the library itself cuts the text up after this. */
    if (web_take_target(&connection->request, (char *)uri) < 0)
        return NULL;
    connection->request.stage = WEB_STAGE_HEAD;
    return &connection->request;
}

static void on_completed(void *userdata, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct web_request *request = *context;

    if (!request)
        return;
    struct web_connection *connection = request->connection;
    request_end(request);
    if (connection->list != &connection->server->ending)
        web_connection_idle(connection);
}

static void connection_opened(struct web_server *server, struct MHD_Connection *mhd, void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct web_connection *connection = calloc(1, sizeof *connection);

    *context = connection;
    if (!connection) {
        /* The library sees the end of it and closes. */
        (void)shutdown(info->connect_fd, SHUT_RDWR);
        return;
    }
    connection->server = server;
    connection->mhd = mhd;
    connection->fd = info->connect_fd;
    connection->request.connection = connection;
    web_connection_busy(connection);
    web_share_join(connection);
}

static void on_connection(void *userdata, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct web_server *server = userdata;
    struct web_connection *connection = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection_opened(server, mhd, context);
        return;
    }
    if (connection) {
        request_end(&connection->request);
        web_share_leave(connection);
        TAILQ_REMOVE(connection->list, connection, entry);
        free(connection);
        *context = NULL;
    }
    /* At its limit the library stops listening, and begins again only in a run after the one that
     * closed a connection; nothing would wake it. */
    web_run_soon(server);
}

static void on_run_again(void *userdata)
{
    run(userdata);
}

static bool options_valid(const struct web_options *options)
{
    return options->listen_fd >= 0 && options->connections_max > 0 &&
           options->request_deadline_s > 0 && options->idle_s > 0 &&
           options->body_max <= WEB_BODY_MAX;
}

static int start_daemon(struct web_server *server)
{
    enum {
        FLAGS = MHD_USE_EPOLL | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME |
                MHD_USE_SUPPRESS_DATE_NO_CLOCK
    };
    const unsigned tls = server->options.tls ? MHD_USE_TLS : 0;
    struct MHD_OptionItem tls_options[WEB_TLS_OPTIONS];
    web_tls_options(&server->options, tls_options);
    /* A duplicate: whether the library closes the descriptor when it fails depends on where. */
    int listen_fd = fcntl(server->options.listen_fd, F_DUPFD_CLOEXEC, 0);
    if (listen_fd < 0)
        return -errno;

    server->daemon = MHD_start_daemon(
        FLAGS | tls, 0, NULL, NULL, on_call, server, MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, server->options.connections_max + WEB_AHEAD_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)WEB_POOL_SIZE, MHD_OPTION_URI_LOG_CALLBACK,
        on_target, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_ARRAY, tls_options,
        MHD_OPTION_END);
    if (!server->daemon)
        return -ENOMEM;

    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return -EIO;
    return loop_add_fd(server->loop, info->epoll_fd, EPOLLIN, on_readiness, server,
                       &server->readiness);
}

static int start(struct web_server *server)
{
    int r = web_deadlines_start(server);

    if (r == 0)
        r = web_shares_start(server);
    if (r == 0)
        r = loop_add_idle(server->loop, on_run_again, server, &server->run_again);
    if (r == 0)
        r = loop_add_timer(server->loop, on_run_again, server, &server->rest);
    if (r == 0)
        r = start_daemon(server);
    return r;
}

int web_server_new(struct loop *loop, const struct web_options *options, web_handler handler,
                   void *userdata, struct web_server **ret)
{
    CLEANUP(cleanup_web_server) struct web_server *server = NULL;

    if (!options_valid(options))
        return -EINVAL;
    server = calloc(1, sizeof *server);
    if (!server)
        return -ENOMEM;

    server->loop = loop;
    server->options = *options;
    server->handler = handler;
    server->userdata = userdata;
    int r = start(server);
    if (r < 0)
        return r;
    /* The library listens by its duplicate. */
    cleanup_fd(&server->options.listen_fd);
    *ret = steal(server);
    return 0;
}

struct web_server *web_server_free(struct web_server *server)
{
    struct web_connection *connection;

    if (!server)
        return NULL;

    server->run_again = loop_source_free(server->run_again);
    /* The library aborts the process when it is stopped with a suspended connection. */
    while ((connection = TAILQ_FIRST(&server->waiting)))
        web_request_gone(&connection->request);
    loop_source_free(server->readiness);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    loop_source_free(server->timer);
    loop_source_free(server->rest);
    free(server->shares);
    free(server);
    return NULL;
}

const char *web_body(const struct web_request *request, size_t *ret_length)
{
    *ret_length = request->body.length;
    return buffer_text(&request->body);
}

int web_fd(const struct web_request *request)
{
    return request->connection->fd;
}

void web_set_userdata(struct web_request *request, void *userdata)
{
    request->userdata = userdata;
}

void *web_userdata(const struct web_request *request)
{
    return request->userdata;
}

void web_on_gone(struct web_request *request, void (*gone)(void *userdata))
{
    request->gone = gone;
}
