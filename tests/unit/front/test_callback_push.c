/* A login whose request the provider wants before the browser comes (RFC 9126). */

#include "callback_world.h"

#include <stdio.h>
#include <unistd.h>

/* Each opening pushes anew; the browser takes nothing along but what was pushed. */
static int each_opening_pushes(struct world *w)
{
    struct reply reply;
    world_begin(w, PROVIDER_PUSHED, LOGIN_BROWSER);
    world_open_start(w, NULL, &reply);
    CHECK(reply.status == 303);
    CHECK(reply_says(
        &reply,
        "Location: https://auth.example/authorize?client_id=client&request_uri=urn%3A1\r\n"));
    CHECK(reply_says(&reply, "Set-Cookie: tb_login_"));
    world_open_start(w, w->cookies, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "request_uri=urn%3A2\r\n"));
    CHECK(w->asked == 2);
    /* Who may not open it makes nobody push. */
    world_open_start(w, NULL, &reply);
    CHECK(reply.status == 409 && reply_says(&reply, "Already opened elsewhere"));
    CHECK(w->asked == 2);

    char path[256];
    world_callback_path(w, "code=abc", path);
    world_get(w, path, w->cookies, &reply);
    CHECK(reply.status == 303);
    world_on_loop(w, world_look);
    CHECK(w->status == LOGIN_DONE);
    world_open_start(w, w->cookies, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "/done/"));
    CHECK(w->asked == 3);
    return 0;
}

static void test_each_opening_pushes(void **state)
{
    world_walk(false, each_opening_pushes);
}

static int a_failure_changes_nothing(struct world *w)
{
    struct reply reply;
    w->refuse = true;
    world_begin(w, PROVIDER_PUSHED, LOGIN_BROWSER);
    world_open_start(w, NULL, &reply);
    CHECK(reply.status == 503);
    CHECK(reply_says(&reply, "could not be handed over"));
    CHECK(reply_says(&reply, "the provider is &lt;down&gt;"));
    CHECK(reply_says(&reply, "reload this page"));
    CHECK(!reply_says(&reply, "Set-Cookie") && !reply_says(&reply, "Location"));
    CHECK(w->status == LOGIN_PENDING);
    w->refuse = false;
    world_open_start(w, NULL, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "request_uri=urn%3A2"));
    return 0;
}

static void test_a_failure_changes_nothing(void **state)
{
    world_walk(false, a_failure_changes_nothing);
}

/* A browser that hangs up and comes again has not lost the login. */
static int a_reload_meanwhile(struct world *w)
{
    struct reply reply;
    char path[128];
    w->hold = true;
    world_begin(w, PROVIDER_PUSHED, LOGIN_BROWSER);
    (void)snprintf(path, sizeof(path), "/start/%s", w->nonce);
    int first = world_send(w, "GET", path, NULL, NULL);
    while (w->asked < 1)
        (void)usleep(1000);
    (void)close(first);
    while (w->cancelled < 1)
        (void)usleep(1000);
    world_on_loop(w, world_answer); /* too late for anybody */
    w->hold = false;
    world_open_start(w, NULL, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "request_uri=urn%3A2"));
    return 0;
}

static void test_a_reload_meanwhile(void **state)
{
    world_walk(false, a_reload_meanwhile);
}

static void lose_question(struct world *w)
{
    w->question = message_free(w->question);
}

/* A login has one push in the air: what waited for the one before is told. */
static int a_second_tab(struct world *w)
{
    struct reply reply;
    char path[128];
    w->hold = true;
    world_begin(w, PROVIDER_PUSHED, LOGIN_BROWSER);
    (void)snprintf(path, sizeof(path), "/start/%s", w->nonce);
    int first = world_send(w, "GET", path, NULL, NULL);
    while (w->asked < 1)
        (void)usleep(1000);
    world_on_loop(w, lose_question);
    int second = world_send(w, "GET", path, NULL, NULL);
    reply_read(first, &reply);
    CHECK(reply.status == 503 && reply_says(&reply, "it was opened again"));
    while (w->asked < 2)
        (void)usleep(1000);
    CHECK(w->cancelled == 1);
    world_on_loop(w, world_answer);
    reply_read(second, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "request_uri=urn%3A2"));
    CHECK(w->cancelled == 1);
    return 0;
}

static void test_a_second_tab(void **state)
{
    world_walk(false, a_second_tab);
}

static void end_login(struct world *w)
{
    login_set_status(w->login, LOGIN_CANCELLED, NULL, NULL);
}

static int a_login_that_ends_meanwhile(struct world *w)
{
    struct reply reply;
    char path[128];
    w->hold = true;
    world_begin(w, PROVIDER_PUSHED, LOGIN_BROWSER);
    (void)snprintf(path, sizeof(path), "/start/%s", w->nonce);
    int fd = world_send(w, "GET", path, NULL, NULL);
    while (w->asked < 1)
        (void)usleep(1000);
    world_on_loop(w, end_login);
    world_on_loop(w, world_answer);
    reply_read(fd, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "/done/"));
    CHECK(!reply_says(&reply, "request_uri"));
    return 0;
}

static void test_a_login_that_ends_meanwhile(void **state)
{
    world_walk(true, a_login_that_ends_meanwhile);
}

static int openings_are_bounded(struct world *w)
{
    struct reply reply;
    world_begin(w, PROVIDER_PUSHED, LOGIN_BROWSER);
    world_open_start(w, NULL, &reply);
    for (unsigned i = 1; i < LOGIN_PUSHES_MAX; i++) {
        world_open_start(w, w->cookies, &reply);
        CHECK(reply.status == 303);
    }
    world_open_start(w, w->cookies, &reply);
    CHECK(reply.status == 503 && reply_says(&reply, "opened too often"));
    CHECK(w->asked == LOGIN_PUSHES_MAX);
    return 0;
}

static void test_openings_are_bounded(void **state)
{
    world_walk(false, openings_are_bounded);
}

static void ignore(void *userdata, struct message *answer)
{
}

static struct message *answer_nothing(struct world *w, const struct message *question)
{
    return NULL;
}

static struct message *import_of(size_t length)
{
    char text[SECRET_MAX];
    struct message *question = message_new(ASK_IMPORT);
    memset(text, 'r', length);
    question->import = calloc(1, sizeof(*question->import));
    assert_int_equal(secret_new(text, length, &question->import->refresh_token), 0);
    return question;
}

/* Secrets count, so that a few questions use up all that their uid has. */
static void use_up_quota(struct world *w)
{
    struct asks *asks = w->f.context.asks;
    uint64_t id = 0;
    w->answer = answer_nothing;
    for (size_t length = SECRET_MAX; length > 0; length /= 2)
        while (asks_send_for(asks, w->login->uid, import_of(length), ignore, NULL, &id) == 0)
            continue;
}

/* Who opens it is nobody's user, so what is pushed counts as the starter's. */
static int openings_are_of_the_starters_quota(struct world *w)
{
    struct reply reply;
    world_begin(w, PROVIDER_PUSHED, LOGIN_BROWSER);
    world_on_loop(w, use_up_quota);
    world_open_start(w, NULL, &reply);
    CHECK(reply.status == 503 && !reply_says(&reply, "could not be handed over"));
    CHECK(w->status == LOGIN_PENDING);
    return 0;
}

static void test_openings_are_of_the_starters_quota(void **state)
{
    world_walk(false, openings_are_of_the_starters_quota);
}

/* The request goes to the back as a form; the address is not known before. */
static void test_what_is_pushed(void **state)
{
    struct fixture f;
    struct message *question = NULL;
    fixture_start(&f, 1);
    struct login *login = fixture_begin(&f, PROVIDER_PUSHED, LOGIN_PASTE);
    assert_true(login_is_pushed(login));
    assert_null(login->authorize_url);
    assert_int_equal(login_push_question(login, &question), 0);
    const char *parameters = secret_reveal(question->parameters);
    assert_non_null(strstr(parameters, "response_type=code&client_id=client&redirect_uri=http"));
    assert_non_null(strstr(parameters, secret_reveal(login->state)));
    assert_null(strstr(parameters, secret_reveal(login->verifier)));
    struct message *answer = fixture_pushed_for(question, "urn:1");
    assert_int_equal(login_take_pushed(login, answer), 0);
    assert_string_equal(secret_reveal(login->authorize_url),
                        "https://auth.example/authorize?client_id=client&request_uri=urn%3A1");
    assert_false(login_is_pushed(fixture_begin(&f, PROVIDER_ZENEGY, LOGIN_BROWSER)));
    message_free(answer);
    message_free(question);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_opening_pushes),
        cmocka_unit_test(test_a_failure_changes_nothing),
        cmocka_unit_test(test_a_reload_meanwhile),
        cmocka_unit_test(test_a_second_tab),
        cmocka_unit_test(test_a_login_that_ends_meanwhile),
        cmocka_unit_test(test_openings_are_bounded),
        cmocka_unit_test(test_openings_are_of_the_starters_quota),
        cmocka_unit_test(test_what_is_pushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
