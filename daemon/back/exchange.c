#include "back/exchange.h"

#include <errno.h>
#include <string.h>

#include "back/client_call.h"
#include "back/lanes.h"
#include "back/settle.h"
#include "base/clock.h"

struct exchange {
    struct exchange *next;
    struct settle settle;
    struct lane *lane; /* once the endpoints are known */
    struct lane_visit visit;
    unsigned tries;
    unsigned room_tries; /* before it could be sent */
    struct http_transfer *transfer;
    struct loop_source *retry;
};

struct exchanges {
    struct keeper *keeper;
    struct exchange *first;
    size_t count;
};

static const struct failure stopping = { .error = WIRE_BUSY,
                                         .retry_after_s = 1,
                                         .description = "the broker is stopping: log in again" };

int exchanges_new(struct keeper *keeper, struct exchanges **ret)
{
    struct exchanges *exchanges = calloc(1, sizeof *exchanges);
    if (!exchanges)
        return -ENOMEM;
    exchanges->keeper = keeper;
    *ret = exchanges;
    return 0;
}

static void free_exchange(struct exchange *exchange)
{
    http_cancel(exchange->transfer);
    lane_leave(&exchange->visit);
    loop_source_free(exchange->retry);
    settle_release(&exchange->settle);
    free(exchange);
}

static void end(void *userdata)
{
    struct exchange *exchange = userdata;
    struct exchanges *exchanges = exchange->settle.keeper->exchanges;
    struct exchange **link = &exchanges->first;
    while (*link != exchange)
        link = &(*link)->next;
    *link = exchange->next;
    exchanges->count--;
    free_exchange(exchange);
}

struct exchanges *exchanges_free(struct exchanges *exchanges)
{
    if (!exchanges)
        return NULL;
    while (exchanges->first) {
        keeper_refuse(exchanges->keeper, exchanges->first->settle.question->id, &stopping);
        end(exchanges->first);
    }
    free(exchanges);
    return NULL;
}

bool exchanges_busy(const struct exchanges *exchanges)
{
    return exchanges->first != NULL;
}

bool exchanges_on_wire(const struct exchanges *exchanges)
{
    for (const struct exchange *exchange = exchanges->first; exchange; exchange = exchange->next)
        if (exchange->transfer)
            return true;
    return false;
}

static void refuse(struct exchange *exchange, const struct failure *failure)
{
    settle_refuse(&exchange->settle, failure);
}

static int send_code(struct exchange *exchange);

/* A grant that finds no room when it comes, or none on the disk, is lost, and the code is spent. */
static void wait_for_room(struct exchange *exchange, const char *problem)
{
    const struct failure failure =
        problem ? failure_make(WIRE_BUSY, 1,
                               "the broker's store refuses writes (%s): the code was not sent, "
                               "log in again when it takes them",
                               problem)
                : failure_make(WIRE_BUSY, 1,
                               "the memory for secrets is full: the code was not sent, log in "
                               "again");
    lane_leave_unsent(&exchange->visit);
    if (++exchange->room_tries >= EXCHANGE_ROOM_TRIES || exchange->settle.keeper->stopping ||
        loop_timer_set(exchange->retry, EXCHANGE_RETRY_MS) != 0)
        refuse(exchange, &failure);
}

static void spend(struct exchange *exchange)
{
    const char *problem = commits_problem(exchange->settle.keeper->commits);
    if (problem || settle_take_room(&exchange->settle) != 0) {
        wait_for_room(exchange, problem);
        return;
    }
    int r = send_code(exchange);
    if (r == 0)
        return;
    const struct failure failure =
        failure_make(WIRE_PROVIDER_UNAVAILABLE, 1, "the code cannot be sent: %s", strerror(-r));
    refuse(exchange, &failure);
}

static void admitted(void *userdata, const struct failure *why)
{
    struct exchange *exchange = userdata;
    if (exchange->settle.keeper->closed)
        refuse(exchange, &stopping);
    else if (why)
        refuse(exchange, why);
    else if (!settle_is_over(&exchange->settle))
        spend(exchange);
}

static void enter(void *userdata)
{
    struct exchange *exchange = userdata;
    lane_visit(exchange->lane, &exchange->visit, admitted, exchange);
}

/* True when it will be sent again. */
static bool try_again(struct exchange *exchange, int64_t rest_ms)
{
    if (++exchange->tries >= EXCHANGE_TRIES || exchange->settle.keeper->stopping)
        return false;
    lane_leave(&exchange->visit);
    return loop_timer_set(exchange->retry,
                          rest_ms > EXCHANGE_RETRY_MS ? rest_ms : EXCHANGE_RETRY_MS) == 0;
}

/* The provider did not look at it: a code that waits a little is better than a person who consents
 * again. */
static void judge_postponed_code(struct exchange *exchange, const struct http_reply *http)
{
    const int64_t rest_ms = client_rest_asked(http);
    lane_asked_to_rest(exchange->lane, rest_ms);
    if (rest_ms <= LANE_REST_WAITED_MS && try_again(exchange, rest_ms))
        return;
    const struct failure failure = client_postponed(http, "the code");
    refuse(exchange, &failure);
}

static void judge_unanswered_code(struct exchange *exchange, const struct http_reply *http)
{
    /* A code may be sent once; this one was not. */
    if (http->outcome == HTTP_NOT_SENT && try_again(exchange, EXCHANGE_RETRY_MS))
        return;
    const struct failure failure =
        failure_make(WIRE_PROVIDER_UNAVAILABLE, 0,
                     "the provider did not answer (%.120s): log in again", http->problem);
    refuse(exchange, &failure);
}

/* A connection that broke after a whole reply may have brought the only copy of a grant. */
static void take_reply(struct exchange *exchange, const struct http_reply *http)
{
    if (settle_judge(&exchange->settle, http) != 0) {
        const struct failure failure =
            failure_make(WIRE_INTERNAL, 0, "memory is short: log in again");
        refuse(exchange, &failure);
    } else if (settle_has_to_store(&exchange->settle)) {
        settle_store(&exchange->settle);
    } else if (http->outcome != HTTP_ANSWERED) {
        judge_unanswered_code(exchange, http);
    } else {
        settle_refuse_by_reply(&exchange->settle);
    }
}

static void replied(void *userdata, const struct http_reply *http)
{
    struct exchange *exchange = userdata;
    exchange->transfer = NULL;
    if (http->outcome == HTTP_NOT_SENT)
        judge_unanswered_code(exchange, http);
    else if (client_told_to_wait(http))
        judge_postponed_code(exchange, http);
    else
        take_reply(exchange, http);
}

static int send_code(struct exchange *exchange)
{
    const struct setup *setup = exchange->settle.write.setup;
    const struct exchange_request *asked = exchange->settle.question->exchange;
    CLEANUP(cleanup_secret) struct secret *proof = NULL;
    struct token_request request = { 0 };
    int r = client_proof(setup, &proof);
    if (r == 0)
        r = token_request_code(setup->provider, proof, asked->code, asked->redirect_uri,
                               asked->verifier, &request);
    if (r != 0)
        return r;
    exchange->settle.write.sent_at = clock_now();
    return client_send(exchange->settle.keeper, setup, &request, replied, exchange,
                       &exchange->transfer);
}

static void resolved(void *userdata, const struct failure *why)
{
    struct exchange *exchange = userdata;
    struct lane *lane = settle_resolved(&exchange->settle, why);
    if (!lane)
        return;
    exchange->lane = lane;
    enter(exchange);
}

/* Why a code should not be spent now. */
static bool cannot_begin(struct keeper *keeper, const struct message *question, struct failure *ret)
{
    if (!lanes_find(keeper->lanes, question->account.provider))
        *ret = failure_make(WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured",
                            question->account.provider);
    else if (commits_problem(keeper->commits))
        *ret = failure_make(WIRE_BUSY, 1,
                            "the broker's store refuses writes (%s): log in again "
                            "when it takes them",
                            commits_problem(keeper->commits));
    else if (keeper->exchanges->count >= EXCHANGES_MAX || keeper->stopping)
        *ret = failure_make(WIRE_BUSY, 1, "too many logins at once: try again");
    else
        return false;
    return true;
}

void exchange_begin(struct keeper *keeper, struct message *question)
{
    CLEANUP(cleanup_message) struct message *owned = question;
    struct failure failure;
    if (cannot_begin(keeper, question, &failure)) {
        keeper_refuse(keeper, question->id, &failure);
        return;
    }
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange || loop_add_timer(keeper->loop, enter, exchange, &exchange->retry) != 0) {
        free(exchange);
        failure = failure_make(WIRE_BUSY, 1, "memory is short: log in again");
        keeper_refuse(keeper, question->id, &failure);
        return;
    }
    settle_init(&exchange->settle, keeper, steal(owned), end, exchange);
    exchange->next = keeper->exchanges->first;
    keeper->exchanges->first = exchange;
    keeper->exchanges->count++;
    lane_resolve(lanes_find(keeper->lanes, question->account.provider), resolved, exchange);
}
