/* The request that pushes an authorization request (RFC 9126), by how the client proves itself. */

#include "oauth/token_request.h"

#include "support.h"

#define FORM "application/x-www-form-urlencoded"

struct push_row {
    enum client_auth client_auth;
    enum token_request_style style;
    const char *body, *authorization;
};

#define PUSHED "response_type=code&client_id=id%2B1&state=s"

/* client_id stands once; the style of token requests changes nothing (RFC 9126 2.1). */
static const struct push_row push_rows[] = {
    { CLIENT_AUTH_NONE, TOKEN_REQUEST_FORM, PUSHED, "" },
    { CLIENT_AUTH_POST, TOKEN_REQUEST_FORM, PUSHED "&client_secret=s%3A%2F%25", "" },
    { CLIENT_AUTH_POST, TOKEN_REQUEST_QUERY, PUSHED "&client_secret=s%3A%2F%25", "" },
    { CLIENT_AUTH_POST, TOKEN_REQUEST_JSON, PUSHED "&client_secret=s%3A%2F%25", "" },
    { CLIENT_AUTH_BASIC, TOKEN_REQUEST_FORM, PUSHED, "Basic aWQlMkIxOnMlM0ElMkYlMjU=" },
    { CLIENT_AUTH_BASIC_RAW, TOKEN_REQUEST_JSON, PUSHED, "Basic aWQrMTpzOi8l" },
    { CLIENT_AUTH_TLS, TOKEN_REQUEST_FORM, PUSHED, "" },
    { CLIENT_AUTH_PRIVATE_KEY_JWT, TOKEN_REQUEST_FORM,
      PUSHED "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-"
             "bearer&client_assertion=s%3A%2F%25",
      "" },
};

/* Owns nothing but its parameters. */
static struct provider provider_with(const struct push_row *row)
{
    static char client_id[] = "id+1", space[] = " ";
    return (struct provider){ .name = "x",
                              .client_id = client_id,
                              .scope_separator = space,
                              .client_auth = row->client_auth,
                              .token_request = row->style };
}

static void pushes(void **state)
{
    static char push_endpoint[] = "https://h/par?v=1";
    CLEANUP(cleanup_secret) struct secret *secret = secret_of("s:/%");
    CLEANUP(cleanup_secret) struct secret *parameters = secret_of(PUSHED);
    for (size_t i = 0; i < LENGTH_OF(push_rows); i++) {
        struct provider provider = provider_with(&push_rows[i]);
        provider.pushed_authorization_request_endpoint = push_endpoint;
        struct token_request request;
        assert_int_equal(parameters_add(&provider.token_params, "x", "y"), 0);
        assert_int_equal(token_request_push(&provider, secret, parameters, &request), 0);
        assert_string_equal(buffer_text(&request.url), push_endpoint);
        assert_string_equal(request.content_type, FORM);
        assert_string_equal(buffer_text(&request.body), push_rows[i].body);
        assert_string_equal(buffer_text(&request.authorization), push_rows[i].authorization);
        token_request_release(&request);
        parameters_release(&provider.token_params);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pushes),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
