/* Certificates that the client shows: to whom they belong, and that no connection is shared between
 * two of them, or with a request that shows none. */

#include "io/http.h"

#include <sys/types.h>

#include "../shell.h"

enum { ADDRESS_SIZE = 64, ANSWER_SIZE = 64, REQUESTS_MAX = 16 };

#define AUTHORITY(name)                                                                            \
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" name \
    " -keyout " name ".key -out " name ".crt"
#define CLIENT(name)                                                                               \
    "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" name               \
    " -keyout " name ".key -out " name ".csr && openssl x509 -req -in " name                       \
    ".csr -CA clients.crt -CAkey clients.key -CAcreateserial -days 2 -out " name                   \
    ".crt && cat " name ".crt " name ".key > " name ".pem"

static const char *const preparations[] = {
    AUTHORITY("server") " -addext subjectAltName=DNS:localhost",
    AUTHORITY("clients"),
    CLIENT("alice"),
    CLIENT("bob"),
    "cat alice.key alice.crt > turned.pem",
    "cat alice.crt bob.key > strangers.pem",
};

struct world {
    struct shell shell;
    bool ready;
    pid_t server;
    int server_stdin;
    unsigned port;
    struct loop *loop;
    struct http_client *client;
};

static bool start_server(struct world *w)
{
    char certificate[SHELL_PATH_SIZE], key[SHELL_PATH_SIZE], clients[SHELL_PATH_SIZE];
    const char *const arguments[] = { "/usr/bin/python3",
                                      IDENTITY_SERVER,
                                      shell_path(&w->shell, "server.crt", certificate),
                                      shell_path(&w->shell, "server.key", key),
                                      shell_path(&w->shell, "clients.crt", clients),
                                      NULL };
    int input[2], output[2];
    char line[16] = "";

    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    w->server = fork();
    assert_true(w->server >= 0);
    if (w->server == 0) {
        (void)dup2(input[0], STDIN_FILENO);
        (void)dup2(output[1], STDOUT_FILENO);
        execv(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    w->server_stdin = input[1];
    (void)close(input[0]);
    (void)close(output[1]);
    for (size_t used = 0; used < sizeof line - 1 && !strchr(line, '\n'); used++) {
        if (read(output[0], line + used, 1) <= 0)
            break;
    }
    (void)close(output[0]);
    return sscanf(line, "%u\n", &w->port) == 1;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    bool locked;

    assert_non_null(w);
    assert_int_equal(secret_start(&locked), 0);
    shell_begin(&w->shell);
    w->ready = true;
    w->server_stdin = -1;
    for (size_t i = 0; i < sizeof preparations / sizeof preparations[0]; i++)
        w->ready = w->ready && shell_run(&w->shell, preparations[i]);
    w->ready = w->ready && start_server(w);
    assert_int_equal(loop_new(&w->loop), 0);
    assert_int_equal(http_client_new(w->loop, &w->client), 0);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    http_client_free(w->client);
    loop_free(w->loop);
    if (w->server_stdin >= 0) {
        (void)close(w->server_stdin);
        assert_int_equal(waitpid(w->server, NULL, 0), w->server);
    }
    shell_end(&w->shell);
    free(w);
    return 0;
}

struct answer {
    enum http_outcome outcome;
    unsigned connection;
    char name[ANSWER_SIZE];
};

/* One request after the other: a loop runs once. */
struct walk {
    struct world *world;
    const char *const *files; /* whose identity each shows; NULL: none */
    size_t count, done;
    struct answer answers[REQUESTS_MAX];
};

static void ask_next(struct walk *walk);

static void on_done(void *userdata, const struct http_reply *reply)
{
    struct walk *walk = userdata;
    struct answer *answer = &walk->answers[walk->done++];

    answer->outcome = reply->outcome;
    if (reply->outcome == HTTP_ANSWERED)
        assert_int_equal(sscanf(reply->body, "%u %63s", &answer->connection, answer->name), 2);
    if (walk->done < walk->count)
        ask_next(walk);
    else
        loop_exit(walk->world->loop, 0);
}

static void ask_next(struct walk *walk)
{
    const struct shell *shell = &walk->world->shell;
    const char *file = walk->files[walk->done];
    char address[ADDRESS_SIZE], ca_file[SHELL_PATH_SIZE];
    struct http_transfer *transfer;
    /* It is gone when the request is on its way: what is sent is a copy. */
    CLEANUP(cleanup_secret) struct secret *identity = file ? shell_secret(shell, file) : NULL;
    const struct http_request request = {
        .method = "GET",
        .url = address,
        .ca_file = shell_path(shell, "server.crt", ca_file),
        .client_identity = identity,
    };

    (void)snprintf(address, sizeof address, "https://localhost:%u/", walk->world->port);
    assert_int_equal(http_send(walk->world->client, &request, on_done, walk, &transfer), 0);
}

static void run(struct walk *walk)
{
    assert_true(walk->count <= REQUESTS_MAX);
    ask_next(walk);
    assert_int_equal(loop_run(walk->world->loop), 0);
}

static void test_each_shows_its_own(void **state)
{
    static const char *const files[] = { "alice.pem",  "bob.pem",       NULL,        "alice.pem",
                                         "turned.pem", "strangers.pem", "alice.key", "server.crt" };
    static const char *const names[] = {
        "alice", "bob", "-", "alice", "alice", NULL, NULL, NULL
    }; /* NULL: nothing is sent */
    struct walk walk = { .world = *state, .files = files, .count = 8 };

    if (!walk.world->ready)
        skip();
    run(&walk);
    for (size_t i = 0; i < walk.count; i++) {
        if (walk.answers[i].outcome != (names[i] ? HTTP_ANSWERED : HTTP_NOT_SENT))
            fail_msg("row %zu: outcome %d", i, walk.answers[i].outcome);
        if (names[i])
            assert_string_equal(walk.answers[i].name, names[i]);
    }
}

/* Connections are kept, but each for the identity that made it. */
static void test_connections_are_not_shared(void **state)
{
    enum { KINDS = 3 };
    static const char *const files[] = { NULL,      "alice.pem", "bob.pem",   "alice.pem", NULL,
                                         "bob.pem", "alice.pem", "alice.pem", NULL };
    static const char *const names[] = { "-",   "alice", "bob",   "alice", "-",
                                         "bob", "alice", "alice", "-" };
    static const size_t firsts[] = { 0, 1, 2, 1, 0, 2, 1, 1, 0 };
    struct walk walk = { .world = *state, .files = files, .count = 9 };

    if (!walk.world->ready)
        skip();
    run(&walk);
    for (size_t i = 0; i < walk.count; i++) {
        assert_int_equal(walk.answers[i].outcome, HTTP_ANSWERED);
        assert_string_equal(walk.answers[i].name, names[i]);
        assert_int_equal(walk.answers[i].connection, walk.answers[firsts[i]].connection);
    }
    for (size_t i = 0; i < KINDS; i++)
        assert_int_not_equal(walk.answers[i].connection, walk.answers[(i + 1) % KINDS].connection);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_shows_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_connections_are_not_shared, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
