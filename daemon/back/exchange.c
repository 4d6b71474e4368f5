#include "back/exchange.h"

#include <errno.h>
#include <string.h>

#include "back/client_call.h"
#include "back/exchange_write.h"
#include "back/lanes.h"
#include "back/links.h"
#include "base/clock.h"
#include "base/log.h"

struct exchange {
    struct exchange *next;
    struct keeper *keeper;
    struct message *question;
    unsigned tries;
    struct http_transfer *transfer;
    struct loop_source *retry;
    struct exchange_write write;
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

static void end(struct exchange *exchange);

static void free_exchange(struct exchange *exchange)
{
    http_cancel(exchange->transfer);
    loop_source_free(exchange->retry);
    exchange_write_release(&exchange->write);
    message_free(exchange->question);
    free(exchange);
}

struct exchanges *exchanges_free(struct exchanges *exchanges)
{
    if (!exchanges)
        return NULL;
    const struct failure failure =
        failure_make(WIRE_BUSY, 1, "the broker is stopping: log in again");
    while (exchanges->first) {
        keeper_refuse(exchanges->keeper, exchanges->first->question->id, &failure);
        end(exchanges->first);
    }
    free(exchanges);
    return NULL;
}

bool exchanges_busy(const struct exchanges *exchanges)
{
    return exchanges->first != NULL;
}

static void end(struct exchange *exchange)
{
    struct exchanges *exchanges = exchange->keeper->exchanges;
    struct exchange **link = &exchanges->first;
    while (*link != exchange)
        link = &(*link)->next;
    *link = exchange->next;
    exchanges->count--;
    free_exchange(exchange);
}

static void refuse(struct exchange *exchange, const struct failure *failure)
{
    char name[ACCOUNT_TEXT_SIZE];
    log_warning("%s: the login failed: %s", account_text(&exchange->question->account, name),
                failure->description);
    keeper_refuse(exchange->keeper, exchange->question->id, failure);
    end(exchange);
}

static void tell_front(struct exchange *exchange)
{
    struct exchange_write *write = &exchange->write;
    struct lane *lane = lanes_find(exchange->keeper->lanes, exchange->question->account.provider);
    if (lane)
        lane_succeeded(lane, &exchange->question->account);
    if (write->consent->outcome == CONSENT_IDENTITY_MISMATCH)
        keeper_event(exchange->keeper, &exchange->question->account, "identity_mismatch",
                     "a consent for another identity is held");
    else if (write->consent->outcome == CONSENT_AWAITS)
        keeper_event(exchange->keeper, &exchange->question->account, "consent_held",
                     "a first consent by link is held: accept or discard it");
    else
        keeper_notify(exchange->keeper, &exchange->question->account, write->row.generation,
                      steal(write->issued));
    struct message *answer = message_new(ANSWER);
    if (!answer) {
        const struct failure failure =
            failure_make(WIRE_INTERNAL, 0, "the grant is stored, but memory is short");
        refuse(exchange, &failure);
        return;
    }
    answer->consent = steal(write->consent);
    keeper_answer(exchange->keeper, exchange->question->id, answer);
    end(exchange);
}

static void refuse_by_reply(struct exchange *exchange)
{
    const struct token_reply *reply = &exchange->write.reply;
    const struct failure failure =
        failure_make(WIRE_PROVIDER_REJECTED, 0, "the provider refused the code: %s: %.150s",
                     reply->error, reply->description);
    refuse(exchange, &failure);
}

static struct failure why_not_stored(const struct exchange *exchange, int result)
{
    const struct account_name *owner = &exchange->write.owner;
    char name[ACCOUNT_TEXT_SIZE];
    account_text(&exchange->question->account, name);
    if (result == EXCHANGE_OWNED)
        return failure_make(WIRE_PROVIDER_REJECTED, 0,
                            "the provider gave the refresh token that account %s/%s holds: log in "
                            "as the other company, or log %s/%s out first",
                            owner->provider, owner->label, owner->provider, owner->label);
    if (result > 0)
        return failure_make(WIRE_INTERNAL, 0,
                            "the row of %s in the store is damaged: log it out, then in again",
                            name);
    return failure_make(WIRE_INTERNAL, 0, "the grant of %s cannot be stored: log in again", name);
}

static const char *outcome_words(enum consent_outcome outcome)
{
    static const char *const words[] = {
        [CONSENT_GRANTED] = "stored",
        [CONSENT_WITHOUT_REFRESH_TOKEN] = "stored",
        [CONSENT_IDENTITY_MISMATCH] = "another identity's and held",
        [CONSENT_AWAITS] = "held until it is accepted",
    };
    return words[outcome];
}

static void durable(void *userdata, int result)
{
    struct exchange *exchange = userdata;
    char name[ACCOUNT_TEXT_SIZE];
    account_text(&exchange->question->account, name);
    if (result == 0 && !exchange_write_grants(&exchange->write)) {
        refuse_by_reply(exchange);
        return;
    }
    if (result == 0) {
        log_info("%s: consent is %s, generation %llu", name,
                 outcome_words(exchange->write.consent->outcome),
                 (unsigned long long)exchange->write.row.generation);
        tell_front(exchange);
        return;
    }
    const struct failure failure = why_not_stored(exchange, result);
    refuse(exchange, &failure);
}

static int apply(void *userdata, struct store *store)
{
    struct exchange *exchange = userdata;
    return exchange_write_apply(&exchange->write, exchange->keeper, store);
}

static void store_reply(struct exchange *exchange)
{
    int r = commits_add(exchange->keeper->commits, COMMIT_MUST, apply, durable, exchange);
    if (r != 0)
        durable(exchange, r);
}

static void judge_granted_reply(struct exchange *exchange)
{
    struct exchange_write *write = &exchange->write;
    const struct secret *nonce = exchange->question->exchange->nonce;
    const char *returned = write->reply.grant.nonce;
    struct failure failure;
    if (nonce && returned && !secret_equal_bytes(nonce, returned, strlen(returned))) {
        failure = failure_make(WIRE_PROVIDER_REJECTED, 0,
                               "the id_token belongs to another login (its nonce differs)");
        refuse(exchange, &failure);
        return;
    }
    store_reply(exchange);
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
    if (!sent && ++exchange->tries < EXCHANGE_CONNECT_TRIES && !exchange->keeper->stopping) {
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
    struct exchange_write *write = &exchange->write;
    exchange->transfer = NULL;
    if (http->outcome == HTTP_NOT_SENT) {
        judge_unanswered_code(exchange, http);
        return;
    }
    const struct token_answer answer = { .status = http->status,
                                         .body = http->body,
                                         .length = http->length,
                                         .content_type = http->content_type,
                                         .truncated = http->truncated };
    /* A connection that broke after a whole reply may have brought the only copy of a grant. */
    int r = token_reply_judge(write->setup->provider, &answer, &write->reply);
    if (r == 0 && write->reply.unreadable) {
        write->unreadable = BUFFER_WITH_MAXIMUM(TOKEN_REPLY_MAX);
        buffer_append(&write->unreadable, http->body, http->length);
    }
    if (r != 0) {
        const struct failure failure =
            failure_make(WIRE_INTERNAL, 0, "memory is short: log in again");
        refuse(exchange, &failure);
    } else if (exchange_write_grants(write)) {
        judge_granted_reply(exchange);
    } else if (write->unreadable.length > 0) {
        store_reply(exchange);
    } else if (http->outcome != HTTP_ANSWERED) {
        judge_unanswered_code(exchange, http);
    } else {
        refuse_by_reply(exchange);
    }
}

static int send_code(struct exchange *exchange)
{
    const struct setup *setup = exchange->write.setup;
    const struct exchange_request *asked = exchange->question->exchange;
    CLEANUP(cleanup_secret) struct secret *proof = NULL;
    struct token_request request = { 0 };
    int r = client_proof(setup, &proof);
    if (r == 0)
        r = token_request_code(setup->provider, proof, asked->code, asked->redirect_uri,
                               asked->verifier, &request);
    if (r != 0)
        return r;
    exchange->write.sent_at = clock_now();
    return client_send(exchange->keeper, setup, &request, replied, exchange, &exchange->transfer);
}

static void resolved(void *userdata, const struct failure *why)
{
    struct exchange *exchange = userdata;
    struct lane *lane = lanes_find(exchange->keeper->lanes, exchange->question->account.provider);
    if (why || !lane) {
        const struct failure gone =
            failure_make(WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured any more",
                         exchange->question->account.provider);
        refuse(exchange, why ? why : &gone);
        return;
    }
    exchange->write.setup = setup_ref(lane_setup(lane));
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
    exchange->keeper = keeper;
    exchange->question = steal(owned);
    exchange->write.question = exchange->question;
    exchange->next = keeper->exchanges->first;
    keeper->exchanges->first = exchange;
    keeper->exchanges->count++;
    lane_resolve(lanes_find(keeper->lanes, question->account.provider), resolved, exchange);
}
