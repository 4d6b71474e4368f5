#include "oauth/token_request.h"

#include <errno.h>

#include "support.h"

static char endpoint[] = "https://h/token";
static char refresh_endpoint[] = "https://h/refresh";
static char revocation_endpoint[] = "https://h/revoke";
static char redirect_uri[] = "https://localhost:8766/callback/x";
static char client_id[] = "id+1";
static char space[] = " ";

/* A provider that owns nothing; its parameters are released by the test. */
static struct provider provider_with(enum client_auth client_auth, enum token_request_style style)
{
    return (struct provider){
        .name = "x",
        .token_endpoint = endpoint,
        .revocation_endpoint = revocation_endpoint,
        .redirect_uri = redirect_uri,
        .client_id = client_id,
        .scope_separator = space,
        .client_auth = client_auth,
        .token_request = style,
    };
}

#define FORM "application/x-www-form-urlencoded"
#define JSON "application/json"
#define RT "refresh_token=onN6%2BO6%2F13g%3D"

/* Refreshes of the token "onN6+O6/13g=" with the secret "s:/%". */
struct refresh_row {
    enum client_auth client_auth;
    enum token_request_style style;
    const char *param[4]; /* names and values of two refresh_params */
    const char *url, *body, *content_type;
    const char *authorization;
};

static const struct refresh_row refresh_rows[] = {
    /* ZenHR, Zenegy: a form with everything in it. */
    { CLIENT_AUTH_POST,
      TOKEN_REQUEST_FORM,
      { NULL },
      endpoint,
      "grant_type=refresh_token&" RT "&client_id=id%2B1&client_secret=s%3A%2F%25",
      FORM,
      "" },
    /* enableHR: Basic, raw; "id+1:s:/%" in base64. */
    { CLIENT_AUTH_BASIC_RAW,
      TOKEN_REQUEST_FORM,
      { NULL },
      endpoint,
      "grant_type=refresh_token&" RT,
      FORM,
      "Basic aWQrMTpzOi8l" },
    /* RFC 6749 2.3.1: "id%2B1:s%3A%2F%25". */
    { CLIENT_AUTH_BASIC,
      TOKEN_REQUEST_FORM,
      { NULL },
      endpoint,
      "grant_type=refresh_token&" RT,
      FORM,
      "Basic aWQlMkIxOnMlM0ElMkYlMjU=" },
    /* enableHR's other reading: Basic, and both as parameters. */
    { CLIENT_AUTH_BASIC_RAW,
      TOKEN_REQUEST_FORM,
      { "client_id", "", "client_secret", "" },
      endpoint,
      "grant_type=refresh_token&" RT "&client_secret=s%3A%2F%25&client_id=id%2B1",
      FORM,
      "Basic aWQrMTpzOi8l" },
    /* ZenPayroll: everything in the address, with our redirect_uri. */
    { CLIENT_AUTH_POST,
      TOKEN_REQUEST_QUERY,
      { "redirect_uri", "" },
      "https://h/token?grant_type=refresh_token&" RT "&client_id=id%2B1&client_secret=s%3A%2F%25"
      "&redirect_uri=https%3A%2F%2Flocalhost%3A8766%2Fcallback%2Fx",
      "",
      NULL,
      "" },
    /* Gusto: JSON, with redirect_uri. */
    { CLIENT_AUTH_POST,
      TOKEN_REQUEST_JSON,
      { "redirect_uri", "" },
      endpoint,
      "{\"grant_type\":\"refresh_token\",\"refresh_token\":\"onN6+O6/13g=\","
      "\"client_id\":\"id+1\",\"client_secret\":\"s:/%\","
      "\"redirect_uri\":\"https://localhost:8766/callback/x\"}",
      JSON,
      "" },
    { CLIENT_AUTH_BASIC_RAW,
      TOKEN_REQUEST_JSON,
      { NULL },
      endpoint,
      "{\"grant_type\":\"refresh_token\",\"refresh_token\":\"onN6+O6/13g=\"}",
      JSON,
      "Basic aWQrMTpzOi8l" },
    { CLIENT_AUTH_NONE,
      TOKEN_REQUEST_FORM,
      { NULL },
      endpoint,
      "grant_type=refresh_token&" RT "&client_id=id%2B1",
      FORM,
      "" },
    { CLIENT_AUTH_TLS,
      TOKEN_REQUEST_FORM,
      { NULL },
      endpoint,
      "grant_type=refresh_token&" RT "&client_id=id%2B1",
      FORM,
      "" },
    { CLIENT_AUTH_PRIVATE_KEY_JWT,
      TOKEN_REQUEST_FORM,
      { NULL },
      endpoint,
      "grant_type=refresh_token&" RT "&client_id=id%2B1&client_assertion_type="
      "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
      "&client_assertion=s%3A%2F%25",
      FORM,
      "" },
    /* The secret is a private key there: nothing makes it a parameter. */
    { CLIENT_AUTH_TLS,
      TOKEN_REQUEST_FORM,
      { "client_secret", "" },
      endpoint,
      "grant_type=refresh_token&" RT "&client_id=id%2B1",
      FORM,
      "" },
    /* Fixed parameters: others, ours replaced, but never what is secret. */
    { CLIENT_AUTH_NONE,
      TOKEN_REQUEST_FORM,
      { "grant_type", "renew", "audience", "a b" },
      endpoint,
      RT "&client_id=id%2B1&grant_type=renew&audience=a+b",
      FORM,
      "" },
    { CLIENT_AUTH_NONE,
      TOKEN_REQUEST_FORM,
      { "refresh_token", "x", "client_secret", "y" },
      endpoint,
      "grant_type=refresh_token&" RT "&client_id=id%2B1&client_secret=s%3A%2F%25",
      FORM,
      "" },
    { CLIENT_AUTH_NONE,
      TOKEN_REQUEST_FORM,
      { "redirect_uri", "https://other", "x", "" },
      endpoint,
      "grant_type=refresh_token&" RT "&client_id=id%2B1&redirect_uri=https%3A%2F%2Fother&x=",
      FORM,
      "" },
};

static void check_refresh(const struct refresh_row *row)
{
    struct provider provider = provider_with(row->client_auth, row->style);
    for (size_t i = 0; i < LENGTH_OF(row->param) && row->param[i]; i += 2)
        assert_int_equal(parameters_add(&provider.refresh_params, row->param[i], row->param[i + 1]),
                         0);
    CLEANUP(cleanup_secret) struct secret *secret = secret_of("s:/%");
    CLEANUP(cleanup_secret) struct secret *token = secret_of("onN6+O6/13g=");
    struct token_request request;
    assert_int_equal(token_request_refresh(&provider, secret, token, &request), 0);
    assert_string_equal(buffer_text(&request.url), row->url);
    assert_string_equal(buffer_text(&request.body), row->body);
    assert_text(request.content_type, row->content_type);
    assert_string_equal(buffer_text(&request.authorization), row->authorization);
    token_request_release(&request);
    parameters_release(&provider.refresh_params);
}

static void refreshes(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(refresh_rows); i++)
        check_refresh(&refresh_rows[i]);
}

static void refreshes_elsewhere(void **state)
{
    struct provider provider = provider_with(CLIENT_AUTH_NONE, TOKEN_REQUEST_FORM);
    provider.refresh_endpoint = refresh_endpoint;
    CLEANUP(cleanup_secret) struct secret *token = secret_of("t");
    struct token_request request;
    assert_int_equal(token_request_refresh(&provider, NULL, token, &request), 0);
    assert_string_equal(buffer_text(&request.url), refresh_endpoint);
    token_request_release(&request);
}

/* The code's own request uses token_params alone. */
struct code_row {
    enum client_auth client_auth;
    enum token_request_style style;
    const char *endpoint;
    const char *secret, *verifier;
    const char *param[2];
    const char *url, *body, *authorization;
};

static const struct code_row code_rows[] = {
    { CLIENT_AUTH_POST,
      TOKEN_REQUEST_FORM,
      endpoint,
      "s",
      "v-1",
      { NULL },
      endpoint,
      "grant_type=authorization_code&code=c%2B1&redirect_uri=http%3A%2F%2Flocalhost%2Fcb"
      "&code_verifier=v-1&client_id=id%2B1&client_secret=s",
      "" },
    { CLIENT_AUTH_NONE,
      TOKEN_REQUEST_FORM,
      endpoint,
      NULL,
      NULL,
      { NULL },
      endpoint,
      "grant_type=authorization_code&code=c%2B1&redirect_uri=http%3A%2F%2Flocalhost%2Fcb"
      "&client_id=id%2B1",
      "" },
    /* No secret is configured: an empty password; no member among the parameters. */
    { CLIENT_AUTH_BASIC_RAW,
      TOKEN_REQUEST_FORM,
      endpoint,
      NULL,
      NULL,
      { NULL },
      endpoint,
      "grant_type=authorization_code&code=c%2B1&redirect_uri=http%3A%2F%2Flocalhost%2Fcb",
      "Basic aWQrMTo=" },
    { CLIENT_AUTH_POST,
      TOKEN_REQUEST_JSON,
      endpoint,
      NULL,
      NULL,
      { "resource", "\"r\"" },
      endpoint,
      "{\"grant_type\":\"authorization_code\",\"code\":\"c+1\",\"redirect_uri\":"
      "\"http://localhost/cb\",\"client_id\":\"id+1\",\"resource\":\"\\\"r\\\"\"}",
      "" },
    { CLIENT_AUTH_POST,
      TOKEN_REQUEST_QUERY,
      "https://h/token?v=2",
      "s",
      NULL,
      { NULL },
      "https://h/token?v=2&grant_type=authorization_code&code=c%2B1&redirect_uri="
      "http%3A%2F%2Flocalhost%2Fcb&client_id=id%2B1&client_secret=s",
      "",
      "" },
    /* "" for redirect_uri is this request's own. */
    { CLIENT_AUTH_NONE,
      TOKEN_REQUEST_FORM,
      endpoint,
      NULL,
      NULL,
      { "redirect_uri", "" },
      endpoint,
      "grant_type=authorization_code&code=c%2B1&client_id=id%2B1"
      "&redirect_uri=http%3A%2F%2Flocalhost%2Fcb",
      "" },
    { CLIENT_AUTH_NONE,
      TOKEN_REQUEST_FORM,
      endpoint,
      NULL,
      "v",
      { "code", "other" },
      endpoint,
      "grant_type=authorization_code&code=c%2B1&redirect_uri=http%3A%2F%2Flocalhost%2Fcb"
      "&code_verifier=v&client_id=id%2B1",
      "" },
};

static void check_code(const struct code_row *row)
{
    struct provider provider = provider_with(row->client_auth, row->style);
    char *own_endpoint = strdup(row->endpoint);
    provider.token_endpoint = own_endpoint;
    provider.refresh_endpoint = refresh_endpoint;
    if (row->param[0])
        assert_int_equal(parameters_add(&provider.token_params, row->param[0], row->param[1]), 0);
    CLEANUP(cleanup_secret) struct secret *code = secret_of("c+1");
    CLEANUP(cleanup_secret) struct secret *secret = row->secret ? secret_of(row->secret) : NULL;
    CLEANUP(cleanup_secret)
    struct secret *verifier = row->verifier ? secret_of(row->verifier) : NULL;
    struct token_request request;
    assert_int_equal(
        token_request_code(&provider, secret, code, "http://localhost/cb", verifier, &request), 0);
    assert_string_equal(buffer_text(&request.url), row->url);
    assert_string_equal(buffer_text(&request.body), row->body);
    assert_string_equal(buffer_text(&request.authorization), row->authorization);
    token_request_release(&request);
    parameters_release(&provider.token_params);
    free(own_endpoint);
}

static void exchanges_codes(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(code_rows); i++)
        check_code(&code_rows[i]);
}

static void asks_for_itself(void **state)
{
    static char scope[] = "a b", comma[] = ",";
    struct provider provider = provider_with(CLIENT_AUTH_POST, TOKEN_REQUEST_FORM);
    provider.scope = scope;
    provider.scope_separator = comma;
    CLEANUP(cleanup_secret) struct secret *secret = secret_of("s");
    struct token_request request;
    assert_int_equal(token_request_client_credentials(&provider, secret, &request), 0);
    assert_string_equal(
        buffer_text(&request.body),
        "grant_type=client_credentials&scope=a%2Cb&client_id=id%2B1&client_secret=s");
    token_request_release(&request);

    /* Gusto's own grant type. */
    provider.scope = NULL;
    assert_int_equal(parameters_add(&provider.token_params, "grant_type", "system_access"), 0);
    assert_int_equal(token_request_client_credentials(&provider, secret, &request), 0);
    assert_string_equal(buffer_text(&request.body),
                        "client_id=id%2B1&client_secret=s&grant_type=system_access");
    token_request_release(&request);
    parameters_release(&provider.token_params);
}

/* Resource indicators (RFC 8707 2.2) of an exchange, a refresh and a request of our own. */
struct resource_row {
    enum token_request_style style;
    const char *resource[2];
    const char *param; /* token_params' and refresh_params' own */
    const char *code, *refresh, *own;
};

#define RESOURCES "resource=https%3A%2F%2Fa%2F1&resource=urn%3Ab"

static const struct resource_row resource_rows[] = {
    { TOKEN_REQUEST_FORM,
      { "https://a/1", "urn:b" },
      NULL,
      "grant_type=authorization_code&code=s&redirect_uri=r&" RESOURCES "&client_id=id%2B1",
      "grant_type=refresh_token&refresh_token=s&" RESOURCES "&client_id=id%2B1",
      "grant_type=client_credentials&" RESOURCES "&client_id=id%2B1" },
    { TOKEN_REQUEST_FORM,
      { "https://a/1" },
      "https://other",
      "grant_type=authorization_code&code=s&redirect_uri=r&client_id=id%2B1"
      "&resource=https%3A%2F%2Fother",
      "grant_type=refresh_token&refresh_token=s&client_id=id%2B1&resource=https%3A%2F%2Fother",
      "grant_type=client_credentials&client_id=id%2B1&resource=https%3A%2F%2Fother" },
    { TOKEN_REQUEST_JSON,
      { "https://a/1" },
      NULL,
      "{\"grant_type\":\"authorization_code\",\"code\":\"s\",\"redirect_uri\":\"r\","
      "\"resource\":\"https://a/1\",\"client_id\":\"id+1\"}",
      "{\"grant_type\":\"refresh_token\",\"refresh_token\":\"s\","
      "\"resource\":\"https://a/1\",\"client_id\":\"id+1\"}",
      "{\"grant_type\":\"client_credentials\",\"resource\":\"https://a/1\","
      "\"client_id\":\"id+1\"}" },
    { TOKEN_REQUEST_JSON,
      { "https://a/1", "urn:b" },
      NULL,
      "{\"grant_type\":\"authorization_code\",\"code\":\"s\",\"redirect_uri\":\"r\","
      "\"resource\":[\"https://a/1\",\"urn:b\"],\"client_id\":\"id+1\"}",
      "{\"grant_type\":\"refresh_token\",\"refresh_token\":\"s\","
      "\"resource\":[\"https://a/1\",\"urn:b\"],\"client_id\":\"id+1\"}",
      "{\"grant_type\":\"client_credentials\",\"resource\":[\"https://a/1\",\"urn:b\"],"
      "\"client_id\":\"id+1\"}" },
};

static void check_body(int result, struct token_request *request, const char *body)
{
    assert_int_equal(result, 0);
    assert_string_equal(buffer_text(&request->body), body);
    token_request_release(request);
}

static void check_resource(const struct resource_row *row)
{
    struct provider provider = provider_with(CLIENT_AUTH_NONE, row->style);
    for (size_t i = 0; i < LENGTH_OF(row->resource) && row->resource[i]; i++)
        assert_int_equal(parameters_add(&provider.resource, "resource", row->resource[i]), 0);
    if (row->param) {
        assert_int_equal(parameters_add(&provider.token_params, "resource", row->param), 0);
        assert_int_equal(parameters_add(&provider.refresh_params, "resource", row->param), 0);
    }
    CLEANUP(cleanup_secret) struct secret *s = secret_of("s");
    struct token_request request;
    int r = token_request_code(&provider, NULL, s, "r", NULL, &request);
    check_body(r, &request, row->code);
    r = token_request_refresh(&provider, NULL, s, &request);
    check_body(r, &request, row->refresh);
    r = token_request_client_credentials(&provider, NULL, &request);
    check_body(r, &request, row->own);
    if (row->style == TOKEN_REQUEST_FORM) {
        r = token_request_revoke(&provider, NULL, s, "access_token", &request);
        check_body(r, &request, "token=s&token_type_hint=access_token&client_id=id%2B1");
    }
    parameters_release(&provider.resource);
    parameters_release(&provider.token_params);
    parameters_release(&provider.refresh_params);
}

static void names_resources(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(resource_rows); i++)
        check_resource(&resource_rows[i]);
}

static void revokes_in_no_address(void **state)
{
    struct provider provider = provider_with(CLIENT_AUTH_POST, TOKEN_REQUEST_QUERY);
    CLEANUP(cleanup_secret) struct secret *secret = secret_of("s");
    CLEANUP(cleanup_secret) struct secret *token = secret_of("t");
    struct token_request request;
    assert_int_equal(token_request_revoke(&provider, secret, token, "refresh_token", &request), 0);
    assert_string_equal(buffer_text(&request.url), revocation_endpoint);
    assert_string_equal(buffer_text(&request.body),
                        "token=t&token_type_hint=refresh_token&client_id=id%2B1&client_secret=s");
    token_request_release(&request);
}

static void revokes(void **state)
{
    struct provider provider = provider_with(CLIENT_AUTH_BASIC_RAW, TOKEN_REQUEST_FORM);
    assert_int_equal(parameters_add(&provider.refresh_params, "x", "y"), 0);
    CLEANUP(cleanup_secret) struct secret *secret = secret_of("s:/%");
    CLEANUP(cleanup_secret) struct secret *token = secret_of("t=");
    struct token_request request;
    assert_int_equal(token_request_revoke(&provider, secret, token, "refresh_token", &request), 0);
    assert_string_equal(buffer_text(&request.url), revocation_endpoint);
    assert_string_equal(buffer_text(&request.body), "token=t%3D&token_type_hint=refresh_token");
    assert_string_equal(buffer_text(&request.authorization), "Basic aWQrMTpzOi8l");
    token_request_release(&request);
    parameters_release(&provider.refresh_params);
}

static void fails_when_too_big(void **state)
{
    static const struct {
        enum token_request_style style;
        size_t length;
        bool should_fail;
    } rows[] = {
        { TOKEN_REQUEST_FORM, SECRET_MAX, false },
        { TOKEN_REQUEST_JSON, SECRET_MAX, false },
        { TOKEN_REQUEST_QUERY, 2048, false },
        { TOKEN_REQUEST_QUERY, SECRET_MAX, true },
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char *text = repeated('+', rows[i].length);
        struct provider provider = provider_with(CLIENT_AUTH_BASIC, rows[i].style);
        CLEANUP(cleanup_secret) struct secret *token = secret_of(text);
        struct token_request request = { .content_type = "untouched" };
        int r = token_request_refresh(&provider, token, token, &request);
        assert_int_equal(r, rows[i].should_fail ? -E2BIG : 0);
        if (rows[i].should_fail)
            assert_string_equal(request.content_type, "untouched");
        else
            token_request_release(&request);
        free(text);
    }
}

/* A configuration that changed while something was under way may have taken it. */
static void refuses_where_there_is_no_endpoint(void **state)
{
    struct provider provider = provider_with(CLIENT_AUTH_POST, TOKEN_REQUEST_FORM);
    CLEANUP(cleanup_secret) struct secret *secret = secret_of("s");
    struct token_request request = { 0 };
    (void)state;
    provider.token_endpoint = provider.revocation_endpoint = NULL;
    assert_int_equal(token_request_code(&provider, secret, secret, redirect_uri, NULL, &request),
                     -EINVAL);
    assert_int_equal(token_request_device_authorization(&provider, secret, NULL, NULL, &request),
                     -EINVAL);
    assert_int_equal(token_request_device(&provider, secret, secret, &request), -EINVAL);
    assert_int_equal(token_request_refresh(&provider, secret, secret, &request), -EINVAL);
    assert_int_equal(token_request_client_credentials(&provider, secret, &request), -EINVAL);
    assert_int_equal(token_request_revoke(&provider, secret, secret, "x", &request), -EINVAL);
    assert_int_equal(token_request_push(&provider, secret, secret, &request), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refreshes),
        cmocka_unit_test(refreshes_elsewhere),
        cmocka_unit_test(exchanges_codes),
        cmocka_unit_test(asks_for_itself),
        cmocka_unit_test(revokes),
        cmocka_unit_test(revokes_in_no_address),
        cmocka_unit_test(fails_when_too_big),
        cmocka_unit_test(names_resources),
        cmocka_unit_test(refuses_where_there_is_no_endpoint),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
