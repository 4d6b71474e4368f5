#include "../base/unit.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/secret.h"
#include "front/pages.h"
#include "front/pages_data.h"

enum { BUFFER_MAX = 64 * 1024 };

static void cleanup_text(struct buffer *buffer)
{
    buffer_release(buffer);
}

#define PAGE CLEANUP(cleanup_text) struct buffer page = BUFFER_WITH_MAXIMUM(BUFFER_MAX)

static bool holds(const struct buffer *page, const char *text)
{
    return strstr(buffer_text(page), text) != NULL;
}

static void test_escaping(void **state)
{
    static const struct {
        const char *text, *escaped;
        size_t maximum;
    } rows[] = {
        { "plain", "plain", 99 },
        { "<b>&\"'", "&lt;b&gt;&amp;&quot;&#39;", 99 },
        { "a\nb\tc\x7F", "a b c ", 99 },
        { "gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F", 99 },
        { "\xF0\x9F\x94\x91", "\xF0\x9F\x94\x91", 99 },
        { "a\xFFz", "a\xEF\xBF\xBDz", 99 },
        { "\xC0\xBCscript", "\xEF\xBF\xBD\xEF\xBF\xBDscript", 99 },
        { "\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD", 99 },
        { "12345", "12345", 5 },
        { "123456", "12345\xE2\x80\xA6", 5 },
        { "1234\xC3\xBC", "1234\xE2\x80\xA6", 5 },
        { "<<<", "&lt;&lt;\xE2\x80\xA6", 2 },
        { "", "", 5 },
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        PAGE;
        page_put_escaped(&page, rows[i].text, rows[i].maximum);
        if (strcmp(buffer_text(&page), rows[i].escaped) != 0)
            fail_row(i, buffer_text(&page));
    }
}

/* What a browser would compute: the hash of what stands between <style> and </style>. */
static void check_style_hash(const struct buffer *page)
{
    const char *start = strstr(buffer_text(page), "<style>");
    assert_non_null(start);
    start += strlen("<style>");
    const char *end = strstr(start, "</style>");
    assert_non_null(end);
    unsigned char digest[32];
    CLEANUP(cleanup_text) struct buffer source = BUFFER_WITH_MAXIMUM(256);
    digest_sha256(start, (size_t)(end - start), digest);
    buffer_append_text(&source, "style-src 'sha256-");
    buffer_append_base64(&source, digest, sizeof(digest));
    buffer_append_text(&source, "'");
    assert_non_null(strstr(page_policy(), buffer_text(&source)));
}

static size_t count(const char *text, const char *word)
{
    size_t times = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        times++;
    return times;
}

/* What holds for every page. */
static void check_page(const struct buffer *page)
{
    const char *text = buffer_text(page);
    assert_false(page->failed);
    assert_ptr_equal(strstr(text, "<!doctype html>\n<html lang=\"en\">"), text);
    assert_true(holds(page, "<meta name=\"viewport\" content=\"width=device-width"));
    assert_int_equal(count(text, "<h1>"), 1);
    assert_int_equal(count(text, "<main "), 1);
    assert_int_equal(count(text, "<svg "), 1);
    assert_int_equal(count(text, "<style"), 1);
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, " style="));
    assert_null(strstr(text, "{{"));
    assert_null(strstr(text, "}}\n"));
    assert_null(strstr(text, "<title></title>"));
    check_style_hash(page);
}

static void test_policy(void **state)
{
    static const char *const parts[] = {
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    };
    for (size_t i = 0; i < LENGTH_OF(parts); i++)
        assert_non_null(strstr(page_policy(), parts[i]));
    assert_null(strstr(page_policy(), "unsafe"));
    assert_null(strstr(page_style, "url("));
    assert_null(strstr(page_style, "@import"));
    assert_non_null(strstr(page_style, "prefers-color-scheme: dark"));
}

static void test_notices(void **state)
{
    static const int statuses[PAGE_NOTICE_COUNT] = {
        [PAGE_NOT_FOUND] = 404,     [PAGE_BAD_METHOD] = 405,      [PAGE_WRONG_HOST] = 421,
        [PAGE_FRAMED] = 403,        [PAGE_UNREADABLE] = 400,      [PAGE_UNKNOWN_LOGIN] = 404,
        [PAGE_OTHER_BROWSER] = 409, [PAGE_FOREIGN_BROWSER] = 403, [PAGE_WRONG_ISSUER] = 403,
        [PAGE_STATE_MISSING] = 400, [PAGE_PASTE] = 200,           [PAGE_BUSY] = 503,
        [PAGE_LINK_UNKNOWN] = 404,  [PAGE_LINK_WORN] = 429,       [PAGE_LINK_NOT_NOW] = 503,
        [PAGE_OTHER_USER] = 403,
    };
    for (int i = 0; i < PAGE_NOTICE_COUNT; i++) {
        PAGE;
        assert_int_equal(page_put_notice(&page, (enum page_notice)i), statuses[i]);
        check_page(&page);
        assert_null(strstr(buffer_text(&page), "this computer"));
    }
}

static void test_whose_browser_is_meant(void **state)
{
    PAGE;
    assert_int_equal(page_put_other_user(&page, 4294967294), 403);
    check_page(&page);
    assert_non_null(strstr(buffer_text(&page), "uid 4294967294."));
    assert_non_null(strstr(buffer_text(&page), "tokenbroker login --no-browser"));
}

static struct page_login some_login(enum page_result result)
{
    return (struct page_login){
        .result = result,
        .provider = "zenegy",
        .account = "zenegy/acme",
        .identity = "company 4711",
        .scope_asked = "read write",
        .scope_granted = "read",
        .expires_at = clock_to_wall(clock_now()) + 3600 * 1000,
        .error = "access_denied",
        .description = "the <i>user</i> said no",
    };
}

/* Who came by a link has no terminal here. */
static void test_results_elsewhere(void **state)
{
    for (int i = 0; i < PAGE_RESULT_COUNT; i++) {
        PAGE;
        struct page_login login = some_login((enum page_result)i);
        login.host = "hr.example.com";
        login.by_link = true;
        (void)page_put_login(&page, &login);
        check_page(&page);
        assert_null(strstr(buffer_text(&page), "tokenbroker login"));
        assert_null(strstr(buffer_text(&page), "this computer"));
        assert_non_null(strstr(buffer_text(&page), "<span>at hr.example.com</span>"));
    }
}

/* Through public_url, yet by somebody with a command: where it is, and what to type. */
static void test_results_through_the_public_address(void **state)
{
    for (int i = 0; i < PAGE_RESULT_COUNT; i++) {
        PAGE;
        CLEANUP(cleanup_text) struct buffer here = BUFFER_WITH_MAXIMUM(PAGE_MAX);
        struct page_login login = some_login((enum page_result)i);
        (void)page_put_login(&here, &login);
        login.host = "hr.example.com";
        (void)page_put_login(&page, &login);
        check_page(&page);
        assert_null(strstr(buffer_text(&page), "this computer"));
        assert_non_null(strstr(buffer_text(&page), "<span>at hr.example.com</span>"));
        assert_non_null(strstr(buffer_text(&here), "<span>on this computer</span>"));
        assert_int_equal(count(buffer_text(&page), "tokenbroker login"),
                         count(buffer_text(&here), "tokenbroker login"));
    }
}

static void test_links(void **state)
{
    static const int statuses[PAGE_LINK_STATE_COUNT] = {
        [PAGE_LINK_OPEN] = 200,      [PAGE_LINK_USED] = 410,    [PAGE_LINK_REPLACED] = 410,
        [PAGE_LINK_WITHDRAWN] = 410, [PAGE_LINK_EXPIRED] = 410,
    };
    for (int i = 0; i < PAGE_LINK_STATE_COUNT; i++) {
        PAGE;
        const struct page_link link = {
            .state = (enum page_link_state)i,
            .provider = "zenegy",
            .account = "zenegy/acme",
            .host = "hr.example.com",
            .expected = "<b>4711</b>",
            .scope = "read write",
            .until = clock_to_wall(clock_now()) + 3600 * 1000,
            .go = "https://hr.example.com/link/T/go",
        };
        const bool open = link.state == PAGE_LINK_OPEN;
        assert_int_equal(page_put_link(&page, &link), statuses[i]);
        check_page(&page);
        assert_int_equal(count(buffer_text(&page), "href=\"https://hr.example.com/link/T/go\""),
                         open);
        assert_int_equal(count(buffer_text(&page), "&lt;b&gt;4711&lt;/b&gt;"), open);
        assert_non_null(strstr(buffer_text(&page), "zenegy/acme"));
        assert_null(strstr(buffer_text(&page), "until ."));
    }
}

static void test_results(void **state)
{
    static const struct {
        enum page_result result;
        int status;
        const char *tone, *says;
    } rows[] = {
        { PAGE_PENDING, 200, "wait", "not finished" },
        { PAGE_NOT_PUSHED, 503, "warning", "The login is still open" },
        { PAGE_FINISHING, 200, "wait", "http-equiv=\"refresh\"" },
        { PAGE_CONNECTED, 200, "good", "<h1>zenegy is connected</h1>" },
        { PAGE_CONNECTED_FOR_NOW, 200, "warning", "offline_access" },
        { PAGE_HELD, 200, "warning", "earlier access keeps working" },
        { PAGE_NOT_GRANTED, 200, "calm", "access_denied: the &lt;i&gt;user&lt;/i&gt; said no" },
        { PAGE_FAILED, 200, "bad", "dir=\"auto\">the &lt;i&gt;user&lt;/i&gt; said no</dd>" },
        { PAGE_UNCERTAIN, 200, "warning", "cannot tell" },
        { PAGE_EXPIRED, 410, "calm", "expired" },
        { PAGE_CANCELLED, 410, "calm", "cancelled" },
        { PAGE_REPLACED, 410, "calm", "newer login" },
        { PAGE_UNTOLD, 200, "wait", "tokenbroker held shows how" },
        { PAGE_AWAITS, 200, "wait", "one check is left" },
        { PAGE_LINK_OVER, 410, "good", "another attempt" },
        { PAGE_ACCOUNT_GONE, 410, "calm", "account has changed" },
    };
    assert_int_equal(LENGTH_OF(rows), PAGE_RESULT_COUNT);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        PAGE;
        char tone[64];
        struct page_login login = some_login(rows[i].result);
        assert_int_equal(page_put_login(&page, &login), rows[i].status);
        check_page(&page);
        (void)snprintf(tone, sizeof(tone), "<main class=\"%s\">", rows[i].tone);
        if (!holds(&page, rows[i].says) || !holds(&page, tone) || !holds(&page, "zenegy/acme"))
            fail_row(i, rows[i].says);
        assert_false(holds(&page, "<i>"));
        if (rows[i].result != PAGE_FINISHING)
            assert_false(holds(&page, "http-equiv"));
    }
}

static void test_what_was_granted(void **state)
{
    PAGE;
    struct page_login login = some_login(PAGE_CONNECTED);
    page_put_login(&page, &login);
    assert_true(holds(&page, "<dt>Granted</dt><dd><ul><li>read</li>"));
    assert_true(holds(&page, "company 4711"));
    assert_false(holds(&page, "Not granted"));
    assert_false(holds(&page, "access_denied"));

    login.fewer_scopes = true;
    buffer_clear(&page);
    page_put_login(&page, &login);
    check_page(&page);
    assert_true(holds(&page, "fewer rights"));
    assert_true(holds(&page, "<dt>Not granted</dt><dd><ul><li>write</li>"));
    assert_true(holds(&page, "<main class=\"warning\">"));
}

static void test_without_an_end(void **state)
{
    PAGE;
    struct page_login login = some_login(PAGE_CONNECTED_FOR_NOW);
    login.expires_at = 0;
    page_put_login(&page, &login);
    check_page(&page);
    assert_true(holds(&page, "did not say when the access ends"));
    assert_false(holds(&page, "Works until"));
}

static void test_facts_that_are_not_known(void **state)
{
    for (int i = 0; i < PAGE_RESULT_COUNT; i++) {
        PAGE;
        struct page_login login = { .result = (enum page_result)i, .provider = "The provider" };
        page_put_login(&page, &login);
        check_page(&page);
        assert_false(holds(&page, "tokenbroker login"));
        assert_false(holds(&page, "<dt>Account</dt>"));
    }
}

/* Everything that comes from outside, as hostile as it can be. */
static void test_hostile_words(void **state)
{
    char *flood = malloc(64 * 1024);
    assert_non_null(flood);
    for (size_t i = 0; i < 64 * 1024 - 1; i++)
        flood[i] = "<a \"'>&"[i % 7];
    flood[64 * 1024 - 1] = '\0';
    for (int i = 0; i < PAGE_RESULT_COUNT; i++) {
        PAGE;
        struct page_login login = some_login((enum page_result)i);
        login.error = login.description = "{{style}}<script>alert(1)</script>";
        login.scope_granted = "<script> x\"y";
        login.fewer_scopes = true;
        page_put_login(&page, &login);
        assert_null(strstr(buffer_text(&page), "<script"));
        assert_int_equal(count(buffer_text(&page), "<style"), 1);

        buffer_clear(&page);
        login.error = login.description = flood;
        page_put_login(&page, &login);
        assert_false(page.failed);
        assert_int_equal(count(buffer_text(&page), "<a"), 0);
    }
    free(flood);
}

static void test_many_scopes(void **state)
{
    PAGE;
    CLEANUP(cleanup_text) struct buffer scope = BUFFER_WITH_MAXIMUM(BUFFER_MAX);
    for (int i = 0; i < PAGE_SCOPES_MAX + 12; i++)
        buffer_append_format(&scope, "scope%d ", i);
    struct page_login login = some_login(PAGE_CONNECTED);
    login.scope_granted = buffer_text(&scope);
    page_put_login(&page, &login);
    check_page(&page);
    assert_int_equal(count(buffer_text(&page), "<li>"), PAGE_SCOPES_MAX + 1);
    assert_true(holds(&page, "<li>and 12 more</li>"));
}

static void test_time(void **state)
{
    static const int64_t noon = INT64_C(1767268800) * 1000; /* 1 January 2026, 12:00 UTC */
    static const int64_t hour = 3600 * 1000;
    static const struct {
        int64_t then;
        const char *text;
    } rows[] = {
        { noon + hour, "13:00 (UTC)" },
        { noon + 24 * hour, "12:00 (UTC) on 2 January" },
        { noon - 48 * hour, "30 December 2025" },
    };
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    tzset();
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        PAGE;
        page_put_time(&page, rows[i].then, noon);
        assert_string_equal(buffer_text(&page), rows[i].text);
    }
}

/* WCAG 2.1: relative luminance and contrast. */
static double channel(unsigned value)
{
    double c = value / 255.0;
    if (c <= 0.04045)
        return c / 12.92;
    /* c^2.4 without libm: an upper and a lower bound meet after a few halvings of the exponent. */
    double base = (c + 0.055) / 1.055, result = base * base, root = base;
    double exponent = 0.4, step = 1.0;
    for (int i = 0; i < 30; i++) {
        double guess = root;
        for (int j = 0; j < 40; j++)
            guess = (guess + root / guess) / 2;
        root = guess;
        step /= 2;
        if (exponent >= step) {
            exponent -= step;
            result *= root;
        }
    }
    return result;
}

static double luminance(const char *hex)
{
    unsigned rgb = (unsigned)strtoul(hex + 1, NULL, 16);
    if (!isxdigit((unsigned char)hex[4])) /* #abc is #aabbcc */
        rgb = (rgb >> 8) * 0x110000 + ((rgb >> 4) & 0xF) * 0x1100 + (rgb & 0xF) * 0x11;
    return 0.2126 * channel(rgb >> 16) + 0.7152 * channel((rgb >> 8) & 0xFF) +
           0.0722 * channel(rgb & 0xFF);
}

static double contrast(const char *a, const char *b)
{
    double x = luminance(a), y = luminance(b);
    return x > y ? (x + 0.05) / (y + 0.05) : (y + 0.05) / (x + 0.05);
}

/* A variable's color in the rule that begins with the selector, at or after from. */
static const char *color(const char *from, const char *selector, const char *variable)
{
    const char *rule = strstr(from, selector);
    assert_non_null(rule);
    const char *value = strstr(rule, variable);
    assert_non_null(value);
    value = strchr(value, '#');
    assert_non_null(value);
    return value;
}

static void check_scheme(const char *from)
{
    static const char *const tones[] = { ".good", ".warning", ".bad", ".wait" };
    const char *card = color(from, ":root", "--card:");
    assert_true(contrast(color(from, ":root", "--ink:"), card) >= 7.0);
    assert_true(contrast(color(from, ":root", "--soft:"), card) >= 4.5);
    assert_true(contrast(color(from, ":root", "--ink:"), color(from, ":root", "--well:")) >= 7.0);
    for (size_t i = 0; i < LENGTH_OF(tones); i++)
        if (contrast(color(from, tones[i], "--tone:"), color(from, tones[i], "--wash:")) < 4.5)
            fail_row(i, tones[i]);
}

static void test_contrast(void **state)
{
    assert_true(contrast("#000;", "#fff;") > 20.9 && contrast("#000000", "#ffffff") < 21.1);
    assert_true(contrast("#777777", "#ffffff") > 4.4 && contrast("#777777", "#ffffff") < 4.5);
    check_scheme(page_style);
    const char *dark = strstr(page_style, "prefers-color-scheme: dark");
    assert_non_null(dark);
    check_scheme(dark);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escaping),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_whose_browser_is_meant),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_results_elsewhere),
        cmocka_unit_test(test_results_through_the_public_address),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_what_was_granted),
        cmocka_unit_test(test_without_an_end),
        cmocka_unit_test(test_facts_that_are_not_known),
        cmocka_unit_test(test_hostile_words),
        cmocka_unit_test(test_many_scopes),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_contrast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
