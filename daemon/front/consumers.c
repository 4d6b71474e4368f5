#include "front/consumers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "front/api.h"
#include "front/audit.h"
#include "front/callback.h"
#include "front/loopback.h"

/* Of one address. */
struct failures {
    int64_t until; /* broker time: where the window ends */
    unsigned count;
};

struct consumers {
    struct context *context;
    struct loopback held;
    struct failures *failures; /* one for each of held's sockets */
    struct loop_source *timer; /* the next try to bind */
};

/* --- who asks --- */

/* The key of a request: in one header, once; NULL when there is none. */
static const char *shown_key(const struct web_request *web)
{
    static const char scheme[] = "Bearer ";
    const char *authorization = web_header(web, "Authorization");

    if (web_has_header(web, "Authorization") && web_has_header(web, "X-Api-Key"))
        return NULL;
    if (!authorization)
        return web_header(web, "X-Api-Key");
    if (strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return NULL;
    authorization += sizeof scheme - 1;
    return authorization + strspn(authorization, " ");
}

/* Every key is looked at, so that time tells nothing. */
static const struct consumer *find_consumer(const struct settings *settings,
                                            const struct loopback_socket *socket, const char *key)
{
    const struct consumer *found = NULL;
    unsigned char digest[CONSUMER_DIGEST_SIZE];

    digest_sha256(key, strlen(key), digest);
    for (size_t i = 0; i < settings->consumer_count; i++) {
        const struct consumer *consumer = &settings->consumers[i];
        bool fits = digests_equal(consumer->key_digest, digest);
        if (fits && consumer->has_key && loopback_serves(&consumer->listen, socket))
            found = consumer;
    }
    return found;
}

/* Fetch metadata (W3C): what no page has sent. */
static bool is_no_page(const struct web_request *web)
{
    const char *site = web_header(web, "Sec-Fetch-Site");

    return !web_has_header(web, "Origin") &&
           (!web_has_header(web, "Sec-Fetch-Site") || (site && strcmp(site, "none") == 0));
}

/* The server has seen to it that there is one Host. */
static bool knows_our_name(const struct loopback_socket *socket, const struct web_request *web)
{
    const char *header = web_header(web, "Host");
    const char *host = header ? loopback_host(socket, header) : NULL;

    return host && loopback_spells(socket, host);
}

/* --- refusals --- */

static struct failures *failures_at(const struct consumers *consumers,
                                    const struct loopback_socket *socket)
{
    return &consumers->failures[socket - consumers->held.sockets];
}

/* True when there were too many. */
static bool count_failure(struct failures *failures, const struct loopback_socket *socket)
{
    int64_t now = clock_now();

    if (now >= failures->until)
        *failures = (struct failures){ .until = now + CONSUMERS_FAILURES_MS };
    if (failures->count > CONSUMERS_FAILURES_MAX)
        return true;
    failures->count++;
    if (failures->count <= CONSUMERS_FAILURES_MAX)
        return false;
    log_warning("consumers: more than %d requests within a minute at port %u without the key of a "
                "consumer: somebody guesses, or a consumer has an old key",
                CONSUMERS_FAILURES_MAX, (unsigned)socket->port);
    return true;
}

/* Says the same whatever was wrong, so that nothing is learned by trying. */
static void refuse(struct consumers *consumers, const struct loopback_socket *socket,
                   struct web_request *web)
{
    audit_count_refusal(consumers->context->audit, "", ASKER_NO_UID, ASKER_UNKNOWN_CONSUMER);
    if (count_failure(failures_at(consumers, socket), socket))
        api_refuse(web, WIRE_TOO_MANY_REQUESTS, NULL,
                   "too many requests without the key of a consumer");
    else
        api_refuse(web, WIRE_FORBIDDEN, NULL,
                   "this address is for programs (no browser) that send the key of a consumer in "
                   "the header Authorization: Bearer KEY or X-Api-Key, to the host and port that "
                   "the configuration's listen names");
}

static void handle(void *userdata, struct web_request *web)
{
    struct loopback_socket *socket = userdata;
    struct consumers *consumers = socket->loopback->service.userdata;
    struct context *context = consumers->context;
    const char *key = shown_key(web);
    const struct consumer *consumer = key ? find_consumer(context->settings, socket, key) : NULL;

    if (consumer && is_no_page(web) && knows_our_name(socket, web))
        api_handle_consumer(context, web, consumer);
    else
        refuse(consumers, socket, web);
}

/* --- the addresses --- */

static int hold(struct consumers *consumers, const struct callback_listener *listeners,
                size_t count)
{
    const struct loopback_service service = {
        .name = "consumers",
        .loop = consumers->context->loop,
        .handler = handle,
        .userdata = consumers,
        .tls = callback_tls(consumers->context->callback),
        .limits = { .connections_max = CONSUMERS_CONNECTIONS_MAX,
                    .connections_per_uid_max = CONSUMERS_CONNECTIONS_PER_UID_MAX,
                    .request_deadline_s = CONSUMERS_REQUEST_DEADLINE_S,
                    .idle_s = CONSUMERS_IDLE_S,
                    .body_max = WEB_BODY_MAX,
                    .reject_malformed_json = true },
        .tls_connections_max = CONSUMERS_TLS_CONNECTIONS_MAX,
        .tls_connections_per_uid_max = CONSUMERS_TLS_CONNECTIONS_PER_UID_MAX,
    };
    int r = loopback_init(&consumers->held, &service, listeners, count);
    if (r < 0)
        return r;
    /* One more than needed, so that none differs from no memory. */
    consumers->failures = calloc(consumers->held.socket_count + 1, sizeof *consumers->failures);
    return consumers->failures ? 0 : -ENOMEM;
}

static void let_go(struct consumers *consumers)
{
    loopback_release(&consumers->held);
    free(consumers->failures);
    consumers->failures = NULL;
}

static bool holds(const struct consumers *consumers, const struct callback_listener *listener)
{
    for (size_t i = 0; i < consumers->held.listener_count; i++)
        if (loopback_same(&consumers->held.listeners[i], listener))
            return true;
    return false;
}

static bool is_wanted(const struct consumers *consumers, const struct callback_listener *listener)
{
    const struct settings *settings = consumers->context->settings;
    for (size_t i = 0; i < settings->consumer_count; i++)
        if (loopback_same(&settings->consumers[i].listen, listener))
            return true;
    return false;
}

/* True when other addresses are asked for than are held. */
static bool changed(const struct consumers *consumers)
{
    const struct settings *settings = consumers->context->settings;
    for (size_t i = 0; i < settings->consumer_count; i++)
        if (!holds(consumers, &settings->consumers[i].listen))
            return true;
    for (size_t i = 0; i < consumers->held.listener_count; i++)
        if (!is_wanted(consumers, &consumers->held.listeners[i]))
            return true;
    return false;
}

static int hold_wanted(struct consumers *consumers)
{
    const struct settings *settings = consumers->context->settings;
    struct callback_listener listeners[CONSUMERS_MAX];

    for (size_t i = 0; i < settings->consumer_count; i++)
        listeners[i] = settings->consumers[i].listen;
    return hold(consumers, listeners, settings->consumer_count);
}

/* Arming a timer can only fail for a broken loop, which ends the thread anyway. */
static void bind_all(struct consumers *consumers)
{
    if (loopback_bind(&consumers->held))
        loop_timer_stop(consumers->timer);
    else
        (void)loop_timer_set(consumers->timer, CONSUMERS_RETRY_MS);
}

void consumers_update(struct consumers *consumers)
{
    if (changed(consumers)) {
        let_go(consumers);
        if (hold_wanted(consumers) < 0) {
            let_go(consumers);
            log_error("consumers: memory is short; no address is held until the next reload");
        }
    }
    bind_all(consumers);
}

static void on_timer(void *userdata)
{
    bind_all(userdata);
}

DEFINE_CLEANUP(struct consumers *, consumers, consumers_free)

int consumers_new(struct context *context, struct consumers **ret)
{
    CLEANUP(cleanup_consumers) struct consumers *consumers = calloc(1, sizeof *consumers);
    if (!consumers)
        return -ENOMEM;
    consumers->context = context;
    int r = loop_add_timer(context->loop, on_timer, consumers, &consumers->timer);
    if (r == 0)
        r = hold_wanted(consumers);
    if (r < 0)
        return r;
    bind_all(consumers);
    *ret = steal(consumers);
    return 0;
}

struct consumers *consumers_free(struct consumers *consumers)
{
    if (!consumers)
        return NULL;
    let_go(consumers);
    loop_source_free(consumers->timer);
    free(consumers);
    return NULL;
}

void consumers_put_health(const struct consumers *consumers, struct json_writer *writer)
{
    if (!consumers || consumers->held.listener_count == 0)
        return;
    struct json_writer array = json_put_nested(writer, "consumers", '[');
    loopback_put_health(&consumers->held, callback_tls_problem(consumers->context->callback),
                        &array);
    json_writer_end(&array);
}
