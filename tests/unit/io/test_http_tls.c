/* The HTTP client and certificates, with a TLS server in a child process. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "io/http.h"

enum { PATH_SIZE = 128, PARALLEL_MAX_MS = 1500 };

struct fixture {
    char folder[64];
    char certificate[PATH_SIZE];
    char key[PATH_SIZE];
    pid_t server;
    int server_stdin;
    unsigned port;
    struct loop *loop;
    struct http_client *client;
    unsigned awaited;
};

static pid_t spawn(const char *const *arguments, int input, int output)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child > 0)
        return child;
    if (input >= 0)
        (void)dup2(input, STDIN_FILENO);
    (void)dup2(output, STDOUT_FILENO);
    if (output == STDERR_FILENO && !freopen("/dev/null", "w", stderr))
        _exit(127);
    execv(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static bool make_certificate(struct fixture *f)
{
    const char *const arguments[] = { "/usr/bin/openssl",
                                      "req",
                                      "-x509",
                                      "-newkey",
                                      "ec",
                                      "-pkeyopt",
                                      "ec_paramgen_curve:prime256v1",
                                      "-nodes",
                                      "-days",
                                      "2",
                                      "-subj",
                                      "/CN=test",
                                      "-addext",
                                      "subjectAltName=DNS:localhost",
                                      "-keyout",
                                      f->key,
                                      "-out",
                                      f->certificate,
                                      NULL };
    int status;

    pid_t child = spawn(arguments, -1, STDERR_FILENO);
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* False when there is no python3 or openssl here. */
static bool start_server(struct fixture *f, const char *newest)
{
    const char *const arguments[] = {
        "/usr/bin/python3", TLS_SERVER, f->certificate, f->key, newest, NULL
    };
    int input[2], output[2];
    char line[16] = "";

    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    f->server = spawn(arguments, input[0], output[1]);
    f->server_stdin = input[1];
    (void)close(input[0]);
    (void)close(output[1]);
    for (size_t used = 0; used < sizeof line - 1 && !strchr(line, '\n'); used++) {
        if (read(output[0], line + used, 1) <= 0)
            break;
    }
    (void)close(output[0]);
    return sscanf(line, "%u\n", &f->port) == 1;
}

static void stop_server(struct fixture *f)
{
    (void)close(f->server_stdin);
    assert_int_equal(waitpid(f->server, NULL, 0), f->server);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/tb-tls-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->certificate, PATH_SIZE, "%s/cert.pem", f->folder);
    (void)snprintf(f->key, PATH_SIZE, "%s/key.pem", f->folder);
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(http_client_new(f->loop, &f->client), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    http_client_free(f->client);
    loop_free(f->loop);
    (void)unlink(f->certificate);
    (void)unlink(f->key);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

struct wish {
    struct fixture *f;
    const char *host;
    bool with_ca_file;
    const char *ca_file; /* instead of the certificate's */
    enum http_outcome expected;
    const char *says;
};

static void on_done(void *userdata, const struct http_reply *reply)
{
    const struct wish *wish = userdata;

    if (reply->outcome != wish->expected || !strstr(reply->problem, wish->says))
        fail_msg("%s: outcome %d: %s", wish->host, reply->outcome, reply->problem);
    if (reply->outcome == HTTP_ANSWERED)
        assert_string_equal(reply->body, "ok");
    if (--wish->f->awaited == 0)
        loop_exit(wish->f->loop, 0);
}

static void begin(struct fixture *f, struct wish *wish, const char *path,
                  struct http_transfer **ret)
{
    char address[PATH_SIZE];
    const char *ca_file = wish->with_ca_file ? f->certificate : wish->ca_file;

    wish->f = f;
    f->awaited++;
    (void)snprintf(address, sizeof address, "https://%s:%u%s", wish->host, f->port, path);
    assert_int_equal(
        http_send(f->client,
                  &(struct http_request){ .method = "GET", .url = address, .ca_file = ca_file },
                  on_done, wish, ret),
        0);
}

static void test_certificates(void **state)
{
    struct wish wishes[] = {
        { .host = "localhost", .expected = HTTP_NOT_SENT, .says = "localhost:" },
        { .host = "localhost", .expected = HTTP_NOT_SENT, .says = "certificate" },
        { .host = "localhost", .with_ca_file = true, .expected = HTTP_ANSWERED, .says = "" },
        { .host = "127.0.0.1",
          .with_ca_file = true,
          .expected = HTTP_NOT_SENT,
          .says = "127.0.0.1" },
        { .host = "localhost", .ca_file = "/nonexistent", .expected = HTTP_NOT_SENT, .says = "" },
    };
    struct fixture *f = *state;
    struct http_transfer *transfer;

    if (!make_certificate(f) || !start_server(f, "1.3"))
        skip();
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
        begin(f, &wishes[i], "/", &transfer);
    assert_int_equal(loop_run(f->loop), 0);
    stop_server(f);
}

static void test_old_tls(void **state)
{
    struct wish wish = {
        .host = "localhost", .with_ca_file = true, .expected = HTTP_NOT_SENT, .says = "version"
    };
    struct fixture *f = *state;
    struct http_transfer *transfer;

    if (!make_certificate(f) || !start_server(f, "1.1"))
        skip();
    begin(f, &wish, "/", &transfer);
    assert_int_equal(loop_run(f->loop), 0);
    stop_server(f);
}

static void too_late(void *userdata)
{
    loop_exit(userdata, 1);
}

/* Requests that wait for HTTP/2 to be found out do not stand behind one slow answer. */
static void test_one_slow_answer_holds_nobody_up(void **state)
{
    struct wish slow = {
        .host = "localhost", .with_ca_file = true, .expected = HTTP_ANSWERED, .says = ""
    };
    struct wish fast[5];
    struct fixture *f = *state;
    struct http_transfer *transfer, *slow_transfer;
    struct loop_source *timer;

    if (!make_certificate(f) || !start_server(f, "1.3"))
        skip();
    begin(f, &slow, "/slow", &slow_transfer);
    for (size_t i = 0; i < 5; i++) {
        fast[i] = slow;
        begin(f, &fast[i], "/", &transfer);
    }
    f->awaited = 5;
    assert_int_equal(loop_add_timer(f->loop, too_late, f->loop, &timer), 0);
    assert_int_equal(loop_timer_set(timer, PARALLEL_MAX_MS), 0);
    assert_int_equal(loop_run(f->loop), 0);
    http_cancel(slow_transfer);
    loop_source_free(timer);
    stop_server(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_certificates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_old_tls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_slow_answer_holds_nobody_up, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
