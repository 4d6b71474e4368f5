#include "callback_world.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "front/callback.h"

static void do_cancel(struct world *w)
{
    login_set_status(w->login, LOGIN_CANCELLED, "cancelled", NULL);
}

static int held_while_pending(struct world *w)
{
    struct reply reply;
    int fd = client_connect(w->f.port);
    CHECK(fd < 0);
    world_begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    world_fetch(w, "GET", "/nothing", NULL, NULL, &reply);
    CHECK(reply.status == 404);
    world_on_loop(w, do_cancel);
    for (int i = 0; i < 200 && (fd = client_connect(w->f.port)) >= 0; i++) {
        (void)close(fd);
        (void)usleep(10 * 1000);
    }
    CHECK(fd < 0);
    /* Once a browser was sent on, its page can be fetched for a while. */
    world_begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    world_open_start(w, NULL, &reply);
    world_on_loop(w, do_cancel);
    (void)usleep(50 * 1000);
    char done[128];
    (void)snprintf(done, sizeof(done), "/done/%s", w->id);
    world_get(w, done, NULL, &reply);
    CHECK(reply.status == 410 && reply_says(&reply, "This login was cancelled"));
    return 0;
}

static void test_held_while_pending(void **state)
{
    world_walk(false, held_while_pending);
}

static void health(const struct callback *callback, char out[FIXTURE_TEXT_MAX])
{
    struct buffer text = BUFFER_WITH_MAXIMUM(FIXTURE_TEXT_MAX);
    struct json_writer writer = json_writer_begin(&text, '{');
    callback_put_health(callback, &writer);
    json_writer_end(&writer);
    (void)snprintf(out, FIXTURE_TEXT_MAX, "%s", buffer_text(&text));
    buffer_release(&text);
}

static int hold_port(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void test_port_is_taken(void **state)
{
    struct fixture f;
    struct complaint complaint = { "" };
    char text[FIXTURE_TEXT_MAX], uid[32];
    fixture_start(&f, free_port());
    int holder = hold_port(f.port);
    assert_int_equal(callback_new(&f.context, true, &f.context.callback), 0);
    health(f.context.callback, text);
    assert_non_null(strstr(text, "\"bound\":false,\"problem\":\""));
    const char *redirect = f.providers[PROVIDER_ZENEGY]->redirect_uri;
    assert_int_equal(callback_hold(f.context.callback, redirect, &complaint), CALLBACK_NOT_HELD);
    (void)snprintf(uid, sizeof(uid), "uid %u", (unsigned)getuid());
    assert_non_null(strstr(complaint.text, uid));

    assert_int_equal(close(holder), 0);
    assert_int_equal(callback_hold(f.context.callback, redirect, &complaint), 0);
    health(f.context.callback, text);
    assert_non_null(strstr(text, "\"bound\":true}"));
    fixture_stop(&f);
}

static void test_reach(void **state)
{
    static const struct {
        const char *uri;
        enum callback_reach reach;
    } rows[] = {
        { "http://localhost:18765/callback/x", CALLBACK_OURS },
        { "http://127.0.0.1:18765/callback/x", CALLBACK_OURS },
        { "http://[::1]:18765/", CALLBACK_OURS },
        { "http://127.0.0.1:18766/x", CALLBACK_OURS },
        { "http://localhost:18766/x", CALLBACK_ELSEWHERE },
        { "http://[::1]:18766/x", CALLBACK_ELSEWHERE },
        { "https://localhost:18767/x", CALLBACK_OURS },
        { "https://127.0.0.1:18767/x", CALLBACK_OURS },
        { "https://localhost:18765/x", CALLBACK_ELSEWHERE },
        { "http://localhost:18767/x", CALLBACK_ELSEWHERE },
        { "http://127.0.0.2:18765/x", CALLBACK_ELSEWHERE },
        { "http://localhost/x", CALLBACK_ELSEWHERE },
        { "https://oauth.example/v1/callback", CALLBACK_ELSEWHERE },
        { "nonsense", CALLBACK_ELSEWHERE },
    };
    struct fixture f;
    struct callback_listener listeners[] = {
        { .both_families = true, .address = "localhost", .port = 18765 },
        { .address = "127.0.0.1", .port = 18766 },
        { .https = true, .both_families = true, .address = "localhost", .port = 18767 },
    };
    char text[FIXTURE_TEXT_MAX];
    fixture_start(&f, 18765);
    f.settings.listeners = listeners;
    f.settings.listener_count = LENGTH_OF(listeners);
    assert_int_equal(callback_new(&f.context, false, &f.context.callback), 0);
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (callback_reach(f.context.callback, rows[i].uri) != rows[i].reach)
            fail_row(i, rows[i].uri);
    health(f.context.callback, text);
    assert_string_equal(
        text, "{\"callback\":[{\"listen\":\"http://localhost:18765\",\"bound\":false},"
              "{\"listen\":\"http://127.0.0.1:18766\",\"bound\":false},"
              "{\"listen\":\"https://localhost:18767\",\"bound\":false,"
              "\"problem\":\"there is no certificate for https yet; the log says why\"}]}");
    fixture_stop(&f);
}

/* Behind a reverse proxy: what is below public_url is ours, by any plain listener. */
static void test_public_reach(void **state)
{
    static const struct {
        const char *uri;
        const char *prefix;
        enum callback_reach reach;
    } rows[] = {
        { "https://hr.example/oauth/callback/x", "/oauth", CALLBACK_OURS },
        { "https://hr.example:443/oauth/x", "/oauth", CALLBACK_OURS },
        { "https://hr.example/oauth", NULL, CALLBACK_ELSEWHERE },
        { "https://hr.example/oauth2/x", NULL, CALLBACK_ELSEWHERE },
        { "http://hr.example/oauth/x", NULL, CALLBACK_ELSEWHERE },
        { "https://evil.example/oauth/x", NULL, CALLBACK_ELSEWHERE },
        { "nonsense", NULL, CALLBACK_ELSEWHERE },
    };
    struct fixture f;
    struct complaint complaint = { "" };
    char uri[64];
    fixture_start(&f, free_port());
    fixture_go_public(&f, "https://hr.example/oauth");
    assert_int_equal(callback_new(&f.context, false, &f.context.callback), 0);
    assert_string_equal(callback_public_base(&f.context), "https://hr.example/oauth");
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const char *prefix = callback_public_prefix(&f.context, rows[i].uri);
        if (callback_reach(f.context.callback, rows[i].uri) != rows[i].reach ||
            (rows[i].prefix ? !prefix || strcmp(prefix, rows[i].prefix) != 0 : prefix != NULL))
            fail_row(i, rows[i].uri);
    }
    (void)snprintf(uri, sizeof(uri), "http://127.0.0.1:%u/x", (unsigned)f.port);
    assert_int_equal(callback_reach(f.context.callback, uri), CALLBACK_OURS);
    assert_null(callback_public_prefix(&f.context, uri));
    assert_int_equal(callback_hold(f.context.callback, rows[0].uri, &complaint), 0);
    fixture_go_public(&f, "https://hr.example");
    assert_string_equal(callback_public_prefix(&f.context, "https://hr.example/x"), "");
    fixture_stop(&f);
}

/* A login would hand its code to whoever has the port that the proxy uses. */
static void test_public_port_is_taken(void **state)
{
    struct fixture f;
    struct complaint complaint = { "" };
    struct callback_listener listeners[] = {
        { .address = "127.0.0.1" },
        { .address = "127.0.0.1" },
    };
    fixture_start(&f, free_port());
    listeners[0].port = f.port;
    listeners[1].port = free_port();
    fixture_go_public(&f, "https://hr.example/oauth");
    f.settings.listeners = listeners;
    f.settings.listener_count = LENGTH_OF(listeners);
    int holder = hold_port(listeners[1].port);
    assert_int_equal(callback_new(&f.context, false, &f.context.callback), 0);
    const char *redirect = "https://hr.example/oauth/callback/x";
    assert_int_equal(callback_hold(f.context.callback, redirect, &complaint), CALLBACK_NOT_HELD);
    assert_non_null(strstr(complaint.text, "cannot be held"));
    assert_int_equal(close(holder), 0);
    assert_int_equal(callback_hold(f.context.callback, redirect, &complaint), 0);
    f.context.callback = callback_free(f.context.callback);

    /* The listeners of a reload come with the next start. */
    f.settings.listener_count = 0;
    assert_int_equal(callback_new(&f.context, false, &f.context.callback), 0);
    assert_int_equal(callback_hold(f.context.callback, redirect, &complaint), CALLBACK_NOT_HELD);
    assert_non_null(strstr(complaint.text, "restart"));
    fixture_stop(&f);
}

/* "localhost" is both families, and shares a socket with "127.0.0.1". */
static void test_localhost(void **state)
{
    struct fixture f;
    struct complaint complaint = { "" };
    char text[FIXTURE_TEXT_MAX], uri[64];
    fixture_start(&f, free_port());
    struct callback_listener listeners[] = {
        { .both_families = true, .address = "localhost", .port = f.port },
        { .address = "127.0.0.1", .port = f.port },
    };
    f.settings.listeners = listeners;
    f.settings.listener_count = LENGTH_OF(listeners);
    assert_int_equal(callback_new(&f.context, true, &f.context.callback), 0);
    health(f.context.callback, text);
    assert_null(strstr(text, "\"bound\":false"));
    (void)snprintf(uri, sizeof(uri), "http://localhost:%u/x", (unsigned)f.port);
    assert_int_equal(callback_hold(f.context.callback, uri, &complaint), 0);

    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(f.port) };
    address.sin6_addr = in6addr_loopback;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    /* Either ::1 is held, or health says that there is none. */
    assert_int_equal(connected, strstr(text, "no IPv6") == NULL);
    if (fd >= 0)
        (void)close(fd);
    fixture_stop(&f);
}

static void send_certificate(struct fixture *f, int64_t now_s, bool with_leaf)
{
    CLEANUP(cleanup_certified) struct certified *root = NULL;
    CLEANUP(cleanup_message) struct message *letter = message_new(CERTIFICATE);
    assert_non_null(letter);
    assert_int_equal(local_ca_new(now_s, &root), 0);
    assert_int_equal(certificate_look(root->certificate, &letter->authority_facts), 0);
    letter->authority = strdup(root->certificate);
    if (with_leaf)
        assert_int_equal(local_ca_issue(root, local_ca_names, now_s, &letter->certified), 0);
    callback_take_certificate(f->context.callback, letter);
}

/* An https address is bound once there is a certificate, and one that has ended is told of. */
static void test_certificate(void **state)
{
    const int64_t now_s = time(NULL), long_ago_s = now_s - (int64_t)100 * 24 * 60 * 60;
    const struct certificate_facts *facts = NULL;
    struct fixture f;
    struct complaint complaint = { "" };
    char text[FIXTURE_TEXT_MAX], uri[64];
    fixture_start(&f, free_port());
    f.listener.https = true;
    (void)snprintf(uri, sizeof(uri), "https://127.0.0.1:%u/x", (unsigned)f.port);
    assert_int_equal(callback_new(&f.context, true, &f.context.callback), 0);
    assert_null(callback_authority(f.context.callback, &facts));
    assert_int_equal(callback_hold(f.context.callback, uri, &complaint), CALLBACK_NOT_HELD);
    assert_non_null(strstr(complaint.text, "no certificate for https yet"));

    send_certificate(&f, now_s, false);
    assert_non_null(callback_authority(f.context.callback, &facts));
    assert_int_equal(strlen(facts->fingerprint), CERTIFICATE_FINGERPRINT_SIZE - 1);
    health(f.context.callback, text);
    assert_non_null(strstr(text, "\"bound\":false,\"problem\":\"there is no certificate"));

    send_certificate(&f, long_ago_s, true);
    health(f.context.callback, text);
    assert_non_null(strstr(text, "\"bound\":true,\"problem\":\"the certificate has expired\""));
    send_certificate(&f, now_s, true);
    health(f.context.callback, text);
    assert_non_null(strstr(text, "\"bound\":true}"));
    assert_int_equal(callback_hold(f.context.callback, uri, &complaint), 0);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_while_pending),
        cmocka_unit_test(test_port_is_taken),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_public_reach),
        cmocka_unit_test(test_public_port_is_taken),
        cmocka_unit_test(test_localhost),
        cmocka_unit_test(test_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
