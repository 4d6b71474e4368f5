#include <sys/socket.h>
#include <time.h>

#include "io/web_private.h"

enum { MS_PER_S = 1000, NS_PER_MS = 1000 * 1000 };

static int64_t now_ms(void)
{
    struct timespec now;

    /* Fails only for a clock that the kernel does not have. */
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

static void move_to(struct web_connection *connection, struct web_connections *list)
{
    if (connection->list)
        TAILQ_REMOVE(connection->list, connection, entry);
    TAILQ_INSERT_TAIL(list, connection, entry);
    connection->list = list;
}

/* Sets the timer if it would fire too late. It may fire too early: that is rare, and cheaper than
 * a system call for each request. */
static void fire_by(struct web_server *server, int64_t deadline_ms)
{
    if (server->timer_set && server->timer_due_ms <= deadline_ms)
        return;
    if (loop_timer_set(server->timer, deadline_ms - now_ms()) < 0)
        return; /* memory is short: the next connection tries again */
    server->timer_set = true;
    server->timer_due_ms = deadline_ms;
}

static void move_with_deadline(struct web_connection *connection, struct web_connections *list,
                               unsigned seconds)
{
    connection->deadline_ms = now_ms() + (int64_t)seconds * MS_PER_S;
    move_to(connection, list);
    fire_by(connection->server, connection->deadline_ms);
}

void web_connection_busy(struct web_connection *connection)
{
    struct web_server *server = connection->server;

    move_with_deadline(connection, &server->busy, server->options.request_deadline_s);
}

void web_connection_idle(struct web_connection *connection)
{
    struct web_server *server = connection->server;

    move_with_deadline(connection, &server->idle, server->options.idle_s);
}

void web_connection_waits(struct web_connection *connection)
{
    move_to(connection, &connection->server->waiting);
}

void web_connection_end(struct web_connection *connection)
{
    move_to(connection, &connection->server->ending);
    web_share_leave(connection);
    /* Fails where the client was faster, which is as good. */
    (void)shutdown(connection->fd, SHUT_RDWR);
}

static void end_overdue(struct web_connections *list, int64_t now)
{
    struct web_connection *first;

    while ((first = TAILQ_FIRST(list)) && first->deadline_ms <= now)
        web_connection_end(first);
}

static void on_timer(void *userdata)
{
    struct web_server *server = userdata;
    struct web_connections *const lists[] = { &server->busy, &server->idle };
    int64_t now = now_ms();

    server->timer_set = false;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        end_overdue(lists[i], now);
        if (!TAILQ_EMPTY(lists[i]))
            fire_by(server, TAILQ_FIRST(lists[i])->deadline_ms);
    }
}

int web_deadlines_start(struct web_server *server)
{
    TAILQ_INIT(&server->busy);
    TAILQ_INIT(&server->idle);
    TAILQ_INIT(&server->waiting);
    TAILQ_INIT(&server->ending);
    return loop_add_timer(server->loop, on_timer, server, &server->timer);
}
