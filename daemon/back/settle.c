#include "back/settle.h"

#include <errno.h>
#include <string.h>

#include "back/client_call.h"
#include "back/lanes.h"
#include "back/links.h"
#include "back/revoke.h"
#include "back/warn.h"
#include "base/log.h"

static void put_first(struct settle *settle)
{
    settle->next = settle->keeper->settles;
    settle->keeper->settles = settle;
}

static void take_out(struct settle *settle)
{
    struct settle **link = &settle->keeper->settles;
    while (*link != settle)
        link = &(*link)->next;
    *link = settle->next;
}

bool settles_have(const struct keeper *keeper, const struct account_name *name)
{
    for (const struct settle *settle = keeper->settles; settle; settle = settle->next)
        if (account_name_equal(&settle->question->account, name))
            return true;
    return false;
}

void settles_lose_account(const struct keeper *keeper, const struct account_name *name)
{
    for (struct settle *settle = keeper->settles; settle; settle = settle->next)
        if (account_name_equal(&settle->question->account, name))
            settle->write.logged_out = true;
}

/* What this one brought is written: what was asked for before it must not take its place, as the
 * provider may have ended that for it. */
static void replace_older(const struct settle *newer)
{
    for (struct settle *settle = newer->next; settle; settle = settle->next)
        if (account_name_equal(&settle->question->account, &newer->question->account))
            exchange_late_outdo(&settle->write, &newer->write);
}

void settle_init(struct settle *settle, struct keeper *keeper, struct message *question,
                 void (*ended)(void *userdata), void *userdata)
{
    *settle = (struct settle){ .keeper = keeper,
                               .question = question,
                               .write = { .question = question },
                               .ended = ended,
                               .userdata = userdata };
    put_first(settle);
}

void settle_asks_anew(struct settle *settle)
{
    take_out(settle);
    put_first(settle);
    settle->write.newer[false] = settle->write.newer[true] = NEWER_NONE;
}

void settle_release(struct settle *settle)
{
    take_out(settle);
    exchange_write_release(&settle->write);
    settle_give_room_back(settle);
    settle->question = message_free(settle->question);
}

int settle_take_room(struct settle *settle)
{
    struct buffer *odd = &settle->write.odd;
    if (!settle->commit)
        settle->commit = commit_new();
    if (odd->allocated == 0) {
        *odd = BUFFER_WITH_MAXIMUM(TOKEN_REPLY_MAX);
        buffer_reserve(odd, TOKEN_REPLY_MAX);
    }
    if (!settle->commit || odd->failed)
        return -ENOMEM;
    if (settle->room)
        return 0;
    return secret_room_new(KEEPER_FIRST_TOKEN_ROOM, SECRET_FREE_BESIDE_FIRST, &settle->room);
}

void settle_give_room_back(struct settle *settle)
{
    settle->room = secret_room_free(settle->room);
    settle->commit = commit_free(settle->commit);
    buffer_release(&settle->write.odd);
}

void settle_refuse(struct settle *settle, const struct failure *failure)
{
    char name[ACCOUNT_TEXT_SIZE];
    if (!settle->write.cancelled) {
        log_warning("%s: the login failed: %s", account_text(&settle->question->account, name),
                    failure->description);
        keeper_refuse(settle->keeper, settle->question->id, failure);
    }
    settle->ended(settle->userdata);
}

/* consent is NULL where memory was short for it. */
static void answer_consent(struct settle *settle, struct consent *consent)
{
    struct message *answer = consent ? message_new(ANSWER) : NULL;
    if (answer)
        answer->consent = consent;
    else
        consent_free(consent);
    keeper_answer(settle->keeper, settle->question->id, answer);
}

static void answer_outcome(struct settle *settle, enum consent_outcome outcome)
{
    struct consent *consent = calloc(1, sizeof *consent);
    if (consent)
        consent->outcome = outcome;
    answer_consent(settle, consent);
}

void settle_cancel(struct settle *settle)
{
    answer_outcome(settle, CONSENT_CANCELLED);
    settle->write.cancelled = true;
}

void settle_say(struct settle *settle, enum consent_outcome outcome)
{
    if (!settle->write.cancelled)
        answer_outcome(settle, outcome);
    settle->ended(settle->userdata);
}

/* What is held is nobody's grant yet. */
static bool brought_refresh_token(const struct exchange_write *write)
{
    return write->consent->outcome == CONSENT_GRANTED &&
           exchange_write_refresh_token(write) != NULL;
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
    settle->ended(settle->userdata);
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
    if (result > 0 || result == -EBADMSG)
        return failure_unreadable(&settle->question->account, result);
    return failure_make(WIRE_INTERNAL, 0, "the grant of %s cannot be stored: log in again", name);
}

/* A server that the person was not sent to must not be shown what they brought. */
static bool is_for_another(const struct settle *settle, const struct provider *provider)
{
    const char *asked = settle->question->exchange->audience;
    char now[FINGERPRINT_SIZE];
    provider_audience(provider, now);
    return *asked && strcmp(asked, now) != 0;
}

struct lane *settle_resolved(struct settle *settle, const struct failure *why)
{
    const char *name = settle->question->account.provider;
    struct lane *lane = lanes_find(settle->keeper->lanes, name);
    const struct provider *provider = lane ? lane_setup(lane)->provider : NULL;
    const bool changed =
        provider && (!provider->token_endpoint || is_for_another(settle, provider));
    const struct failure failure =
        changed ? client_lost_endpoint()
                : failure_make(WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured any more",
                               name);
    if (why || !lane || changed) {
        settle_refuse(settle, why ? why : &failure);
        return NULL;
    }
    settle->write.setup = setup_ref(lane_setup(lane));
    return lane;
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
        [EXCHANGE_CANCELLED] = { .description = "it was cancelled, which has been said" },
        [EXCHANGE_GONE] = { .error = WIRE_UNKNOWN_ACCOUNT,
                            .description = "the account was logged out or renamed meanwhile, or "
                                           "another to it: log in again" },
    };
    settle_refuse(settle, &failures[settle->write.late]);
}

bool settle_is_over(struct settle *settle)
{
    int r = exchange_write_look(&settle->write, settle->keeper->store);
    if (r == 0 && settle->write.late == EXCHANGE_IN_TIME)
        return false;
    if (r == 0) {
        refuse_late(settle);
    } else {
        const struct failure failure = failure_unreadable(&settle->question->account, r);
        settle_refuse(settle, &failure);
    }
    return true;
}

/* Its row is damaged, and no other try would mend that. */
static bool has_no_place(int result)
{
    return result == STORE_FOREIGN || result == -EBADMSG;
}

static int apply_drop(void *userdata, struct store *store)
{
    struct settle *settle = userdata;
    secret_room_enter(settle->room);
    int r = exchange_write_drop(&settle->write, settle->keeper, store);
    secret_room_leave();
    return r;
}

static void dropped(void *userdata, int result)
{
    struct settle *settle = userdata;
    const struct failure failure = why_not_stored(settle, settle->problem);
    char name[ACCOUNT_TEXT_SIZE];
    if (result != 0)
        log_error("%s: the grant that came could be neither stored nor revoked (%s): end it at the "
                  "provider by hand",
                  account_text(&settle->question->account, name),
                  result < 0 ? strerror(-result) : "damaged");
    revocations_pump(settle->keeper->revocations);
    settle_refuse(settle, &failure);
}

static void refuse_unstored(struct settle *settle, int result)
{
    if (has_no_place(result) && exchange_write_grants(&settle->write)) {
        settle->problem = result;
        int r = commits_add(settle->keeper->commits, COMMIT_MUST, apply_drop, dropped, settle);
        if (r != 0)
            dropped(settle, r);
        return;
    }
    const struct failure failure = why_not_stored(settle, result);
    settle_refuse(settle, &failure);
}

static void durable(void *userdata, int result)
{
    struct settle *settle = userdata;
    char name[ACCOUNT_TEXT_SIZE];
    if (result != 0) {
        refuse_unstored(settle, result);
        return;
    }
    if (!exchange_write_grants(&settle->write)) {
        settle_refuse_by_reply(settle);
        return;
    }
    if (settle->write.late != EXCHANGE_IN_TIME) {
        revocations_pump(settle->keeper->revocations);
        refuse_late(settle);
        return;
    }
    log_info("%s: consent is %s, generation %llu", account_text(&settle->question->account, name),
             outcome_words(settle->write.consent->outcome),
             (unsigned long long)settle->write.row.generation);
    tell_front(settle);
}

static int apply(void *userdata, struct store *store)
{
    struct settle *settle = userdata;
    secret_room_enter(settle->room);
    int r = exchange_write_apply(&settle->write, settle->keeper, store);
    secret_room_leave();
    if (r == 0 && exchange_write_stored(&settle->write))
        replace_older(settle);
    return r;
}

void settle_store(struct settle *settle)
{
    commits_add_prepared(settle->keeper->commits, steal(settle->commit), COMMIT_MUST, apply,
                         durable, settle);
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
    buffer_clear(&write->odd);
    secret_room_enter(settle->room);
    int r = token_reply_judge(write->setup->provider, &answer, &write->reply);
    secret_room_leave();
    if (r != 0)
        return r;
    write->foreign = is_foreign(settle);
    if (write->reply.unreadable || write->foreign)
        buffer_append(&write->odd, http->body, http->length);
    return 0;
}
