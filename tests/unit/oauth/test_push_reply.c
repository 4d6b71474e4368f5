#include "oauth/push_reply.h"

#include "support.h"

#define URI "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c"

struct row {
    int status;
    const char *body;
    int64_t lifetime_s; /* 0: refused */
    const char *error, *description;
};

static const struct row rows[] = {
    /* RFC 9126 2.2's own example, and what else is taken. */
    { 201, "{\"request_uri\":\"" URI "\",\"expires_in\":60}", 60, "", "" },
    { 200, "{\"request_uri\":\"" URI "\",\"expires_in\":1,\"error\":null}", 1, "", "" },
    { 201, "{\"request_uri\":\"" URI "\",\"expires_in\":9000000000}", PUSH_LIFETIME_MAX_S, "", "" },

    { 201, "{\"request_uri\":\"" URI "\"}", 0, "bad_expires_in", NULL },
    { 201, "{\"request_uri\":\"" URI "\",\"expires_in\":0}", 0, "bad_expires_in", NULL },
    { 201, "{\"request_uri\":\"" URI "\",\"expires_in\":\"60\"}", 0, "bad_expires_in", NULL },
    { 201, "{\"request_uri\":\"" URI "\",\"expires_in\":-1}", 0, "bad_expires_in", NULL },
    { 201, "{\"request_uri\":\"" URI "\",\"expires_in\":0.5}", 0, "bad_expires_in", NULL },
    { 201, "{\"request_uri\":\"\",\"expires_in\":60}", 0, "bad_request_uri", NULL },
    { 201, "{\"request_uri\":7,\"expires_in\":60}", 0, "bad_request_uri", NULL },
    { 201, "{\"request_uri\":\"urn:a b\",\"expires_in\":60}", 0, "bad_request_uri", NULL },
    { 201, "{\"request_uri\":\"urn:a\\r\\nX: y\",\"expires_in\":60}", 0, "bad_request_uri", NULL },
    { 201, "{\"request_uri\":\"urn:\xC3\xA9\",\"expires_in\":60}", 0, "bad_request_uri", NULL },
    { 201, "{\"expires_in\":60}", 0, "bad_request_uri", NULL },
    { 201, "[]", 0, "not_json", NULL },
    { 201, "", 0, "not_json", NULL },
    { 201, "<html>", 0, "not_json", NULL },
    { 202, "{\"request_uri\":\"" URI "\",\"expires_in\":60}", 0, "http_202", NULL },
    { 307, "", 0, "http_307", NULL },

    /* RFC 9126 2.3. */
    { 400, "{\"error\":\"invalid_request\",\"error_description\":\"no\\nway\"}", 0,
      "invalid_request", "no way" },
    { 401, "{\"error\":\"invalid_client\"}", 0, "invalid_client", "invalid_client" },
    { 201, "{\"error\":\"invalid_scope\",\"request_uri\":\"" URI "\",\"expires_in\":60}", 0,
      "invalid_scope", NULL },
    { 413, "", 0, "http_413", "the provider answered with HTTP status 413" },
    { 500, "{\"error\":\"invalid_client\",\"message\":\"down\"}", 0, "http_500", NULL },
};

static void judges(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct row *row = &rows[i];
        const struct token_answer answer = { .status = row->status,
                                             .body = row->body,
                                             .length = strlen(row->body) };
        struct push_reply reply = { 0 };
        assert_int_equal(push_reply_judge(&answer, &reply), 0);
        if (strcmp(reply.error, row->error) != 0 || reply.lifetime_s != row->lifetime_s)
            fail_msg("row %zu: %s: %s, %lld s", i, row->body, reply.error,
                     (long long)reply.lifetime_s);
        assert_secret_text(reply.request_uri, row->lifetime_s > 0 ? URI : NULL);
        if (row->description != NULL)
            assert_string_equal(reply.description, row->description);
        push_reply_release(&reply);
    }
}

static void what_is_too_long_is_refused(void **state)
{
    for (size_t more = 0; more < 2; more++) {
        char text[REQUEST_URI_MAX + 128];
        char *uri = repeated('u', REQUEST_URI_MAX + more);
        int length = snprintf(text, sizeof(text), "{\"request_uri\":\"%s\",\"expires_in\":9}", uri);
        const struct token_answer answer = { .status = 201,
                                             .body = text,
                                             .length = (size_t)length };
        struct push_reply reply = { 0 };
        assert_int_equal(push_reply_judge(&answer, &reply), 0);
        assert_int_equal(reply.request_uri == NULL, more > 0);
        push_reply_release(&reply);
        free(uri);
    }
    struct push_reply cut = { 0 };
    const struct token_answer answer = { .status = 201, .body = "{}", .truncated = true };
    assert_int_equal(push_reply_judge(&answer, &cut), 0);
    assert_string_equal(cut.error, "not_json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges),
        cmocka_unit_test(what_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
