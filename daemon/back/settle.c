#include "back/settle.h"

#include <errno.h>
#include <string.h>

#include "back/client_call.h"
#include "back/exchange.h"
#include "back/lanes.h"
#include "back/links.h"
#include "back/revoke.h"
#include "back/warn.h"
#include "base/log.h"

void settle_init(struct settle *settle, struct keeper *keeper, struct message *question,
                 void (*ended)(void *userdata), void *userdata)
{
    *settle = (struct settle){ .keeper = keeper,
                               .question = question,
                               .write = { .question = question },
                               .ended = ended,
                               .userdata = userdata };
    exchange_write_begin(&settle->write, keeper->store);
}

void settle_release(struct settle *settle)
{
    exchange_write_release(&settle->write);
    settle_give_room_back(settle);
    settle->question = message_free(settle->question);
}

int settle_take_room(struct settle *settle)
{
    if (settle->room)
        return 0;
    return secret_room_new(KEEPER_FIRST_TOKEN_ROOM, SECRET_FREE_BESIDE_FIRST, &settle->room);
}

void settle_give_room_back(struct settle *settle)
{
    settle->room = secret_room_free(settle->room);
}

void settle_refuse(struct settle *settle, const struct failure *failure)
{
    char name[ACCOUNT_TEXT_SIZE];
    log_warning("%s: the login failed: %s", account_text(&settle->question->account, name),
                failure->description);
    keeper_refuse(settle->keeper, settle->question->id, failure);
    settle->ended(settle->userdata);
}

static void answer_consent(struct settle *settle, struct consent *consent)
{
    struct message *answer = message_new(ANSWER);
    if (!answer || !consent) {
        consent_free(consent);
        message_free(answer);
        const struct failure failure = failure_make(WIRE_INTERNAL, 0, "memory is short");
        settle_refuse(settle, &failure);
        return;
    }
    answer->consent = consent;
    keeper_answer(settle->keeper, settle->question->id, answer);
    settle->ended(settle->userdata);
}

void settle_say(struct settle *settle, enum consent_outcome outcome)
{
    struct consent *consent = calloc(1, sizeof *consent);
    if (consent)
        consent->outcome = outcome;
    answer_consent(settle, consent);
}

/* What is held is nobody's grant yet. */
static bool brought_refresh_token(const struct exchange_write *write)
{
    const struct token_reply *reply = &write->reply;
    return write->consent->outcome == CONSENT_GRANTED &&
           (reply->rescued_refresh_token || reply->grant.refresh_token);
}

static void tell_lane(struct settle *settle)
{
    const struct exchange_write *write = &settle->write;
    struct lane *lane = lanes_find(settle->keeper->lanes, settle->question->account.provider);
    if (lane)
        lane_consented(lane, write->setup, brought_refresh_token(write));
}

static void tell_front(struct settle *settle)
{
    struct exchange_write *write = &settle->write;
    const struct account_name *name = &settle->question->account;
    tell_lane(settle);
    const char *identity = write->consent->identity ? write->consent->identity : "not known";
    if (write->consent->outcome == CONSENT_IDENTITY_MISMATCH)
        keeper_remark(settle->keeper, name, "identity_mismatch", WARN_MISMATCH_TEXT, identity);
    else if (write->consent->outcome == CONSENT_UNTOLD)
        keeper_remark(settle->keeper, name, "consent_held", WARN_UNTOLD_TEXT);
    else if (write->consent->outcome == CONSENT_AWAITS)
        keeper_remark(settle->keeper, name, "consent_held", WARN_HELD_TEXT, identity);
    else
        keeper_notify(settle->keeper, name, write->row.generation, steal(write->issued));
    warn_look(settle->keeper, name);
    answer_consent(settle, steal(write->consent));
}

static struct failure why_refused(const struct settle *settle)
{
    const struct exchange_write *write = &settle->write;
    const struct token_reply *reply = &write->reply;
    if (write->foreign)
        return failure_make(WIRE_PROVIDER_REJECTED, 0,
                            "the id_token belongs to another login (its nonce %s): the reply is "
                            "kept sealed and not used",
                            reply->grant.nonce ? "differs" : "is missing");
    if (client_is_refused(reply->error))
        return client_refusal(write->setup, reply->error, reply->description);
    if (reply->verdict == VERDICT_NO_ANSWER)
        return failure_make(WIRE_PROVIDER_UNAVAILABLE, 0,
                            "no usable answer to the code came (%.40s: %.150s): log in again",
                            reply->error, reply->description);
    return failure_make(WIRE_PROVIDER_REJECTED, 0, "the provider refused the code: %s: %.150s",
                        reply->error, reply->description);
}

/* A refusal of the client says as much of the set-up as at a refresh, if it still is the set-up. */
void settle_refuse_by_reply(struct settle *settle)
{
    const struct exchange_write *write = &settle->write;
    const struct failure failure = why_refused(settle);
    struct lane *lane = lanes_find(settle->keeper->lanes, settle->question->account.provider);
    if (client_proof_is_refused(write->reply.error) && lane && lane_setup(lane) == write->setup)
        lane_credentials_refused(lane, NULL, write->reply.error);
    settle_refuse(settle, &failure);
}

/* Whoever may log this account in need not know of others: the log does. */
static struct failure why_owned(const struct settle *settle)
{
    const struct account_name *owner = &settle->write.owner;
    char name[ACCOUNT_TEXT_SIZE];
    log_warning("%s: the consent that came is the grant of %s/%s",
                account_text(&settle->question->account, name), owner->provider, owner->label);
    if (!settle->question->exchange->link[0])
        return failure_make(
            WIRE_PROVIDER_REJECTED, 0,
            "the provider gave the refresh token of another account (the broker's "
            "log names it): log in as the other company, or log that one out first");
    return failure_make(WIRE_PROVIDER_REJECTED, 0,
                        "this company is connected here already: choose the other one");
}

static struct failure why_not_stored(const struct settle *settle, int result)
{
    char name[ACCOUNT_TEXT_SIZE];
    account_text(&settle->question->account, name);
    if (result == EXCHANGE_OWNED)
        return why_owned(settle);
    if (result > 0)
        return failure_make(WIRE_INTERNAL, 0,
                            "the row of %s in the store is damaged: log it out, then in again",
                            name);
    return failure_make(WIRE_INTERNAL, 0, "the grant of %s cannot be stored: log in again", name);
}

/* Of those that leave something in the store. */
static const char *outcome_words(enum consent_outcome outcome)
{
    static const char *const words[] = {
        [CONSENT_GRANTED] = "stored",
        [CONSENT_WITHOUT_REFRESH_TOKEN] = "stored",
        [CONSENT_IDENTITY_MISMATCH] = "another identity's and held",
        [CONSENT_AWAITS] = "held until it is accepted",
        [CONSENT_UNTOLD] = "held, as nobody said whose it is",
    };
    return words[outcome];
}

static void refuse_late(struct settle *settle)
{
    static const struct failure failures[] = {
        [EXCHANGE_LINK_OVER] = { .error = WIRE_BAD_REQUEST, .description = LINK_OVER_TEXT },
        [EXCHANGE_REPLACED] = { .error = WIRE_BAD_REQUEST,
                                .description = "a newer login of the account was finished "
                                               "meanwhile: that one counts" },
        [EXCHANGE_GONE] = { .error = WIRE_UNKNOWN_ACCOUNT,
                            .description = "the account was logged out or renamed meanwhile: log "
                                           "in again" },
    };
    if (settle->write.late == EXCHANGE_CANCELLED)
        settle_say(settle, CONSENT_CANCELLED);
    else
        settle_refuse(settle, &failures[settle->write.late]);
}

static void durable(void *userdata, int result)
{
    struct settle *settle = userdata;
    char name[ACCOUNT_TEXT_SIZE];
    account_text(&settle->question->account, name);
    if (result == 0 && !exchange_write_grants(&settle->write)) {
        settle_refuse_by_reply(settle);
        return;
    }
    if (result == 0 && settle->write.late != EXCHANGE_IN_TIME) {
        revocations_pump(settle->keeper->revocations);
        refuse_late(settle);
        return;
    }
    if (result == 0) {
        log_info("%s: consent is %s, generation %llu", name,
                 outcome_words(settle->write.consent->outcome),
                 (unsigned long long)settle->write.row.generation);
        tell_front(settle);
        return;
    }
    const struct failure failure = why_not_stored(settle, result);
    settle_refuse(settle, &failure);
}

static int apply(void *userdata, struct store *store)
{
    struct settle *settle = userdata;
    secret_room_enter(settle->room);
    int r = exchange_write_apply(&settle->write, settle->keeper, store);
    secret_room_leave();
    if (r == 0 && exchange_write_connected(&settle->write))
        exchanges_replace(settle->keeper->exchanges, settle);
    return r;
}

void settle_store(struct settle *settle)
{
    int r = commits_add(settle->keeper->commits, COMMIT_MUST, apply, durable, settle);
    if (r != 0)
        durable(settle, r);
}

bool settle_has_to_store(const struct settle *settle)
{
    return exchange_write_grants(&settle->write) || settle->write.odd.length > 0;
}

/* OIDC Core 3.1.3.7 (11): a nonce that was sent has to be in the id_token. Without an id_token
 * there is nothing that could be another login's. */
static bool is_foreign(const struct settle *settle)
{
    const struct exchange_request *asked = settle->question->exchange;
    const struct secret *nonce = asked ? asked->nonce : NULL;
    const struct token_grant *grant = &settle->write.reply.grant;
    return nonce && grant->has_id_token &&
           (!grant->nonce || !secret_equal_bytes(nonce, grant->nonce, strlen(grant->nonce)));
}

int settle_judge(struct settle *settle, const struct http_reply *http)
{
    struct exchange_write *write = &settle->write;
    const struct token_answer answer = { .status = http->status,
                                         .body = http->body,
                                         .length = http->length,
                                         .content_type = http->content_type,
                                         .truncated = http->truncated };
    token_reply_release(&write->reply);
    secret_room_enter(settle->room);
    int r = token_reply_judge(write->setup->provider, &answer, &write->reply);
    secret_room_leave();
    if (r != 0)
        return r;
    write->foreign = is_foreign(settle);
    if (write->reply.unreadable || write->foreign) {
        buffer_release(&write->odd);
        write->odd = BUFFER_WITH_MAXIMUM(TOKEN_REPLY_MAX);
        buffer_append(&write->odd, http->body, http->length);
    }
    return 0;
}
