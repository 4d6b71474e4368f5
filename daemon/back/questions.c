#include "back/questions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "back/asked.h"
#include "back/backup.h"
#include "back/callers.h"
#include "back/device.h"
#include "back/device_poll.h"
#include "back/errand.h"
#include "back/exchange.h"
#include "back/first_token.h"
#include "back/judgement.h"
#include "back/lanes.h"
#include "back/links.h"
#include "back/push.h"
#include "back/rekey.h"
#include "back/restored.h"
#include "back/vault.h"
#include "back/warn.h"
#include "base/clock.h"
#include "base/log.h"
#include "oauth/lifetime.h"

enum {
    REFRESH_INTERVAL_MS = 1000,          /* between two refreshes that clients ask for */
    DEMAND_RETRY_MS = 5 * 1000,          /* between tries for clients, after no usable answer */
    DEMAND_RETRY_SUSPECT_MS = 60 * 1000, /* after odd refusals */
    AUDIT_LIMIT_MAX = 1000,
};

typedef void (*question_handler)(struct keeper *keeper, struct message *question);

void question_refuse_store(struct keeper *keeper, uint64_t id)
{
    const struct failure failure = failure_make(
        WIRE_INTERNAL, 0, "the store cannot be read: %.180s", store_message(keeper->store));
    log_error("%s", failure.description);
    keeper_refuse(keeper, id, &failure);
}

void question_refuse_memory(struct keeper *keeper, uint64_t id)
{
    const struct failure failure = failure_make(WIRE_BUSY, 1, "memory is short: ask again");
    keeper_refuse(keeper, id, &failure);
}

/* NULL is fine. */
static bool needs_no_login(struct lane *lane)
{
    return lane && lane_setup(lane)->provider->grant == GRANT_CLIENT_CREDENTIALS;
}

static void refuse_unknown(struct keeper *keeper, const struct message *question)
{
    char name[ACCOUNT_TEXT_SIZE];
    account_text(&question->account, name);
    struct lane *lane = lanes_find(keeper->lanes, question->account.provider);
    const struct failure failure =
        lane ? failure_make(WIRE_UNKNOWN_ACCOUNT, 0,
                            "there is no account %s: run `tokenbroker %s %s`", name,
                            needs_no_login(lane) ? "token" : "login", name)
             : failure_make(WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured",
                            question->account.provider);
    keeper_refuse(keeper, question->id, &failure);
}

/* result: store_read()'s, or 0 for an account whose provider is not configured any more. */
static void refuse_read(struct keeper *keeper, const struct message *question, int result)
{
    if (result == STORE_NOT_FOUND || result == 0)
        refuse_unknown(keeper, question);
    else
        question_refuse_store(keeper, question->id);
}

/* Reads the asked account; on any problem the question is answered and false comes back. */
static bool read_row(struct keeper *keeper, const struct message *question, struct account_row *ret)
{
    int r = store_read(keeper->store, &question->account, ret);
    if (r != 0)
        refuse_read(keeper, question, r);
    return r == 0;
}

static bool token_serves(const struct account_row *row, const struct provider *provider,
                         int64_t min_ttl_ms)
{
    if (row->refreshed_at == 0 || row->rejected)
        return false;
    if (clock_doubts(row->refreshed_at) && account_is_renewable(row, provider))
        return row->expires_at == 0;
    return row->expires_at == 0 || row->expires_at - clock_now() > min_ttl_ms;
}

static void answer_token(struct keeper *keeper, const struct message *question,
                         const struct account_row *row)
{
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    CLEANUP(cleanup_message) struct message *answer = message_new(ANSWER);
    int r = answer ? vault_open(keeper->key, row, &grant) : -ENOMEM;
    if (r == 0 && !grant.access_token)
        r = VAULT_BROKEN;
    if (r == 0)
        r = grant_issue(&grant, row, &answer->token);
    if (r == 0) {
        keeper_answer(keeper, question->id, steal(answer));
        return;
    }
    if (r != VAULT_BROKEN) {
        question_refuse_memory(keeper, question->id);
        return;
    }
    char name[ACCOUNT_TEXT_SIZE];
    const struct failure failure = failure_make(
        WIRE_INTERNAL, 0, "the tokens of %s cannot be unsealed: another key, or changed on disk",
        account_text(&row->name, name));
    log_error("%s", failure.description);
    keeper_refuse(keeper, question->id, &failure);
}

/* The asked min_ttl in ms, or the default; false (and answered) when it is too long. */
static bool check_min_ttl(struct keeper *keeper, const struct message *question,
                          const struct account_row *row, int64_t *ret)
{
    const int64_t most = lifetime_max_min_ttl(row->lifetime_ms);
    *ret = question->min_ttl_ms >= 0 ? question->min_ttl_ms
                                     : lifetime_default_min_ttl(row->lifetime_ms);
    if (row->lifetime_ms == 0 || *ret <= most)
        return true;
    struct failure failure =
        failure_make(WIRE_BAD_REQUEST, 0, "min_ttl may be %lld s at most: half of the lifetime",
                     (long long)(most / 1000));
    failure.max_min_ttl_s = most / 1000;
    keeper_refuse(keeper, question->id, &failure);
    return false;
}

/* True when a client's wish is no reason to send now: the last try failed a moment ago. */
static bool tried_just_now(const struct account_row *row, struct failure *ret)
{
    const int64_t now = clock_now();
    const int64_t interval =
        row->state == ACCOUNT_SUSPECT ? DEMAND_RETRY_SUSPECT_MS : DEMAND_RETRY_MS;
    char name[ACCOUNT_TEXT_SIZE];
    if (row->failures == 0 || row->refresh_at <= now || now - row->last_error_at >= interval)
        return false;
    const int64_t again_at = row->refresh_at < row->last_error_at + interval
                                 ? row->refresh_at
                                 : row->last_error_at + interval;
    *ret = failure_make(WIRE_PROVIDER_UNAVAILABLE, (again_at - now + 999) / 1000,
                        "%s could not be refreshed a moment ago (%.60s: %.100s)",
                        account_text(&row->name, name), row->last_error ? row->last_error : "error",
                        row->last_error_description ? row->last_error_description : "");
    return true;
}

static void demand_refresh(struct keeper *keeper, const struct message *question,
                           const struct account_row *row, bool with_rows)
{
    struct lane *lane = lanes_find(keeper->lanes, question->account.provider);
    struct failure failure;
    if (!lane) {
        refuse_unknown(keeper, question);
        return;
    }
    if (account_needs_consent(row, lane_setup(lane)->provider)) {
        links_refuse(keeper, question->id, row);
        return;
    }
    if (lane_flies(lane, &question->account) || !tried_just_now(row, &failure)) {
        lane_demand(lane, &question->account, question->id, with_rows);
        return;
    }
    keeper_refuse(keeper, question->id, &failure);
}

static void ask_token(struct keeper *keeper, struct message *question)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int64_t min_ttl_ms = 0;
    struct lane *lane = lanes_find(keeper->lanes, question->account.provider);
    int r = store_read(keeper->store, &question->account, &row);
    if (r == STORE_NOT_FOUND && needs_no_login(lane)) {
        first_token_begin(keeper, &question->account, question->id);
        return;
    }
    if (r != 0 || !lane) {
        refuse_read(keeper, question, r);
        return;
    }
    asked_note(keeper, &row);
    if (!check_min_ttl(keeper, question, &row, &min_ttl_ms))
        return;
    const struct provider *provider = lane_setup(lane)->provider;
    const bool dies_now = provider->refresh_kills_access && lane_flies(lane, &question->account);
    if (token_serves(&row, provider, min_ttl_ms) && !dies_now)
        answer_token(keeper, question, &row);
    else
        demand_refresh(keeper, question, &row, false);
}

static void ask_refresh(struct keeper *keeper, struct message *question)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    if (!read_row(keeper, question, &row))
        return;
    asked_note(keeper, &row);
    const int64_t since = clock_now() - row.refreshed_at;
    if (row.refreshed_at != 0 && since < REFRESH_INTERVAL_MS && !row.rejected) {
        const struct failure failure =
            failure_make(WIRE_TOO_MANY_REQUESTS, 1, "it was refreshed less than a second ago");
        keeper_refuse(keeper, question->id, &failure);
        return;
    }
    demand_refresh(keeper, question, &row, true);
}

/* Rows of a listing, copied out of the store's hands. */
struct row_collector {
    struct account_row *rows;
    size_t count;
    size_t room;
    int error;
};

static bool collect_row(void *userdata, const struct account_row *row)
{
    struct row_collector *collector = userdata;
    if (collector->count == collector->room)
        return false;
    collector->error = account_row_copy(row, &collector->rows[collector->count]);
    if (collector->error != 0)
        return false;
    collector->count++;
    return true;
}

static void attach(struct keeper *keeper, struct account_row *row)
{
    links_attach(keeper, row);
    row->moved_at = restored_moved_at(keeper);
}

static void ask_accounts(struct keeper *keeper, struct message *question)
{
    CLEANUP(cleanup_message) struct message *answer = message_new(ANSWER);
    const size_t limit =
        question->limit < WIRE_LIST_LIMIT_MAX ? question->limit : WIRE_LIST_LIMIT_MAX;
    struct row_collector collector = { .rows = calloc(limit + 1, sizeof(struct account_row)),
                                       .room = limit };
    if (!answer || !collector.rows) {
        free(collector.rows);
        question_refuse_memory(keeper, question->id);
        return;
    }
    const struct account_name *after = question->account.provider[0] ? &question->account : NULL;
    int r = (question->kind == ASK_HELD ? store_list_held : store_list)(keeper->store, after, limit,
                                                                        collect_row, &collector);
    for (size_t i = 0; i < collector.count; i++)
        attach(keeper, &collector.rows[i]);
    answer->rows = collector.rows;
    answer->row_count = collector.count;
    if (r != 0)
        question_refuse_store(keeper, question->id);
    else if (collector.error != 0)
        question_refuse_memory(keeper, question->id);
    else
        keeper_answer(keeper, question->id, steal(answer));
}

static void ask_account(struct keeper *keeper, struct message *question)
{
    CLEANUP(cleanup_message) struct message *answer = message_new(ANSWER);
    struct account_row row = { 0 };
    if (!read_row(keeper, question, &row))
        return;
    struct account_row *rows = answer ? calloc(1, sizeof *rows) : NULL;
    if (!rows) {
        account_row_release(&row);
        question_refuse_memory(keeper, question->id);
        return;
    }
    attach(keeper, &row);
    rows[0] = row;
    answer->rows = rows;
    answer->row_count = 1;
    keeper_answer(keeper, question->id, steal(answer));
}

/* A question about a provider that waits for discovery. */
struct provider_question {
    struct keeper *keeper;
    uint64_t id;
    struct account_name account;
};

/* A login begins: its grant is for the account that is there now, and no later one of that name. */
static void answer_provider(const struct provider_question *waiting, struct message *answer)
{
    CLEANUP(cleanup_message) struct message *owned = answer;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(waiting->keeper->store, &waiting->account, &row);
    if (r != 0 && r != STORE_NOT_FOUND) {
        const struct failure failure = failure_unreadable(&waiting->account, r);
        keeper_refuse(waiting->keeper, waiting->id, &failure);
        return;
    }
    if (row.generation > 0)
        answer->account_created_at = row.created_at;
    keeper_answer(waiting->keeper, waiting->id, steal(owned));
}

static void provider_resolved(void *userdata, const struct failure *why)
{
    struct provider_question *waiting = userdata;
    struct keeper *keeper = waiting->keeper;
    struct lane *lane = lanes_find(keeper->lanes, waiting->account.provider);
    CLEANUP(cleanup_message) struct message *answer = message_new(ANSWER);
    const struct failure gone =
        failure_make(WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured any more",
                     waiting->account.provider);
    if (why || !lane)
        keeper_refuse(keeper, waiting->id, lane ? why : &gone);
    else if (!answer || provider_copy(lane_setup(lane)->provider, &answer->provider) != 0)
        question_refuse_memory(keeper, waiting->id);
    else
        answer_provider(waiting, steal(answer));
    free(waiting);
}

static void ask_provider(struct keeper *keeper, struct message *question)
{
    struct lane *lane = lanes_find(keeper->lanes, question->account.provider);
    if (!lane) {
        refuse_unknown(keeper, question);
        return;
    }
    struct provider_question *waiting = malloc(sizeof *waiting);
    if (!waiting) {
        question_refuse_memory(keeper, question->id);
        return;
    }
    *waiting = (struct provider_question){ keeper, question->id, question->account };
    lane_resolve(lane, provider_resolved, waiting);
}

struct audit_collector {
    struct audit_row *rows;
    size_t count;
    size_t room;
};

static bool collect_audit(void *userdata, const struct audit_row *row)
{
    struct audit_collector *collector = userdata;
    if (collector->count == collector->room)
        return false;
    collector->rows[collector->count++] = *row;
    return true;
}

static void ask_audit(struct keeper *keeper, struct message *question)
{
    CLEANUP(cleanup_message) struct message *answer = message_new(ANSWER);
    const struct audit_query *query = &question->audit_query;
    const size_t limit = query->limit < AUDIT_LIMIT_MAX ? query->limit : AUDIT_LIMIT_MAX;
    struct audit_collector collector = { .rows = calloc(limit + 1, sizeof(struct audit_row)),
                                         .room = limit };
    if (!answer || !collector.rows) {
        free(collector.rows);
        question_refuse_memory(keeper, question->id);
        return;
    }
    commits_flush(keeper->commits); /* what the front told just before belongs to the answer */
    int r = store_each_audit(keeper->store, &query->filter, limit, collect_audit, &collector);
    answer->audit = collector.rows;
    answer->audit_count = collector.count;
    if (r != 0)
        question_refuse_store(keeper, question->id);
    else
        keeper_answer(keeper, question->id, steal(answer));
}

/* Whichever of them it is about. */
static void cancel(struct keeper *keeper, struct message *letter)
{
    if (errand_cancel(keeper, letter->id))
        message_free(letter);
    else
        device_poll_cancel(keeper, letter);
}

/* Those that keep the message take it over; for the others it is freed here. */
static const struct {
    question_handler handle;
    bool keeps;
    bool changes; /* a store that was moved refuses it */
} handlers[] = {
    [ASK_TOKEN] = { ask_token, false, false },
    [ASK_ACCOUNT] = { ask_account, false, false },
    [ASK_ACCOUNTS] = { ask_accounts, false, false },
    [ASK_REFRESH] = { ask_refresh, false, false },
    [ASK_REJECT] = { change_reject, true, false },
    [ASK_IMPORT] = { change_import, true, true },
    [ASK_FORGET] = { change_forget, true, true },
    [ASK_RETRY] = { change_retry, true, true },
    [ASK_EXCHANGE] = { exchange_begin, true, true },
    [ASK_PROVIDER] = { ask_provider, false, true },
    [ASK_HELD] = { ask_accounts, false, false },
    [ASK_DECIDE] = { change_decide, true, true },
    [ASK_RENAME] = { change_rename, true, true },
    [ASK_AUDIT] = { ask_audit, false, false },
    [ASK_CALLER] = { ask_caller, true, false },
    [ASK_CALLERS] = { ask_callers, false, false },
    [ASK_APPROVE] = { change_approve, true, false },
    [ASK_UNAPPROVE] = { change_unapprove, true, false },
    [TELL_DECISION] = { callers_decision, true, false },
    [TELL_HEARD] = { warn_heard, false, false },
    [ASK_LINK] = { change_link, true, true },
    [ASK_LINKS] = { ask_links, false, false },
    [ASK_LINK_OF] = { ask_link, false, false },
    [ASK_UNLINK] = { change_unlink, true, true },
    [ASK_LINK_LOOK] = { ask_link, false, false },
    [ASK_LINK_CLICK] = { change_link_click, true, true },
    [ASK_DEVICE] = { device_begin, true, true },
    [ASK_POLL] = { device_poll_begin, true, true },
    [TELL_CANCEL] = { cancel, true, false },
    [ASK_HEALTH] = { ask_health, false, false },
    [ASK_PUSH] = { push_begin, true, true },
    [TELL_AUDIT] = { change_audit, true, false },
    [ASK_REKEY] = { rekey_ask, true, false },
    [ASK_RESUME] = { restored_resume, true, false },
    [ASK_BACKUP] = { backup_ask, true, false },
    [ASK_BACKUP_PIECE] = { backup_look, false, false },
    [ASK_BACKUP_END] = { backup_end, false, false },
};

void question_take(struct keeper *keeper, struct message *question)
{
    const size_t kind = (size_t)question->kind;
    if (kind >= sizeof handlers / sizeof handlers[0] || !handlers[kind].handle) {
        log_error("a letter of unknown kind %zu was dropped", kind);
        message_free(question);
        return;
    }
    if (handlers[kind].changes && restored_fenced(keeper)) {
        const struct failure failure = restored_failure(keeper);
        keeper_refuse(keeper, question->id, &failure);
        message_free(question);
        return;
    }
    handlers[kind].handle(keeper, question);
    if (!handlers[kind].keeps)
        message_free(question);
}
