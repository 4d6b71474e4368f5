/* Every allocation fails once, in turn: nothing leaks, nothing half made comes out, and a new
 * refresh token that was read is handed on. Links with malloc() and its kin wrapped. */

#include <errno.h>

#include "oauth/authorize.h"
#include "oauth/device.h"
#include "oauth/discovery.h"
#include "oauth/token_reply.h"
#include "oauth/token_request.h"
#include "support.h"
#include "tests/unit/failing_allocations.h"

static char name[] = "company_id", space[] = " ", id[] = "id", token_url[] = "https://h/token",
            authorize_url[] = "https://h/a", redirect_uri[] = "http://localhost/cb";

static const struct provider provider = {
    .name = "x",
    .identity = name,
    .scope = name,
    .scope_separator = space,
    .client_id = id,
    .token_endpoint = token_url,
    .authorization_endpoint = authorize_url,
    .redirect_uri = redirect_uri,
};

/* Runs work with the first, second, third … allocation failing until it needs no more of them.
 * work returns what the function under test did. */
static void fail_each_allocation(int (*work)(void))
{
    enum { ENOUGH = 500 };
    int n = 0, r = -ENOMEM;
    for (; n < ENOUGH; n++) {
        allocations_left = n;
        r = work();
        bool reached = allocations_left < 0;
        allocations_left = -1;
        assert_true(r == 0 || r == -ENOMEM);
        if (!reached)
            break;
    }
    assert_int_equal(r, 0);
    assert_in_range(n, 1, ENOUGH - 1);
}

static int judge(void)
{
    static const char body[] =
        "{\"access_token\":\"a\",\"refresh_token\":\"r\",\"scope\":\"x y\",\"company_id\":\"c\","
        "\"id_token\":\"e30.eyJub25jZSI6Im4tMSJ9.x\",\"list\":[1,2]}";
    const struct token_answer answer = { .status = 200, .body = body, .length = sizeof(body) - 1 };
    struct token_reply reply = { 0 };
    int r = token_reply_judge(&provider, &answer, &reply);
    if (r < 0) {
        assert_null(reply.grant.refresh_token);
        return r;
    }
    bool granted = reply.verdict == VERDICT_GRANTED;
    const struct secret *kept = granted ? reply.grant.refresh_token : reply.rescued_refresh_token;
    assert_secret_text(kept, "r");
    if (!granted)
        assert_string_equal(reply.error, "no_memory");
    if (granted)
        assert_string_equal(reply.grant.extra, "{\"company_id\":\"c\",\"list\":[1,2]}");
    else
        assert_null(reply.grant.token_type);
    token_reply_release(&reply);
    return 0;
}

static int parse_response(void)
{
    static const char query[] = "code=c&state=s&iss=https%3A%2F%2Fh&error_description=d";
    struct authorization_response response = { 0 };
    int r = authorization_response_parse(query, sizeof(query) - 1, &response, NULL);
    if (r == 0)
        assert_string_equal(response.error_description, "d");
    else
        assert_null(response.code);
    authorization_response_release(&response);
    return r;
}

static int make_request(void)
{
    const struct provider basic = provider;
    struct token_request request = { 0 };
    int r = token_request_client_credentials(&basic, NULL, &request);
    if (r == 0) {
        assert_string_equal(buffer_text(&request.body),
                            "grant_type=client_credentials&scope=company_id");
        assert_string_equal(buffer_text(&request.authorization), "Basic aWQ6");
    }
    token_request_release(&request);
    return r;
}

static int read_device(void)
{
    static const char body[] = "{\"device_code\":\"d\",\"user_code\":\"U\",\"expires_in\":9,"
                               "\"verification_uri\":\"https://h/\","
                               "\"verification_uri_complete\":\"https://h/U\"}";
    const struct token_answer answer = { .status = 200, .body = body, .length = sizeof(body) - 1 };
    struct device_authorization *device = NULL;
    int r = device_authorization_read(&answer, &device, NULL);
    assert_int_equal(device != NULL, r == 0);
    device_authorization_free(device);
    return r;
}

static int make_device_request(void)
{
    struct parameter items[] = { { name, id } };
    struct provider device = provider;
    device.authorize_params = (struct parameters){ .items = items, .count = LENGTH_OF(items) };
    device.device_authorization_endpoint = token_url;
    struct token_request request = { 0 };
    int r = token_request_device_authorization(&device, NULL, NULL, NULL, &request);
    if (r == 0)
        assert_string_equal(buffer_text(&request.body), "scope=company_id&company_id=id");
    token_request_release(&request);
    return r;
}

static int make_address(void)
{
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(AUTHORIZE_URL_MAX);
    const struct authorization_request request = { .provider = &provider };
    authorize_append_url(&out, &request);
    if (out.failed)
        return -ENOMEM;
    assert_string_equal(buffer_text(&out),
                        "https://h/a?response_type=code&client_id=id"
                        "&redirect_uri=http%3A%2F%2Flocalhost%2Fcb&scope=company_id");
    return 0;
}

static int copy_provider(void)
{
    struct parameter items[] = { { name, id }, { id, name } };
    struct provider whole = provider;
    whole.token_params = (struct parameters){ .items = items, .count = LENGTH_OF(items) };
    CLEANUP(cleanup_provider) struct provider *copy = NULL;
    int r = provider_copy(&whole, &copy);
    assert_int_equal(copy != NULL, r == 0);
    if (r == 0) {
        assert_string_equal(copy->token_params.items[1].value, name);
        assert_string_equal(copy->token_endpoint, token_url);
    }
    return r;
}

static int discover(void)
{
    static const char body[] = "{\"issuer\":\"id\",\"token_endpoint\":\"https://h/t\","
                               "\"revocation_endpoint\":\"https://h/r\"}";
    struct provider empty = { .name = "x", .issuer = id, .grant = GRANT_CLIENT_CREDENTIALS };
    int r = discovery_apply(&empty, body, sizeof(body) - 1, NULL);
    assert_int_equal(empty.token_endpoint != NULL, r == 0);
    assert_int_equal(empty.revocation_endpoint != NULL, r == 0);
    free(empty.token_endpoint);
    free(empty.revocation_endpoint);
    return r;
}

static void judges_without_memory(void **state)
{
    fail_each_allocation(judge);
}

static void parses_without_memory(void **state)
{
    fail_each_allocation(parse_response);
}

static void requests_without_memory(void **state)
{
    fail_each_allocation(make_request);
}

static void device_logins_without_memory(void **state)
{
    fail_each_allocation(read_device);
    fail_each_allocation(make_device_request);
}

static void addresses_without_memory(void **state)
{
    fail_each_allocation(make_address);
}

static void copies_without_memory(void **state)
{
    fail_each_allocation(copy_provider);
}

static void discovers_without_memory(void **state)
{
    fail_each_allocation(discover);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_without_memory),        cmocka_unit_test(parses_without_memory),
        cmocka_unit_test(requests_without_memory),      cmocka_unit_test(addresses_without_memory),
        cmocka_unit_test(copies_without_memory),        cmocka_unit_test(discovers_without_memory),
        cmocka_unit_test(device_logins_without_memory),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
