#include "oauth/token_grant.h"

#include "oauth/lifetime.h"

#include "support.h"

static char space[] = " ", comma[] = ",";

static struct json *json_of(const char *text)
{
    struct json *json = NULL;
    struct complaint complaint = { "" };
    int r = json_parse(text, strlen(text), &json, &complaint);
    if (r != 0)
        print_error("%s: %s\n", text, complaint.text);
    assert_int_equal(r, 0);
    return json;
}

struct token_row {
    const char *reply;
    enum token_member member;
    const char *token;
};

static const struct token_row token_rows[] = {
    { "{\"t\":\"OWVi+/=\"}", TOKEN_MEMBER_READ, "OWVi+/=" },
    { "{\"t\":\"a b~\"}", TOKEN_MEMBER_READ, "a b~" },
    { "{\"t\":\"\\u0041\\/\"}", TOKEN_MEMBER_READ, "A/" },
    { "{}", TOKEN_MEMBER_ABSENT },
    { "{\"t\":null}", TOKEN_MEMBER_ABSENT },
    { "{\"t\":\"\"}", TOKEN_MEMBER_ABSENT },
    { "{\"t\":false}", TOKEN_MEMBER_ABSENT },
    { "{\"t\":12}", TOKEN_MEMBER_UNREADABLE },
    { "{\"t\":[\"a\"]}", TOKEN_MEMBER_UNREADABLE },
    { "{\"t\":{\"value\":\"a\"}}", TOKEN_MEMBER_UNREADABLE },
    { "{\"t\":\"a\\r\\nX-Evil: 1\"}", TOKEN_MEMBER_UNREADABLE },
    { "{\"t\":\"\\u007f\"}", TOKEN_MEMBER_UNREADABLE },
    { "{\"t\":\"\xc3\xb8\"}", TOKEN_MEMBER_UNREADABLE },
};

static void reads_tokens(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(token_rows); i++) {
        CLEANUP(cleanup_json) struct json *reply = json_of(token_rows[i].reply);
        CLEANUP(cleanup_secret) struct secret *token = NULL;
        enum token_member member = TOKEN_MEMBER_READ;
        assert_int_equal(token_grant_read_token(reply, "t", &token, &member), 0);
        assert_int_equal(member, token_rows[i].member);
        assert_secret_text(token, token_rows[i].token);
    }
}

static void caps_tokens(void **state)
{
    for (size_t length = SECRET_MAX; length <= SECRET_MAX + 1; length++) {
        char *value = repeated('t', length), *text = NULL;
        assert_true(asprintf(&text, "{\"t\":\"%s\"}", value) > 0);
        CLEANUP(cleanup_json) struct json *reply = json_of(text);
        CLEANUP(cleanup_secret) struct secret *token = NULL;
        enum token_member member = TOKEN_MEMBER_ABSENT;
        assert_int_equal(token_grant_read_token(reply, "t", &token, &member), 0);
        assert_int_equal(member, length > SECRET_MAX ? TOKEN_MEMBER_UNREADABLE : TOKEN_MEMBER_READ);
        free(text);
        free(value);
    }
}

static void read_grant_of(const struct provider *provider, const char *text,
                          struct token_grant *grant)
{
    CLEANUP(cleanup_json) struct json *reply = json_of(text);
    *grant = (struct token_grant){ 0 };
    assert_int_equal(token_grant_read_owner(provider, reply, grant), 0);
    assert_int_equal(token_grant_read(provider, reply, grant), 0);
}

struct lifetime_row {
    const char *reply;
    enum lifetime_unit unit;
    int64_t default_ms;
    int64_t lifetime_ms;
    bool should_fail; /* it is odd */
};

#define FALLBACK LIFETIME_FALLBACK_MS
#define TEN_YEARS_S "315360000"

static const struct lifetime_row lifetime_rows[] = {
    { "{\"expires_in\":3600}", LIFETIME_SECONDS, 0, 3600000 },
    { "{\"expires_in\":\"1799\"}", LIFETIME_SECONDS, 0, 1799000 },
    { "{\"expires_in\":\"01799\"}", LIFETIME_SECONDS, 0, 1799000 },
    { "{\"expires_in\":1e3}", LIFETIME_SECONDS, 0, 1000000 },
    { "{\"expires_in\":3600.0}", LIFETIME_SECONDS, 0, 3600000 },
    { "{\"expires_in\":1}", LIFETIME_SECONDS, 0, 1000 },
    { "{\"expires_in\":" TEN_YEARS_S "}", LIFETIME_SECONDS, 0, LIFETIME_MAX_MS },
    { "{\"expires_in\":1799000}", LIFETIME_MILLISECONDS, 0, 1799000 },
    { "{\"expires_in\":\"1799000\"}", LIFETIME_MILLISECONDS, 0, 1799000 },
    { "{\"expires_in\":1000}", LIFETIME_MILLISECONDS, 0, 1000 },
    { "{\"expires_in\":3600}", LIFETIME_SECONDS, 7000, 3600000 },
    { "{}", LIFETIME_SECONDS, 7000, 7000 },
    { "{\"expires_in\":null}", LIFETIME_SECONDS, 7000, 7000 },

    { "{}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":null}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":0}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":0}", LIFETIME_SECONDS, 7000, 7000, true },
    { "{\"expires_in\":-1}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":\"-1\"}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":999}", LIFETIME_MILLISECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":315360001}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":1e23}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":1e400}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":9223372036854775807}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":-9223372036854775808}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":3599.5}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":\"3599.5\"}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":\"\"}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":\" 3600\"}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":\"+3600\"}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":\"3600s\"}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":\"0x10\"}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":\"9999999999999999999999\"}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":true}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":[3600]}", LIFETIME_SECONDS, 0, FALLBACK, true },
    { "{\"expires_in\":{\"seconds\":3600}}", LIFETIME_SECONDS, 0, FALLBACK, true },
};

static void reads_lifetimes(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(lifetime_rows); i++) {
        const struct lifetime_row *row = &lifetime_rows[i];
        const struct provider provider = { .scope_separator = space,
                                           .lifetime_unit = row->unit,
                                           .default_lifetime_ms = row->default_ms };
        struct token_grant grant;
        read_grant_of(&provider, row->reply, &grant);
        if (grant.lifetime_ms != row->lifetime_ms || grant.expires_in_odd != row->should_fail)
            print_error("row: %s\n", row->reply);
        assert_int_equal(grant.lifetime_ms, row->lifetime_ms);
        assert_int_equal(grant.expires_in_odd, row->should_fail);
        assert_int_equal(grant.lifetime_assumed,
                         row->lifetime_ms == lifetime_assumed_ms(&provider));
        token_grant_release(&grant);
    }
}

static void reads_refresh_token_lifetimes(void **state)
{
    static const struct {
        const char *reply;
        int64_t lifetime_ms;
    } rows[] = {
        { "{\"refresh_token_expires_in\":1209600}", 1209600000 },
        { "{\"refresh_token_expires_in\":\"1209600\"}", 1209600000 },
        { "{\"refresh_token_expires_in\":0}", 0 },
        { "{\"refresh_token_expires_in\":\"never\"}", 0 },
        { "{}", 0 },
    };
    const struct provider provider = { .scope_separator = space };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct token_grant grant;
        read_grant_of(&provider, rows[i].reply, &grant);
        assert_int_equal(grant.refresh_token_lifetime_ms, rows[i].lifetime_ms);
        token_grant_release(&grant);
    }
}

static void reads_token_types(void **state)
{
    static const char *const rows[][2] = {
        { "{\"token_type\":\"Bearer\"}", "Bearer" },
        { "{\"token_type\":\"bearer\"}", "Bearer" },
        { "{\"token_type\":\"BEARER\"}", "Bearer" },
        { "{\"token_type\":\"Token\"}", "Token" },
        { "{\"token_type\":\"mac\"}", "mac" },
        { "{\"token_type\":\"Bea\\nrer\"}", "Bea rer" },
        { "{\"token_type\":\"\"}", "Bearer" },
        { "{\"token_type\":null}", "Bearer" },
        { "{}", "Bearer" },
    };
    const struct provider provider = { .scope_separator = space };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct token_grant grant;
        read_grant_of(&provider, rows[i][0], &grant);
        assert_string_equal(grant.token_type, rows[i][1]);
        token_grant_release(&grant);
    }
}

static void reads_scopes(void **state)
{
    static const struct {
        const char *reply, *scope;
        char *separator;
    } rows[] = {
        { "{\"scope\":\"manage:employees read:accounts\"}", "manage:employees read:accounts",
          space },
        { "{\"scope\":\"a\\u007fb c\\u0085d \\u202ee\"}", "a b c d e", space },
        { "{\"scope\":\"a,b\"}", "a b", comma },
        { "{\"scope\":\"a, b\"}", "a b", comma },
        { "{\"scope\":\"a b\"}", "a b", comma },
        { "{\"scope\":\"a,b\"}", "a,b", space },
        { "{\"scope\":[\"a\",\"b c\",\"\",7]}", "a b c", space },
        { "{\"scope\":[]}", NULL, space },
        { "{\"scope\":\"\"}", NULL, space },
        { "{\"scope\":null}", NULL, space },
        { "{\"scope\":7}", NULL, space },
        { "{}", NULL, space },
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct provider provider = { .scope_separator = rows[i].separator };
        struct token_grant grant;
        read_grant_of(&provider, rows[i].reply, &grant);
        assert_text(grant.scope, rows[i].scope);
        token_grant_release(&grant);
    }
}

static void keeps_what_is_extra(void **state)
{
    static const char *const rows[][2] = {
        { "{}", "{}" },
        { "{\"access_token\":\"a\",\"refresh_token\":\"r\",\"token_type\":\"t\",\"expires_in\":1,"
          "\"scope\":\"s\",\"id_token\":\"i\",\"refresh_token_expires_in\":2}",
          "{}" },
        { "{\"company_id\":\"ba8d\",\"access_token\":\"a\"}", "{\"company_id\":\"ba8d\"}" },
        { "{\"created_at\":1.50, \"big\":90071992547409931, \"t\":true, \"n\":null, "
          "\"a\":[1,{\"b\":\"c\"}], \"o\":{}}",
          "{\"created_at\":1.50,\"big\":90071992547409931,\"t\":true,\"n\":null,"
          "\"a\":[1,{\"b\":\"c\"}],\"o\":{}}" },
        { "{\"a\\\"b\":\"c\\\"\\n\"}", "{\"a\\\"b\":\"c\\\"\\n\"}" },
        { "{\"Access_Token\":\"a\"}", "{\"Access_Token\":\"a\"}" },
    };
    const struct provider provider = { .scope_separator = space };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct token_grant grant;
        read_grant_of(&provider, rows[i][0], &grant);
        assert_string_equal(grant.extra, rows[i][1]);
        token_grant_release(&grant);
    }
}

/* {"k":"…"} of exactly EXTRA_MAX bytes fits; one more does not, and others stay. */
static void caps_what_is_extra(void **state)
{
    const struct provider provider = { .scope_separator = space };
    for (size_t more = 0; more <= 1; more++) {
        char *value = repeated('v', EXTRA_MAX - strlen("{\"k\":\"\"}") + more), *text = NULL;
        assert_true(asprintf(&text, "{\"k\":\"%s\",\"m\":1}", value) > 0);
        struct token_grant grant;
        read_grant_of(&provider, text, &grant);
        if (more == 0)
            assert_int_equal(strlen(grant.extra), EXTRA_MAX);
        else
            assert_string_equal(grant.extra, "{\"m\":1}");
        token_grant_release(&grant);
        free(text);
        free(value);
    }
}

static void reads_identity_when_asked(void **state)
{
    char path[] = "company_id";
    const struct provider asked = { .scope_separator = space, .identity = path };
    const struct provider not_asked = { .scope_separator = space };
    struct token_grant grant;
    read_grant_of(&asked, "{\"company_id\":\"ba8d\"}", &grant);
    assert_string_equal(grant.identity, "ba8d");
    assert_null(grant.nonce);
    token_grant_release(&grant);
    read_grant_of(&not_asked, "{\"company_id\":\"ba8d\"}", &grant);
    assert_null(grant.identity);
    token_grant_release(&grant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_tokens),
        cmocka_unit_test(caps_tokens),
        cmocka_unit_test(reads_lifetimes),
        cmocka_unit_test(reads_refresh_token_lifetimes),
        cmocka_unit_test(reads_token_types),
        cmocka_unit_test(reads_scopes),
        cmocka_unit_test(keeps_what_is_extra),
        cmocka_unit_test(caps_what_is_extra),
        cmocka_unit_test(reads_identity_when_asked),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
