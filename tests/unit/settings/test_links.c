/* Where links for people elsewhere can lead, and where not: the reason is the admin's to read. */

#include "support.h"

#include "base/buffer.h"

#define PUBLIC "https://hr.example.com/oauth"

static struct provider provider_at(enum grant_type grant, const char *redirect_uri)
{
    struct provider provider = { .grant = grant };
    provider.redirect_uri = (char *)redirect_uri;
    return provider;
}

static void test_flaws(void **state)
{
    static const struct {
        const char *public_url;
        enum grant_type grant;
        const char *redirect_uri;
        const char *flaw; /* a part of it; NULL: links can lead there */
    } rows[] = {
        { PUBLIC, GRANT_AUTHORIZATION_CODE, PUBLIC "/callback/p", NULL },
        { PUBLIC, GRANT_AUTHORIZATION_CODE, "https://HR.example.com:443/oauth/x", NULL },
        { "https://hr.example.com", GRANT_AUTHORIZATION_CODE, PUBLIC "/callback/p", NULL },
        { NULL, GRANT_AUTHORIZATION_CODE, PUBLIC "/callback/p", "no public_url" },
        { NULL, GRANT_AUTHORIZATION_CODE, "http://127.0.0.1:8765/callback/p", "no public_url" },
        { PUBLIC, GRANT_AUTHORIZATION_CODE, "http://127.0.0.1:8765/callback/p", "not below" },
        { PUBLIC, GRANT_AUTHORIZATION_CODE, "http://hr.example.com/oauth/x", "not below" },
        { PUBLIC, GRANT_AUTHORIZATION_CODE, "https://hr.example.com:8443/oauth/x", "not below" },
        { PUBLIC, GRANT_AUTHORIZATION_CODE, "https://hr.example.com/oauth2/x", "not below" },
        { PUBLIC, GRANT_AUTHORIZATION_CODE, "https://hr.example.com/", "not below" },
        { PUBLIC, GRANT_AUTHORIZATION_CODE, "https://hr.example.com.evil/oauth/x", "not below" },
        { PUBLIC, GRANT_AUTHORIZATION_CODE, "https://oauth.pstmn.io/v1/callback", "not below" },
        { PUBLIC, GRANT_AUTHORIZATION_CODE, "urn:ietf:wg:oauth:2.0:oob", "not below" },
        { PUBLIC, GRANT_AUTHORIZATION_CODE, NULL, "not given in a browser" },
        { PUBLIC, GRANT_DEVICE_CODE, PUBLIC "/callback/p", "not given in a browser" },
        { PUBLIC, GRANT_STATIC, PUBLIC "/callback/p", "not given in a browser" },
        { PUBLIC, GRANT_CLIENT_CREDENTIALS, PUBLIC "/callback/p", "not given in a browser" },
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct settings settings = { .public_url = (char *)rows[i].public_url };
        const struct provider provider = provider_at(rows[i].grant, rows[i].redirect_uri);
        const char *flaw = settings_link_flaw(&settings, &provider);
        if (!flaw != !rows[i].flaw || (flaw && !strstr(flaw, rows[i].flaw)))
            fail_row(i, flaw ? flaw : "no flaw was found");
    }
}

static void test_address(void **state)
{
    const struct settings settings = { .public_url = (char *)PUBLIC };
    CLEANUP(cleanup_buffer) struct buffer url = BUFFER_WITH_MAXIMUM(LINK_URL_MAX);
    settings_append_link(&settings, "TOKEN", &url);
    assert_string_equal(buffer_text(&url), PUBLIC "/link/TOKEN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flaws),
        cmocka_unit_test(test_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
