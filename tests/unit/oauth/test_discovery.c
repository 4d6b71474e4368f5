#include "oauth/discovery.h"

#include "support.h"

static void makes_addresses(void **state)
{
    static const struct {
        const char *issuer;
        unsigned attempt;
        const char *url;
    } rows[] = {
        { "https://h", 0, "https://h/.well-known/openid-configuration" },
        { "https://h/", 0, "https://h/.well-known/openid-configuration" },
        { "https://h/t/1", 0, "https://h/t/1/.well-known/openid-configuration" },
        { "https://h/t/1/", 0, "https://h/t/1/.well-known/openid-configuration" },
        { "https://h", 1, "https://h/.well-known/oauth-authorization-server" },
        { "https://h/", 1, "https://h/.well-known/oauth-authorization-server" },
        { "https://h:81/t/1", 1, "https://h:81/.well-known/oauth-authorization-server/t/1" },
        { "https://h/t/1/", 1, "https://h/.well-known/oauth-authorization-server/t/1" },
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(DISCOVERY_URL_MAX);
        discovery_append_url(&out, rows[i].issuer, rows[i].attempt);
        assert_string_equal(buffer_text(&out), rows[i].url);
    }
}

#define ISSUER "\"issuer\":\"https://h\""
#define AUTHORIZE "\"authorization_endpoint\":\"https://h/authorize\""
#define TOKEN "\"token_endpoint\":\"https://h/token\""

struct row {
    const char *body;
    enum grant_type grant;
    bool should_fail;
    const char *complaint; /* a part of it */
};

static const struct row rows[] = {
    { "{" ISSUER "," AUTHORIZE "," TOKEN "}", GRANT_AUTHORIZATION_CODE },
    { "{" ISSUER "," TOKEN "}", GRANT_CLIENT_CREDENTIALS },
    { "{" ISSUER "," TOKEN ",\"device_authorization_endpoint\":\"https://h/device\"}",
      GRANT_DEVICE_CODE },
    { "{" ISSUER "," TOKEN ",\"revocation_endpoint\":7}", GRANT_CLIENT_CREDENTIALS },
    { "{" ISSUER ",\"token_endpoint\":\"http://127.0.0.1:9/token\"}", GRANT_CLIENT_CREDENTIALS },
    { "", GRANT_AUTHORIZATION_CODE, true, "not JSON" },
    { "<html>", GRANT_AUTHORIZATION_CODE, true, "not JSON" },
    { "[]", GRANT_AUTHORIZATION_CODE, true, "issuer ''" },
    { "{" AUTHORIZE "," TOKEN "}", GRANT_AUTHORIZATION_CODE, true, "issuer ''" },
    { "{\"issuer\":\"https://h/\"," AUTHORIZE "," TOKEN "}", GRANT_AUTHORIZATION_CODE, true,
      "issuer 'https://h/'" },
    { "{\"issuer\":\"https://evil\\u001b[2J\"," AUTHORIZE "," TOKEN "}", GRANT_AUTHORIZATION_CODE,
      true, "issuer 'https://evil [2J'" },
    { "{" ISSUER "," ISSUER "," AUTHORIZE "," TOKEN "}", GRANT_AUTHORIZATION_CODE, true, "twice" },
    { "{" ISSUER "," AUTHORIZE "}", GRANT_AUTHORIZATION_CODE, true,
      "p: token_endpoint stands neither" },
    { "{" ISSUER "," TOKEN "}", GRANT_AUTHORIZATION_CODE, true,
      "p: authorization_endpoint stands neither" },
    { "{" ISSUER "," TOKEN "}", GRANT_DEVICE_CODE, true,
      "p: device_authorization_endpoint stands neither" },
    { "{" ISSUER "," AUTHORIZE ",\"token_endpoint\":\"http://h/token\"}", GRANT_AUTHORIZATION_CODE,
      true, "token_endpoint 'http://h/token' is no https" },
    { "{" ISSUER "," AUTHORIZE ",\"token_endpoint\":\"/token\"}", GRANT_AUTHORIZATION_CODE, true,
      "token_endpoint '/token' is no https" },
    { "{" ISSUER "," TOKEN ",\"authorization_endpoint\":\"javascript:alert(1)\"}",
      GRANT_AUTHORIZATION_CODE, true, "authorization_endpoint" },
    { "{" ISSUER "," AUTHORIZE "," TOKEN ",\"revocation_endpoint\":\"http://h/revoke\"}",
      GRANT_AUTHORIZATION_CODE, true, "revocation_endpoint" },
};

static void reads_documents(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char issuer[] = "https://h";
        struct provider provider = { .name = "p", .issuer = issuer, .grant = rows[i].grant };
        struct complaint complaint = { "" };
        int r = discovery_apply(&provider, rows[i].body, strlen(rows[i].body), &complaint);
        if (r != (rows[i].should_fail ? DISCOVERY_INVALID : 0))
            print_error("row: %s\n", rows[i].body);
        assert_int_equal(r, rows[i].should_fail ? DISCOVERY_INVALID : 0);
        if (rows[i].should_fail) {
            if (strstr(complaint.text, rows[i].complaint) == NULL)
                print_error("row: %s: %s\n", rows[i].body, complaint.text);
            assert_non_null(strstr(complaint.text, rows[i].complaint));
            assert_null(provider.token_endpoint);
            assert_null(provider.authorization_endpoint);
        } else {
            assert_non_null(provider.token_endpoint);
        }
        free(provider.token_endpoint);
        free(provider.authorization_endpoint);
        free(provider.device_authorization_endpoint);
        free(provider.revocation_endpoint);
    }
}

static void configuration_wins(void **state)
{
    static const char body[] =
        "{" ISSUER "," AUTHORIZE "," TOKEN ",\"revocation_endpoint\":\"https://h/revoke\","
        "\"authorization_response_iss_parameter_supported\":true}";
    CLEANUP(cleanup_provider) struct provider *provider = calloc(1, sizeof(*provider));
    provider->issuer = strdup("https://h");
    provider->token_endpoint = strdup("https://own/token");
    assert_int_equal(discovery_apply(provider, body, sizeof(body) - 1, NULL), 0);
    assert_string_equal(provider->token_endpoint, "https://own/token");
    assert_string_equal(provider->authorization_endpoint, "https://h/authorize");
    assert_string_equal(provider->revocation_endpoint, "https://h/revoke");
    assert_null(provider->device_authorization_endpoint);
    assert_true(provider->iss_promised);
}

static void what_is_found_does_not_change_the_fingerprint(void **state)
{
    static const char body[] = "{" ISSUER "," AUTHORIZE "," TOKEN "}";
    char before[FINGERPRINT_SIZE], after[FINGERPRINT_SIZE];
    CLEANUP(cleanup_provider) struct provider *provider = calloc(1, sizeof(*provider));
    provider->issuer = strdup("https://h");
    provider_fingerprint(provider, before);
    assert_int_equal(discovery_apply(provider, body, sizeof(body) - 1, NULL), 0);
    provider_fingerprint(provider, after);
    assert_non_null(provider->token_endpoint);
    assert_string_equal(after, before);
}

static void keeps_a_configured_promise(void **state)
{
    static const char body[] = "{" ISSUER "," AUTHORIZE "," TOKEN
                               ",\"authorization_response_iss_parameter_supported\":false}";
    CLEANUP(cleanup_provider) struct provider *provider = calloc(1, sizeof(*provider));
    provider->issuer = strdup("https://h");
    provider->iss_promised = true;
    assert_int_equal(discovery_apply(provider, body, sizeof(body) - 1, NULL), 0);
    assert_true(provider->iss_promised);
}

static void caps_the_document(void **state)
{
    static const char document[] = "{" ISSUER "," TOKEN "}";
    char issuer[] = "https://h", endpoint[] = "https://h/own";
    struct provider provider = {
        .name = "p", .issuer = issuer, .token_endpoint = endpoint, .grant = GRANT_CLIENT_CREDENTIALS
    };
    char *padded = repeated(' ', DISCOVERY_MAX + 1);
    memcpy(padded, document, sizeof(document) - 1);
    assert_int_equal(discovery_apply(&provider, padded, DISCOVERY_MAX, NULL), 0);
    assert_int_equal(discovery_apply(&provider, padded, DISCOVERY_MAX + 1, NULL),
                     DISCOVERY_INVALID);
    free(padded);
}

/* RFC 9126 5: requests are pushed where the server requires it, or the configuration says so. */
static void finds_out_whether_to_push(void **state)
{
#define PUSH ",\"pushed_authorization_request_endpoint\":\"https://h/par\""
#define REQUIRED ",\"require_pushed_authorization_requests\":true"
#define BAD_PUSH ",\"pushed_authorization_request_endpoint\":\"http://h/par\""
    static char own[] = "https://own/par";
    static const struct {
        const char *body;
        enum grant_type grant;
        char *configured;
        const char *endpoint;
        bool should_fail;
    } push_rows[] = {
        { "{" ISSUER "," AUTHORIZE "," TOKEN PUSH "}", GRANT_AUTHORIZATION_CODE, NULL, NULL,
          false },
        { "{" ISSUER "," AUTHORIZE "," TOKEN BAD_PUSH "}", GRANT_AUTHORIZATION_CODE, NULL, NULL,
          false },
        { "{" ISSUER "," AUTHORIZE "," TOKEN PUSH REQUIRED "}", GRANT_AUTHORIZATION_CODE, NULL,
          "https://h/par", false },
        { "{" ISSUER "," AUTHORIZE "," TOKEN PUSH REQUIRED "}", GRANT_AUTHORIZATION_CODE, own, own,
          false },
        { "{" ISSUER "," AUTHORIZE "," TOKEN "}", GRANT_AUTHORIZATION_CODE, own, own, false },
        { "{" ISSUER "," AUTHORIZE "," TOKEN REQUIRED "}", GRANT_AUTHORIZATION_CODE, NULL, NULL,
          true },
        { "{" ISSUER "," AUTHORIZE "," TOKEN BAD_PUSH REQUIRED "}", GRANT_AUTHORIZATION_CODE, NULL,
          NULL, true },
        { "{" ISSUER "," TOKEN REQUIRED "}", GRANT_CLIENT_CREDENTIALS, NULL, NULL, false },
    };
    for (size_t i = 0; i < LENGTH_OF(push_rows); i++) {
        struct complaint complaint = { "" };
        struct provider *provider = calloc(1, sizeof(*provider));
        assert_non_null(provider);
        provider->issuer = strdup("https://h");
        provider->grant = push_rows[i].grant;
        if (push_rows[i].configured != NULL)
            provider->pushed_authorization_request_endpoint = strdup(push_rows[i].configured);
        int r = discovery_apply(provider, push_rows[i].body, strlen(push_rows[i].body), &complaint);
        assert_int_equal(r, push_rows[i].should_fail ? DISCOVERY_INVALID : 0);
        assert_text(provider->pushed_authorization_request_endpoint, push_rows[i].endpoint);
        provider_free(provider);
    }
}

/* RFC 8705 5: a client with a certificate goes to the aliases, any other one does not. */
static void finds_aliases(void **state)
{
    static const char with_aliases[] =
        "{" ISSUER "," AUTHORIZE "," TOKEN ",\"revocation_endpoint\":\"https://h/revoke\","
        "\"mtls_endpoint_aliases\":{\"token_endpoint\":\"https://mtls.h/token\"}}";
    static const char with_a_bad_one[] =
        "{" ISSUER "," AUTHORIZE "," TOKEN ","
        "\"mtls_endpoint_aliases\":{\"token_endpoint\":\"http://mtls.h/token\"}}";
    static const char with_odd_ones[] =
        "{" ISSUER "," AUTHORIZE "," TOKEN ",\"mtls_endpoint_aliases\":[1]}";
    static char own[] = "https://own/token";
    static const struct {
        const char *body;
        enum client_auth client_auth;
        char *configured;
        const char *token_endpoint; /* NULL: refused */
    } alias_rows[] = {
        { with_aliases, CLIENT_AUTH_TLS, NULL, "https://mtls.h/token" },
        { with_aliases, CLIENT_AUTH_POST, NULL, "https://h/token" },
        { with_aliases, CLIENT_AUTH_TLS, own, own },
        { with_a_bad_one, CLIENT_AUTH_TLS, NULL, NULL },
        { with_a_bad_one, CLIENT_AUTH_POST, NULL, "https://h/token" },
        { with_odd_ones, CLIENT_AUTH_TLS, NULL, "https://h/token" },
    };
    for (size_t i = 0; i < LENGTH_OF(alias_rows); i++) {
        struct complaint complaint = { "" };
        struct provider *provider = calloc(1, sizeof(*provider));
        assert_non_null(provider);
        provider->issuer = strdup("https://h");
        provider->client_auth = alias_rows[i].client_auth;
        provider->token_endpoint =
            alias_rows[i].configured ? strdup(alias_rows[i].configured) : NULL;
        int r =
            discovery_apply(provider, alias_rows[i].body, strlen(alias_rows[i].body), &complaint);
        assert_int_equal(r, alias_rows[i].token_endpoint ? 0 : DISCOVERY_INVALID);
        assert_text(provider->token_endpoint, alias_rows[i].token_endpoint);
        assert_text(provider->revocation_endpoint,
                    alias_rows[i].body == with_aliases ? "https://h/revoke" : NULL);
        provider_free(provider);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_addresses),
        cmocka_unit_test(reads_documents),
        cmocka_unit_test(configuration_wins),
        cmocka_unit_test(what_is_found_does_not_change_the_fingerprint),
        cmocka_unit_test(keeps_a_configured_promise),
        cmocka_unit_test(caps_the_document),
        cmocka_unit_test(finds_aliases),
        cmocka_unit_test(finds_out_whether_to_push),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
