#include "oauth/url.h"

#include "support.h"

struct parse_row {
    const char *text;
    bool should_fail;
    bool https;
    const char *host;
    unsigned port;
    const char *path;
    const char *query;
};

static const struct parse_row parse_rows[] = {
    { "https://auth.zenegy.com/auth/token", false, true, "auth.zenegy.com", 443, "/auth/token" },
    { "HTTPS://App.ZenHR.com/oauth", false, true, "app.zenhr.com", 443, "/oauth" },
    { "http://127.0.0.1:8765/callback/a", false, false, "127.0.0.1", 8765, "/callback/a" },
    { "http://[::1]:8765", false, false, "::1", 8765, "/" },
    { "https://localhost:3000", false, true, "localhost", 3000, "/" },
    { "https://h:/x", false, true, "h", 443, "/x" },
    { "https://h?a=b", false, true, "h", 443, "/", "a=b" },
    { "https://h/x?", false, true, "h", 443, "/x", "" },
    { "https://h/a@b:c", false, true, "h", 443, "/a@b:c" },
    { "https://h/x?u=https://i/?j", false, true, "h", 443, "/x", "u=https://i/?j" },
    { "https://h:65535", false, true, "h", 65535, "/" },
    { "", true },
    { "https://", true },
    { "https:///x", true },
    { "//h/x", true },
    { "/x", true },
    { "ftp://h/x", true },
    { "httpss://h", true },
    { "https:/h", true },
    { "https://user@h/x", true },
    { "https://user:word@h/x", true },
    { "https://h/x#part", true },
    { "https://h#part", true },
    { "https://h x/", true },
    { "https://h/a b", true },
    { "https://h/\n", true },
    { "https://h/\x7f", true },
    { "https://h\\@i/", true },
    { "https://h/\xc3\xa6", true },
    { "https://h%41/", true },
    { "https://h:0/", true },
    { "https://h:65536/", true },
    { "https://h:123456/", true },
    { "https://h:8x/", true },
    { "https://h:-1/", true },
    { "https://[::1/", true },
    { "https://[::1]x/", true },
    { "https://[1.2.3.4]/", true },
    { "https://[::1%25eth0]/", true },
    { "https://[]/", true },
    { "https://:80/", true },
};

static void parses(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(parse_rows); i++) {
        const struct parse_row *row = &parse_rows[i];
        struct url url = { .port = 7 };
        bool parsed = url_parse(row->text, &url);
        if (parsed == row->should_fail)
            print_error("row: %s\n", row->text);
        assert_int_equal(parsed, !row->should_fail);
        if (row->should_fail) {
            assert_int_equal(url.port, 7);
            continue;
        }
        assert_int_equal(url.https, row->https);
        assert_string_equal(url.host, row->host);
        assert_int_equal(url.port, row->port);
        assert_string_equal(url.path, row->path);
        assert_text(url.query, row->query);
    }
}

static bool parses_with(const char *before, size_t length, const char *after)
{
    struct url url;
    char *middle = repeated('a', length);
    char *text = NULL;
    assert_true(asprintf(&text, "%s%s%s", before, middle, after) > 0);
    bool parsed = url_parse(text, &url);
    free(middle);
    free(text);
    return parsed;
}

static void caps_lengths(void **state)
{
    assert_true(parses_with("https://", URL_HOST_MAX, "/"));
    assert_false(parses_with("https://", URL_HOST_MAX + 1, "/"));
    assert_true(parses_with("https://h/", URL_PATH_MAX - 1, "?q"));
    assert_false(parses_with("https://h/", URL_PATH_MAX, "?q"));
}

struct safe_row {
    const char *text;
    bool loopback;
    bool safe;
};

static const struct safe_row safe_rows[] = {
    { "https://example.com", false, true },
    { "http://example.com", false, false },
    { "http://localhost", true, true },
    { "http://LOCALHOST", true, true },
    { "http://localhost.example.com", false, false },
    { "http://127.0.0.1", true, true },
    { "http://127.255.0.9", true, true },
    { "http://128.0.0.1", false, false },
    { "http://127.0.0.1.example.com", false, false },
    { "http://127.1", false, false },
    { "http://2130706433", false, false },
    { "http://[::1]", true, true },
    { "http://[0:0:0:0:0:0:0:1]", true, true },
    { "http://[::2]", false, false },
    { "http://[::ffff:127.0.0.1]", false, false },
    { "https://[::1]", true, true },
};

static void knows_what_is_safe(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(safe_rows); i++) {
        struct url url;
        assert_true(url_parse(safe_rows[i].text, &url));
        if (url_is_safe(&url) != safe_rows[i].safe)
            print_error("row: %s\n", safe_rows[i].text);
        assert_int_equal(url_host_is_loopback(url.host), safe_rows[i].loopback);
        assert_int_equal(url_is_safe(&url), safe_rows[i].safe);
    }
}

static void appends_origins(void **state)
{
    static const struct {
        const char *text, *origin;
    } rows[] = {
        { "https://H/x", "https://h" },          { "https://h:443/x", "https://h" },
        { "https://h:80/x", "https://h:80" },    { "http://h:80/x", "http://h" },
        { "http://h:443/", "http://h:443" },     { "http://[::1]:8765/", "http://[::1]:8765" },
        { "https://[::1]/?q", "https://[::1]" },
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(512);
        struct url url;
        assert_true(url_parse(rows[i].text, &url));
        url_append_origin(&out, &url);
        assert_string_equal(buffer_text(&out), rows[i].origin);
    }
}

static void joins_queries(void **state)
{
    assert_string_equal(url_query_joint("https://h/x"), "?");
    assert_string_equal(url_query_joint("https://h/x?"), "");
    assert_string_equal(url_query_joint("https://h/x?a=b"), "&");
    assert_string_equal(url_query_joint("https://h/x?a=b&"), "");
}

static void says_what_is_below(void **state)
{
    static const struct {
        const char *text, *base, *below;
    } rows[] = {
        { "https://h/oauth/cb", "https://h/oauth", "/cb" },
        { "https://h/oauth/cb?x=y", "https://H:443/oauth/", "/cb" },
        { "https://h/cb", "https://h", "/cb" },
        { "https://h", "https://h", "/" },
        { "https://h/oauth/", "https://h/oauth", "/" },
        { "https://h/oauth", "https://h/oauth", NULL },
        { "https://h/oauth2/cb", "https://h/oauth", NULL },
        { "https://h/OAUTH/cb", "https://h/oauth", NULL },
        { "https://h/cb", "https://h/oauth", NULL },
        { "http://h/oauth/cb", "https://h/oauth", NULL },
        { "https://h:8443/oauth/cb", "https://h/oauth", NULL },
        { "https://h.example/oauth/cb", "https://h/oauth", NULL },
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct url url, base;
        assert_true(url_parse(rows[i].text, &url) && url_parse(rows[i].base, &base));
        const char *below = url_below(&url, &base);
        if (rows[i].below ? !below || strcmp(below, rows[i].below) != 0 : below != NULL)
            fail_msg("row %zu: %s", i, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses),
        cmocka_unit_test(caps_lengths),
        cmocka_unit_test(knows_what_is_safe),
        cmocka_unit_test(appends_origins),
        cmocka_unit_test(joins_queries),
        cmocka_unit_test(says_what_is_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
