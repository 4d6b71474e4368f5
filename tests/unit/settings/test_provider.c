#include "oauth/provider.h"

#include <stdio.h>

#include "support.h"

struct provider_row {
    const char *text;
    const char *refused;
};

#define ISSUER "issuer = 'https://p.example' "
#define TOKEN "token_endpoint = 'https://p.example/t' "

static const struct provider_row rows[] = {
    { "provider p { client_id = x " ISSUER "}", NULL },
    { "provider p { client_id = x " TOKEN "authorization_endpoint = 'https://p.example/a' }",
      NULL },
    { "provider p {\n" ISSUER "}", "1: provider \"p\" needs client_id" },
    { "provider p { client_id = x }", "1: provider \"p\" needs token_endpoint or issuer" },
    { "provider p { client_id = x " TOKEN "}",
      "1: provider \"p\" needs authorization_endpoint or issuer" },
    { "provider p { grant = device_code client_id = x " TOKEN "}",
      "1: provider \"p\" needs device_authorization_endpoint or issuer" },
    { "provider p { grant = client_credentials client_id = x client_secret = s " TOKEN "}", NULL },
    { "provider p { grant = client_credentials client_id = x " TOKEN "}",
      "1: provider \"p\" needs client_secret, since the grant is client_credentials" },
    { "provider p { grant = static }", NULL },
    { "provider p { grant = static api_base = 'https://p.example' }", NULL },
    { "provider p { client_id = x client_auth = post " ISSUER "}",
      "1: provider \"p\" needs client_secret (or client_auth = none)" },
    { "provider p { client_id = x client_auth = none " ISSUER "}", NULL },
    { "provider p { client_id = x client_auth = none\n client_secret = s " ISSUER "}",
      "2: client_secret is never sent where client_auth is none" },
    { "provider p { client_id = x client_auth = private_key_jwt client_secret = 'file:/k' " ISSUER
      "}",
      NULL },
    { "provider p { client_id = x client_auth = private_key_jwt client_secret = 'file:/k' "
      "client_key_id = one " ISSUER "}",
      NULL },
    { "provider p { client_id = x client_auth = private_key_jwt " ISSUER "}",
      "1: provider \"p\" needs client_secret, the private key that signs" },
    { "provider p { client_id = x client_auth = tls client_certificate = '/c.pem' " ISSUER "}",
      NULL },
    { "provider p { client_id = x client_auth = tls client_certificate = '/c.pem' client_secret = "
      "'file:/k' " ISSUER "}",
      NULL },
    { "provider p { client_id = x client_auth = tls client_secret = 'file:/k' " ISSUER "}",
      "1: provider \"p\" needs client_certificate, since client_auth is tls" },
    { "provider p { client_id = x client_auth = tls\n client_certificate = 'c.pem' " ISSUER "}",
      "2: client_certificate must be an absolute path" },
    { "provider p { grant = client_credentials client_id = x client_auth = private_key_jwt "
      "client_secret = 'file:/k' " TOKEN "}",
      NULL },
    { "provider p {\n client_id = 'x:y' client_auth = basic_raw client_secret = s " ISSUER "}",
      "2: client_id must not hold \":\" where client_auth is basic_raw" },
    { "provider p { client_id = x\n issuer = 'https://p.example?a=b' }",
      "2: issuer must not hold \"?\"" },
    { "provider p { grant = device_code client_id = x " ISSUER "\nrefresh_params = redirect_uri }",
      "2: refresh_params asks for a redirect_uri that there is none of" },
    { "provider p { grant = client_credentials client_id = x client_secret = s " TOKEN
      "refresh_params = redirect_uri }",
      NULL },
    { "provider P {}", "1: provider \"P\" has no valid name: a-z, 0-9 and \"-\", at most 32" },
    { "provider a-provider-with-too-long-a-name-x {}",
      "1: provider \"a-provider-with-too-long-a-name-x\" has no valid name: a-z, 0-9 and \"-\", "
      "at most 32" },
    { "callback { listen = {} }\nprovider p { client_id = x " ISSUER "}",
      "2: provider \"p\" needs redirect_uri, since the callback listens nowhere" },
    { "callback { listen = {} }\nprovider p { client_id = x redirect_uri = "
      "'https://q.example/' " ISSUER "}",
      NULL },
    { "provider p { client_id = x redirect_uri = 'http://q.example/' " ISSUER "}",
      "1: redirect_uri must be https (plain http goes to loopback hosts only)" },
};

static void takes_or_refuses(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        check_row(i, rows[i].text, rows[i].refused);
}

struct redirect_row {
    const char *callback;
    const char *redirect_uri;
};

static const struct redirect_row redirect_rows[] = {
    { "", "http://127.0.0.1:8765/callback/p" },
    { "callback { listen = 'http://127.0.0.1:9000' }", "http://127.0.0.1:9000/callback/p" },
    { "callback { listen = 'http://localhost:9000' }", "http://127.0.0.1:9000/callback/p" },
    { "callback { listen = 'http://[::1]:9000' }", "http://[::1]:9000/callback/p" },
    { "callback { listen = {'https://localhost:9001', 'http://localhost:9000'} }",
      "http://127.0.0.1:9000/callback/p" },
    { "callback { listen = {'https://127.0.0.1:9001'} }", "https://localhost:9001/callback/p" },
    { "callback { public_url = 'https://hr.example/oauth/' }",
      "https://hr.example/oauth/callback/p" },
    { "callback { public_url = 'https://HR.example:443' }", "https://hr.example/callback/p" },
};

static void a_redirect_uri_is_made_of_the_callback(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(redirect_rows); i++) {
        char text[512];
        (void)snprintf(text, sizeof text, "%s provider p { client_id = x " ISSUER "}",
                       redirect_rows[i].callback);
        CLEANUP(cleanup_settings) struct settings *settings = parsed(text);
        if (strcmp(settings->providers[0]->redirect_uri, redirect_rows[i].redirect_uri) != 0)
            fail_row(i, settings->providers[0]->redirect_uri);
    }
}

static void only_a_browser_needs_a_redirect_uri(void **state)
{
    CLEANUP(cleanup_settings)
    struct settings *settings =
        parsed("provider p { grant = device_code client_id = x " ISSUER "}");
    assert_null(settings->providers[0]->redirect_uri);
}

static void has_defaults(void **state)
{
    CLEANUP(cleanup_settings) struct settings *settings = parsed_provider("");
    const struct provider *provider = settings->providers[0];
    assert_string_equal(provider->name, "p");
    assert_int_equal(provider->grant, GRANT_AUTHORIZATION_CODE);
    assert_int_equal(provider->client_auth, CLIENT_AUTH_NONE);
    assert_int_equal(provider->token_request, TOKEN_REQUEST_FORM);
    assert_int_equal(provider->pkce, PKCE_S256);
    assert_int_equal(provider->state, STATE_REQUIRED);
    assert_false(provider->iss_promised);
    assert_string_equal(provider->scope_separator, " ");
    assert_null(provider->scope);
    assert_null(provider->token_endpoint);
    assert_int_equal(provider->default_lifetime_ms, 0);
    assert_int_equal(provider->rate_limit_requests, 0);
    assert_int_equal(provider->keep, KEEP_ALWAYS);
}

static void a_secret_is_sent_by_basic_unless_told_otherwise(void **state)
{
    CLEANUP(cleanup_settings) struct settings *settings = parsed_provider("client_secret = s");
    assert_int_equal(settings->providers[0]->client_auth, CLIENT_AUTH_BASIC);
}

static void own_keys_replace_the_presets(void **state)
{
    CLEANUP(cleanup_settings)
    struct settings *settings =
        parsed("provider p { client_id = x client_secret = s preset = zenpayroll\n"
               "token_endpoint = 'http://127.0.0.1:1234/t' state = required\n"
               "refresh_params = {} }");
    const struct provider *provider = settings->providers[0];
    assert_string_equal(provider->token_endpoint, "http://127.0.0.1:1234/t");
    assert_string_equal(provider->authorization_endpoint, "https://zenpayroll.com/oauth/authorize");
    assert_int_equal(provider->state, STATE_REQUIRED);
    assert_int_equal(provider->refresh_params.count, 0);
    assert_string_equal(provider->present_in, "query");
    assert_int_equal(provider->client_auth, CLIENT_AUTH_POST);
}

static void literal_secrets_stay_private(void **state)
{
    struct complaint complaint;
    char wanted[COMPLAINT_MAX];
    const char *text = "provider p { client_id = x " ISSUER "\n client_secret = hunter2 }";
    write_file("tokenbroker.conf", text, 0644);
    assert_null(parse_folder(false, &complaint));
    const char *path = path_of("tokenbroker.conf");
    (void)snprintf(wanted, sizeof wanted,
                   "%s:2: client_secret stands here in clear and others can read the file: "
                   "chmod 600 %s",
                   path, path);
    assert_string_equal(complaint.text, wanted);
    assert_null(parse_folder(true, &complaint));
    assert_string_equal(complaint.text, wanted);
    write_file("tokenbroker.conf", text, 0600);
    CLEANUP(cleanup_settings) struct settings *settings = parse_folder(false, &complaint);
    assert_non_null(settings);
}

static void other_sources_may_be_read_by_all(void **state)
{
    static const char *const sources[] = { "file:/nowhere", "credential:x", "command:/bin/true" };
    for (size_t i = 0; i < LENGTH_OF(sources); i++) {
        struct complaint complaint;
        char text[256];
        (void)snprintf(text, sizeof text,
                       "provider p { client_id = x " ISSUER " client_secret = '%s' }", sources[i]);
        write_file("tokenbroker.conf", text, 0644);
        CLEANUP(cleanup_settings) struct settings *settings = parse_folder(false, &complaint);
        if (settings == NULL)
            fail_row(i, complaint.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_or_refuses),
        cmocka_unit_test(a_redirect_uri_is_made_of_the_callback),
        cmocka_unit_test(only_a_browser_needs_a_redirect_uri),
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(a_secret_is_sent_by_basic_unless_told_otherwise),
        cmocka_unit_test(own_keys_replace_the_presets),
        cmocka_unit_test(literal_secrets_stay_private),
        cmocka_unit_test(other_sources_may_be_read_by_all),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
