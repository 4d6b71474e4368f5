/* What proves the client in each request: an exchange, a refresh, a revocation. */

#include "fixture.h"

#include "../shell.h"

#define JWT "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"

/* A PEM key as the fixture's client secret. */
static bool set_key(struct stage *stage, const char *line)
{
    struct shell shell;
    shell_begin(&shell);
    bool made = shell_run(&shell, line);
    if (made) {
        secret_free(stage->settings->credentials[0].client_secret);
        stage->settings->credentials[0].client_secret = shell_secret(&shell, "key.pem");
    }
    shell_end(&shell);
    return made;
}

static void every_request_has_an_assertion_of_its_own(void **state)
{
    struct stage *stage = *state;
    set_revocation_endpoint(stage);
    acme(stage)->client_auth = CLIENT_AUTH_PRIVATE_KEY_JWT;
    if (!set_key(stage, "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 "
                        "-out key.pem"))
        skip();
    server_script(stage->server, (struct canned){ .match = "/revoke", .status = 200 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    message_free(answer(stage, ask_exchange(stage, "a", "code-secret-1", NULL)));
    assert_int_equal(server_count(stage->server, JWT), 1);
    rest(1100);
    expect_token(stage, ask(stage, ASK_REFRESH, "a"), "at-secret-2");
    assert_int_equal(server_count(stage->server, JWT), 2);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, "/revoke", 2));
    assert_int_equal(server_count(stage->server, JWT), 4);
    assert_int_equal(server_count(stage->server, "PRIVATE"), 0);
    assert_int_equal(server_count(stage->server, "client_secret"), 0);
    assert_int_equal(server_count(stage->server, "Authorization"), 0);
}

/* The configuration would not let it in; if it comes all the same, nothing is sent. */
static void a_bad_key_sends_nothing(void **state)
{
    struct stage *stage = *state;
    acme(stage)->client_auth = CLIENT_AUTH_PRIVATE_KEY_JWT;
    if (!set_key(stage, "printf bad > key.pem"))
        skip();
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    start(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_PROVIDER_UNAVAILABLE);
    assert_int_equal(server_count(stage->server, NULL), 0);
    assert_int_not_equal(ask_state(stage, "a"), ACCOUNT_CONSENT_REQUIRED);
}

static void a_certificates_key_is_no_parameter(void **state)
{
    struct stage *stage = *state;
    acme(stage)->client_auth = CLIENT_AUTH_TLS;
    assert_int_equal(parameters_add(&acme(stage)->refresh_params, "client_secret", ""), 0);
    if (!set_key(stage, "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                        "-days 2 -subj /CN=x -keyout k -out c && cat c k > key.pem"))
        skip();
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    assert_int_equal(server_count(stage->server, "client_id="), 1);
    assert_int_equal(server_count(stage->server, "client_secret"), 0);
    assert_int_equal(server_count(stage->server, "PRIVATE"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_request_has_an_assertion_of_its_own),
        TEST(a_bad_key_sends_nothing),
        TEST(a_certificates_key_is_no_parameter),
    };
    return RUN(tests);
}
