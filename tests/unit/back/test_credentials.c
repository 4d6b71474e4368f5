/* A second client secret: one account tries it, and no other before it has worked. */

#include "fixture.h"

#include <stdio.h>

/* "client:client-secret-1" and the same with -2, as Basic credentials. */
#define OLD "Y2xpZW50OmNsaWVudC1zZWNyZXQtMQ=="
#define NEXT "Y2xpZW50OmNsaWVudC1zZWNyZXQtMg=="

static const struct canned grants = { .status = 200, .body = GRANT_ROTATED };
static const struct canned refuses_next = { .match = NEXT, .status = 401, .body = BAD_CLIENT };
static const struct canned refuses_old = { .match = OLD, .status = 401, .body = BAD_CLIENT };

static void configure_next(struct stage *stage, const char *text)
{
    struct secret **next = &stage->settings->credentials[0].client_secret_next;
    *next = secret_free(*next);
    if (text)
        assert_int_equal(secret_new(text, strlen(text), next), 0);
}

static void seed_two(struct stage *stage, int64_t refresh_at)
{
    seed(stage,
         (struct seed){ .label = "a", .refresh_token = "rt-secret-a", .refresh_at = refresh_at });
    seed(stage,
         (struct seed){ .label = "b", .refresh_token = "rt-secret-b", .refresh_at = refresh_at });
}

static enum next_secret ask_next_secret(struct stage *stage)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_HEALTH, NULL));
    assert_false(came->failed);
    return came->health->providers[0].next_secret;
}

static void one_that_works_is_used_for_all_and_remembered(void **state)
{
    struct stage *stage = *state;
    seed_two(stage, 0);
    server_script(stage->server, grants);
    configure_next(stage, "client-secret-2");
    start(stage);
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_UNTRIED);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    assert_int_equal(server_count(stage->server, NEXT), 1);
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_WORKS);
    expect_token(stage, ask(stage, ASK_TOKEN, "b"), "at-secret-2");
    assert_int_equal(server_count(stage->server, NEXT), 2);
    stop(stage);
    start(stage);
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_WORKS);
    rest(1100); /* the least between two refreshes on request */
    expect_token(stage, ask(stage, ASK_REFRESH, "b"), "at-secret-3");
    assert_int_equal(server_count(stage->server, OLD), 0);
}

/* Only the one account is ever sent with it, and hears nothing of the refusal. */
static void one_that_is_refused_is_tried_by_one_account(void **state)
{
    struct stage *stage = *state;
    seed_two(stage, 0);
    server_script(stage->server, refuses_next);
    server_script(stage->server, grants);
    configure_next(stage, "client-secret-2");
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-2");
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_REFUSED);
    assert_false(ask_paused(stage));
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_int_equal(row.failures, 0);
    assert_null(row.last_error);
    expect_token(stage, ask(stage, ASK_TOKEN, "b"), "at-secret-3");
    assert_int_equal(server_count(stage->server, NEXT), 1);
    stop(stage);

    /* An hour later b is refreshed, again and again, but a alone may try. */
    set_speed(2000);
    start(stage);
    await_generation(stage, "b", 4);
    assert_true(server_wait(stage->server, NEXT, 2));
    stop(stage);
    assert_true(server_count(stage->server, "rt-secret-a") > 0);
    set_speed(1);
}

static void no_answer_decides_nothing(void **state)
{
    struct stage *stage = *state;
    seed_two(stage, 0);
    server_script(stage->server, (struct canned){ .match = NEXT, .times = 1, .status = 503 });
    server_script(stage->server, grants);
    configure_next(stage, "client-secret-2");
    set_speed(20);
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-2");
    assert_int_equal(server_count(stage->server, NEXT), 1);
    assert_int_equal(server_count(stage->server, OLD), 1);
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_UNTRIED);
    stop(stage);
    set_speed(1);
    start(stage); /* and is tried again */
    expect_token(stage, ask(stage, ASK_TOKEN, "b"), "at-secret-3");
    assert_int_equal(server_count(stage->server, NEXT), 2);
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_WORKS);
}

/* The provider pauses, and its first canary flies at once, with the other. */
static void the_old_one_being_refused_has_the_next_tried(void **state)
{
    struct stage *stage = *state;
    seed_two(stage, 0);
    server_script(stage->server, refuses_old);
    server_script(stage->server, grants);
    start(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_PROVIDER_REJECTED);
    await_paused(stage, true);
    configure_next(stage, "client-secret-2");
    reload(stage);
    await_paused(stage, false);
    assert_int_equal(server_count(stage->server, NEXT), 1);
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_WORKS);
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_TOKEN, "b"));
    assert_false(came->failed);
    assert_int_equal(server_count(stage->server, OLD), 1);
}

static void both_being_refused_pauses(void **state)
{
    struct stage *stage = *state;
    seed_two(stage, 0);
    server_script(stage->server, (struct canned){ .status = 401, .body = BAD_CLIENT });
    configure_next(stage, "client-secret-2");
    start(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_PROVIDER_REJECTED);
    await_paused(stage, true);
    rest(1500);
    assert_int_equal(server_count(stage->server, NEXT), 1);
    assert_int_equal(server_count(stage->server, OLD), 1);
    assert_int_equal(server_count(stage->server, "rt-secret-b"), 0);
}

/* The secret has taken its place, or another is tried: nothing of the old pair is believed. */
static void another_pair_is_another_matter(void **state)
{
    struct stage *stage = *state;
    seed_two(stage, 0);
    server_script(stage->server, refuses_next);
    server_script(stage->server, grants);
    configure_next(stage, "client-secret-2");
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-2");
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_REFUSED);
    configure_next(stage, "client-secret-3");
    reload(stage);
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_UNTRIED);
    expect_token(stage, ask(stage, ASK_TOKEN, "b"), "at-secret-3");
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_WORKS);
    configure_next(stage, "client-secret-1"); /* the same as the first: there is no next */
    reload(stage);
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_NONE);
}

/* A server may say this of the token when it means the client, and spend the token all the same. */
static void one_that_costs_the_token_costs_no_other(void **state)
{
    struct stage *stage = *state;
    seed_two(stage, 0);
    server_script(stage->server, (struct canned){ .match = NEXT, .status = 400, .body = REFUSED });
    server_script(stage->server, grants);
    configure_next(stage, "client-secret-2");
    set_speed(20);
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-2");
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_UNTRIED);
    stop(stage);
    set_speed(1);
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "b"), "at-secret-3");
    assert_int_equal(server_count(stage->server, NEXT), 1);
}

/* The trial goes on through a reload, and its refusal is not held against the secret in force. */
static void a_reload_has_nobody_else_try(void **state)
{
    struct stage *stage = *state;
    struct canned held = refuses_next;
    seed_two(stage, 0);
    held.held = true;
    server_script(stage->server, held);
    server_script(stage->server, grants);
    configure_next(stage, "client-secret-2");
    start(stage);
    const uint64_t id = ask(stage, ASK_TOKEN, "a");
    assert_true(server_wait(stage->server, NEXT, 1));
    reload(stage);
    server_release(stage->server);
    expect_token(stage, id, "at-secret-2");
    expect_token(stage, ask(stage, ASK_TOKEN, "b"), "at-secret-3");
    assert_int_equal(server_count(stage->server, NEXT), 1);
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_REFUSED);
    assert_false(ask_paused(stage));
}

/* What passes after a reload is used with the provider as it is configured since. */
static void one_that_passes_after_a_reload_is_used(void **state)
{
    struct stage *stage = *state;
    seed_two(stage, 0);
    server_script(
        stage->server,
        (struct canned){
            .match = NEXT, .times = 1, .status = 200, .body = GRANT_ROTATED, .held = true });
    server_script(stage->server, grants);
    configure_next(stage, "client-secret-2");
    start(stage);
    const uint64_t id = ask(stage, ASK_TOKEN, "a");
    assert_true(server_wait(stage->server, NEXT, 1));
    assert_int_equal(parameters_add(&acme(stage)->refresh_params, "newer", "yes"), 0);
    reload(stage);
    server_release(stage->server);
    expect_token(stage, id, "at-secret-1");
    assert_int_equal(ask_next_secret(stage), NEXT_SECRET_WORKS);
    expect_token(stage, ask(stage, ASK_TOKEN, "b"), "at-secret-2");
    assert_int_equal(server_count(stage->server, NEXT), 2);
    assert_int_equal(server_count(stage->server, "newer=yes"), 1);
}

/* It was sent before the reload that mended it. */
static void a_late_refusal_of_what_was_configured_before(void **state)
{
    struct stage *stage = *state;
    struct canned held = refuses_old;
    struct secret **secret = &stage->settings->credentials[0].client_secret;
    seed_two(stage, 0);
    held.held = true;
    server_script(stage->server, held);
    server_script(stage->server, grants);
    start(stage);
    const uint64_t id = ask(stage, ASK_TOKEN, "a");
    assert_true(server_wait(stage->server, OLD, 1));
    *secret = secret_free(*secret);
    assert_int_equal(secret_new("client-secret-2", strlen("client-secret-2"), secret), 0);
    reload(stage);
    server_release(stage->server);
    expect_token(stage, id, "at-secret-2");
    assert_false(ask_paused(stage));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_works_is_used_for_all_and_remembered),
        TEST(one_that_is_refused_is_tried_by_one_account),
        TEST(no_answer_decides_nothing),
        TEST(the_old_one_being_refused_has_the_next_tried),
        TEST(both_being_refused_pauses),
        TEST(another_pair_is_another_matter),
        TEST(one_that_costs_the_token_costs_no_other),
        TEST(a_reload_has_nobody_else_try),
        TEST(one_that_passes_after_a_reload_is_used),
        TEST(a_late_refusal_of_what_was_configured_before),
    };
    return RUN(tests);
}
