#include "fixture.h"

#include <stdio.h>

#include "fixture_private.h"

enum { PATIENCE_MS = 20 * 1000, POLL_MS = 5 };

void take_all(struct stage *stage)
{
    for (struct message *letter = mailbox_take(stage->front); letter;
         letter = mailbox_take(stage->front)) {
        if (letter->kind == ANSWER) {
            assert_true(stage->answer_count < STAGE_KEPT_MAX);
            stage->answers[stage->answer_count++] = letter;
        } else if (stage->notice_count < STAGE_KEPT_MAX) {
            stage->notices[stage->notice_count++] = letter;
        } else {
            message_free(letter);
        }
    }
}

struct message *question(enum message_kind kind, const char *label)
{
    struct message *message = message_new(kind);
    assert_non_null(message);
    if (label)
        message->account = name_of(label);
    message->min_ttl_ms = -1;
    return message;
}

uint64_t post(struct stage *stage, struct message *message)
{
    const uint64_t id = message->id = ++stage->last_id;
    if (message->kind != TELL_AUDIT && message->kind != TELL_DECISION)
        assert_int_equal(mailbox_reserve(stage->front), 0);
    assert_int_equal(mailbox_send(stage->inbox, message), 0);
    return id;
}

uint64_t ask(struct stage *stage, enum message_kind kind, const char *label)
{
    return post(stage, question(kind, label));
}

uint64_t ask_in_the_air(struct stage *stage, const char *label)
{
    seed(stage, (struct seed){ .label = label, .refresh_token = "rt-secret-a" });
    server_script(
        stage->server,
        (struct canned){ .times = 1, .status = 200, .body = GRANT_ROTATED, .held = true });
    start(stage);
    const uint64_t id = ask(stage, ASK_TOKEN, label);
    assert_true(server_wait(stage->server, NULL, 1));
    return id;
}

uint64_t ask_import(struct stage *stage, const char *label, const char *refresh_token)
{
    struct message *message = question(ASK_IMPORT, label);
    message->import = calloc(1, sizeof *message->import);
    message->import->refresh_token = make_secret(refresh_token);
    return post(stage, message);
}

static struct message *exchange_question(const char *label, const char *code, const char *nonce)
{
    struct message *message = question(ASK_EXCHANGE, label);
    message->exchange = calloc(1, sizeof *message->exchange);
    message->exchange->code = make_secret(code);
    message->exchange->nonce = make_secret(nonce);
    message->exchange->redirect_uri = strdup("http://127.0.0.1:1/callback");
    message->exchange->scope = strdup("read write");
    return message;
}

struct message *begin_login(struct stage *stage, const char *label, const char *code)
{
    CLEANUP(cleanup_message) struct message *begun = answer(stage, ask(stage, ASK_PROVIDER, label));
    struct message *message = exchange_question(label, code, NULL);
    message->exchange->account_created_at = begun->account_created_at;
    return message;
}

uint64_t ask_exchange_by(struct stage *stage, const char *label, const char *code,
                         const char *digest)
{
    struct message *message = begin_login(stage, label, code);
    (void)snprintf(message->exchange->link, LINK_DIGEST_SIZE, "%s", digest);
    return post(stage, message);
}

void make_link(struct stage *stage, const char *label, const char *expect,
               char out[static LINK_DIGEST_SIZE])
{
    struct message *message = question(ASK_LINK, label);
    message->link_order = calloc(1, sizeof *message->link_order);
    assert_non_null(message->link_order);
    message->link_order->life_ms = HOUR;
    if (expect)
        set_text(&message->link_order->expect, expect);
    CLEANUP(cleanup_message) struct message *came = answer(stage, post(stage, message));
    assert_false(came->failed);
    memcpy(out, came->rows[0].link->digest, LINK_DIGEST_SIZE);
}

uint64_t ask_exchange(struct stage *stage, const char *label, const char *code, const char *nonce)
{
    return post(stage, exchange_question(label, code, nonce));
}

uint64_t ask_poll(struct stage *stage, const char *label, int64_t interval_ms, int64_t lifetime_ms)
{
    struct message *message = question(ASK_POLL, label);
    message->exchange = calloc(1, sizeof *message->exchange);
    message->device = calloc(1, sizeof *message->device);
    assert_true(message->exchange && message->device);
    message->exchange->scope = strdup("read");
    assert_int_equal(secret_new("dc-secret-1", 11, &message->device->device_code), 0);
    message->device->interval_ms = interval_ms;
    message->device->lifetime_ms = lifetime_ms;
    return post(stage, message);
}

uint64_t ask_reject(struct stage *stage, const char *label, const char *access_token)
{
    CLEANUP(cleanup_secret) struct secret *secret = make_secret(access_token);
    struct message *message = question(ASK_REJECT, label);
    (void)secret_fingerprint(secret, message->fingerprint);
    return post(stage, message);
}

static struct message *find_answer(struct stage *stage, uint64_t id)
{
    take_all(stage);
    for (size_t i = 0; i < stage->answer_count; i++) {
        struct message *found = stage->answers[i];
        if (found->id != id)
            continue;
        stage->answers[i] = stage->answers[--stage->answer_count];
        return found;
    }
    return NULL;
}

bool answered(struct stage *stage, uint64_t id)
{
    take_all(stage);
    for (size_t i = 0; i < stage->answer_count; i++)
        if (stage->answers[i]->id == id)
            return true;
    return false;
}

struct message *answer(struct stage *stage, uint64_t id)
{
    const int64_t until = real_ms() + PATIENCE_MS;
    struct message *found = find_answer(stage, id);
    while (!found && real_ms() < until) {
        rest(POLL_MS);
        found = find_answer(stage, id);
    }
    if (!found)
        fail_msg("question %llu was not answered", (unsigned long long)id);
    return found;
}

void expect_token(struct stage *stage, uint64_t id, const char *access_token)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, id);
    if (came->failed)
        fail_msg("%s", came->failure.description);
    assert_non_null(came->token);
    if (!holds(came->token->access_token, access_token))
        fail_msg("%s, not %s", secret_reveal(came->token->access_token), access_token);
}

struct message *refusal(struct stage *stage, uint64_t id, enum wire_error error)
{
    struct message *came = answer(stage, id);
    assert_true(came->failed);
    if (came->failure.error != error)
        fail_msg("%s, not %s: %s", wire_errors[came->failure.error].name, wire_errors[error].name,
                 came->failure.description);
    return came;
}

void expect_failure(struct stage *stage, uint64_t id, enum wire_error error)
{
    message_free(refusal(stage, id, error));
}

void expect_ok(struct stage *stage, uint64_t id)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, id);
    if (came->failed)
        fail_msg("%s", came->failure.description);
}

struct account_row ask_row(struct stage *stage, const char *label)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_ACCOUNT, label));
    if (came->failed)
        fail_msg("%s", came->failure.description);
    assert_int_equal(came->row_count, 1);
    struct account_row row = came->rows[0];
    came->rows[0] = (struct account_row){ 0 };
    return row;
}

enum account_state ask_state(struct stage *stage, const char *label)
{
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, label);
    return row.state;
}

bool ask_paused(struct stage *stage)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_HEALTH, NULL));
    assert_false(came->failed);
    assert_true(came->health->provider_count >= 1);
    return came->health->providers[0].paused;
}

void await_state(struct stage *stage, const char *label, enum account_state state)
{
    const int64_t until = real_ms() + PATIENCE_MS;
    while (ask_state(stage, label) != state) {
        if (real_ms() > until)
            fail_msg("%s did not come to state %d", label, (int)state);
        rest(POLL_MS);
    }
}

void await_generation(struct stage *stage, const char *label, uint64_t generation)
{
    const int64_t until = real_ms() + PATIENCE_MS;
    for (;;) {
        CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, label);
        if (row.generation >= generation)
            return;
        if (real_ms() > until)
            fail_msg("%s stays at generation %llu", label, (unsigned long long)row.generation);
        rest(POLL_MS);
    }
}

void await_paused(struct stage *stage, bool paused)
{
    const int64_t until = real_ms() + PATIENCE_MS;
    while (ask_paused(stage) != paused) {
        if (real_ms() > until)
            fail_msg("the provider did not %s", paused ? "pause" : "go on");
        rest(POLL_MS);
    }
}
