#include "oauth/authorize.h"

#include "support.h"

/* The verifier and challenge of RFC 7636, appendix B. */
static const char verifier_text[] = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
#define CHALLENGE "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

struct row {
    const char *endpoint;
    const char *redirect_uri;
    const char *provider_scope, *separator;
    const char *scope; /* of the request */
    enum pkce_method pkce;
    const char *provider_param[2], *param[2];
    const char *resource[2];
    const char *url;
};

#define BEGIN "https://h/a?response_type=code&client_id=id"
#define REDIRECT "&redirect_uri=http%3A%2F%2Flocalhost%3A8765%2Fcallback%2Fx"

static const struct row rows[] = {
    { .pkce = PKCE_S256,
      .url = BEGIN REDIRECT "&state=st-1" CHALLENGE "&code_challenge_method=S256" },
    { .pkce = PKCE_PLAIN,
      .url = BEGIN REDIRECT "&state=st-1&code_challenge=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
                            "&code_challenge_method=plain" },
    { .pkce = PKCE_OFF, .url = BEGIN REDIRECT "&state=st-1" },

    /* An endpoint's own query stays. */
    { .endpoint = "https://h/a?tenant=1",
      .pkce = PKCE_OFF,
      .url = "https://h/a?tenant=1&response_type=code&client_id=id" REDIRECT "&state=st-1" },

    /* Scopes: the provider's or the request's; spaces, commas, colons. */
    { .provider_scope = "read:branch read:employee",
      .pkce = PKCE_OFF,
      .url = BEGIN REDIRECT "&scope=read%3Abranch%20read%3Aemployee&state=st-1" },
    { .provider_scope = "a b",
      .scope = "c",
      .pkce = PKCE_OFF,
      .url = BEGIN REDIRECT "&scope=c&state=st-1" },
    { .provider_scope = "a b",
      .separator = ",",
      .pkce = PKCE_OFF,
      .url = BEGIN REDIRECT "&scope=a%2Cb&state=st-1" },
    { .provider_scope = "a", .scope = "", .pkce = PKCE_OFF, .url = BEGIN REDIRECT "&state=st-1" },

    /* The nonce goes with openid alone. */
    { .scope = "openid mail",
      .pkce = PKCE_OFF,
      .url = BEGIN REDIRECT "&scope=openid%20mail&state=st-1&nonce=no-1" },

    /* Parameters: the provider's, then the caller's, who replaces them; never the protocol's. */
    { .pkce = PKCE_OFF,
      .provider_param = { "prompt", "consent" },
      .param = { "company_id", "ba8d4080 & co" },
      .url = BEGIN REDIRECT "&state=st-1&prompt=consent&company_id=ba8d4080%20%26%20co" },
    { .pkce = PKCE_OFF,
      .provider_param = { "company_id", "1" },
      .param = { "company_id", "2" },
      .url = BEGIN REDIRECT "&state=st-1&company_id=2" },
    { .pkce = PKCE_OFF,
      .provider_param = { "response_type", "token" },
      .param = { "state", "mine" },
      .url = BEGIN REDIRECT "&state=st-1" },

    /* RFC 8707: each on its own; a parameter of that name replaces them. */
    { .pkce = PKCE_OFF,
      .resource = { "https://api.example/v1", "urn:b" },
      .url = BEGIN REDIRECT "&state=st-1&resource=https%3A%2F%2Fapi.example%2Fv1"
                            "&resource=urn%3Ab" },
    { .pkce = PKCE_OFF,
      .resource = { "https://api.example/v1" },
      .provider_param = { "resource", "https://other" },
      .url = BEGIN REDIRECT "&state=st-1&resource=https%3A%2F%2Fother" },
    { .pkce = PKCE_OFF,
      .resource = { "https://api.example/v1" },
      .param = { "resource", "https://mine" },
      .url = BEGIN REDIRECT "&state=st-1&resource=https%3A%2F%2Fmine" },
};

static struct provider provider_of(const struct row *row)
{
    /* The fields are not const because a provider owns them; nothing changes them here. */
    struct provider provider = { .name = "x" };
    provider.authorization_endpoint = strdup(row->endpoint ? row->endpoint : "https://h/a");
    provider.redirect_uri = strdup("http://localhost:8765/callback/x");
    provider.client_id = strdup("id");
    provider.scope = row->provider_scope ? strdup(row->provider_scope) : NULL;
    provider.scope_separator = strdup(row->separator ? row->separator : " ");
    provider.pkce = row->pkce;
    for (size_t i = 0; i < LENGTH_OF(row->resource) && row->resource[i]; i++)
        assert_int_equal(parameters_add(&provider.resource, "resource", row->resource[i]), 0);
    if (row->provider_param[0])
        assert_int_equal(parameters_add(&provider.authorize_params, row->provider_param[0],
                                        row->provider_param[1]),
                         0);
    return provider;
}

static void release_provider(struct provider *provider)
{
    struct provider *copy = malloc(sizeof(*copy));
    assert_non_null(copy);
    *copy = *provider;
    provider_free(copy);
}

static void check_row(const struct row *row)
{
    CLEANUP(cleanup_secret) struct secret *state = secret_of("st-1");
    CLEANUP(cleanup_secret) struct secret *nonce = secret_of("no-1");
    CLEANUP(cleanup_secret) struct secret *verifier = secret_of(verifier_text);
    CLEANUP(cleanup_parameters) struct parameters params = { 0 };
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(AUTHORIZE_URL_MAX);
    struct provider provider = provider_of(row);
    if (row->param[0])
        assert_int_equal(parameters_add(&params, row->param[0], row->param[1]), 0);
    const struct authorization_request request = {
        .provider = &provider,
        .scope = row->scope,
        .params = row->param[0] ? &params : NULL,
        .state = state,
        .nonce = nonce,
        .verifier = verifier,
    };
    authorize_append_url(&out, &request);
    assert_false(out.failed);
    assert_string_equal(buffer_text(&out), row->url);
    release_provider(&provider);
}

static void makes_addresses(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        check_row(&rows[i]);
}

static void fails_when_too_long(void **state)
{
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(AUTHORIZE_URL_MAX);
    CLEANUP(cleanup_secret) struct secret *st = secret_of("st-1");
    const struct row row = { .pkce = PKCE_OFF };
    struct provider provider = provider_of(&row);
    char *scope = repeated('s', AUTHORIZE_URL_MAX + 1);
    const struct authorization_request request = { .provider = &provider,
                                                   .scope = scope,
                                                   .state = st };
    authorize_append_url(&out, &request);
    assert_true(out.failed);
    free(scope);
    release_provider(&provider);
}

/* What is pushed is what the address would hold; the address then names it. */
static void splits_what_is_pushed(void **state)
{
    CLEANUP(cleanup_buffer) struct buffer whole = BUFFER_WITH_MAXIMUM(AUTHORIZE_URL_MAX);
    CLEANUP(cleanup_buffer) struct buffer pushed = BUFFER_WITH_MAXIMUM(AUTHORIZE_URL_MAX);
    CLEANUP(cleanup_buffer) struct buffer url = BUFFER_WITH_MAXIMUM(AUTHORIZE_URL_MAX);
    CLEANUP(cleanup_secret) struct secret *st = secret_of("st-1");
    CLEANUP(cleanup_secret) struct secret *uri = secret_of("urn:x:a&b");
    const struct row row = { .endpoint = "https://h/a?tenant=1",
                             .provider_scope = "a b",
                             .provider_param = { "prompt", "consent" } };
    struct provider provider = provider_of(&row);
    const struct authorization_request request = { .provider = &provider, .state = st };
    authorize_append_url(&whole, &request);
    authorize_append_parameters(&pushed, &request);
    assert_string_equal(buffer_text(&whole) + strlen("https://h/a?tenant=1&"),
                        buffer_text(&pushed));
    authorize_append_pushed_url(&url, &provider, uri);
    assert_string_equal(buffer_text(&url),
                        "https://h/a?tenant=1&client_id=id&request_uri=urn%3Ax%3Aa%26b");
    release_provider(&provider);
}

static void guards_the_protocols_parameters(void **state)
{
    static const struct {
        const char *name;
        bool should_fail;
    } names[] = {
        { "company_id" },
        { "prompt" },
        { "access_type" },
        { "login_hint" },
        { "State" },
        { "", true },
        { "response_type", true },
        { "response_mode", true },
        { "client_id", true },
        { "client_secret", true },
        { "redirect_uri", true },
        { "scope", true },
        { "state", true },
        { "nonce", true },
        { "code_challenge", true },
        { "code_challenge_method", true },
        { "request", true },
        { "request_uri", true },
    };
    for (size_t i = 0; i < LENGTH_OF(names); i++)
        assert_int_equal(authorize_param_allowed(names[i].name), !names[i].should_fail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_addresses),
        cmocka_unit_test(fails_when_too_long),
        cmocka_unit_test(splits_what_is_pushed),
        cmocka_unit_test(guards_the_protocols_parameters),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
