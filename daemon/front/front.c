#include "front/front.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"
#include "front/api.h"
#include "front/asks.h"
#include "front/audit.h"
#include "front/callback.h"
#include "front/consumers.h"
#include "front/deadlines.h"
#include "front/events.h"
#include "front/login.h"
#include "front/newcomers.h"
#include "front/tokens.h"
#include "io/loop.h"
#include "io/web.h"

enum {
    API_REQUEST_DEADLINE_S = 10,
    API_IDLE_S = 60,
    LETTERS_PER_TURN = 64, /* so that a flood of letters does not keep requests waiting */
    STOP_LINGER_MS = 50,   /* for the last answers to reach their clients */
    STOP_AUDIT_MS = 2000,  /* for the audit's last rows to find room at the back */
};

struct front {
    struct context context;
    struct mailbox *inbox;
    struct web_server *server;
    struct mailbox *pulses;
    struct loop_source *letters;
    struct loop_source *stop_timer;
    int64_t stop_by; /* broker time */
};

static void take_settings(struct front *front, struct message *letter)
{
    if (!letter->settings)
        return;
    settings_free(front->context.settings);
    front->context.settings = steal(letter->settings);
    tokens_settings_changed(front->context.tokens);
    tokens_rights_changed(front->context.tokens);
    callback_update(front->context.callback);
    consumers_update(front->context.consumers);
    events_end_all(front->context.events); /* who may see what may have changed */
}

static void begin_stop(struct front *front)
{
    tokens_stop(front->context.tokens);
    newcomers_stop(front->context.newcomers);
    events_end_all(front->context.events);
    (void)audit_flush(front->context.audit);
    front->stop_by = clock_now() + STOP_AUDIT_MS;
    /* It fails only for a source that is no timer. */
    (void)loop_timer_set(front->stop_timer, STOP_LINGER_MS);
}

static void end_stop(void *userdata)
{
    struct front *front = userdata;

    /* The back still runs, and makes room: it is told to stop after this thread has ended. */
    if (!audit_flush(front->context.audit) && clock_now() < front->stop_by) {
        (void)loop_timer_set(front->stop_timer, STOP_LINGER_MS);
        return;
    }
    loop_exit(front->context.loop, 0);
}

/* Takes the letter over. */
static void handle_letter(struct front *front, struct message *letter)
{
    switch (letter->kind) {
    case ANSWER:
        asks_deliver(front->context.asks, letter);
        return;
    case NOTICE:
        events_take(front->context.events, letter);
        tokens_notice(front->context.tokens, letter);
        newcomers_notice(front->context.newcomers, letter);
        logins_notice(front->context.logins, letter);
        break;
    case CALLERS:
        newcomers_take(front->context.newcomers, letter);
        tokens_rights_changed(front->context.tokens);
        break;
    case CALLER_REFUSED:
        newcomers_take_refusal(front->context.newcomers, letter);
        break;
    case EVENT:
        events_take(front->context.events, letter);
        break;
    case NEW_SETTINGS:
        take_settings(front, letter);
        break;
    case PULSE:
        if (front->pulses && mailbox_send(front->pulses, letter) == 0)
            return;
        break;
    case CERTIFICATE:
        callback_take_certificate(front->context.callback, letter);
        consumers_update(front->context.consumers);
        break;
    case STOP:
        begin_stop(front);
        break;
    default:
        log_error("the front got a letter of kind %d, which is not for it", (int)letter->kind);
        break;
    }
    message_free(letter);
}

static void letters_wait(void *userdata, int fd, uint32_t events)
{
    struct front *front = userdata;
    struct message *letter;

    for (int i = 0; i < LETTERS_PER_TURN && (letter = mailbox_take(front->inbox)); i++)
        handle_letter(front, letter);
}

/* The parts that the handlers use. What fails half-way is freed by front_free(). */
static int build_context(struct front *front, const struct front_options *options)
{
    struct context *context = &front->context;
    int r;

    context->access = (struct access_default){
        .system_service = options->system_service,
        .own_uid = geteuid(),
    };
    context->wait_max_ms =
        options->wait_max_ms ? (int64_t)options->wait_max_ms : WIRE_WAIT_MAX_S * 1000;
    context->started_at = clock_now();
    context->settings = options->settings;
    if ((r = loop_new(&context->loop)) < 0 ||
        (r = asks_new(options->inbox, options->back, &context->asks)) < 0 ||
        (r = deadlines_new(context->loop, &context->deadlines)) < 0 ||
        (r = audit_new(context, &context->audit)) < 0 ||
        (r = events_new(context, &context->events)) < 0 ||
        (r = tokens_new(context, &context->tokens)) < 0 ||
        (r = newcomers_new(context, &context->newcomers)) < 0 ||
        (r = logins_new(context, &context->logins)) < 0 ||
        (r = callback_new(context, options->system_service, &context->callback)) < 0)
        return r;
    return consumers_new(context, &context->consumers);
}

static int build_sources(struct front *front, const struct front_options *options)
{
    const unsigned connections =
        options->connections_max ? options->connections_max : FRONT_CONNECTIONS_MAX;
    const struct web_options web = {
        .listen_fd = options->api_fd,
        .connections_max = connections,
        .connections_per_uid_max = connections / 2,
        .request_deadline_s = API_REQUEST_DEADLINE_S,
        .idle_s = API_IDLE_S,
        .body_max = WEB_BODY_MAX,
        .reject_malformed_json = true,
    };
    struct loop *loop = front->context.loop;
    int r =
        loop_add_fd(loop, mailbox_fd(front->inbox), EPOLLIN, letters_wait, front, &front->letters);
    if (r < 0)
        return r;
    r = loop_add_timer(loop, end_stop, front, &front->stop_timer);
    if (r < 0)
        return r;
    /* Last: from then on the descriptor is the server's. */
    return web_server_new(loop, &web, api_handle, &front->context, &front->server);
}

int front_new(const struct front_options *options, struct front **ret, struct complaint *complaint)
{
    CLEANUP(cleanup_front) struct front *front = calloc(1, sizeof(*front));
    int r = -ENOMEM;

    if (front) {
        front->inbox = options->inbox;
        front->pulses = options->pulses;
        r = build_context(front, options);
        if (r == 0)
            r = build_sources(front, options);
    }
    if (r < 0) {
        complain(complaint, "cannot set up the thread that answers: %s", strerror(-r));
        /* The settings stay the caller's. */
        if (front)
            front->context.settings = NULL;
        return r;
    }
    *ret = steal(front);
    return 0;
}

int front_run(struct front *front)
{
    /* What was sent before the start comes before any request. */
    letters_wait(front, mailbox_fd(front->inbox), EPOLLIN);
    return loop_run(front->context.loop);
}

struct front *front_free(struct front *front)
{
    if (!front)
        return NULL;
    struct context *context = &front->context;

    /* The servers first: clients that go tell the parts that wait for them. */
    web_server_free(front->server);
    consumers_free(context->consumers); /* before the callback, whose certificate they have */
    callback_free(context->callback);
    logins_free(context->logins);
    newcomers_free(context->newcomers);
    tokens_free(context->tokens);
    audit_free(context->audit);
    events_free(context->events);
    deadlines_free(context->deadlines);
    asks_free(context->asks);
    loop_source_free(front->stop_timer);
    loop_source_free(front->letters);
    loop_free(context->loop);
    settings_free(context->settings);
    free(front);
    return NULL;
}
