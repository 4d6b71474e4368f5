#include "oauth/token_reply.h"

#include <errno.h>

#include "support.h"

static char space[] = " ";
static const struct provider provider = { .name = "x", .scope_separator = space };

struct row {
    int status;
    const char *body;
    bool should_fail; /* no grant */
    enum verdict verdict;
    const char *error;
    const char *description; /* a part of it */
    const char *rescued;
    bool unreadable;
    const char *content_type;
    bool truncated;
};

#define AT "\"access_token\":\"at-1\""
#define RT "\"refresh_token\":\"rt-2\""

static const struct row rows[] = {
    { 200, "{" AT "," RT ",\"expires_in\":3600,\"token_type\":\"bearer\"}" },
    { 200, "{" AT "}" },
    { 201, "{" AT "}" },
    { 200, "\xef\xbb\xbf{" AT "}" },
    { 200, "{" AT ",\"error\":null}" },
    { 200, "{" AT ",\"error\":\"\"}" },
    { 200, "{" AT ",\"expires_in\":\"soon\",\"scope\":7,\"token_type\":[]}" },
    { 200, "{" AT "," RT "}", .content_type = "text/html" }, /* the type is a hint only */
    /* A refresh token that is none: the grant counts, the reply is kept. */
    { 200, "{" AT ",\"refresh_token\":17}", .unreadable = true },
    { 200, "{" AT ",\"refresh_token\":{\"value\":\"r\"}}", .unreadable = true },
    { 200, "{" AT ",\"refresh_token\":null}" },
    { 200, "{" AT ",\"refresh_token\":\"\"}" },

    /* A success that is no grant, yet holds a refresh token. */
    { 200, "{" RT "}", true, VERDICT_NO_ANSWER, "no_access_token", "no access_token", "rt-2",
      true },
    { 200, "{\"access_token\":null," RT "}", true, VERDICT_NO_ANSWER, "no_access_token", "", "rt-2",
      true },
    { 200, "{\"access_token\":7," RT "}", true, VERDICT_NO_ANSWER, "bad_access_token", "unreadable",
      "rt-2", true },
    { 200, "{\"access_token\":\"a\\r\\nb\"," RT "}", true, VERDICT_NO_ANSWER, "bad_access_token",
      "", "rt-2", true },
    { 200, "{\"access_token\":\"a\\tb\",\"refresh_token\":7}", true, VERDICT_NO_ANSWER,
      "bad_access_token", "", NULL, true },
    { 200, "{\"message\":\"maintenance\"}", true, VERDICT_NO_ANSWER, "no_access_token", "", NULL,
      true },
    { 200, "{}", true, VERDICT_NO_ANSWER, "no_access_token", "", NULL, true },

    /* Not JSON as a whole: nothing is guessed from it. */
    { 200, "{" AT "," RT " \"expires_in\":\"1799\"}", true, VERDICT_NO_ANSWER, "not_json",
      "is not JSON", NULL, true },
    { 200, "{" AT "," RT "," RT "}", true, VERDICT_NO_ANSWER, "not_json", "twice", NULL, true },
    { 200, "{" AT ",\"refresh_token\":\"a\",\"refresh_token\":\"b\"}", true, VERDICT_NO_ANSWER,
      "not_json", "twice", NULL, true },
    { 200, "{" AT ",\"refresh_token\":\"a\\u0000b\"}", true, VERDICT_NO_ANSWER, "not_json", "",
      NULL, true },
    { 200, "{" AT ",\"expires_in\":NaN}", true, VERDICT_NO_ANSWER, "not_json", "", NULL, true },
    { 200, "{" AT "," RT, true, VERDICT_NO_ANSWER, "not_json", "", NULL, true },
    { 200, "{" AT "," RT "} and more", true, VERDICT_NO_ANSWER, "not_json", "", NULL, true },
    { 200, "access_token=at-1&refresh_token=rt-2", true, VERDICT_NO_ANSWER, "not_json", "", NULL,
      true },
    { 200, "[{" AT "}]", true, VERDICT_NO_ANSWER, "not_an_object", "no object", NULL, true },
    { 200, "null", true, VERDICT_NO_ANSWER, "not_an_object", "no object", NULL, true },
    { 200, "\"at-1\"", true, VERDICT_NO_ANSWER, "not_an_object", "no object", NULL, true },
    { 200, " \r\n<html>at-1</html>", true, VERDICT_NO_ANSWER, "not_json", "web page", NULL, true },
    { 200, "Log in first", true, VERDICT_NO_ANSWER, "not_json", "web page", NULL, true,
      "Text/HTML; charset=utf-8" },
    { 200, "", true, VERDICT_NO_ANSWER, "empty_body", "empty" },
    { 204, "", true, VERDICT_NO_ANSWER, "empty_body", "empty" },
    { 200, "{" AT "," RT "}", true, VERDICT_NO_ANSWER, "truncated", "cut off", NULL, true, NULL,
      true },

    /* An error counts before the status, also in a 200, and a refresh token beside it is kept. */
    { 200, "{\"error\":\"bad_refresh_token\",\"error_description\":\"It is bad.\"}", true,
      VERDICT_ACCOUNT_SUSPECT, "bad_refresh_token", "It is bad." },
    { 200, "{\"error\":\"invalid_grant\"}", true, VERDICT_ACCOUNT_REFUSED, "invalid_grant",
      "status 200: invalid_grant" },
    { 200, "{\"error\":\"invalid_client\"}", true, VERDICT_PROVIDER_REFUSED, "invalid_client", "" },
    { 200, "{\"error\":\"slow_down\"," AT "," RT "}", true, VERDICT_NO_ANSWER, "slow_down", "",
      "rt-2" },
    { 200, "{\"error\":\"invalid_grant\",\"refresh_token\":[]}", true, VERDICT_ACCOUNT_REFUSED,
      "invalid_grant", "", NULL, true },

    /* This account. */
    { 400, "{\"error\":\"invalid_grant\",\"error_description\":\"Token expired\"}", true,
      VERDICT_ACCOUNT_REFUSED, "invalid_grant", "Token expired" },
    { 401, "{\"error\":\"invalid_grant\"}", true, VERDICT_ACCOUNT_REFUSED, "invalid_grant",
      "status 401" },
    { 403, "{\"error\":\"invalid_grant\"}", true, VERDICT_ACCOUNT_REFUSED, "invalid_grant", "" },
    { 400, "{\"error\":{\"code\":\"invalid_grant\",\"message\":\"Gone\"}}", true,
      VERDICT_ACCOUNT_REFUSED, "invalid_grant", "Gone" },
    { 404, "{\"error\":\"invalid_grant\"}", true, VERDICT_ACCOUNT_SUSPECT, "http_404",
      "invalid_grant" },
    /* A refusal's refresh token is never ours. */
    { 400, "{\"error\":\"invalid_grant\"," RT "}", true, VERDICT_ACCOUNT_REFUSED, "invalid_grant",
      "" },
    { 400, "{" AT "," RT "}", true, VERDICT_ACCOUNT_SUSPECT, "http_400", "" },

    /* Perhaps this account. */
    { 400, "", true, VERDICT_ACCOUNT_SUSPECT, "http_400", "empty" },
    { 401, "", true, VERDICT_ACCOUNT_SUSPECT, "http_401", "empty" },
    { 404, "", true, VERDICT_ACCOUNT_SUSPECT, "http_404", "empty" },
    { 400, "{}", true, VERDICT_ACCOUNT_SUSPECT, "http_400", "status 400" },
    { 401, "{\"message\":\"Unauthorized\"}", true, VERDICT_ACCOUNT_SUSPECT, "http_401",
      "status 401: Unauthorized" },
    { 400, "{\"error\":\"invalid_request\"}", true, VERDICT_ACCOUNT_SUSPECT, "invalid_request",
      "" },
    { 422, "{\"error\":\"who_knows\"}", true, VERDICT_ACCOUNT_SUSPECT, "who_knows", "" },

    /* This provider. */
    { 401, "{\"error\":\"invalid_client\",\"error_description\":\"Unknown client\"}", true,
      VERDICT_PROVIDER_REFUSED, "invalid_client", "Unknown client" },
    { 400, "{\"error\":\"unauthorized_client\"}", true, VERDICT_PROVIDER_REFUSED,
      "unauthorized_client", "" },
    { 400, "{\"error\":\"unsupported_grant_type\"}", true, VERDICT_PROVIDER_REFUSED,
      "unsupported_grant_type", "" },
    { 400, "{\"error\":\"invalid_scope\"}", true, VERDICT_PROVIDER_REFUSED, "invalid_scope", "" },

    /* No usable answer. */
    { 500, "", true, VERDICT_NO_ANSWER, "http_500", "empty" },
    { 500, "<!DOCTYPE html>", true, VERDICT_NO_ANSWER, "http_500", "web page" },
    { 403, "<html>Forbidden</html>", true, VERDICT_NO_ANSWER, "http_403", "web page" },
    { 404, "Not Found", true, VERDICT_NO_ANSWER, "http_404", "web page",
      .content_type = "text/html" },
    { 400, "Bad Request", true, VERDICT_NO_ANSWER, "http_400", "not JSON" },
    { 400, "{\"error\":\"invalid_grant\"", true, VERDICT_NO_ANSWER, "http_400", "not JSON" },
    { 400, "{\"error\":\"a\",\"error\":\"b\"}", true, VERDICT_NO_ANSWER, "http_400", "twice" },
    { 400, "[]", true, VERDICT_NO_ANSWER, "http_400", "no object" },
    { 502, "Bad Gateway", true, VERDICT_NO_ANSWER, "http_502", "not JSON" },
    { 503, "{\"error\":\"invalid_grant\",\"error_description\":\"Database is down\"}", true,
      VERDICT_NO_ANSWER, "http_503", "Database is down" },
    { 500, "{\"error\":\"invalid_client\"}", true, VERDICT_NO_ANSWER, "http_500",
      "invalid_client" },
    { 503, "{\"error\":\"temporarily_unavailable\"}", true, VERDICT_NO_ANSWER,
      "temporarily_unavailable", "" },
    { 400, "{\"error\":\"server_error\"}", true, VERDICT_NO_ANSWER, "server_error", "" },
    { 500, "{" AT "," RT "}", true, VERDICT_NO_ANSWER, "http_500", "" },
    { 408, "", true, VERDICT_NO_ANSWER, "http_408", "" },
    { 429, "", true, VERDICT_NO_ANSWER, "http_429", "" },
    { 429, "{\"error\":\"rate_limited\"}", true, VERDICT_NO_ANSWER, "http_429", "rate_limited" },
    { 429, "<html>", true, VERDICT_NO_ANSWER, "http_429", "web page" },
    { 400, "{\"error\":\"invalid_gr", true, VERDICT_NO_ANSWER, "truncated", "cut off",
      .truncated = true },
    { 500, "{\"error\":\"inv", true, VERDICT_NO_ANSWER, "http_500", "cut off", .truncated = true },
    { 302, "", true, VERDICT_NO_ANSWER, "redirect", "redirect" },
    { 307, "{" AT "," RT "}", true, VERDICT_NO_ANSWER, "redirect", "redirect" },
    { 303, "{\"error\":\"invalid_grant\"}", true, VERDICT_NO_ANSWER, "redirect", "redirect" },
    { 0, "", true, VERDICT_NO_ANSWER, "http_0", "" },
};

/* A copy of exactly the body's bytes, so that the sanitizer sees a read past them. */
static void judge(const struct row *row, struct token_reply *ret)
{
    size_t length = strlen(row->body);
    char *body = malloc(length > 0 ? length : 1);
    assert_non_null(body);
    memcpy(body, row->body, length);
    const struct token_answer answer = {
        .status = row->status,
        .body = body,
        .length = length,
        .content_type = row->content_type,
        .truncated = row->truncated,
    };
    assert_int_equal(token_reply_judge(&provider, &answer, ret), 0);
    free(body);
}

static bool fits(const struct row *row, const struct token_reply *reply)
{
    if (reply->verdict != row->verdict || reply->unreadable != row->unreadable)
        return false;
    return !row->should_fail || (strcmp(reply->error, row->error) == 0 &&
                                 strstr(reply->description, row->description) != NULL);
}

static void judges(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct row *row = &rows[i];
        struct token_reply reply;
        judge(row, &reply);
        if (!fits(row, &reply))
            print_error("row %d %s: %s, %s (%s)\n", row->status, row->body,
                        verdict_name(reply.verdict), reply.error, reply.description);
        assert_true(fits(row, &reply));
        assert_int_equal(reply.verdict == VERDICT_GRANTED, !row->should_fail);
        assert_secret_text(reply.grant.access_token, row->should_fail ? NULL : "at-1");
        assert_secret_text(reply.rescued_refresh_token, row->rescued);
        if (row->should_fail)
            assert_null(reply.grant.refresh_token);
        else
            assert_true(reply.grant.lifetime_ms > 0);
        token_reply_release(&reply);
        assert_null(reply.grant.extra);
    }
}

static void keeps_the_refresh_token(void **state)
{
    static const struct {
        const char *body, *token;
    } cases[] = {
        { "{" AT "," RT "}", "rt-2" },
        { "{" AT ",\"refresh_token\":\"OWVi+/MwMD=\"}", "OWVi+/MwMD=" },
        { "{" AT "}", NULL },
        { "{" AT ",\"refresh_token\":7}", NULL },
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        const struct row row = { 200, cases[i].body };
        struct token_reply reply;
        judge(&row, &reply);
        assert_secret_text(reply.grant.refresh_token, cases[i].token);
        assert_null(reply.rescued_refresh_token);
        token_reply_release(&reply);
    }
}

/* What a provider says is shown as one line, cut, and without what could be a token. */
static void cleans_the_providers_words(void **state)
{
    static const struct row row = {
        400, "{\"error\":\"in\\u001bvalid\",\"error_description\":"
             "\"%s token 8257e65c97202ed1726cf9571600918f3bff\\r\\nis\\u202e spent\"}"
    };
    struct token_reply reply;
    judge(&row, &reply);
    assert_string_equal(reply.error, "in valid");
    assert_string_equal(reply.description, "%s token [...]  is  spent");
    token_reply_release(&reply);
}

/* 127 times two bytes and the half of one more. */
static void cuts_between_characters(void **state)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(2048);
    buffer_append_text(&body, "{\"error\":\"e\",\"error_description\":\".");
    for (int i = 0; i < 400; i++)
        buffer_append_text(&body, "\xc3\xb8");
    buffer_append_text(&body, "\"}");
    const struct row row = { 400, buffer_text(&body) };
    struct token_reply reply;
    judge(&row, &reply);
    assert_int_equal(strlen(reply.description), ERROR_TEXT_MAX - 1);
    assert_string_equal(reply.description + ERROR_TEXT_MAX - 3, "\xc3\xb8");
    token_reply_release(&reply);
}

static void never_shows_the_body(void **state)
{
    static const struct row bodies[] = {
        { 200, "{\"access_token\":\"hush\" \"refresh_token\":\"hush\"}" },
        { 200, "hush" },
        { 500, "hush" },
        { 200, "{\"access_token\":\"hu\\tsh\",\"refresh_token\":\"hush\"}" },
    };
    for (size_t i = 0; i < LENGTH_OF(bodies); i++) {
        struct token_reply reply;
        judge(&bodies[i], &reply);
        assert_null(strstr(reply.description, "hu"));
        assert_null(strstr(reply.error, "hu"));
        token_reply_release(&reply);
    }
}

static void names_verdicts(void **state)
{
    assert_string_equal(verdict_name(VERDICT_GRANTED), "granted");
    assert_string_equal(verdict_name(VERDICT_NOT_SENT), "not_sent");
    assert_string_equal(verdict_name(VERDICT_NO_ANSWER), "no_answer");
    assert_string_equal(verdict_name(VERDICT_ACCOUNT_REFUSED), "account_refused");
    assert_string_equal(verdict_name(VERDICT_ACCOUNT_SUSPECT), "account_suspect");
    assert_string_equal(verdict_name(VERDICT_PROVIDER_REFUSED), "provider_refused");
}

static void releases_nothing(void **state)
{
    token_reply_release(NULL);
    token_grant_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges),
        cmocka_unit_test(keeps_the_refresh_token),
        cmocka_unit_test(cleans_the_providers_words),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(never_shows_the_body),
        cmocka_unit_test(names_verdicts),
        cmocka_unit_test(releases_nothing),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
