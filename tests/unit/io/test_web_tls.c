/* https: certificates, their renewal, and clients that do not play along. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "io/local_ca.h"
#include "web_harness.h"

enum { HEAD_TOO_LARGE = 48 * 1024, DAY_S = 24 * 60 * 60 };

static const char plain_request[] = "GET /a?b=c HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char slow_request[] = "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char renew_request[] = "GET /renew HTTP/1.1\r\nHost: localhost\r\n\r\n";

static struct certified *authority;
static struct web_tls *tls;
static struct harness harness;

static void serve(int64_t now_s)
{
    CLEANUP(cleanup_certified) struct certified *leaf = NULL;

    assert_int_equal(local_ca_issue(authority, local_ca_names, now_s, &leaf), 0);
    assert_int_equal(web_tls_set(tls, leaf->certificate, leaf->key), 0);
}

static int setup(void **state)
{
    bool locked;

    assert_int_equal(secret_start(&locked), 0);
    assert_int_equal(local_ca_new(time(NULL) - 2 * DAY_S, &authority), 0);
    assert_int_equal(web_tls_new(&tls), 0);
    assert_false(web_tls_ready(tls));
    serve(time(NULL) - DAY_S);
    assert_true(web_tls_ready(tls));
    harness_init(&harness, true);
    harness.options.tls = tls;
    *state = &harness;
    return 0;
}

static int teardown(void **state)
{
    harness_stop(*state);
    tls = web_tls_free(tls);
    authority = certified_free(authority);
    return 0;
}

/* --- handlers --- */

static void count_gone(void *userdata)
{
    struct harness *h = userdata;

    h->gone++;
    h->request = NULL;
}

static void answer_now(void *userdata)
{
    struct harness *h = userdata;

    web_answer(h->request,
               &(struct web_answer){
                   .status = 200, .content_type = "text/plain", .body = "slow", .length = 4 });
    h->request = NULL;
}

static void handle(void *userdata, struct web_request *request)
{
    struct harness *h = userdata;

    if (strcmp(web_path(request), "/renew") == 0)
        serve(time(NULL));
    if (strcmp(web_path(request), "/slow") != 0) {
        echo(userdata, request);
        return;
    }
    h->request = request;
    web_set_userdata(request, h);
    web_on_gone(request, count_gone);
    if (h->delay_ms < 0)
        return;
    assert_int_equal(loop_add_timer(h->loop, answer_now, h, &h->timer), 0);
    assert_int_equal(loop_timer_set(h->timer, h->delay_ms), 0);
}

/* --- a client that trusts the authority --- */

struct client {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    int64_t until_s; /* of the server's certificate */
};

static bool client_prepare(struct client *client, const char *priorities)
{
    const gnutls_datum_t pem = { .data = (unsigned char *)authority->certificate,
                                 .size = (unsigned)strlen(authority->certificate) };

    return gnutls_certificate_allocate_credentials(&client->credentials) == 0 &&
           gnutls_certificate_set_x509_trust_mem(client->credentials, &pem, GNUTLS_X509_FMT_PEM) ==
               1 &&
           gnutls_init(&client->session, GNUTLS_CLIENT) == 0 &&
           gnutls_priority_set_direct(client->session, priorities, NULL) == 0 &&
           gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->credentials) ==
               0 &&
           gnutls_server_name_set(client->session, GNUTLS_NAME_DNS, "localhost", 9) == 0;
}

static int64_t end_of_certificate(gnutls_session_t session)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    gnutls_x509_crt_t crt = NULL;

    if (!chain || count == 0 || gnutls_x509_crt_init(&crt) < 0)
        return 0;
    int64_t until_s = gnutls_x509_crt_import(crt, chain, GNUTLS_X509_FMT_DER) == 0
                          ? gnutls_x509_crt_get_expiration_time(crt)
                          : 0;
    gnutls_x509_crt_deinit(crt);
    return until_s;
}

static void client_close(struct client *client)
{
    if (client->session)
        gnutls_deinit(client->session);
    if (client->credentials)
        gnutls_certificate_free_credentials(client->credentials);
    cleanup_fd(&client->fd);
    *client = (struct client){ .fd = -1 };
}

/* False when the server cannot be reached or is not trusted. */
static bool client_open(const struct harness *h, const char *priorities, struct client *client)
{
    *client = (struct client){ .fd = client_connect(h) };
    int r = GNUTLS_E_AGAIN;

    if (client->fd < 0 || !client_prepare(client, priorities))
        return false;
    gnutls_session_set_verify_cert(client->session, "localhost", 0);
    gnutls_transport_set_int(client->session, client->fd);
    gnutls_handshake_set_timeout(client->session, CLIENT_TIMEOUT_S * 1000);
    while (r < 0 && !gnutls_error_is_fatal(r))
        r = gnutls_handshake(client->session);
    client->until_s = r == 0 ? end_of_certificate(client->session) : 0;
    return r == 0;
}

static bool client_put(struct client *client, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t sent = gnutls_record_send(client->session, text, length);
        if (sent <= 0)
            return false;
        text += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* The status of the reply, 0 when there is none; text gets what came of it at first. */
static int client_status(struct client *client, char text[static REPLY_HEAD_MAX])
{
    size_t length = 0;
    int status = 0;

    while (length < REPLY_HEAD_MAX - 1) {
        ssize_t got =
            gnutls_record_recv(client->session, text + length, REPLY_HEAD_MAX - 1 - length);
        if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED)
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
        text[length] = '\0';
        const char *body = strstr(text, "\r\n\r\n");
        const char *size = strcasestr(text, "Content-Length: ");
        if (body && size && strlen(body + 4) >= strtoul(size + 16, NULL, 10))
            break;
    }
    text[length] = '\0';
    return sscanf(text, "HTTP/1.1 %d ", &status) == 1 ? status : 0;
}

static bool ask(struct client *client, const char *request, int status, const char *says)
{
    char text[REPLY_HEAD_MAX];

    return client_put(client, request, strlen(request)) && client_status(client, text) == status &&
           strstr(text, says);
}

static inline void cleanup_client(struct client *client)
{
    client_close(client);
}

static void run(void **state, int (*client)(struct harness *h))
{
    harness_start(*state, handle);
    harness_run(*state, client);
}

/* --- tests --- */

static int ask_in_turn(struct harness *h)
{
    CLEANUP(cleanup_client) struct client client = { .fd = -1 };

    CHECK(client_open(h, "NORMAL", &client));
    CHECK(gnutls_protocol_get_version(client.session) == GNUTLS_TLS1_3);
    for (int i = 0; i < 3; i++)
        CHECK(ask(&client, plain_request, 200, "GET /a?b=c\n"));
    CHECK(ask(&client, slow_request, 200, "slow"));
    CHECK(ask(&client, plain_request, 200, "GET /a?b=c\n"));
    return 0;
}

static void test_requests(void **state)
{
    struct harness *h = *state;

    h->delay_ms = 20;
    run(state, ask_in_turn);
}

static int try_versions(struct harness *h)
{
    static const struct {
        const char *priorities;
        bool should_fail;
    } rows[] = {
        { "NORMAL:-VERS-ALL:+VERS-TLS1.3", false },
        { "NORMAL:-VERS-ALL:+VERS-TLS1.2", false },
        { "NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT", true },
        { "NORMAL:-VERS-ALL:+VERS-TLS1.0:%COMPAT", true },
        { "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC", true },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(cleanup_client) struct client client = { .fd = -1 };
        if (client_open(h, rows[i].priorities, &client) == rows[i].should_fail)
            return (int)(__LINE__ * 100 + (int)i);
        CHECK(rows[i].should_fail || ask(&client, plain_request, 200, "GET /a"));
    }
    return 0;
}

static void test_versions(void **state)
{
    run(state, try_versions);
}

static int renew(struct harness *h)
{
    CLEANUP(cleanup_client) struct client before = { .fd = -1 };
    CLEANUP(cleanup_client) struct client after = { .fd = -1 };

    CHECK(client_open(h, "NORMAL", &before));
    CHECK(ask(&before, renew_request, 200, "GET /renew"));
    CHECK(client_open(h, "NORMAL", &after));
    CHECK(after.until_s >= before.until_s + DAY_S);
    /* Who was connected stays so. */
    CHECK(ask(&before, plain_request, 200, "GET /a"));
    CHECK(ask(&after, plain_request, 200, "GET /a"));
    return 0;
}

static void test_renewal(void **state)
{
    run(state, renew);
}

static int plain_bytes(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    CLEANUP(cleanup_client) struct client client = { .fd = -1 };
    int64_t begun = client_now_ms();
    char bytes[512];

    CHECK(fd >= 0 && client_send_text(fd, plain_request));
    while (recv(fd, bytes, sizeof bytes, 0) > 0) /* an alert may come */
        ;
    CHECK(client_now_ms() - begun < 5000);
    CHECK(client_open(h, "NORMAL", &client) && ask(&client, plain_request, 200, "GET /a"));
    return 0;
}

static void test_plain_bytes(void **state)
{
    run(state, plain_bytes);
}

/* A handshake that was made in time does not give the request more time. */
static int dawdle_later(struct harness *h)
{
    CLEANUP(cleanup_client) struct client client = { .fd = -1 };
    int64_t begun = client_now_ms();
    char text[REPLY_HEAD_MAX];

    CHECK(client_open(h, "NORMAL", &client));
    CHECK(client_put(&client, plain_request, 10));
    CHECK(client_status(&client, text) == 0);
    CHECK(client_now_ms() - begun < 6000);
    return 0;
}

static void test_half_a_request(void **state)
{
    struct harness *h = *state;

    h->options.request_deadline_s = 1;
    run(state, dawdle_later);
}

/* A connection that has begun a handshake: without a byte the server takes it much later. */
static int begin_handshake(struct harness *h)
{
    int fd = client_connect(h);

    return fd >= 0 && send(fd, "\x16", 1, MSG_NOSIGNAL) == 1 ? fd : -1;
}

/* Who has been sending for longest gives way, long before its deadline. */
static int fill_up(struct harness *h)
{
    CLEANUP(cleanup_fd) int one = begin_handshake(h);
    client_sleep_ms(50);
    CLEANUP(cleanup_fd) int two = begin_handshake(h);
    CLEANUP(cleanup_client) struct client client = { .fd = -1 };
    char byte;

    CHECK(one >= 0 && two >= 0);
    client_sleep_ms(50);
    CHECK(client_open(h, "NORMAL", &client) && ask(&client, plain_request, 200, "GET /a"));
    CHECK(client_at_end(one));
    CHECK(recv(two, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    return 0;
}

static void test_full(void **state)
{
    struct harness *h = *state;

    h->options.connections_max = 2;
    run(state, fill_up);
}

/* 17000: fits the library's memory, but leaves no room for an answer; 40000: does not fit. */
static int too_large(struct harness *h)
{
    static const struct {
        int length;
        const char *says;
    } rows[] = { { 17000, "the header lines are too large" }, { 40000, "" } };
    static char request[HEAD_TOO_LARGE];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(cleanup_client) struct client client = { .fd = -1 };
        char text[REPLY_HEAD_MAX];
        int length =
            snprintf(request, sizeof request,
                     "GET / HTTP/1.1\r\nHost: localhost\r\nX: %0*d\r\n\r\n", rows[i].length, 0);
        CHECK(client_open(h, "NORMAL", &client));
        (void)client_put(&client, request, (size_t)length);
        CHECK(client_status(&client, text) == 431);
        CHECK(strstr(text, rows[i].says));
    }
    return 0;
}

static void test_head_too_large(void **state)
{
    run(state, too_large);
}

static int without_certificate(struct harness *h)
{
    CLEANUP(cleanup_client) struct client client = { .fd = -1 };

    for (int i = 0; i < 3; i++) {
        CHECK(!client_open(h, "NORMAL", &client));
        client_close(&client);
    }
    return 0;
}

static void test_without_certificate(void **state)
{
    struct web_tls *empty = NULL;
    struct harness *h = *state;

    assert_int_equal(web_tls_new(&empty), 0);
    h->options.tls = empty;
    run(state, without_certificate);
    h->server = web_server_free(h->server);
    assert_null(web_tls_free(empty));
    assert_null(web_tls_free(NULL));
}

static int hang_up(struct harness *h)
{
    CLEANUP(cleanup_client) struct client client = { .fd = -1 };
    CLEANUP(cleanup_client) struct client other = { .fd = -1 };

    CHECK(client_open(h, "NORMAL", &client));
    CHECK(client_put(&client, slow_request, strlen(slow_request)));
    client_sleep_ms(100);
    client_close(&client);
    client_sleep_ms(100);
    CHECK(client_open(h, "NORMAL", &other) && ask(&other, plain_request, 200, "GET /a"));
    return 0;
}

static void test_hang_up(void **state)
{
    struct harness *h = *state;

    h->delay_ms = -1;
    run(state, hang_up);
    assert_int_equal(h->gone, 1);
}

static int leave_waiting(struct harness *h)
{
    static struct client client; /* lives on: the server ends first */

    CHECK(client_open(h, "NORMAL", &client));
    CHECK(client_put(&client, slow_request, strlen(slow_request)));
    client_sleep_ms(200);
    gnutls_deinit(client.session);
    gnutls_certificate_free_credentials(client.credentials);
    return 0;
}

static void test_free_while_waiting(void **state)
{
    struct harness *h = *state;

    h->delay_ms = -1;
    run(state, leave_waiting);
    h->server = web_server_free(h->server);
    assert_int_equal(h->gone, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_requests),       TEST(test_versions),
        TEST(test_renewal),        TEST(test_plain_bytes),

        TEST(test_half_a_request), TEST(test_full),
        TEST(test_head_too_large), TEST(test_without_certificate),
        TEST(test_hang_up),        TEST(test_free_while_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
