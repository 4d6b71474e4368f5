#include "back/exchange.h"

#include <errno.h>
#include <string.h>

#include "back/client_call.h"
#include "back/lanes.h"
#include "back/links.h"
#include "back/settle.h"
#include "base/clock.h"

struct exchange {
    struct exchange *next;
    struct settle settle;
    unsigned tries;
    struct http_transfer *transfer;
    struct loop_source *retry;
};

struct exchanges {
    struct keeper *keeper;
    struct exchange *first;
    size_t count;
};

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
    const struct failure failure =
        failure_make(WIRE_BUSY, 1, "the broker is stopping: log in again");
    while (exchanges->first) {
        keeper_refuse(exchanges->keeper, exchanges->first->settle.question->id, &failure);
        end(exchanges->first);
    }
    free(exchanges);
    return NULL;
}

bool exchanges_busy(const struct exchanges *exchanges)
{
    return exchanges->first != NULL;
}

static void refuse(struct exchange *exchange, const struct failure *failure)
{
    settle_refuse(&exchange->settle, failure);
}

static void judge_granted_reply(struct exchange *exchange)
{
    const struct secret *nonce = exchange->settle.question->exchange->nonce;
    const char *returned = exchange->settle.write.reply.grant.nonce;
    struct failure failure;
    if (nonce && returned && !secret_equal_bytes(nonce, returned, strlen(returned))) {
        failure = failure_make(WIRE_PROVIDER_REJECTED, 0,
                               "the id_token belongs to another login (its nonce differs)");
        refuse(exchange, &failure);
        return;
    }
    settle_store(&exchange->settle);
}

static int send_code(struct exchange *exchange);

static void retry(void *userdata)
{
    struct exchange *exchange = userdata;
    int r = send_code(exchange);
    if (r == 0)
        return;
    const struct failure failure =
        failure_make(WIRE_PROVIDER_UNAVAILABLE, 1, "the code cannot be sent: %s", strerror(-r));
    refuse(exchange, &failure);
}

static void judge_unanswered_code(struct exchange *exchange, const struct http_reply *http)
{
    const bool sent = http->outcome != HTTP_NOT_SENT;
    if (!sent && ++exchange->tries < EXCHANGE_CONNECT_TRIES && !exchange->settle.keeper->stopping) {
        /* A code may be sent once; this one was not. */
        (void)loop_timer_set(exchange->retry, EXCHANGE_RETRY_MS);
        return;
    }
    const struct failure failure =
        failure_make(WIRE_PROVIDER_UNAVAILABLE, 0,
                     "the provider did not answer (%.120s): log in again", http->problem);
    refuse(exchange, &failure);
}

static void replied(void *userdata, const struct http_reply *http)
{
    struct exchange *exchange = userdata;
    exchange->transfer = NULL;
    if (http->outcome == HTTP_NOT_SENT) {
        judge_unanswered_code(exchange, http);
        return;
    }
    /* A connection that broke after a whole reply may have brought the only copy of a grant. */
    if (settle_judge(&exchange->settle, http) != 0) {
        const struct failure failure =
            failure_make(WIRE_INTERNAL, 0, "memory is short: log in again");
        refuse(exchange, &failure);
    } else if (exchange_write_grants(&exchange->settle.write)) {
        judge_granted_reply(exchange);
    } else if (settle_has_to_store(&exchange->settle)) {
        settle_store(&exchange->settle);
    } else if (http->outcome != HTTP_ANSWERED) {
        judge_unanswered_code(exchange, http);
    } else {
        settle_refuse_by_reply(&exchange->settle);
    }
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
    struct lane *lane =
        lanes_find(exchange->settle.keeper->lanes, exchange->settle.question->account.provider);
    if (why || !lane) {
        const struct failure gone =
            failure_make(WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured any more",
                         exchange->settle.question->account.provider);
        refuse(exchange, why ? why : &gone);
        return;
    }
    exchange->settle.write.setup = setup_ref(lane_setup(lane));
    retry(exchange);
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
    else if (!links_let_consent(keeper, question))
        *ret = failure_make(WIRE_BAD_REQUEST, 0,
                            "the link was used, replaced or withdrawn while you were at the "
                            "provider: ask for a new one if the account is not connected");
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
    if (!exchange || loop_add_timer(keeper->loop, retry, exchange, &exchange->retry) != 0) {
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
