#include "oauth/provider.h"

#include <stdio.h>

#include "settings/sections.h"
#include "support.h"

/* Two values of a key, the first NULL: not given; beside: what the section needs with them. */
struct key_row {
    const char *key;
    const char *one, *other;
    bool shapes_requests;
    const char *beside;
};

#define BASIC "client_secret = s "
#define SIGNED "client_auth = private_key_jwt client_secret = 'file:/k' "
#define BY_DEVICE "grant = device_code client_auth = none "

static const struct key_row rows[] = {
    { "client_id", "one", "other", true, BASIC },
    { "grant", "authorization_code", "device_code", true, BASIC },
    { "issuer", "'https://one.example'", "'https://other.example'", true, BASIC },
    { "authorization_endpoint", NULL, "'https://p.example/a'", false, BASIC },
    { "token_endpoint", NULL, "'https://p.example/t'", true, BASIC },
    { "refresh_endpoint", NULL, "'https://p.example/r'", true, BASIC },
    { "revocation_endpoint", NULL, "'https://p.example/r'", false, BASIC },
    { "device_authorization_endpoint", NULL, "'https://p.example/d'", false, BY_DEVICE },
    { "pushed_authorization_request_endpoint", NULL, "'https://p.example/p'", false, BASIC },
    { "redirect_uri", NULL, "'http://127.0.0.1:8765/other'", true, BASIC },
    { "client_auth", "basic", "post", true, BASIC },
    { "client_key_id", NULL, "one", true, SIGNED },
    { "client_key_id_next", NULL, "two", true, SIGNED "client_secret_next = 'file:/n' " },
    { "client_certificate", "'/one.pem'", "'/other.pem'", false, "client_auth = tls " },
    { "token_request", "form", "json", true, BASIC },
    { "pkce", "S256", "off", false, BASIC },
    { "state", "required", "absent", false, BASIC },
    { "iss", "optional", "promised", false, BASIC },
    { "scope", NULL, "read", true, BASIC },
    { "scope_separator", "' '", "','", true, BASIC },
    { "resource", NULL, "'https://api.example'", true, BASIC },
    { "authorize_params", NULL, "'a=1'", false, BASIC },
    { "token_params", "'a=1'", "'a=2'", true, BASIC },
    { "refresh_params", "{'a=b', 'c=d'}", "{'a=b', 'd=c'}", true, BASIC },
    { "default_lifetime", NULL, "1h", false, BASIC },
    { "lifetime_unit", "seconds", "milliseconds", false, BASIC },
    { "refresh_token_lifetime", NULL, "90d", false, BASIC },
    { "refresh_token_idle_lifetime", NULL, "30d", false, BASIC },
    { "retry_grace", NULL, "1min", false, BASIC },
    { "refresh_kills_access", "no", "yes", false, BASIC },
    { "rate_limit", NULL, "'5/1s'", false, BASIC },
    { "concurrency", NULL, "3", false, BASIC },
    { "keep", "always", "asked", false, BASIC },
    { "identity", NULL, "company_id", false, BASIC },
    { "present", NULL, "'header X-Key'", false, BASIC },
    { "api_base", NULL, "'https://api.example'", false, BASIC },
    { "ca_file", NULL, "'/ca.pem'", true, BASIC },
    { "proxy", NULL, "'http://proxy.example:3128'", true, BASIC },
};

/* They are no member of a provider: a preset is other keys, and secrets are told apart by
 * themselves. */
static const char *const elsewhere[] = { "preset", "client_secret", "client_secret_next" };

static bool is_elsewhere(const char *key)
{
    for (size_t i = 0; i < LENGTH_OF(elsewhere); i++)
        if (strcmp(elsewhere[i], key) == 0)
            return true;
    return false;
}

static void fingerprint_with(const struct key_row *row, const char *value,
                             char out[static FINGERPRINT_SIZE])
{
    char text[512], setting[128] = "";
    const bool is_issuer = strcmp(row->key, "issuer") == 0;
    if (value != NULL)
        (void)snprintf(setting, sizeof setting, "%s = %s", row->key, value);
    (void)snprintf(text, sizeof text, "provider p { %s %s %s %s }", row->beside,
                   is_issuer ? "" : "issuer = 'https://p.example'",
                   strcmp(row->key, "client_id") == 0 ? "" : "client_id = x", setting);
    CLEANUP(cleanup_settings) struct settings *settings = parsed(text);
    provider_fingerprint(settings->providers[0], out);
}

static const struct key_row *row_of(const char *key)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (strcmp(rows[i].key, key) == 0)
            return &rows[i];
    fail_msg("%s: does it shape a request for a token? it wants a row here, and OF_REQUEST in "
             "oauth/provider.c if it does",
             key);
    return NULL;
}

static void a_fingerprint_holds_what_shapes_requests_for_tokens(void **state)
{
    for (size_t i = 0; i < provider_section.key_count; i++) {
        char one[FINGERPRINT_SIZE], other[FINGERPRINT_SIZE];
        const char *key = provider_section.keys[i].name;
        if (is_elsewhere(key))
            continue;
        const struct key_row *row = row_of(key);
        fingerprint_with(row, row->one, one);
        fingerprint_with(row, row->other, other);
        if ((strcmp(one, other) != 0) != row->shapes_requests)
            fail_msg("%s: the fingerprint %s", key,
                     row->shapes_requests ? "stays as it is" : "changes");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fingerprint_holds_what_shapes_requests_for_tokens),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
