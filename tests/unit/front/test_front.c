#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "front/front.h"
#include "io/web.h"
#include "messages.h"

enum { REPLY_MAX = 8192, PATIENCE_MS = 10 * 1000 };

struct stage {
    char folder[64];
    char path[96];
    struct mailbox *inbox, *back;
    struct front *front;
    pthread_t thread;
    int result;
};

static struct settings *settings_with(const char *scheme)
{
    struct settings *settings = calloc(1, sizeof(*settings));
    struct provider *provider = calloc(1, sizeof(*provider));

    snprintf(provider->name, sizeof(provider->name), "zenegy");
    provider->scope_separator = strdup(" ");
    provider->present_in = strdup("header");
    provider->present_name = strdup("Authorization");
    provider->present_scheme = strdup(scheme);
    settings->key = strdup("auto");
    settings->providers = calloc(1, sizeof(settings->providers[0]));
    settings->providers[0] = provider;
    settings->provider_count = 1;
    return settings;
}

static void *run(void *userdata)
{
    struct stage *stage = userdata;

    stage->result = front_run(stage->front);
    return NULL;
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    struct complaint complaint = { "" };
    bool locked;

    assert_int_equal(secret_start(&locked), 0);
    snprintf(stage->folder, sizeof(stage->folder), "/tmp/tb-front-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    snprintf(stage->path, sizeof(stage->path), "%s/api.sock", stage->folder);
    assert_int_equal(
        mailbox_new(FRONT_INBOX_SLOTS, FRONT_NOTICES_MAX, message_destroy, &stage->inbox), 0);
    assert_int_equal(mailbox_new(100, 100, message_destroy, &stage->back), 0);
    const struct front_options options = {
        .api_fd = web_listen_unix(stage->path, 0600, &complaint),
        .settings = settings_with("Bearer"),
        .inbox = stage->inbox,
        .back = stage->back,
    };
    assert_true(options.api_fd >= 0);
    assert_int_equal(front_new(&options, &stage->front, &complaint), 0);
    assert_int_equal(pthread_create(&stage->thread, NULL, run, stage), 0);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;

    assert_int_equal(mailbox_send(stage->inbox, message_new(STOP)), 0);
    assert_int_equal(pthread_join(stage->thread, NULL), 0);
    assert_int_equal(stage->result, 0);
    front_free(stage->front);
    mailbox_free(stage->back);
    mailbox_free(stage->inbox);
    (void)unlink(stage->path);
    assert_int_equal(rmdir(stage->folder), 0);
    free(stage);
    return 0;
}

static int send_request(const struct stage *stage, const char *method, const char *target)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[512];
    int length =
        snprintf(text, sizeof(text),
                 "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method, target);

    assert_true(fd >= 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", stage->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(fd, text, (size_t)length), length);
    return fd;
}

/* Reads to the end and closes; the answer must hold the text. */
static void expect_reply(int fd, const char *status, const char *text)
{
    char reply[REPLY_MAX];
    size_t length = 0;
    struct pollfd wait = { .fd = fd, .events = POLLIN };

    for (;;) {
        assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
        ssize_t got = read(fd, reply + length, sizeof(reply) - 1 - length);
        assert_true(got >= 0);
        if (got == 0)
            break;
        length += (size_t)got;
    }
    reply[length] = '\0';
    close(fd);
    if (!strstr(reply, status) || !strstr(reply, text))
        fail_msg("%s", reply);
}

static struct message *take(struct stage *stage, enum message_kind kind)
{
    struct pollfd wait = { .fd = mailbox_fd(stage->back), .events = POLLIN };
    struct message *letter;

    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    letter = mailbox_take(stage->back);
    assert_non_null(letter);
    assert_int_equal(letter->kind, kind);
    return letter;
}

static void answer_token(struct stage *stage, struct message *question, const char *text)
{
    struct message *answer = message_new(ANSWER);

    answer->id = question->id;
    answer->token = calloc(1, sizeof(*answer->token));
    answer->token->generation = 1;
    assert_int_equal(secret_new(text, strlen(text), &answer->token->access_token), 0);
    mailbox_send_reserved(stage->inbox, answer);
    message_free(question);
}

static void test_token_there_and_back(void **state)
{
    struct stage *stage = *state;
    int fd = send_request(stage, "GET", "/v1/token/zenegy/acme");

    answer_token(stage, take(stage, ASK_TOKEN), "tok");
    expect_reply(fd, "HTTP/1.1 200", "\"value\":\"Bearer tok\"");
    expect_reply(send_request(stage, "GET", "/v1/token/zenegy/acme"), "Cache-Control: no-store",
                 "\"access_token\":\"tok\"");
}

static void test_methods_and_form(void **state)
{
    struct stage *stage = *state;

    expect_reply(send_request(stage, "POST", "/v1/health"), "HTTP/1.1 405", "Allow: GET");
    expect_reply(send_request(stage, "GET", "/v1/health?a=%41&b"), "HTTP/1.1 400",
                 "query parameter a");
    expect_reply(send_request(stage, "GET", "/nothing"), "HTTP/1.1 404", "\"not_found\"");
}

static void test_new_settings_take_effect(void **state)
{
    struct stage *stage = *state;
    struct message *letter = message_new(NEW_SETTINGS);
    int fd = send_request(stage, "GET", "/v1/token/zenegy/acme");

    answer_token(stage, take(stage, ASK_TOKEN), "tok");
    expect_reply(fd, "HTTP/1.1 200", "\"Bearer tok\"");
    letter->settings = settings_with("Token");
    assert_int_equal(mailbox_send(stage->inbox, letter), 0);
    expect_reply(send_request(stage, "GET", "/v1/token/zenegy/acme"), "HTTP/1.1 200",
                 "\"Token tok\"");
}

static void test_notice(void **state)
{
    struct stage *stage = *state;
    struct message *letter = message_new(NOTICE);
    int fd = send_request(stage, "GET", "/v1/token/zenegy/acme");

    answer_token(stage, take(stage, ASK_TOKEN), "tok");
    expect_reply(fd, "HTTP/1.1 200", "tok");
    /* No account: forget all. */
    mailbox_notify(stage->inbox, "zenegy/acme", letter, NULL);
    fd = send_request(stage, "GET", "/v1/token/zenegy/acme");
    answer_token(stage, take(stage, ASK_TOKEN), "new");
    expect_reply(fd, "HTTP/1.1 200", "new");
}

/* Who waits is answered, and what was counted is told, before the thread ends. */
static void test_stop_answers_and_flushes(void **state)
{
    struct stage *stage = *state;
    int fd = send_request(stage, "GET", "/v1/token/zenegy/acme");
    struct message *question = take(stage, ASK_TOKEN);

    answer_token(stage, question, "tok");
    expect_reply(fd, "HTTP/1.1 200", "tok");
    fd = send_request(stage, "GET", "/v1/token/zenegy/other");
    message_free(take(stage, ASK_TOKEN));
    assert_int_equal(mailbox_send(stage->inbox, message_new(STOP)), 0);
    expect_reply(fd, "HTTP/1.1 503", "\"busy\"");
    struct message *letter = take(stage, TELL_AUDIT);
    assert_string_equal(letter->audit[0].account, "zenegy/acme");
    message_free(letter);
}

/* The last rows wait for room at the back, which is told to end later. */
static void test_stop_finds_no_room_at_first(void **state)
{
    struct stage *stage = *state;
    int fd = send_request(stage, "GET", "/v1/token/zenegy/acme");

    answer_token(stage, take(stage, ASK_TOKEN), "tok");
    expect_reply(fd, "HTTP/1.1 200", "tok");
    while (mailbox_reserve(stage->back) == 0)
        ;
    assert_int_equal(mailbox_send(stage->inbox, message_new(STOP)), 0);
    (void)poll(NULL, 0, 300);
    assert_null(mailbox_take(stage->back));
    mailbox_unreserve(stage->back);
    struct message *letter = take(stage, TELL_AUDIT);
    assert_string_equal(letter->audit[0].account, "zenegy/acme");
    message_free(letter);
}

/* A client that hangs up frees its place; the server ends with others still waiting. */
static void test_clients_that_go(void **state)
{
    struct stage *stage = *state;
    int gone = send_request(stage, "GET", "/v1/token/zenegy/acme");

    struct message *question = take(stage, ASK_TOKEN);
    close(gone);
    int fd = send_request(stage, "GET", "/v1/token/zenegy/acme");
    /* Only so that the second one waits when the answer comes; either order passes. */
    (void)poll(NULL, 0, 20);
    answer_token(stage, question, "tok");
    expect_reply(fd, "HTTP/1.1 200", "tok");
}

static void test_front_new_gives_back_on_failure(void **state)
{
    struct complaint complaint = { "" };
    struct mailbox *inbox = NULL;
    struct front *front = NULL;
    struct settings *settings = settings_with("Bearer");

    assert_int_equal(mailbox_new(10, 10, message_destroy, &inbox), 0);
    const struct front_options options = {
        .api_fd = -1, .settings = settings, .inbox = inbox, .back = inbox
    };
    assert_true(front_new(&options, &front, &complaint) < 0);
    assert_null(front);
    assert_true(*complaint.text);
    settings_free(settings);
    mailbox_free(inbox);
    assert_null(front_free(NULL));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_token_there_and_back),     TEST(test_methods_and_form),
        TEST(test_new_settings_take_effect), TEST(test_notice),
        TEST(test_stop_answers_and_flushes), TEST(test_stop_finds_no_room_at_first),
        TEST(test_clients_that_go),          cmocka_unit_test(test_front_new_gives_back_on_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
