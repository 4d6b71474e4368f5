#include "settings/values.h"

#include "support.h"

/* In line 3 of a text, beside what every provider needs. */
#define KEYS(keys) "provider p {\n client_id = id issuer = 'https://p.example'\n " keys "\n}\n"

struct value_row {
    const char *text;
    const char *refused;
};

static const char no_address[] =
    "3: token_endpoint is no address such as \"https://host/path\" (no user, no \"#\")";
static const char no_present[] =
    "3: present wants \"header NAME SCHEME\", \"header NAME\" or \"query NAME\"";
static const char no_concurrency[] = "3: concurrency wants a number from 1 to 64";
static const char no_rate[] = "3: rate_limit wants \"requests/duration\", such as \"15/4s\"";
static const char no_resource[] =
    "3: resource wants absolute addresses such as \"https://host/path\" without \"#\"";
static const char no_parameter[] = "3: authorize_params wants \"name=value\" for each parameter";

static const struct value_row rows[] = {
    { KEYS("scope = ''"), "3: scope is empty" },
    { KEYS("token_endpoint = 'https://t.example/t?a=b'"), NULL },
    { KEYS("token_endpoint = 'http://127.9.9.9:80/t'"), NULL },
    { KEYS("token_endpoint = 'http://[::1]:80/t'"), NULL },
    { KEYS("token_endpoint = 'http://localhost/t'"), NULL },
    { KEYS("token_endpoint = 'http://t.example/t'"),
      "3: token_endpoint must be https (plain http goes to loopback hosts only)" },
    { KEYS("token_endpoint = 'http://localhost.example/t'"),
      "3: token_endpoint must be https (plain http goes to loopback hosts only)" },
    { KEYS("token_endpoint = 'https://u:hunter2@t.example/t'"), no_address },
    { KEYS("token_endpoint = 'https://t.example/#x'"), no_address },
    { KEYS("token_endpoint = 't.example/t'"), no_address },
    { KEYS("token_endpoint = 'ftp://t.example/t'"), no_address },
    { KEYS("token_endpoint = ''"), no_address },
    { KEYS("grant = 'device_code' device_authorization_endpoint = 'https://d.example'"), NULL },
    { KEYS("grant = 'autorization_code'"),
      "3: grant does not know the word \"autorization_code\": did you mean "
      "\"authorization_code\"?" },
    { KEYS("grant = 'password'"),
      "3: grant does not know the word \"password\" (\"authorization_code\" is one)" },
    { KEYS("pkce = s256"), "3: pkce does not know the word \"s256\": did you mean \"S256\"?" },
    { KEYS("pkce = off"), NULL },
    { KEYS("iss = promissed"),
      "3: iss does not know the word \"promissed\": did you mean \"promised\"?" },
    { KEYS("refresh_kills_access = yes"), NULL },
    { KEYS("refresh_kills_access = 1"),
      "3: refresh_kills_access does not know the word \"1\" (\"yes\" is one)" },
    { KEYS("retry_grace = 30min"), NULL },
    { KEYS("retry_grace = 30"), "3: retry_grace \"30\" has no unit: add \"s\", \"min\", \"h\" or "
                                "\"d\"" },
    { KEYS("default_lifetime = 11y"), "3: default_lifetime is above 10 years" },
    { KEYS("resource = 'https://api.example/'"), NULL },
    { KEYS("resource = {'https://api.example/', 'api.example'}"), no_resource },
    { KEYS("resource = 'https://api.example/#x'"), no_resource },
    { KEYS("resource = 'https://api.example/ b'"), no_resource },
    { KEYS("resource = '1a:b'"), no_resource },
    { KEYS("resource = 'a:'"), no_resource },
    { KEYS("resource = ''"), no_resource },
    { KEYS("token_params = {client_id, client_secret, 'a=b'}"), NULL },
    { KEYS("token_params = code"), "3: token_params wants \"name=value\" for each parameter" },
    { KEYS("authorize_params = client_secret"), no_parameter },
    { KEYS("rate_limit = '15/4s'"), NULL },
    { KEYS("rate_limit = '0/4s'"), no_rate },
    { KEYS("rate_limit = '15'"), no_rate },
    { KEYS("rate_limit = '15/4'"), no_rate },
    { KEYS("rate_limit = '15/'"), no_rate },
    { KEYS("rate_limit = '/4s'"), no_rate },
    { KEYS("rate_limit = '-15/4s'"), no_rate },
    { KEYS("rate_limit = ' 15/4s'"), no_rate },
    { KEYS("rate_limit = '15 /4s'"), no_rate },
    { KEYS("rate_limit = '1000001/4s'"), no_rate },
    { KEYS("rate_limit = '99999999999999999999/4s'"), no_rate },
    { KEYS("concurrency = 1"), NULL },
    { KEYS("concurrency = 64"), NULL },
    { KEYS("concurrency = 0"), no_concurrency },
    { KEYS("concurrency = 65"), no_concurrency },
    { KEYS("concurrency = '2 '"), no_concurrency },
    { KEYS("concurrency = '-1'"), no_concurrency },
    { KEYS("concurrency = 99999999999999999999"), no_concurrency },
    { KEYS("pushed_authorization_request_endpoint = 'https://h/par'"), NULL },
    { KEYS("present = 'header X-Api-Key'"), NULL },
    { KEYS("present = 'header'"), no_present },
    { KEYS("present = 'query'"), no_present },
    { KEYS("present = 'query a b'"), no_present },
    { KEYS("present = 'body a'"), no_present },
    { KEYS("present = 'header A B C'"), no_present },
    { KEYS("present = 'header A  B'"), no_present },
    { KEYS("present = 'header A: B'"), no_present },
    { KEYS("present = 'header A '"), no_present },
    { KEYS("present = ''"), no_present },
    { KEYS("authorize_params = {'a=b', 'c=', 'd=e=f'}"), NULL },
    { KEYS("authorize_params = {'a'}"), no_parameter },
    { KEYS("authorize_params = {'=a'}"), no_parameter },
    { KEYS("authorize_params = {''}"), no_parameter },
    { KEYS("authorize_params = {'state=x'}"),
      "3: authorize_params cannot set state, which the broker sets" },
    { KEYS("ca_file = 'ca.pem'"), "3: ca_file must be an absolute path" },
    { KEYS("proxy = 'socks5h://127.0.0.1:9050'"), NULL },
    { KEYS("proxy = 'http://u:hunter2@proxy:3128'"), "3: proxy must not hold a user and password" },
    { KEYS("proxy = 'proxy:3128'"),
      "3: proxy is no http://, https://, socks5:// or socks5h:// address" },
    { KEYS("proxy = 'http://'"),
      "3: proxy is no http://, https://, socks5:// or socks5h:// address" },
};

static void takes_or_refuses(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        check_row(i, rows[i].text, rows[i].refused);
}

struct present_row {
    const char *keys;
    const char *in, *name, *scheme;
};

static const struct present_row present_rows[] = {
    { "", "header", "Authorization", "Bearer" },
    { "present = 'header Authorization Token'", "header", "Authorization", "Token" },
    { "present = 'header X-Api-Key'", "header", "X-Api-Key", "" },
    { "present = 'query access_token'", "query", "access_token", "" },
};

static void tells_how_the_api_wants_the_token(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(present_rows); i++) {
        CLEANUP(cleanup_settings) struct settings *settings = parsed_provider(present_rows[i].keys);
        const struct provider *provider = settings->providers[0];
        assert_string_equal(provider->present_in, present_rows[i].in);
        assert_string_equal(provider->present_name, present_rows[i].name);
        assert_string_equal(provider->present_scheme, present_rows[i].scheme);
    }
}

static void reads_parameters(void **state)
{
    CLEANUP(cleanup_settings)
    struct settings *settings = parsed_provider("authorize_params = {'a=b', 'c=', 'd=e=f'}\n"
                                                "refresh_params = redirect_uri token_params = {}");
    const struct provider *provider = settings->providers[0];
    assert_int_equal(provider->authorize_params.count, 3);
    assert_string_equal(parameters_find(&provider->authorize_params, "a"), "b");
    assert_string_equal(parameters_find(&provider->authorize_params, "c"), "");
    assert_string_equal(parameters_find(&provider->authorize_params, "d"), "e=f");
    assert_string_equal(parameters_find(&provider->refresh_params, "redirect_uri"), "");
    assert_int_equal(provider->token_params.count, 0);
}

static void reads_resources(void **state)
{
    CLEANUP(cleanup_settings)
    struct settings *settings =
        parsed_provider("resource = {'https://api.example/v1?x=y', 'urn:example:b'}");
    const struct parameters *resource = &settings->providers[0]->resource;
    assert_int_equal(resource->count, 2);
    assert_string_equal(resource->items[0].name, "resource");
    assert_string_equal(resource->items[0].value, "https://api.example/v1?x=y");
    assert_string_equal(resource->items[1].name, "resource");
    assert_string_equal(resource->items[1].value, "urn:example:b");
}

static void reads_numbers_and_words(void **state)
{
    CLEANUP(cleanup_settings)
    struct settings *settings =
        parsed_provider("rate_limit = '15/4s' concurrency = 7 default_lifetime = 1799s "
                        "lifetime_unit = milliseconds\n"
                        "refresh_token_lifetime = 1y refresh_token_idle_lifetime = 14d\n"
                        "retry_grace = 30min refresh_kills_access = on keep = asked\n"
                        "token_request = json pkce = plain state = absent iss = promised");
    const struct provider *provider = settings->providers[0];
    assert_int_equal(provider->rate_limit_requests, 15);
    assert_int_equal(provider->rate_limit_period_ms, 4000);
    assert_int_equal(provider->concurrency, 7);
    assert_int_equal(provider->default_lifetime_ms, 1799000);
    assert_int_equal(provider->lifetime_unit, LIFETIME_MILLISECONDS);
    assert_int_equal(provider->refresh_token_lifetime_ms, INT64_C(365) * 86400000);
    assert_int_equal(provider->refresh_token_idle_lifetime_ms, INT64_C(14) * 86400000);
    assert_int_equal(provider->retry_grace_ms, 1800000);
    assert_true(provider->refresh_kills_access);
    assert_int_equal(provider->keep, KEEP_ASKED);
    assert_int_equal(provider->token_request, TOKEN_REQUEST_JSON);
    assert_int_equal(provider->pkce, PKCE_PLAIN);
    assert_int_equal(provider->state, STATE_ABSENT);
    assert_true(provider->iss_promised);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_or_refuses),
        cmocka_unit_test(tells_how_the_api_wants_the_token),
        cmocka_unit_test(reads_parameters),
        cmocka_unit_test(reads_resources),
        cmocka_unit_test(reads_numbers_and_words),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
