#include "front/tokens_private.h"

#include <errno.h>
#include <stdio.h>

#include "front/api.h"
#include "front/asks.h"
#include "front/deadlines.h"
#include "front/link_url.h"
#include "front/token_answer.h"
#include "front/token_cache.h"
#include "oauth/lifetime.h"

enum {
    MS_PER_S = 1000,
    /* Even who will not wait for a refresh gets what lies in the store. */
    WAIT_LEAST_MS = 100,
};

/* A request that waits. */
struct waiter {
    struct deadline deadline;
    struct flight *flight;
    struct waiter_list *list; /* one of the flight's, or of those who are refused now */
    struct waiter *next, *previous;
    struct web_request *web;
    struct token_wish wish;
    struct asker asker; /* what it may is judged again */
    unsigned tries;
    bool left_open; /* by a failure of a question for more than it needs */
};

int tokens_new(struct context *context, struct tokens **ret)
{
    struct tokens *tokens = calloc(1, sizeof(*tokens));
    if (!tokens)
        return -ENOMEM;
    tokens->context = context;
    tokens->server.context = context;
    tokens->server.answer = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);
    if (token_cache_new(&tokens->cache) < 0 ||
        account_map_init(&tokens->flights, TOKENS_WAITERS_MAX) < 0) {
        tokens_free(tokens);
        return -ENOMEM;
    }
    *ret = tokens;
    return 0;
}

static void list_add(struct waiter_list *list, struct waiter *waiter)
{
    waiter->list = list;
    waiter->next = NULL;
    waiter->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = waiter;
    list->last = waiter;
}

static void list_remove(struct waiter *waiter)
{
    struct waiter_list *list = waiter->list;

    *(waiter->previous ? &waiter->previous->next : &list->first) = waiter->next;
    *(waiter->next ? &waiter->next->previous : &list->last) = waiter->previous;
}

/* Ends the wait and returns the request, which is the caller's to answer. */
static struct web_request *waiter_end(struct waiter *waiter)
{
    struct flight *flight = waiter->flight;
    struct web_request *web = waiter->web;

    list_remove(waiter);
    deadlines_remove(flight->tokens->context->deadlines, &waiter->deadline);
    flight->count--;
    flight->tokens->waiter_count--;
    free(waiter);
    return web;
}

static void flight_free(struct flight *flight)
{
    while (flight->waiting.first)
        waiter_end(flight->waiting.first);
    asks_forget(flight->tokens->context->asks, flight->ask);
    account_map_remove(&flight->tokens->flights, &flight->node);
    free(flight);
}

static void flight_free_node(void *userdata, struct account_node *node)
{
    flight_free((struct flight *)node);
}

struct tokens *tokens_free(struct tokens *tokens)
{
    if (!tokens)
        return NULL;
    if (tokens->flights.buckets)
        account_map_each(&tokens->flights, flight_free_node, NULL);
    account_map_release(&tokens->flights);
    token_cache_free(tokens->cache);
    buffer_release(&tokens->server.answer);
    free(tokens);
    return NULL;
}

static void waiter_refuse(struct waiter *waiter, enum wire_error error, const char *text)
{
    struct token_wish wish = waiter->wish;
    struct token_server *server = &waiter->flight->tokens->server;
    token_refuse(server, waiter_end(waiter), &wish, error, text);
}

static void flight_settle(struct flight *flight, struct message *answer);

static void flight_answered(void *userdata, struct message *answer)
{
    struct flight *flight = userdata;

    flight->ask = 0;
    if (!answer->failed && answer->token && answer->token->access_token && !flight->distrusted &&
        answer->token->generation >= flight->floor)
        token_cache_put(flight->tokens->cache, &flight->node.name, steal(answer->token));
    flight_settle(flight, answer);
}

/* What the most demanding of those who wait needs, so that one answer serves all. But those whom a
 * failure left open come first, the least demanding of them before the others: so that each soon
 * has a question for no more than it needs, whatever others want and however often. */
static int64_t next_min_ttl(const struct flight *flight)
{
    const struct waiter *most = flight->waiting.first, *least = NULL;

    for (const struct waiter *waiter = most; waiter; waiter = waiter->next) {
        if (waiter->wish.min_ttl_ms > most->wish.min_ttl_ms)
            most = waiter;
        if (waiter->left_open && (!least || waiter->wish.min_ttl_ms < least->wish.min_ttl_ms))
            least = waiter;
    }
    return (least ? least : most)->wish.min_ttl_ms;
}

/* Somebody waits. Returns 0, ASKS_BUSY, ASKS_QUOTA or -ENOMEM. */
static int flight_ask(struct flight *flight)
{
    struct message *question = message_new(ASK_TOKEN);

    flight->asked_min_ttl_ms = next_min_ttl(flight);
    flight->distrusted = false;
    flight->floor = 0;
    if (question) {
        question->account = flight->node.name;
        question->min_ttl_ms = flight->asked_min_ttl_ms;
    }
    return asks_send_for(flight->tokens->context->asks, flight->uid, question, flight_answered,
                         flight, &flight->ask);
}

/* The question was for more than this waiter needs. The default is the back's to know. */
static bool asked_for_more(const struct waiter *waiter)
{
    const int64_t asked_ms = waiter->flight->asked_min_ttl_ms;
    const int64_t wish_ms = waiter->wish.min_ttl_ms;

    return wish_ms < asked_ms ||
           (asked_ms < 0 && wish_ms >= 0 && wish_ms < lifetime_default_min_ttl(INT64_MAX));
}

static bool wants_too_much(const struct waiter *waiter, const struct failure *failure)
{
    return failure->max_min_ttl_s > 0 &&
           waiter->wish.min_ttl_ms > failure->max_min_ttl_s * MS_PER_S;
}

/* True for the failure of a question for more than this waiter needs, or of an overtaken one. */
static bool stays_open(struct waiter *waiter, const struct failure *failure)
{
    if (waiter->flight->distrusted && waiter->tries < TOKENS_TRIES_MAX)
        return true;
    if (wants_too_much(waiter, failure) || !asked_for_more(waiter))
        return false;
    waiter->left_open = true;
    return true;
}

static bool may_still(const struct waiter *waiter)
{
    const struct context *context = waiter->flight->tokens->context;
    return access_allowed(context->settings, &context->access, &waiter->asker, MAY_TOKEN,
                          &waiter->wish.account);
}

/* Ends the wait; the request is treated as one that comes now. */
static void ask_anew(struct waiter *waiter)
{
    struct api_request request = {
        .context = waiter->flight->tokens->context,
        .asker = waiter->asker,
        .has_account = true,
        .account = waiter->wish.account,
        .rest = "",
        .handler = api_token,
    };

    request.web = waiter_end(waiter);
    web_on_gone(request.web, NULL);
    api_token(&request);
}

/* Ends the wait if the answer that came decides it; else the waiter goes on waiting. */
static void waiter_settle(struct waiter *waiter, const struct message *answer)
{
    struct flight *flight = waiter->flight;
    struct tokens *tokens = flight->tokens;
    struct token_wish wish = waiter->wish;

    if (!may_still(waiter)) { /* a letter that said so may have found no room */
        ask_anew(waiter);
        return;
    }
    if (!answer->failed || flight->distrusted)
        waiter->tries++;
    if (answer->failed) {
        if (!stays_open(waiter, &answer->failure)) {
            wish.may_consent = link_may_be_shown(tokens->context, &waiter->asker, &wish.account);
            token_fail(&tokens->server, waiter_end(waiter), &wish, &answer->failure);
            return;
        }
    } else {
        struct cached_token *entry = token_cache_find(tokens->cache, &flight->node.name);
        enum token_verdict verdict = token_judge(entry, wish.min_ttl_ms);
        if (verdict != TOKEN_SHORT) {
            tokens->context->counters.tokens_waited += verdict == TOKEN_GOOD;
            token_answer(&tokens->server, waiter_end(waiter), &wish, entry, verdict);
            return;
        }
        if (waiter->tries >= TOKENS_TRIES_MAX) {
            waiter_refuse(waiter, WIRE_PROVIDER_UNAVAILABLE, "no token came that lasts");
            return;
        }
    }
    list_remove(waiter);
    list_add(&flight->waiting, waiter);
}

static void flight_refuse_all(struct flight *flight, enum wire_error error, const char *text)
{
    while (flight->waiting.first)
        waiter_refuse(flight->waiting.first, error, text);
}

/* Who is left open, or asks anew, joins those who wait for the next answer: so those for whom this
 * one came are moved to a list of their own first, and the flight is freed only at the end. */
static void flight_settle(struct flight *flight, struct message *answer)
{
    while (flight->waiting.first) {
        struct waiter *waiter = flight->waiting.first;
        list_remove(waiter);
        list_add(&flight->settling, waiter);
    }
    while (flight->settling.first)
        waiter_settle(flight->settling.first, answer);

    if (flight->count > 0) {
        int r = flight_ask(flight);
        if (r == 0)
            return;
        flight_refuse_all(flight, r > 0 ? WIRE_BUSY : WIRE_INTERNAL,
                          r > 0 ? "too many questions are waiting" : "out of memory");
    }
    flight_free(flight);
}

static void waiter_gone(void *userdata)
{
    waiter_end(userdata);
}

static void waiter_expired(struct deadline *deadline)
{
    struct waiter *waiter = (struct waiter *)deadline;
    char text[64];

    (void)snprintf(text, sizeof(text), "no token within %lld s",
                   (long long)((waiter->wish.wait_ms + MS_PER_S - 1) / MS_PER_S));
    waiter_refuse(waiter, WIRE_TIMEOUT, text);
}

/* Returns 0, DEADLINES_FULL or DEADLINES_QUOTA. */
static int flight_has_room(const struct flight *flight, uid_t uid)
{
    size_t own = 0;

    if (flight->count == TOKENS_WAITERS_PER_ACCOUNT_MAX)
        return DEADLINES_FULL;
    if (flight->count < TOKENS_WAITERS_PER_ACCOUNT_AND_UID_MAX)
        return 0;
    for (const struct waiter *waiter = flight->waiting.first; waiter; waiter = waiter->next)
        own += waiter->wish.uid == uid;
    return own < TOKENS_WAITERS_PER_ACCOUNT_AND_UID_MAX ? 0 : DEADLINES_QUOTA;
}

/* The flight of the account, with its question out. Returns 0, ASKS_BUSY, DEADLINES_QUOTA or
 * -ENOMEM. */
static int flight_join(struct tokens *tokens, struct waiter *waiter)
{
    struct flight *flight =
        (struct flight *)account_map_find(&tokens->flights, &waiter->wish.account);
    bool is_new = !flight;

    if (is_new) {
        flight = calloc(1, sizeof(*flight));
        if (!flight)
            return -ENOMEM;
        flight->node.name = waiter->wish.account;
        flight->tokens = tokens;
        flight->uid = waiter->wish.uid;
        account_map_add(&tokens->flights, &flight->node);
    }
    int room = flight_has_room(flight, waiter->wish.uid);
    if (room)
        return room == DEADLINES_QUOTA ? DEADLINES_QUOTA : ASKS_BUSY;
    waiter->flight = flight;
    list_add(&flight->waiting, waiter);
    flight->count++;
    tokens->waiter_count++;
    if (!is_new)
        return 0;

    int r = flight_ask(flight);
    if (r == 0)
        return 0;
    /* The waiter stays the caller's. */
    list_remove(waiter);
    tokens->waiter_count--;
    flight_free(flight);
    return r == ASKS_QUOTA ? DEADLINES_QUOTA : r;
}

/* Returns 0, ASKS_BUSY, DEADLINES_QUOTA or -ENOMEM. */
static int wait_for_token(struct tokens *tokens, struct web_request *web,
                          const struct token_wish *wish)
{
    if (tokens->stopping || tokens->waiter_count == TOKENS_WAITERS_MAX)
        return ASKS_BUSY;
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    if (!waiter)
        return -ENOMEM;
    waiter->web = web;
    waiter->wish = *wish;
    waiter->wish.asker = NULL;
    waiter->asker = *wish->asker;
    struct deadlines *deadlines = tokens->context->deadlines;
    int64_t wait_ms = wish->wait_ms < WAIT_LEAST_MS ? WAIT_LEAST_MS : wish->wait_ms;
    int r = deadlines_add(deadlines, &waiter->deadline, wish->uid, wait_ms, waiter_expired);
    if (r == 0)
        r = flight_join(tokens, waiter);
    if (r) {
        deadlines_remove(deadlines, &waiter->deadline);
        free(waiter);
        return r == DEADLINES_FULL ? ASKS_BUSY : r;
    }
    web_set_userdata(web, waiter);
    web_on_gone(web, waiter_gone);
    return 0;
}

void tokens_request(struct tokens *tokens, struct web_request *web, const struct token_wish *wish)
{
    struct cached_token *entry = token_cache_find(tokens->cache, &wish->account);
    enum token_verdict verdict = token_judge(entry, wish->min_ttl_ms);

    if (verdict != TOKEN_SHORT) {
        tokens->context->counters.tokens_hit += verdict == TOKEN_GOOD;
        token_answer(&tokens->server, web, wish, entry, verdict);
        return;
    }
    int r = wait_for_token(tokens, web, wish);
    if (r < 0)
        token_refuse(&tokens->server, web, wish, WIRE_INTERNAL, "out of memory");
    else if (r == DEADLINES_QUOTA)
        token_refuse(&tokens->server, web, wish, WIRE_TOO_MANY_REQUESTS,
                     "too many requests of yours are waiting");
    else if (r)
        token_refuse(&tokens->server, web, wish, WIRE_BUSY, "too many requests are waiting");
}

/* Moves those of a flight who may not have its token to a list. */
static void sort_out(void *userdata, struct account_node *node)
{
    struct waiter *waiter = ((struct flight *)node)->waiting.first;

    while (waiter) {
        struct waiter *next = waiter->next;
        if (!may_still(waiter)) {
            list_remove(waiter);
            list_add(userdata, waiter);
        }
        waiter = next;
    }
}

/* First all of them, then the answers: each may bring the next request in. */
void tokens_rights_changed(struct tokens *tokens)
{
    struct waiter_list without = { 0 };

    account_map_each(&tokens->flights, sort_out, &without);
    while (without.first)
        ask_anew(without.first);
}

static void flight_stop(void *userdata, struct account_node *node)
{
    flight_refuse_all((struct flight *)node, WIRE_BUSY, "the broker is stopping");
}

void tokens_stop(struct tokens *tokens)
{
    tokens->stopping = true;
    account_map_each(&tokens->flights, flight_stop, NULL);
}
