/* The two requests of a device login, in every way of client_auth and token_request. */

#include "oauth/token_request.h"
#include "support.h"

static char device_url[] = "https://h/device", token_url[] = "https://h/token", id[] = "id+1",
            comma[] = ",", scope[] = "read write";

static struct provider provider_with(enum client_auth client_auth, enum token_request_style style)
{
    return (struct provider){
        .name = "x",
        .device_authorization_endpoint = device_url,
        .token_endpoint = token_url,
        .client_id = id,
        .scope = scope,
        .scope_separator = comma,
        .client_auth = client_auth,
        .token_request = style,
    };
}

#define GRANT "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=d%2B"
#define ASSERTION                                                                                  \
    "&client_id=id%2B1&client_assertion_type="                                                     \
    "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=s%3A"

static const struct {
    enum client_auth client_auth;
    enum token_request_style style;
    const char *asks_url, *asks, *polls_url, *polls, *authorization;
} rows[] = {
    { CLIENT_AUTH_POST, TOKEN_REQUEST_FORM, device_url,
      "scope=read%2Cwrite&client_id=id%2B1&client_secret=s%3A", token_url,
      GRANT "&client_id=id%2B1&client_secret=s%3A", "" },
    { CLIENT_AUTH_BASIC, TOKEN_REQUEST_FORM, device_url, "scope=read%2Cwrite", token_url, GRANT,
      "Basic aWQlMkIxOnMlM0E=" },
    { CLIENT_AUTH_BASIC_RAW, TOKEN_REQUEST_FORM, device_url, "scope=read%2Cwrite", token_url, GRANT,
      "Basic aWQrMTpzOg==" },
    { CLIENT_AUTH_NONE, TOKEN_REQUEST_FORM, device_url, "scope=read%2Cwrite&client_id=id%2B1",
      token_url, GRANT "&client_id=id%2B1", "" },
    { CLIENT_AUTH_TLS, TOKEN_REQUEST_FORM, device_url, "scope=read%2Cwrite&client_id=id%2B1",
      token_url, GRANT "&client_id=id%2B1", "" },
    { CLIENT_AUTH_PRIVATE_KEY_JWT, TOKEN_REQUEST_FORM, device_url, "scope=read%2Cwrite" ASSERTION,
      token_url, GRANT ASSERTION, "" },
    { CLIENT_AUTH_NONE, TOKEN_REQUEST_QUERY, "https://h/device?scope=read%2Cwrite&client_id=id%2B1",
      "", "https://h/token?" GRANT "&client_id=id%2B1", "", "" },
    { CLIENT_AUTH_NONE, TOKEN_REQUEST_JSON, device_url,
      "{\"scope\":\"read,write\",\"client_id\":\"id+1\"}", token_url,
      "{\"grant_type\":\"urn:ietf:params:oauth:grant-type:device_code\",\"device_code\":\"d+\","
      "\"client_id\":\"id+1\"}",
      "" },
};

static void check(int r, struct token_request *request, const char *url, const char *body,
                  const char *authorization)
{
    assert_int_equal(r, 0);
    assert_string_equal(buffer_text(&request->url), url);
    assert_string_equal(buffer_text(&request->body), body);
    assert_string_equal(buffer_text(&request->authorization), authorization);
    token_request_release(request);
}

static void speaks_as_every_client(void **state)
{
    CLEANUP(cleanup_secret) struct secret *secret = secret_of("s:");
    CLEANUP(cleanup_secret) struct secret *code = secret_of("d+");
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct provider provider = provider_with(rows[i].client_auth, rows[i].style);
        const bool none = rows[i].client_auth == CLIENT_AUTH_NONE;
        struct token_request request;
        int r = token_request_device_authorization(&provider, none ? NULL : secret, NULL, NULL,
                                                   &request);
        check(r, &request, rows[i].asks_url, rows[i].asks, rows[i].authorization);
        r = token_request_device(&provider, none ? NULL : secret, code, &request);
        check(r, &request, rows[i].polls_url, rows[i].polls, rows[i].authorization);
    }
}

/* The caller's words replace the configuration's; nobody replaces what is secret. */
static void asks_for_what_the_caller_wants(void **state)
{
    struct provider provider = provider_with(CLIENT_AUTH_NONE, TOKEN_REQUEST_FORM);
    struct parameters params = { 0 };
    struct token_request request;
    assert_int_equal(parameters_add(&provider.authorize_params, "audience", "theirs"), 0);
    assert_int_equal(parameters_add(&provider.authorize_params, "prompt", "consent"), 0);
    assert_int_equal(parameters_add(&provider.resource, "resource", "https://api"), 0);
    assert_int_equal(parameters_add(&params, "audience", "mine"), 0);
    assert_int_equal(parameters_add(&params, "device_code", "evil"), 0);
    int r = token_request_device_authorization(&provider, NULL, "one", &params, &request);
    check(r, &request, device_url,
          "scope=one&resource=https%3A%2F%2Fapi&client_id=id%2B1&audience=mine&prompt=consent", "");
    parameters_release(&params);
    parameters_release(&provider.authorize_params);
    parameters_release(&provider.resource);
}

static void polls_with_the_configured_parameters(void **state)
{
    struct provider provider = provider_with(CLIENT_AUTH_NONE, TOKEN_REQUEST_FORM);
    CLEANUP(cleanup_secret) struct secret *code = secret_of("d+");
    struct token_request request;
    assert_int_equal(parameters_add(&provider.token_params, "x", "y"), 0);
    assert_int_equal(parameters_add(&provider.token_params, "redirect_uri", ""), 0);
    int r = token_request_device(&provider, NULL, code, &request);
    check(r, &request, token_url, GRANT "&client_id=id%2B1&x=y", "");
    parameters_release(&provider.token_params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speaks_as_every_client),
        cmocka_unit_test(asks_for_what_the_caller_wants),
        cmocka_unit_test(polls_with_the_configured_parameters),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
