#include "oauth/authorize.h"
#include "support.h"

struct row {
    const char *query;
    bool should_fail;
    enum authorization_response_kind kind;
    const char *code, *state, *iss, *error, *description;
    const char *complaint; /* a part of it */
};

static const struct row rows[] = {
    { "code=308a4647&state=st", false, RESPONSE_CODE, "308a4647", "st" },
    { "code=308a4647", false, RESPONSE_CODE, "308a4647" }, /* no state: some never send it */
    { "state=st&iss=https%3A%2F%2Fh&code=c", false, RESPONSE_CODE, "c", "st", "https://h" },
    { "code=4%2F0AX+b%2B%3D", false, RESPONSE_CODE, "4/0AX b+=" },
    { "c%6fde=c", false, RESPONSE_CODE, "c" },

    { "code=%30%39%61%66%4a%4A%af", false, RESPONSE_CODE, "09afJJ\xaf" },

    /* Unknown parameters are ignored, whatever they hold. */
    { "code=c&session_state=1&x&=y&&&z=%zz", false, RESPONSE_CODE, "c" },
    { "utm=1&utm=2&code=c", false, RESPONSE_CODE, "c" },
    { "code=c&Code=d&CODE=e", false, RESPONSE_CODE, "c" },
    { "code=c&error_description_of_something_long=d", false, RESPONSE_CODE, "c" },

    /* Denied, or failed. */
    { "error=access_denied", false, RESPONSE_ERROR, .error = "access_denied" },
    { "error=access_denied&state=st&error_description=The+user%20said%20no", false, RESPONSE_ERROR,
      .state = "st", .error = "access_denied", .description = "The user said no" },
    { "error=x%0D%0Ay&error_description=%1B%5B2J%FFz", false, RESPONSE_ERROR, .error = "x  y",
      .description = " [2J?z" },

    /* Zenegy says no with nothing at all; an empty value is an absent one. */
    { "", false, RESPONSE_NEITHER },
    { "state=st", false, RESPONSE_NEITHER, .state = "st" },
    { "code=&error=&state=", false, RESPONSE_NEITHER },
    { "code", false, RESPONSE_NEITHER },
    { "error=&code=c", false, RESPONSE_CODE, "c" },
    { "error_description=why", false, RESPONSE_NEITHER, .description = "why" },

    { "code=c&code=c", true, .complaint = "'code' twice" },
    { "code=c&code=", true, .complaint = "'code' twice" },
    { "code&code=c", true, .complaint = "'code' twice" },
    { "code=c&c%6Fde=d", true, .complaint = "'code' twice" },
    { "state=a&code=c&state=b", true, .complaint = "'state' twice" },
    { "iss=a&iss=a", true, .complaint = "'iss' twice" },
    { "error=a&error=b", true, .complaint = "'error' twice" },
    { "error=e&error_description=a&error_description=b", true,
      .complaint = "'error_description' twice" },
    { "code=c&error=access_denied", true, .complaint = "both" },
    { "code=a%00b", true, .complaint = "NUL" },
    { "code=c&x=%00", true, .complaint = "NUL" },
    { "code=%", true, .complaint = "'code' has a broken encoding" },
    { "code=%4", true, .complaint = "'code' has a broken encoding" },
    { "code=c%4g", true, .complaint = "'code' has a broken encoding" },
    { "code=c&state=%zz", true, .complaint = "'state' has a broken encoding" },
    { "code=c&error_description=%", true, .complaint = "'error_description' has a broken" },
    { "code=c&co%zz=d", true, .complaint = "name with a broken encoding" },
};

static void check_row(const struct row *row)
{
    struct authorization_response response = { .kind = 77 };
    struct complaint complaint = { "" };
    int r = authorization_response_parse(row->query, strlen(row->query), &response, &complaint);
    if (r != (row->should_fail ? RESPONSE_MALFORMED : 0))
        print_error("row: %s\n", row->query);
    assert_int_equal(r, row->should_fail ? RESPONSE_MALFORMED : 0);
    if (row->should_fail) {
        assert_non_null(strstr(complaint.text, row->complaint));
        assert_int_equal(response.kind, 77);
        return;
    }
    assert_int_equal(response.kind, row->kind);
    assert_secret_text(response.code, row->code);
    assert_secret_text(response.state, row->state);
    assert_text(response.iss, row->iss);
    assert_text(response.error, row->error);
    assert_text(response.error_description, row->description);
    authorization_response_release(&response);
    assert_null(response.code);
}

static void reads_redirects(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        check_row(&rows[i]);
}

static void refuses_a_raw_nul(void **state)
{
    struct authorization_response response;
    assert_int_equal(authorization_response_parse("code=a\0b", 8, &response, NULL),
                     RESPONSE_MALFORMED);
}

/* Only length bytes count. */
static void stops_at_the_length(void **state)
{
    struct authorization_response response;
    assert_int_equal(authorization_response_parse("code=abc&code=d", 7, &response, NULL), 0);
    assert_secret_text(response.code, "ab");
    authorization_response_release(&response);
}

static int parse_value(const char *name, char c, size_t length)
{
    char *value = repeated(c, length);
    char *query = NULL;
    assert_true(asprintf(&query, "%s=%s", name, value) > 0);
    struct authorization_response response = { 0 };
    int r = authorization_response_parse(query, strlen(query), &response, NULL);
    if (r == 0)
        authorization_response_release(&response);
    free(query);
    free(value);
    return r;
}

static void caps_values(void **state)
{
    assert_int_equal(parse_value("code", 'c', AUTHORIZE_PARAMETER_MAX), 0);
    assert_int_equal(parse_value("code", 'c', AUTHORIZE_PARAMETER_MAX + 1), RESPONSE_MALFORMED);
    assert_int_equal(parse_value("error", 'c', AUTHORIZE_PARAMETER_MAX), 0);
    assert_int_equal(parse_value("error", 'c', AUTHORIZE_PARAMETER_MAX + 1), RESPONSE_MALFORMED);
    assert_int_equal(parse_value("scope", 'c', AUTHORIZE_PARAMETER_MAX + 1), 0);
}

static void releases_nothing(void **state)
{
    struct authorization_response empty = { 0 };
    authorization_response_release(&empty);
    authorization_response_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_redirects),     cmocka_unit_test(refuses_a_raw_nul),
        cmocka_unit_test(stops_at_the_length), cmocka_unit_test(caps_values),
        cmocka_unit_test(releases_nothing),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
