#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cleanup.h"
#include "client/connection.h"

/*
 * A broker of one's own: it accepts connections one after another; on each it answers requests with
 * the steps of a script.
 */

enum { STEPS_MAX = 8, SEEN_MAX = 8192 };

struct step {
    const char *answer; /* NULL: end the connection without one */
    bool then_close;
    bool silent; /* never answer; wait for the client to go */
};

struct fake {
    char folder[64];
    char path[100];
    int listener;
    pthread_t thread;
    struct step steps[STEPS_MAX];
    size_t count;
    size_t connections;
    char seen[STEPS_MAX][SEEN_MAX]; /* the requests */
    size_t seen_count;
};

#define ANSWER(body_length, body)                                                                  \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " body_length            \
    "\r\n\r\n" body

/* Up to the end of the head, and the small body that comes in the same piece. */
static bool read_request(struct fake *fake, int fd)
{
    char *seen = fake->seen[fake->seen_count];
    size_t length = 0;

    while (!strstr(seen, "\r\n\r\n")) {
        ssize_t r = read(fd, seen + length, SEEN_MAX - 1 - length);
        if (r <= 0)
            return false;
        length += (size_t)r;
        seen[length] = '\0';
    }
    fake->seen_count++;
    return true;
}

/* Goes on with the script on this connection; returns the step after it. */
static size_t serve_connection(struct fake *fake, int fd, size_t step)
{
    char byte;

    while (step < fake->count && read_request(fake, fd)) {
        const struct step *now = &fake->steps[step++];
        if (now->silent) {
            assert_true(read(fd, &byte, 1) <= 0); /* until the client hangs up */
            return step;
        }
        if (!now->answer)
            return step;
        assert_true(send(fd, now->answer, strlen(now->answer), MSG_NOSIGNAL) > 0);
        if (now->then_close)
            return step;
    }
    return step;
}

static void *serve(void *userdata)
{
    struct fake *fake = userdata;
    size_t step = 0;

    while (step < fake->count) {
        CLEANUP(cleanup_fd) int fd = accept(fake->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        fake->connections++;
        step = serve_connection(fake, fd, step);
    }
    return NULL;
}

static struct fake *fake_start(const struct step *steps, size_t count)
{
    struct fake *fake = calloc(1, sizeof *fake);
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    assert_non_null(fake);
    memcpy(fake->steps, steps, count * sizeof *steps);
    fake->count = count;
    (void)snprintf(fake->folder, sizeof fake->folder, "/tmp/tb-client-XXXXXX");
    assert_non_null(mkdtemp(fake->folder));
    (void)snprintf(fake->path, sizeof fake->path, "%s/s", fake->folder);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", fake->path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fake->listener, 4), 0);
    assert_int_equal(pthread_create(&fake->thread, NULL, serve, fake), 0);
    return fake;
}

#define FAKE(...)                                                                                  \
    fake_start((const struct step[]){ __VA_ARGS__ }, COUNT(((const struct step[]){ __VA_ARGS__ })))

static void fake_stop(struct fake *fake)
{
    /* Wakes an accept() that still waits. */
    (void)shutdown(fake->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(fake->thread, NULL), 0);
    (void)close(fake->listener);
    (void)unlink(fake->path);
    (void)rmdir(fake->folder);
    free(fake);
}

static struct tb_broker *connected(const struct fake *fake)
{
    struct tb_broker *broker = NULL;

    assert_int_equal(tb_connect(fake->path, &broker, NULL), TB_OK);
    return broker;
}

/* --- calls --- */

static void test_calls_share_a_connection(void **state)
{
    struct fake *fake = FAKE({ ANSWER("7", "{\"a\":1}") }, { ANSWER("2", "[]") });
    struct tb_broker *broker = connected(fake);

    assert_string_equal(tb_broker_path(broker), fake->path);
    for (int i = 0; i < 2; i++) {
        CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
        assert_int_equal(tb_call(broker, "GET", "/v1/health", NULL, &reply, NULL), TB_OK);
        assert_int_equal(tb_value_type(tb_reply_value(reply)), i == 0 ? TB_OBJECT : TB_ARRAY);
    }
    assert_null(tb_close(broker));
    assert_int_equal(fake->connections, 1);
    assert_memory_equal(fake->seen[0], "GET /v1/health HTTP/1.1\r\n", 25);
    fake_stop(fake);
}

static void test_closed_connection_is_made_anew(void **state)
{
    struct fake *fake =
        FAKE({ ANSWER("2", "{}"), .then_close = true }, { NULL }, { ANSWER("2", "{}") });
    struct tb_broker *broker = connected(fake);

    for (int i = 0; i < 2; i++) {
        CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
        CLEANUP(cleanup_error) struct tb_error *error = NULL;
        (void)tb_call(broker, "GET", "/x", NULL, &reply, &error);
    }
    /* Whatever became of the second call, the third finds a broker that answers. */
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    if (fake->seen_count < 3)
        assert_int_equal(tb_call(broker, "GET", "/x", NULL, &reply, NULL), TB_OK);
    tb_close(broker);
    assert_true(fake->connections >= 2);
    fake_stop(fake);
}

static void test_post_is_not_repeated(void **state)
{
    struct fake *fake = FAKE({ ANSWER("2", "{}") }, { NULL }, { ANSWER("2", "{}") });
    struct tb_broker *broker = connected(fake);
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    CLEANUP(cleanup_error) struct tb_error *error = NULL;

    assert_int_equal(tb_call(broker, "GET", "/x", NULL, &reply, NULL), TB_OK);
    reply = tb_reply_free(reply);
    assert_int_equal(tb_call(broker, "POST", "/x", "{}", &reply, &error), TB_FAILED);
    assert_null(reply);
    assert_null(error->code);
    assert_string_equal(error->broker, fake->path);
    assert_int_equal(tb_call(broker, "GET", "/x", NULL, &reply, NULL), TB_OK);
    assert_int_equal(fake->seen_count, 3);
    tb_close(broker);
    fake_stop(fake);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *answer;
        enum tb_status status;
        const char *code;
        const char *message;
    } rows[] = {
        { "HTTP/1.1 403 F\r\n\r\n"
          "{\"error\":\"forbidden\",\"error_description\":\"no:-)\"}",
          TB_FORBIDDEN, "forbidden", "no:-)" },
        { "HTTP/1.1 404 F\r\n\r\n"
          "{\"error\":\"unknown_account\",\"error_description\":\"no:-)\"}",
          TB_UNKNOWN, "unknown_account", "no:-)" },
        { "HTTP/1.1 418 T\r\nContent-Length: 16\r\n\r\n{\"error\":\"teapot\"}", TB_FAILED, NULL,
          "what answers is no broker: it speaks otherwise" },
        { "HTTP/1.1 418 T\r\nContent-Length: 18\r\n\r\n{\"error\":\"teapot\"}", TB_FAILED, "teapot",
          "the broker answered with HTTP status 418" },
        { "HTTP/1.1 418 T\r\n\r\n{\"error\":\"teapot\",\"error_description\":\"\"}", TB_FAILED,
          "teapot", "the broker answered with HTTP status 418" },
        { "HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\noops", TB_FAILED, NULL,
          "the broker answered with HTTP status 500" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\noops", TB_FAILED, NULL,
          "what answers is no broker: it speaks otherwise" },
        { "220 mail.example.com ESMTP\r\n\r\n", TB_FAILED, NULL,
          "what answers is no broker: it speaks otherwise" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n{", TB_FAILED, NULL,
          "the broker's answer is too large" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fake *fake = FAKE({ rows[i].answer, .then_close = true });
        struct tb_broker *broker = connected(fake);
        CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
        CLEANUP(cleanup_error) struct tb_error *error = NULL;
        enum tb_status status = tb_call(broker, "GET", "/x", NULL, &reply, &error);
        if (status != rows[i].status)
            fail_msg("row %zu: %d, %s", i, (int)status, error ? error->message : "");
        assert_null(reply);
        assert_int_equal(error->status, status);
        if (rows[i].code)
            assert_string_equal(error->code, rows[i].code);
        if (rows[i].message)
            assert_string_equal(error->message, rows[i].message);
        assert_string_equal(error->broker, fake->path);
        tb_close(broker);
        fake_stop(fake);
    }
}

static void test_error_members(void **state)
{
    struct fake *fake = FAKE({ "HTTP/1.1 409 C\r\nConnection: close\r\n\r\n"
                               "{\"error\":\"consent_required\",\"error_description\":\"d\","
                               "\"account\":\"a/b\",\"retry_after\":8,\"max_min_ttl\":9,"
                               "\"start_url\":\"http://localhost/start\"}",
                               .then_close = true });
    struct tb_broker *broker = connected(fake);
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    CLEANUP(cleanup_token) struct tb_token *token = NULL;

    assert_int_equal(tb_token(broker, "a/b", TB_DEFAULT, TB_DEFAULT, &token, &error),
                     TB_CONSENT_REQUIRED);
    assert_null(token);
    assert_string_equal(error->account, "a/b");
    assert_string_equal(error->start_url, "http://localhost/start");
    assert_int_equal(error->retry_after, 8);
    assert_int_equal(error->max_min_ttl, 9);
    tb_close(broker);
    fake_stop(fake);
}

static void test_not_sent(void **state)
{
    struct fake *fake = FAKE({ ANSWER("2", "{}") });
    struct tb_broker *broker = connected(fake);
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;

    assert_int_equal(tb_call(broker, "get", "/x", NULL, &reply, NULL), TB_USAGE);
    assert_int_equal(tb_call(broker, "GET", "/x\r\n", NULL, &reply, NULL), TB_USAGE);
    assert_int_equal(tb_call(broker, "GET", "", NULL, &reply, NULL), TB_USAGE);
    CLEANUP(cleanup_string) char *large = calloc(1, 200 * 1024);
    assert_non_null(large);
    memset(large, 'x', 200 * 1024 - 1);
    assert_int_equal(tb_call(broker, "POST", "/x", large, &reply, NULL), TB_USAGE);
    assert_int_equal(tb_call(broker, "GET", "/x", NULL, &reply, NULL), TB_OK);
    tb_close(broker);
    assert_int_equal(fake->seen_count, 1);
    fake_stop(fake);
}

/* The answers on one connection are one process's: another's could be of another account. */
static void test_fork_has_a_connection_of_its_own(void **state)
{
    struct fake *fake =
        FAKE({ ANSWER("2", "{}") }, { ANSWER("2", "{}"), .then_close = true }, { NULL });
    struct tb_broker *broker = connected(fake);
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    int status = 0;

    assert_int_equal(tb_call(broker, "GET", "/parent", NULL, &reply, NULL), TB_OK);
    reply = tb_reply_free(reply);
    tb_set_timeout(broker, 300);
    pid_t child = fork();
    if (child == 0) /* this broker serves one connection after another: now the parent's */
        _exit(tb_call(broker, "GET", "/child", NULL, &reply, NULL) == TB_OK ? 1 : 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(fake->seen_count, 1);
    tb_set_timeout(broker, 5000);
    assert_int_equal(tb_call(broker, "GET", "/parent", NULL, &reply, NULL), TB_OK);
    assert_memory_equal(fake->seen[1], "GET /parent ", 12);
    tb_close(broker);
    fake_stop(fake);
}

/* --- time --- */

static void test_timeout(void **state)
{
    struct fake *fake = FAKE({ .answer = "", .silent = true });
    struct tb_broker *broker = connected(fake);
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    int64_t before = connection_now();

    tb_set_timeout(broker, 100);
    assert_int_equal(tb_call(broker, "GET", "/x", NULL, &reply, &error), TB_FAILED);
    assert_string_equal(error->message, "the broker did not answer in time");
    int64_t took = connection_now() - before;
    assert_true(took >= 100 && took < 5000);
    tb_close(broker);
    fake_stop(fake);
}

static void test_interrupt(void **state)
{
    struct fake *fake = FAKE({ .answer = "", .silent = true });
    struct tb_broker *broker = connected(fake);
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    tb_set_interrupt(broker, ends[0]);
    assert_int_equal(tb_call(broker, "GET", "/x", NULL, &reply, &error), TB_FAILED);
    assert_string_equal(error->code, "interrupted");
    tb_close(broker);
    (void)close(ends[0]);
    (void)close(ends[1]);
    /* The request was never sent: the script has to end by another hand. */
    struct tb_broker *other = connected(fake);
    tb_set_timeout(other, 50);
    (void)tb_call(other, "GET", "/x", NULL, &reply, NULL);
    tb_close(other);
    fake_stop(fake);
}

/* --- tokens --- */

#define TOKEN_BODY                                                                                 \
    "{\"account\":\"a/default\",\"access_token\":\"t0k\",\"token_type\":\"bearer\","               \
    "\"expires_in\":9,\"expires_at\":1009,\"present\":{\"in\":\"query\",\"name\":\"q\","           \
    "\"value\":\"t0k\"},\"extra\":{}}"

static void test_token(void **state)
{
    struct fake *fake = FAKE({ "HTTP/1.1 200 OK\r\n\r\n" TOKEN_BODY, .then_close = true },
                             { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" });
    struct tb_broker *broker = connected(fake);
    CLEANUP(cleanup_token) struct tb_token *token = NULL;
    CLEANUP(cleanup_token) struct tb_token *none = NULL;

    assert_int_equal(tb_token(broker, "a", 60, 5, &token, NULL), TB_OK);
    assert_memory_equal(fake->seen[0], "GET /v1/token/a/default?min_ttl=60&wait=5 ", 42);
    assert_string_equal(token->account, "a/default");
    assert_string_equal(token->access_token, "t0k");
    assert_string_equal(token->present_name, "q");
    assert_int_equal(token->present_in, TB_QUERY);
    assert_int_equal(token->expires_in, 9);
    assert_int_equal(token->expires_at, 1009);
    assert_null(token->scope);
    assert_int_equal(tb_token(broker, "a/b", TB_DEFAULT, TB_DEFAULT, &none, NULL), TB_FAILED);
    assert_null(none);
    assert_memory_equal(fake->seen[1], "GET /v1/token/a/b HTTP", 22);
    assert_int_equal(tb_token(broker, "A B", TB_DEFAULT, TB_DEFAULT, &none, NULL), TB_USAGE);
    tb_close(broker);
    fake_stop(fake);
}

/* --- finding a broker --- */

static void test_no_broker(void **state)
{
    struct tb_broker *broker = NULL;
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    char path[300];

    assert_int_equal(tb_connect("/nonexistent/socket", &broker, &error), TB_NO_BROKER);
    assert_null(broker);
    assert_non_null(strstr(error->message, "/nonexistent/socket (No such file or directory)"));
    error = tb_error_free(error);
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(tb_connect(path, &broker, &error), TB_NO_BROKER);
    assert_non_null(strstr(error->message, "(File name too long)"));
}

static void test_first_that_accepts(void **state)
{
    struct fake *fake = FAKE({ ANSWER("2", "{}") });
    char user[120];
    struct tb_broker *broker = NULL;
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;

    /* The variable names nothing that accepts: the user's broker is next. */
    (void)snprintf(user, sizeof user, "%s/tokenbroker", fake->folder);
    assert_int_equal(mkdir(user, 0700), 0);
    (void)snprintf(user, sizeof user, "%s/tokenbroker/api.sock", fake->folder);
    assert_int_equal(symlink(fake->path, user), 0);
    assert_int_equal(setenv("TOKENBROKER_SOCKET", "/nonexistent/socket", 1), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", fake->folder, 1), 0);
    assert_int_equal(tb_connect(NULL, &broker, NULL), TB_OK);
    assert_string_equal(tb_broker_path(broker), user);
    assert_int_equal(tb_call(broker, "GET", "/x", NULL, &reply, NULL), TB_OK);
    broker = tb_close(broker);
    assert_int_equal(setenv("TOKENBROKER_SOCKET", fake->path, 1), 0);
    assert_int_equal(tb_connect(NULL, &broker, NULL), TB_OK);
    assert_string_equal(tb_broker_path(broker), fake->path);
    tb_close(broker);
    (void)unlink(user);
    *strrchr(user, '/') = '\0';
    (void)rmdir(user);
    fake_stop(fake);
}

static void test_all_tried_are_named(void **state)
{
    struct tb_broker *broker = NULL;
    CLEANUP(cleanup_error) struct tb_error *error = NULL;

    assert_int_equal(setenv("TOKENBROKER_SOCKET", "/nonexistent/a", 1), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", "/nonexistent/b", 1), 0);
    if (tb_connect(NULL, &broker, &error) == TB_OK) {
        tb_close(broker); /* this machine has a system broker */
        skip();
    }
    assert_non_null(strstr(error->message, "/nonexistent/a ("));
    assert_non_null(strstr(error->message, "/nonexistent/b/tokenbroker/api.sock ("));
    assert_non_null(strstr(error->message, "/run/tokenbroker/api.sock ("));
}

static void test_nothing(void **state)
{
    assert_null(tb_close(NULL));
    assert_null(tb_token_free(NULL));
    assert_null(tb_reply_free(NULL));
    assert_null(tb_error_free(NULL));
    assert_string_equal(tb_status_text(TB_NO_BROKER), "no broker");
    assert_string_equal(tb_status_text((enum tb_status)99), "failed");
    assert_string_equal(tb_version(), TOKENBROKER_VERSION);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_share_a_connection),
        cmocka_unit_test(test_closed_connection_is_made_anew),
        cmocka_unit_test(test_post_is_not_repeated),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_error_members),
        cmocka_unit_test(test_not_sent),
        cmocka_unit_test(test_fork_has_a_connection_of_its_own),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_no_broker),
        cmocka_unit_test(test_first_that_accepts),
        cmocka_unit_test(test_all_tried_are_named),
        cmocka_unit_test(test_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
