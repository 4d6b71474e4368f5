#include "oauth/provider.h"

#include "support.h"

/* Every string member, so that one that a copy forgets is noticed. */
#define STRINGS(X)                                                                                 \
    X(issuer)                                                                                      \
    X(authorization_endpoint)                                                                      \
    X(token_endpoint)                                                                              \
    X(refresh_endpoint)                                                                            \
    X(revocation_endpoint)                                                                         \
    X(device_authorization_endpoint)                                                               \
    X(pushed_authorization_request_endpoint)                                                       \
    X(redirect_uri)                                                                                \
    X(client_id)                                                                                   \
    X(client_key_id)                                                                               \
    X(client_certificate)                                                                          \
    X(scope)                                                                                       \
    X(scope_separator)                                                                             \
    X(identity)                                                                                    \
    X(present_in)                                                                                  \
    X(present_name)                                                                                \
    X(present_scheme)                                                                              \
    X(api_base)                                                                                    \
    X(ca_file)                                                                                     \
    X(proxy)

static struct provider *whole_provider(void)
{
    struct provider *provider = calloc(1, sizeof(*provider));
    assert_non_null(provider);
    memcpy(provider->name, "zenegy", sizeof("zenegy"));
#define SET(member)                                                                                \
    provider->member = strdup(#member);                                                            \
    assert_non_null(provider->member);
    STRINGS(SET)
#undef SET
    provider->grant = GRANT_DEVICE_CODE;
    provider->pkce = PKCE_PLAIN;
    provider->iss_promised = true;
    provider->retry_grace_ms = 1800000;
    provider->rate_limit_requests = 15;
    provider->concurrency = 3;
    assert_int_equal(parameters_add(&provider->resource, "resource", "urn:a"), 0);
    assert_int_equal(parameters_add(&provider->authorize_params, "a", "1"), 0);
    assert_int_equal(parameters_add(&provider->token_params, "b", "2"), 0);
    assert_int_equal(parameters_add(&provider->refresh_params, "redirect_uri", ""), 0);
    return provider;
}

static void copies_deeply(void **state)
{
    struct provider *provider = whole_provider();
    CLEANUP(cleanup_provider) struct provider *copy = NULL;
    assert_int_equal(provider_copy(provider, &copy), 0);
#define DIFFER(member) assert_ptr_not_equal(copy->member, provider->member);
    STRINGS(DIFFER)
#undef DIFFER
    /* Whatever the copy shares with the original is caught by the address sanitizer below. */
    assert_null(provider_free(provider));
#define CHECK(member) assert_string_equal(copy->member, #member);
    STRINGS(CHECK)
#undef CHECK
    assert_string_equal(copy->name, "zenegy");
    assert_int_equal(copy->grant, GRANT_DEVICE_CODE);
    assert_int_equal(copy->pkce, PKCE_PLAIN);
    assert_true(copy->iss_promised);
    assert_int_equal(copy->retry_grace_ms, 1800000);
    assert_int_equal(copy->rate_limit_requests, 15);
    assert_int_equal(copy->concurrency, 3);
    assert_string_equal(parameters_find(&copy->resource, "resource"), "urn:a");
    assert_string_equal(parameters_find(&copy->authorize_params, "a"), "1");
    assert_string_equal(parameters_find(&copy->token_params, "b"), "2");
    assert_string_equal(parameters_find(&copy->refresh_params, "redirect_uri"), "");
}

static void copies_an_empty_one(void **state)
{
    struct provider empty = { .name = "x" };
    CLEANUP(cleanup_provider) struct provider *copy = NULL;
    assert_int_equal(provider_copy(&empty, &copy), 0);
    assert_null(copy->issuer);
    assert_null(copy->refresh_params.items);
    assert_int_equal(copy->refresh_params.count, 0);
}

static void what_is_discovered_does_not_change_the_fingerprint(void **state)
{
    char before[FINGERPRINT_SIZE], after[FINGERPRINT_SIZE];
    CLEANUP(cleanup_provider) struct provider *found = whole_provider();
    CLEANUP(cleanup_provider) struct provider *provider = NULL;
    assert_int_equal(provider_copy(&(struct provider){ .name = "x" }, &provider), 0);
    provider_fingerprint(provider, before);
    assert_int_equal(provider_take_discovered(provider, found), 0);
    assert_string_equal(provider->token_endpoint, "token_endpoint");
    provider_fingerprint(provider, after);
    assert_string_equal(after, before);
    provider_fingerprint(found, after);
    assert_string_not_equal(after, before);
}

static void the_audience_is_client_and_server(void **state)
{
    const struct provider one = { .issuer = (char[]){ "a" }, .client_id = (char[]){ "b" } };
    static const struct {
        const char *issuer, *token_endpoint, *client_id, *redirect_uri;
        bool same;
    } rows[] = {
        { "a", NULL, "b", NULL, true },  { "a", NULL, "b", "r", true },
        { "a", NULL, "x", NULL, false }, { "x", NULL, "b", NULL, false },
        { "a", "t", "b", NULL, false },  { "b", NULL, "a", NULL, false },
    };
    char first[FINGERPRINT_SIZE], other[FINGERPRINT_SIZE];
    provider_audience(&one, first);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct provider provider = { .issuer = (char *)rows[i].issuer,
                                           .token_endpoint = (char *)rows[i].token_endpoint,
                                           .client_id = (char *)rows[i].client_id,
                                           .redirect_uri = (char *)rows[i].redirect_uri };
        provider_audience(&provider, other);
        assert_int_equal(strcmp(first, other) == 0, rows[i].same);
    }
}

static void frees_nothing(void **state)
{
    assert_null(provider_free(NULL));
    parameters_release(NULL);
    struct parameters none = { 0 };
    parameters_release(&none);
}

static void finds_parameters(void **state)
{
    CLEANUP(cleanup_parameters) struct parameters parameters = { 0 };
    assert_null(parameters_find(&parameters, "a"));
    assert_int_equal(parameters_add(&parameters, "a", "1"), 0);
    assert_int_equal(parameters_add(&parameters, "A", ""), 0);
    assert_int_equal(parameters.count, 2);
    assert_string_equal(parameters_find(&parameters, "a"), "1");
    assert_string_equal(parameters_find(&parameters, "A"), "");
    assert_null(parameters_find(&parameters, ""));
}

static void copies_parameters(void **state)
{
    struct parameters from = { 0 };
    CLEANUP(cleanup_parameters) struct parameters copy = { 0 };
    for (int i = 0; i < 50; i++)
        assert_int_equal(parameters_add(&from, "name", "value"), 0);
    assert_int_equal(parameters_copy(&from, &copy), 0);
    assert_ptr_not_equal(copy.items, from.items);
    parameters_release(&from);
    assert_null(from.items);
    assert_int_equal(from.count, 0);
    assert_int_equal(copy.count, 50);
    assert_string_equal(copy.items[49].value, "value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_deeply),
        cmocka_unit_test(copies_an_empty_one),
        cmocka_unit_test(what_is_discovered_does_not_change_the_fingerprint),
        cmocka_unit_test(the_audience_is_client_and_server),
        cmocka_unit_test(frees_nothing),
        cmocka_unit_test(finds_parameters),
        cmocka_unit_test(copies_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
