#include "oauth/token_error.h"

#include "support.h"

struct read_row {
    const char *reply;
    const char *code;
    const char *description;
};

static const struct read_row read_rows[] = {
    { "{\"error\":\"invalid_grant\"}", "invalid_grant", "" },
    { "{\"error\":\"e\",\"error_description\":\"d\"}", "e", "d" },
    { "{\"error\":\"e\",\"error_description\":7,\"message\":\"m\"}", "e", "m" },
    { "{\"error\":{\"code\":\"c\",\"message\":\"m\"}}", "c", "m" },
    { "{\"error\":{\"code\":401,\"status\":\"UNAUTHENTICATED\"}}", "UNAUTHENTICATED", "" },
    { "{\"error\":{\"code\":401}}", "401", "" },
    { "{\"error\":{\"type\":\"t\"},\"error_description\":\"d\"}", "t", "d" },
    { "{\"error\":401}", "401", "" },
    { "{\"error\":true,\"message\":\"m\"}", "error", "m" },
    /* No error at all. */
    { "{}", "", "" },
    { "{\"error\":null}", "", "" },
    { "{\"error\":\"\"}", "", "" },
    { "{\"error\":0}", "", "" },
    { "{\"error\":false}", "", "" },
    { "{\"error\":{}}", "", "" },
    { "{\"error\":[]}", "", "" },
    { "{\"message\":\"Unauthorized\"}", "", "Unauthorized" },
};

static void reads_errors(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(read_rows); i++) {
        CLEANUP(cleanup_json) struct json *reply = NULL;
        struct token_error error;
        const char *text = read_rows[i].reply;
        assert_int_equal(json_parse(text, strlen(text), &reply, NULL), 0);
        token_error_read(reply, &error);
        assert_string_equal(error.code, read_rows[i].code);
        assert_string_equal(error.description, read_rows[i].description);
    }
}

struct verdict_row {
    const char *code;
    int status;
    enum verdict verdict;
    bool by_code;
};

static const struct verdict_row verdict_rows[] = {
    { "invalid_grant", 400, VERDICT_ACCOUNT_REFUSED, true },
    { "invalid_grant", 401, VERDICT_ACCOUNT_REFUSED, true },
    { "invalid_grant", 403, VERDICT_ACCOUNT_REFUSED, true },
    { "Invalid_Grant", 400, VERDICT_ACCOUNT_REFUSED, true },
    { "invalid_grant", 200, VERDICT_ACCOUNT_REFUSED, true },
    { "invalid_grant", 404, VERDICT_ACCOUNT_SUSPECT, false },
    { "invalid_grant", 408, VERDICT_NO_ANSWER, false },
    { "invalid_grant", 429, VERDICT_NO_ANSWER, false },
    { "invalid_grant", 500, VERDICT_NO_ANSWER, false },
    { "invalid_grant", 503, VERDICT_NO_ANSWER, false },

    { "invalid_grant", 300, VERDICT_NO_ANSWER, false },

    { "invalid_client", 400, VERDICT_PROVIDER_REFUSED, true },
    { "invalid_client", 401, VERDICT_PROVIDER_REFUSED, true },
    { "invalid_client", 422, VERDICT_PROVIDER_REFUSED, true },
    { "invalid_client", 429, VERDICT_PROVIDER_REFUSED, true },
    { "invalid_client", 200, VERDICT_PROVIDER_REFUSED, true },
    { "invalid_client", 500, VERDICT_NO_ANSWER, false },
    { "unauthorized_client", 400, VERDICT_PROVIDER_REFUSED, true },
    { "unsupported_grant_type", 400, VERDICT_PROVIDER_REFUSED, true },
    { "invalid_scope", 400, VERDICT_PROVIDER_REFUSED, true },

    { "temporarily_unavailable", 400, VERDICT_NO_ANSWER, true },
    { "temporarily_unavailable", 503, VERDICT_NO_ANSWER, true },
    { "server_error", 400, VERDICT_NO_ANSWER, true },
    { "slow_down", 400, VERDICT_NO_ANSWER, true },
    { "slow_down", 200, VERDICT_NO_ANSWER, true },
    { "authorization_pending", 400, VERDICT_NO_ANSWER, true },

    { "invalid_request", 400, VERDICT_ACCOUNT_SUSPECT, true },
    { "invalid_request", 503, VERDICT_NO_ANSWER, false },
    { "bad_refresh_token", 200, VERDICT_ACCOUNT_SUSPECT, true },
    { "anything", 418, VERDICT_ACCOUNT_SUSPECT, true },
    { "anything", 429, VERDICT_NO_ANSWER, false },
    { "anything", 502, VERDICT_NO_ANSWER, false },
};

static void judges_errors(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(verdict_rows); i++) {
        const struct verdict_row *row = &verdict_rows[i];
        bool by_code = !row->by_code;
        enum verdict verdict = token_error_verdict(row->code, row->status, &by_code);
        if (verdict != row->verdict || by_code != row->by_code)
            print_error("row: %s %d\n", row->code, row->status);
        assert_int_equal(verdict, row->verdict);
        assert_int_equal(by_code, row->by_code);
    }
}

static void judges_statuses(void **state)
{
    static const struct {
        int status;
        enum verdict verdict;
    } rows[] = {
        { 0, VERDICT_NO_ANSWER },         { 100, VERDICT_NO_ANSWER },
        { 300, VERDICT_NO_ANSWER },       { 302, VERDICT_NO_ANSWER },
        { 400, VERDICT_ACCOUNT_SUSPECT }, { 401, VERDICT_ACCOUNT_SUSPECT },
        { 404, VERDICT_ACCOUNT_SUSPECT }, { 408, VERDICT_NO_ANSWER },
        { 429, VERDICT_NO_ANSWER },       { 499, VERDICT_ACCOUNT_SUSPECT },
        { 500, VERDICT_NO_ANSWER },       { 503, VERDICT_NO_ANSWER },
        { 999, VERDICT_NO_ANSWER },
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        assert_int_equal(token_status_verdict(rows[i].status), rows[i].verdict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_errors),
        cmocka_unit_test(judges_errors),
        cmocka_unit_test(judges_statuses),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
