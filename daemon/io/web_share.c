/*
 * Whose connections there are, and which of them give way when they are too many: of the uid that
 * holds most, what is idle, then what has been sending longest, then what came last to wait. So
 * nobody's connections keep somebody else's out.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/web_private.h"

int web_shares_start(struct web_server *server)
{
    const struct web_options *options = &server->options;

    server->per_uid_max = options->connections_per_uid_max ? options->connections_per_uid_max
                                                           : options->connections_max;
    server->shares =
        calloc((size_t)options->connections_max + WEB_AHEAD_MAX, sizeof *server->shares);
    return server->shares ? 0 : -ENOMEM;
}

static struct web_share *find_share(struct web_server *server, uid_t uid)
{
    for (size_t i = 0; i < server->share_count; i++) {
        if (server->shares[i].uid == uid)
            return &server->shares[i];
    }
    return NULL;
}

void web_share_join(struct web_connection *connection)
{
    struct web_server *server = connection->server;

    connection->uid = web_uid_of(connection->fd);
    connection->turn = server->turn;
    struct web_share *share = find_share(server, connection->uid);
    if (!share) { /* there is room: at least one connection for each */
        share = &server->shares[server->share_count++];
        *share = (struct web_share){ .uid = connection->uid };
    }
    connection->counted = true;
    share->connections++;
    server->counted++;
    server->crowded |= share->connections > server->per_uid_max ||
                       server->counted > server->options.connections_max;
}

void web_share_leave(struct web_connection *connection)
{
    struct web_server *server = connection->server;
    struct web_share *share = find_share(server, connection->uid);

    if (!connection->counted || !share)
        return;
    connection->counted = false;
    server->counted--;
    if (--share->connections == 0)
        *share = server->shares[--server->share_count];
}

static const struct web_share *largest_share(const struct web_server *server)
{
    const struct web_share *largest = &server->shares[0];

    for (size_t i = 1; i < server->share_count; i++) {
        if (server->shares[i].connections > largest->connections)
            largest = &server->shares[i];
    }
    return largest;
}

/* Says why, where that does no harm: nothing else was said yet. */
static void say_crowded(struct web_connection *connection)
{
    static const char text[] =
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n"
        "Content-Length: 88\r\nRetry-After: 1\r\nCache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
        "{\"error\":\"too_many_requests\",\"error_description\":\"too many connections\","
        "\"retry_after\":1}";

    if (connection->server->options.reject_malformed_json && !connection->request.streams)
        /* A client that takes nothing is not told. */
        web_send_past(connection, text, sizeof text - 1);
}

static bool end_idle(struct web_server *server, uid_t uid)
{
    struct web_connection *one;

    TAILQ_FOREACH(one, &server->idle, entry)
    {
        if (one->uid == uid) {
            web_connection_end(one);
            return true;
        }
    }
    return false;
}

/* One that came in this turn may have its whole request in the socket: it is read first. */
static bool end_busy(struct web_server *server, uid_t uid)
{
    struct web_connection *one;

    TAILQ_FOREACH(one, &server->busy, entry)
    {
        if (one->uid == uid && one->turn != server->turn) {
            web_connection_end(one);
            return true;
        }
    }
    return false;
}

static bool end_waiting(struct web_server *server, uid_t uid)
{
    struct web_connection *one;

    TAILQ_FOREACH_REVERSE(one, &server->waiting, web_connections, entry)
    {
        if (one->uid == uid) {
            say_crowded(one);
            web_request_gone(&one->request);
            return true;
        }
    }
    return false;
}

static bool end_one(struct web_server *server, uid_t uid)
{
    return end_idle(server, uid) || end_busy(server, uid) || end_waiting(server, uid);
}

/* A uid that holds too many, or any that holds most where all hold too many; NULL: all is well. */
static const struct web_share *crowding(const struct web_server *server)
{
    if (server->share_count == 0)
        return NULL;
    const struct web_share *largest = largest_share(server);
    return largest->connections > server->per_uid_max ||
                   server->counted > server->options.connections_max
               ? largest
               : NULL;
}

void web_shares_settle(struct web_server *server)
{
    const struct web_share *share;

    while (server->crowded && (share = crowding(server))) {
        if (!end_one(server, share->uid)) {
            web_run_soon(server); /* in the next turn there will be one */
            return;
        }
    }
    server->crowded = false;
}
