#include "front/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "front/access.h"

enum { MS_PER_S = 1000, TAG_SIZE = 8 + 1, ID_SIZE = 40, EVENT_BYTES_MAX = 4096 };

/* What is kept of an event. */
struct told {
    struct account_name about;
    struct event event; /* name "": here some are missing */
    int64_t at_s;       /* wall */
};

struct follower {
    struct follower *next;
    struct events *events;
    struct web_request *web;
    struct asker asker;
    char filter[ACCOUNT_TEXT_SIZE]; /* "": all */
    uint64_t lost;                  /* events that did not fit and that it was not told of */
};

struct events {
    struct context *context;
    struct follower *followers;
    struct loop_source *heartbeat;
    char tag[TAG_SIZE]; /* of this process: ids of an earlier one are told from ours */
    uint64_t count;     /* events so far: the id of the newest */
    struct told kept[EVENTS_KEPT];
};

static void on_heartbeat(void *userdata);

static void make_tag(char tag[static TAG_SIZE])
{
    uint32_t random;

    random_bytes(&random, sizeof(random));
    (void)snprintf(tag, TAG_SIZE, "%08" PRIx32, random);
}

int events_new(struct context *context, struct events **ret)
{
    struct events *events = calloc(1, sizeof(*events));
    if (!events)
        return -ENOMEM;
    events->context = context;
    make_tag(events->tag);
    int r = loop_add_timer(context->loop, on_heartbeat, events, &events->heartbeat);
    if (r < 0) {
        free(events);
        return r;
    }
    *ret = events;
    return 0;
}

static void follower_remove(struct follower *follower)
{
    struct follower **link = &follower->events->followers;

    while (*link != follower)
        link = &(*link)->next;
    *link = follower->next;
    free(follower);
}

struct events *events_free(struct events *events)
{
    if (!events)
        return NULL;
    while (events->followers)
        follower_remove(events->followers);
    loop_source_free(events->heartbeat);
    free(events);
    return NULL;
}

/* --- what a follower may and wants to see --- */

static bool may_see(const struct follower *follower, const struct account_name *about)
{
    const struct context *context = follower->events->context;

    if (*about->label)
        return access_allowed(context->settings, &context->access, &follower->asker,
                              (enum may)(MAY_LIST | MAY_MONITOR), about);
    if (*about->provider)
        return access_allowed_some(context->settings, &context->access, &follower->asker,
                                   MAY_MONITOR, about->provider);
    return access_allowed(context->settings, &context->access, &follower->asker, MAY_MONITOR, NULL);
}

static bool wants(const struct follower *follower, const struct account_name *about)
{
    const char *slash = strchr(follower->filter, '/');
    char provider[ACCOUNT_TEXT_SIZE];
    char text[ACCOUNT_TEXT_SIZE];

    if (!*follower->filter)
        return true;
    if (slash && *about->label)
        return access_glob_matches(follower->filter, account_text(about, text));
    size_t length = slash ? (size_t)(slash - follower->filter) : strlen(follower->filter);
    memcpy(provider, follower->filter, length);
    provider[length] = '\0';
    return access_glob_matches(provider, about->provider);
}

/* --- what goes out --- */

static void put_id(struct buffer *out, const struct events *events, uint64_t serial)
{
    buffer_append_format(out, "id: %s-%" PRIu64 "\n", events->tag, serial);
}

static void put_told(struct buffer *out, const struct told *told)
{
    char text[ACCOUNT_TEXT_SIZE];

    buffer_append_format(out, "event: %s\ndata: ", told->event.name);
    struct json_writer writer = json_writer_begin(out, '{');
    json_put_string(&writer, "event", told->event.name);
    if (*told->about.provider)
        json_put_string(&writer, "provider", told->about.provider);
    if (*told->about.label)
        json_put_string(&writer, "account", account_text(&told->about, text));
    json_put_string(&writer, "text", told->event.text);
    json_put_integer(&writer, "at", told->at_s);
    json_writer_end(&writer);
    buffer_append_text(out, "\n\n");
}

/* False when it does not fit behind what waits. */
static bool send_told(const struct follower *follower, const struct told *told, uint64_t serial)
{
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(EVENT_BYTES_MAX);

    put_id(&out, follower->events, serial);
    put_told(&out, told);
    return !out.failed && web_stream_send(follower->web, out.data, out.length);
}

/* upto: the last of those that it will not be told of any more. */
PRINTF_LIKE(3, 4)
static bool send_lost(struct follower *follower, uint64_t upto, const char *format, ...)
{
    struct told told = { .event.name = "lost", .at_s = clock_to_wall(clock_now()) / MS_PER_S };
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(told.event.text, sizeof(told.event.text), format, arguments);
    va_end(arguments);
    return send_told(follower, &told, upto);
}

/* True when the follower knows what it has missed. */
static bool settle_lost(struct follower *follower, uint64_t upto)
{
    if (follower->lost > 0 &&
        !send_lost(follower, upto,
                   "%" PRIu64 " events were not told: they came faster than they were read",
                   follower->lost))
        return false;
    follower->lost = 0;
    return true;
}

static void deliver(struct follower *follower, const struct told *told, uint64_t serial)
{
    const bool missing = !*told->event.name;

    if (!missing && (!wants(follower, &told->about) || !may_see(follower, &told->about)))
        return;
    if (missing || !settle_lost(follower, serial - 1) || !send_told(follower, told, serial))
        follower->lost++;
}

static void on_heartbeat(void *userdata)
{
    struct events *events = userdata;

    for (struct follower *follower = events->followers; follower; follower = follower->next)
        if (settle_lost(follower, events->count))
            (void)web_stream_send(follower->web, ":\n\n", 3); /* who reads nothing is dropped */
    if (events->followers)
        (void)loop_timer_set(events->heartbeat, EVENTS_HEARTBEAT_MS);
}

/* --- who follows --- */

static struct told *kept_at(struct events *events, uint64_t serial)
{
    return &events->kept[serial % EVENTS_KEPT];
}

/* Reads "tag-serial"; false when it is none of ours. */
static bool read_id(const struct events *events, const char *id, uint64_t *ret)
{
    const size_t length = strlen(events->tag);
    char *end = NULL;

    if (strncmp(id, events->tag, length) != 0 || id[length] != '-' || strlen(id) >= ID_SIZE)
        return false;
    errno = 0;
    *ret = strtoull(id + length + 1, &end, 10);
    return errno == 0 && *end == '\0' && *ret <= events->count;
}

static void replay(struct follower *follower, const char *last_id)
{
    struct events *events = follower->events;
    const uint64_t oldest = events->count > EVENTS_KEPT ? events->count - EVENTS_KEPT + 1 : 1;
    uint64_t serial = 0;

    if (!read_id(events, last_id, &serial)) {
        (void)send_lost(follower, events->count,
                        "the broker was restarted: what happened meanwhile is not known");
        return;
    }
    if (++serial < oldest) {
        (void)send_lost(follower, oldest - 1,
                        "too much happened meanwhile: the oldest is not known any more");
        serial = oldest;
    }
    for (; serial <= events->count; serial++)
        deliver(follower, kept_at(events, serial), serial);
}

/* Returns 0, EVENTS_FULL or EVENTS_QUOTA. */
static int find_room(const struct events *events, uid_t uid)
{
    size_t all = 0, own = 0;

    for (const struct follower *one = events->followers; one; one = one->next) {
        all++;
        own += asker_uid(&one->asker) == uid;
    }
    if (own >= EVENTS_FOLLOWERS_PER_UID_MAX)
        return EVENTS_QUOTA;
    return all < EVENTS_FOLLOWERS_MAX ? 0 : EVENTS_FULL;
}

static void follower_gone(void *userdata)
{
    follower_remove(userdata);
}

/* The first that goes out: it makes the answer's head go too. */
static void greet(struct follower *follower)
{
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(EVENT_BYTES_MAX);

    buffer_append_format(&out, "retry: %d\n", EVENTS_RETRY_MS);
    if (settle_lost(follower, follower->events->count))
        put_id(&out, follower->events, follower->events->count);
    buffer_append_text(&out, "\n");
    (void)web_stream_send(follower->web, buffer_text(&out), out.length);
}

static struct follower *follower_new(struct events *events, struct web_request *web,
                                     const struct asker *asker, const char *filter)
{
    struct follower *follower = calloc(1, sizeof(*follower));
    if (!follower)
        return NULL;
    follower->events = events;
    follower->web = web;
    follower->asker = *asker;
    (void)snprintf(follower->filter, sizeof(follower->filter), "%s", filter ? filter : "");
    follower->next = events->followers;
    events->followers = follower;
    return follower;
}

int events_follow(struct events *events, struct web_request *web, const struct asker *asker,
                  const char *filter, const char *last_id)
{
    const struct web_answer head = {
        .status = 200,
        .content_type = "text/event-stream",
        .headers = { { "Cache-Control", "no-store" } },
    };
    int r = find_room(events, asker_uid(asker));
    if (r == 0 && !events->followers)
        r = loop_timer_set(events->heartbeat, EVENTS_HEARTBEAT_MS);
    if (r != 0)
        return r;
    struct follower *follower = follower_new(events, web, asker, filter);
    if (!follower)
        return -ENOMEM;
    web_stream_begin(web, &head, EVENTS_UNREAD_MAX);
    web_set_userdata(web, follower);
    web_on_gone(web, follower_gone);
    if (last_id)
        replay(follower, last_id);
    greet(follower);
    return 0;
}

size_t events_followers(const struct events *events)
{
    size_t count = 0;

    for (const struct follower *one = events->followers; one; one = one->next)
        count++;
    return count;
}

void events_end_all(struct events *events)
{
    while (events->followers) {
        struct web_request *web = events->followers->web;
        follower_remove(events->followers);
        web_stream_end(web);
    }
}

/* --- what happens --- */

static void tell(struct events *events, const struct account_name *about, const struct event *event)
{
    struct told *told = kept_at(events, ++events->count);

    *told = (struct told){
        .about = *about,
        .event = *event,
        .at_s = clock_to_wall(clock_now()) / MS_PER_S,
    };
    for (struct follower *one = events->followers; one; one = one->next)
        deliver(one, told, events->count);
}

void events_tell(struct events *events, const struct account_name *about, const char *name,
                 const char *format, ...)
{
    struct event event = { "", "" };
    va_list arguments;

    if (!events)
        return;
    (void)snprintf(event.name, sizeof(event.name), "%s", name);
    va_start(arguments, format);
    (void)vsnprintf(event.text, sizeof(event.text), format, arguments);
    va_end(arguments);
    tell(events, about, &event);
}

/* The back had more to tell than the mailbox holds: events may be among what it dropped. */
static bool is_overflow(const struct message *letter)
{
    return letter->kind == NOTICE && *letter->account.provider == '\0';
}

void events_take(struct events *events, const struct message *letter)
{
    if (*letter->event.name)
        tell(events, &letter->account, &letter->event);
    if (is_overflow(letter))
        tell(events, &letter->account, &(struct event){ "", "" });
}
