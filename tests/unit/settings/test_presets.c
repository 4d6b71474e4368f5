#include "settings/presets.h"

#include <stdio.h>

#include "oauth/provider.h"
#include "support.h"

/* What the providers' own documents say, once more. */
struct preset_row {
    const char *name;
    const char *authorize, *token;
    enum client_auth auth;
    enum state_promise state;
    bool refresh_wants_redirect;
    const char *identity;
    const char *present_in, *present_name;
    const char *api_base;
};

#define AUTHORIZATION "header", "Authorization"

static const struct preset_row rows[] = {
    { "enablehr", "https://login.enablehr.com/oauth/authorize",
      "https://login.enablehr.com/oauth/token", CLIENT_AUTH_BASIC_RAW, STATE_REQUIRED, false,
      "userId", AUTHORIZATION, "https://rest.enablehr.com" },
    { "gusto", "https://api.gusto.com/oauth/authorize", "https://api.gusto.com/oauth/token",
      CLIENT_AUTH_POST, STATE_REQUIRED, true, "company_uuid", AUTHORIZATION,
      "https://api.gusto.com" },
    { "gusto-demo", "https://api.gusto-demo.com/oauth/authorize",
      "https://api.gusto-demo.com/oauth/token", CLIENT_AUTH_POST, STATE_REQUIRED, true,
      "company_uuid", AUTHORIZATION, "https://api.gusto-demo.com" },
    { "zenegy", "https://auth.zenegy.com/auth/authorize", "https://auth.zenegy.com/auth/token",
      CLIENT_AUTH_POST, STATE_ABSENT, false, "company_id", AUTHORIZATION,
      "https://api.zenegy.com" },
    { "zenegy-numbers", "https://auth.zenegy.com/auth/authorize",
      "https://auth.zenegy.com/auth/token", CLIENT_AUTH_POST, STATE_ABSENT, false, "company_id",
      AUTHORIZATION, "https://api-external.zenegy.com" },
    { "zenegy-numbers-staging", "https://auth.beta.zalary.com/auth/authorize",
      "https://auth.beta.zalary.com/auth/token", CLIENT_AUTH_POST, STATE_ABSENT, false,
      "company_id", AUTHORIZATION,
      "https://zalary-beta-gateway-external-client-api.azurewebsites.net" },
    { "zenegy-staging", "https://auth.beta.zalary.com/auth/authorize",
      "https://auth.beta.zalary.com/auth/token", CLIENT_AUTH_POST, STATE_ABSENT, false,
      "company_id", AUTHORIZATION, "https://api-gateway.beta.zalary.com" },
    { "zenhr", "https://app.zenhr.com/oauth/authorize", "https://app.zenhr.com/oauth/token",
      CLIENT_AUTH_POST, STATE_REQUIRED, false, NULL, AUTHORIZATION,
      "https://app.zenhr.com/api/v3" },
    { "zenpayroll", "https://zenpayroll.com/oauth/authorize", "https://zenpayroll.com/oauth/token",
      CLIENT_AUTH_POST, STATE_ABSENT, true, NULL, "query", "access_token", NULL },
};

static struct settings *parsed_preset(const char *name)
{
    char text[256];
    (void)snprintf(text, sizeof text,
                   "provider p { preset = '%s' client_id = x client_secret = s }", name);
    return parsed(text);
}

static void presets_say_what_providers_do(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct preset_row *row = &rows[i];
        CLEANUP(cleanup_settings) struct settings *settings = parsed_preset(row->name);
        const struct provider *provider = settings->providers[0];
        const char *redirect = parameters_find(&provider->refresh_params, "redirect_uri");
        assert_string_equal(provider->authorization_endpoint, row->authorize);
        assert_string_equal(provider->token_endpoint, row->token);
        assert_int_equal(provider->client_auth, row->auth);
        assert_int_equal(provider->state, row->state);
        assert_int_equal(provider->pkce, PKCE_S256);
        assert_int_equal(provider->token_request, TOKEN_REQUEST_FORM);
        assert_text(redirect, row->refresh_wants_redirect ? "" : NULL);
        assert_text(provider->identity, row->identity);
        assert_string_equal(provider->present_in, row->present_in);
        assert_string_equal(provider->present_name, row->present_name);
        assert_text(provider->api_base, row->api_base);
        assert_true(provider->default_lifetime_ms > 0);
    }
}

static void the_table_holds_them_all(void **state)
{
    assert_int_equal(preset_count, LENGTH_OF(rows));
    for (size_t i = 0; i < preset_count; i++)
        assert_string_equal(presets[i].name, rows[i].name);
}

static void special_limits_are_kept(void **state)
{
    CLEANUP(cleanup_settings) struct settings *zenhr = parsed_preset("zenhr");
    assert_int_equal(zenhr->providers[0]->rate_limit_requests, 15);
    assert_int_equal(zenhr->providers[0]->rate_limit_period_ms, 4000);
    assert_int_equal(zenhr->providers[0]->refresh_token_lifetime_ms, INT64_C(365) * 86400000);
    CLEANUP(cleanup_settings) struct settings *enablehr = parsed_preset("enablehr");
    assert_int_equal(enablehr->providers[0]->refresh_token_idle_lifetime_ms,
                     INT64_C(14) * 86400000);
    assert_int_equal(enablehr->providers[0]->retry_grace_ms, 30 * 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_say_what_providers_do),
        cmocka_unit_test(the_table_holds_them_all),
        cmocka_unit_test(special_limits_are_kept),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
