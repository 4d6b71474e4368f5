/* The client: libcurl's multi interface on the loop. */

#include "io/http.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "io/http_private.h"

static void unlink_transfer(struct http_transfer *transfer)
{
    struct http_client *client = transfer->client;

    if (transfer->previous)
        transfer->previous->next = transfer->next;
    else
        client->transfers = transfer->next;
    if (transfer->next)
        transfer->next->previous = transfer->previous;
    transfer->next = transfer->previous = NULL;
    client->count--;
    if (transfer->easy)
        /* Fails only for a handle that is not in it. */
        (void)curl_multi_remove_handle(client->multi, transfer->easy);
}

static void link_transfer(struct http_client *client, struct http_transfer *transfer)
{
    transfer->client = client;
    transfer->next = client->transfers;
    if (client->transfers)
        client->transfers->previous = transfer;
    client->transfers = transfer;
    client->count++;
}

/* Ends a transfer and tells its owner, who may do anything then, freeing the client included. */
static void deliver(struct http_transfer *transfer, CURLcode code)
{
    struct http_reply reply;

    unlink_transfer(transfer);
    http_transfer_reply(transfer, code, &reply);
    transfer->delivering = true;
    transfer->done(transfer->userdata, &reply);
    http_transfer_free(transfer);
}

static void enter(struct http_client *client)
{
    client->serving++;
}

static void leave(struct http_client *client)
{
    if (--client->serving > 0 || !client->gone)
        return;
    free(client);
    curl_global_cleanup();
}

static void deliver_finished(struct http_client *client)
{
    CURLMsg *message;
    int left;

    while (!client->gone && (message = curl_multi_info_read(client->multi, &left))) {
        struct http_transfer *transfer = NULL;
        CURLcode code = message->data.result;
        /* CURLMSG_DONE is the only message, and every handle of ours has its transfer. */
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        deliver(transfer, code);
    }
}

static int wait_for(struct http_transfer *transfer, int64_t wait_ms)
{
    transfer->due_at = clock_now() + wait_ms;
    return loop_timer_set(transfer->deadline, wait_ms);
}

/*
 * A disk that hangs holds this thread, and a reply that came meanwhile lies in the socket, unread:
 * it may hold the only refresh token there is. libcurl would look at the time before it looks
 * there, so the deadline is ours. Time in which the thread was held, or the machine asleep, is
 * given back, and the last of it has to be time in which sockets had their turns.
 */
static void on_deadline(void *userdata)
{
    struct http_transfer *transfer = userdata;
    struct http_client *client = transfer->client;
    const int64_t late_ms = clock_now() - transfer->due_at;
    const bool was_free = transfer->looks > 0 && late_ms <= HTTP_LATE_MS;

    if (!was_free && transfer->looks++ < HTTP_LOOKS_MAX) {
        const int64_t held_ms = late_ms < transfer->whole_ms ? late_ms : transfer->whole_ms;
        if (wait_for(transfer, held_ms > HTTP_LOOK_MS ? held_ms : HTTP_LOOK_MS) == 0)
            return;
    }
    enter(client);
    deliver(transfer, CURLE_OPERATION_TIMEDOUT);
    leave(client);
}

static struct http_transfer *oldest(const struct http_client *client)
{
    struct http_transfer *transfer = client->transfers;

    while (transfer && transfer->next)
        transfer = transfer->next;
    return transfer;
}

static int set_up_multi(struct http_client *client);

/* libcurl 7.88 keeps the broken table of a socket that it had no memory for, and divides by its
 * size of zero with the next transfer there: nothing of it is used any more. */
static void start_over(struct http_client *client)
{
    CURLM *broken = client->multi;

    for (struct http_transfer *one = client->transfers; one; one = one->next)
        if (one->easy)
            (void)curl_multi_remove_handle(broken, one->easy);
    if (set_up_multi(client) < 0)
        client->multi = broken; /* without memory for another it has to do */
    else
        (void)curl_multi_cleanup(broken);
}

/* libcurl has failed as a whole (it had no memory for a socket's source): none of its transfers
 * would ever end. What their owners send meanwhile comes after them. */
static void fail_all(struct http_client *client)
{
    start_over(client);
    for (size_t i = client->count; i > 0 && !client->gone && client->transfers; i--)
        deliver(oldest(client), CURLE_OUT_OF_MEMORY);
}

static void drive(struct http_client *client, curl_socket_t fd, int events)
{
    int running;

    enter(client);
    CURLMcode code = curl_multi_socket_action(client->multi, fd, events, &running);
    deliver_finished(client);
    if (code != CURLM_OK && !client->gone)
        fail_all(client);
    leave(client);
}

static void on_ready(void *userdata, int fd, uint32_t events)
{
    int bits = 0;

    if (events & EPOLLIN)
        bits |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        bits |= CURL_CSELECT_OUT;
    /* 0 lets libcurl look itself, and find the error where it belongs. */
    drive(userdata, fd, events & (EPOLLERR | EPOLLHUP) ? 0 : bits);
}

static void on_timer(void *userdata)
{
    drive(userdata, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long delay_ms, void *userdata)
{
    struct http_client *client = userdata;

    if (delay_ms < 0)
        loop_timer_stop(client->timer);
    else if (loop_timer_set(client->timer, delay_ms) < 0)
        return -1;
    return 0;
}

static uint32_t events_of(int what)
{
    return (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
}

/* -1 makes libcurl fail as a whole, see fail_all(). */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *known)
{
    struct http_client *client = userdata;
    struct loop_source *source = known;

    if (what == CURL_POLL_REMOVE) {
        loop_source_free(source);
        /* libcurl forgets the descriptor right after this. */
        return 0;
    }
    if (source)
        return loop_source_set_events(source, events_of(what)) < 0 ? -1 : 0;
    if (loop_add_fd(client->loop, fd, events_of(what), on_ready, client, &source) < 0)
        return -1;
    /* Fails only for a descriptor that libcurl does not know. */
    (void)curl_multi_assign(client->multi, fd, source);
    return 0;
}

/* Each that was refused up to now, once; what is refused meanwhile comes at the next turn. */
static void deliver_refusals(void *userdata)
{
    struct http_client *client = userdata;
    size_t budget = client->count;

    enter(client);
    struct http_transfer *transfer = client->transfers;
    while (transfer && budget-- > 0) {
        if (!transfer->refusal[0]) {
            transfer = transfer->next;
            continue;
        }
        deliver(transfer, CURLE_OK);
        transfer = client->gone ? NULL : client->transfers;
    }
    if (transfer)
        (void)loop_timer_set(client->refusals, 0);
    leave(client);
}

static int set_up_multi(struct http_client *client)
{
    client->multi = curl_multi_init();
    if (!client->multi)
        return -ENOMEM;

    /* Setting these cannot fail. */
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    (void)curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_POOL_MAX);
    return 0;
}

int http_client_new(struct loop *loop, struct http_client **ret)
{
    int r = http_memory_start();
    if (r < 0)
        return r;

    struct http_client *client = calloc(1, sizeof *client);
    if (!client) {
        curl_global_cleanup();
        return -ENOMEM;
    }
    client->loop = loop;
    r = loop_add_timer(loop, on_timer, client, &client->timer);
    if (r == 0)
        r = loop_add_timer(loop, deliver_refusals, client, &client->refusals);
    if (r == 0)
        r = set_up_multi(client);
    if (r < 0) {
        http_client_free(client);
        return r;
    }
    *ret = client;
    return 0;
}

struct http_client *http_client_free(struct http_client *client)
{
    if (!client)
        return NULL;

    while (client->transfers)
        http_cancel(client->transfers);
    /* It closes the kept connections; with no transfer in it, it cannot fail. */
    (void)curl_multi_cleanup(client->multi);
    client->multi = NULL;
    client->timer = loop_source_free(client->timer);
    client->refusals = loop_source_free(client->refusals);
    enter(client);
    client->gone = true;
    leave(client);
    return NULL;
}

static int begin(struct http_client *client, struct http_transfer *transfer)
{
    int r = loop_add_timer(client->loop, on_deadline, transfer, &transfer->deadline);
    if (r == 0)
        r = wait_for(transfer, transfer->whole_ms);
    if (r == 0 && curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK)
        r = -ENOMEM;
    return r;
}

int http_send(struct http_client *client, const struct http_request *request, http_done done,
              void *userdata, struct http_transfer **ret)
{
    if (client->count >= HTTP_TRANSFERS_MAX)
        return -EBUSY;

    CLEANUP(cleanup_http_transfer) struct http_transfer *transfer = NULL;
    int r = http_transfer_new(request, &transfer);
    if (r < 0)
        return r;
    transfer->done = done;
    transfer->userdata = userdata;

    if (transfer->refusal[0])
        r = loop_timer_set(client->refusals, 0);
    else
        r = begin(client, transfer);
    if (r < 0)
        return r;
    link_transfer(client, transfer);
    *ret = steal(transfer);
    return 0;
}

void http_cancel(struct http_transfer *transfer)
{
    if (!transfer || transfer->delivering)
        return;

    unlink_transfer(transfer);
    http_transfer_free(transfer);
}
