#include "fixture.h"

static void deliver_rows(struct fixture *fixture, char first, size_t count)
{
    fixture_deliver(fixture, fixture_rows(fixture_take(fixture, ASK_ACCOUNTS), first, count));
}

static void test_whole_account(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "GET", "/v1/accounts/zenegy/a", NULL);
    struct message *answer = fixture_rows(fixture_take(fixture, ASK_ACCOUNT), 'a', 1);
    struct account_row *row = &answer->rows[0];

    row->state = ACCOUNT_SUSPECT;
    row->scope = strdup("read:branch");
    row->identity = strdup("4711");
    row->held_identity = strdup("4712");
    row->held_at = 1;
    row->refresh_token_life_ms = 1000 * 1000;
    row->has_refresh_token = true;
    row->rejected = true;
    row->refreshed_at = clock_now() + 1000;
    row->expires_at = clock_now() + 90 * 1000;
    row->refresh_at = clock_now() + 60 * 1000;
    row->refresh_token_expires_at = clock_now() + 120 * 1000;
    row->last_error = strdup("invalid_request");
    row->last_error_description = strdup("\"no\"");
    row->last_error_at = clock_now() + 2000;
    fixture_deliver(fixture, answer);
    assert_string_equal(
        request->answer,
        "{\"account\":\"zenegy/a\",\"provider\":\"zenegy\",\"state\":\"suspect\","
        "\"scope\":\"read:branch\",\"identity\":\"4711\","
        "\"held_identity\":\"4712\",\"has_refresh_token\":true,"
        "\"rejected\":true,\"generation\":7,\"created_at\":2000,\"refreshed_at\":2001,"
        "\"expires_at\":2090,\"expires_in\":90,\"next_refresh_at\":2060,"
        "\"refresh_token_expires_at\":2120,\"forecast\":{\"dies_at\":2120,"
        "\"reason\":\"absolute\",\"warning\":\"urgent\"},\"last_error\":{\"error\":\"invalid_"
        "request\","
        "\"error_description\":\"\\\"no\\\"\",\"at\":2002}}");
    free(request);
}

static void test_bare_account(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "GET", "/v1/accounts/zenegy/a", NULL);

    fixture_deliver(fixture, fixture_rows(fixture_take(fixture, ASK_ACCOUNT), 'a', 1));
    assert_string_equal(request->answer,
                        "{\"account\":\"zenegy/a\",\"provider\":\"zenegy\",\"state\":\"active\","
                        "\"has_refresh_token\":false,\"rejected\":false,\"generation\":7,"
                        "\"created_at\":2000,\"forecast\":{\"warning\":\"none\"}}");
    free(request);
}

static void test_unknown_account_or_provider(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *account = fixture_send(fixture, "GET", "/v1/accounts/zenegy/x", NULL);
    struct web_request *provider = fixture_send(fixture, "GET", "/v1/accounts/zenegi/x", NULL);

    fixture_fail(fixture, fixture_take(fixture, ASK_ACCOUNT), WIRE_UNKNOWN_ACCOUNT);
    fixture_fail(fixture, fixture_take(fixture, ASK_ACCOUNT), WIRE_UNKNOWN_ACCOUNT);
    expect_answer(account, 404, "\"unknown_account\"");
    expect_answer(provider, 404, "\"unknown_provider\"");
}

static void test_answer_without_a_row(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "GET", "/v1/accounts/zenegy/x", NULL);

    fixture_deliver(fixture, fixture_answer(fixture_take(fixture, ASK_ACCOUNT)));
    expect_answer(request, 500, "internal");
}

static void test_list_to_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "GET", "/v1/accounts", NULL);
    struct message *question = fixture_take(fixture, ASK_ACCOUNTS);

    assert_string_equal(question->account.provider, "");
    assert_int_equal(question->limit, WIRE_LIST_LIMIT_DEFAULT);
    fixture_deliver(fixture, fixture_rows(question, 'a', 2));
    assert_null(strstr(request->answer, "next"));
    assert_non_null(strstr(request->answer, "},{\"account\":\"zenegy/b\""));
    expect_answer(request, 200, "{\"accounts\":[{\"account\":\"zenegy/a\"");
}

static void test_empty_list(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "GET", "/v1/accounts", NULL);

    deliver_rows(fixture, 'a', 0);
    assert_string_equal(request->answer, "{\"accounts\":[]}");
    free(request);
}

static void test_list_page(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request =
        fixture_send(fixture, "GET", "/v1/accounts?limit=2&after=zenegy/a", NULL);
    struct message *question = fixture_take(fixture, ASK_ACCOUNTS);

    assert_string_equal(question->account.label, "a");
    assert_int_equal(question->limit, 2);
    fixture_deliver(fixture, fixture_rows(question, 'b', 2));
    expect_answer(request, 200, "],\"next\":\"zenegy/c\"}");
    fixture_quiet(fixture);
}

/* Rows that the peer may not see are passed over; the page goes on with the back's next ones. */
static void test_list_filtered(void **state)
{
    struct fixture *fixture = *state;

    fixture_rule(fixture, FIXTURE_UID, MAY_LIST, "zenegy/d");
    struct web_request *request = fixture_send(fixture, "GET", "/v1/accounts?limit=2", NULL);
    deliver_rows(fixture, 'a', 2);
    assert_int_equal(request->answers, 0);
    struct message *question = fixture_take(fixture, ASK_ACCOUNTS);
    assert_string_equal(question->account.label, "b");
    assert_int_equal(question->limit, 4);
    fixture_deliver(fixture, fixture_rows(question, 'c', 4));
    deliver_rows(fixture, 'g', 1);
    assert_null(strstr(request->answer, "next"));
    assert_null(strstr(request->answer, "zenegy/c"));
    expect_answer(request, 200, "{\"accounts\":[{\"account\":\"zenegy/d\"");
}

/* As many rows as are asked for, all of one name that the peer may not see. */
static size_t deliver_hidden(struct fixture *fixture)
{
    struct message *question = fixture_take(fixture, ASK_ACCOUNTS);
    size_t count = question->limit;
    struct message *answer = fixture_rows(question, 'a', 1);
    const struct account_name name = answer->rows[0].name;

    account_row_release(&answer->rows[0]);
    free(answer->rows);
    answer->rows = calloc(count, sizeof(*answer->rows));
    answer->row_count = count;
    for (size_t i = 0; i < count; i++)
        answer->rows[i].name = name;
    fixture_deliver(fixture, answer);
    return count;
}

/* Whoever may see none of very many learns no name of them, nor keeps the back busy for ever. */
static void test_list_of_the_unseen(void **state)
{
    struct fixture *fixture = *state;
    size_t rows = 0;

    fixture_rule(fixture, FIXTURE_UID, MAY_LIST, "zenegy/none");
    struct web_request *request = fixture_send(fixture, "GET", "/v1/accounts?limit=1", NULL);
    for (int questions = 0; questions < 20; questions++)
        rows += deliver_hidden(fixture);
    assert_true(rows > 5000);
    deliver_rows(fixture, 'a', 0);
    assert_string_equal(request->answer, "{\"accounts\":[]}");
    free(request);

    request = fixture_send(fixture, "GET", "/v1/accounts?limit=1", NULL);
    for (int questions = 0; request->answers == 0 && questions < 10000; questions++)
        (void)deliver_hidden(fixture);
    assert_null(strstr(request->answer, "zenegy"));
    expect_answer(request, 503, "\"busy\"");
}

/* Rows with very long texts make a shorter page, never a broken one. */
static void test_list_of_long_rows(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "GET", "/v1/accounts?limit=20", NULL);
    struct message *answer = fixture_rows(fixture_take(fixture, ASK_ACCOUNTS), 'a', 1);

    answer->rows[0].scope = malloc(40 * 1024);
    memset(answer->rows[0].scope, 's', 40 * 1024 - 1);
    answer->rows[0].scope[40 * 1024 - 1] = '\0';
    fixture_deliver(fixture, answer);
    expect_answer(request, 200, "sss");
}

static void test_list_gone_and_late(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *gone = fixture_send(fixture, "GET", "/v1/accounts?limit=1", NULL);
    struct message *question = fixture_take(fixture, ASK_ACCOUNTS);

    fake_hang_up(gone);
    free(gone);
    fixture_deliver(fixture, fixture_rows(question, 'a', 1));
    fixture_quiet(fixture);
    struct web_request *late = fixture_send(fixture, "GET", "/v1/accounts?limit=1", NULL);
    fixture_pass(fixture, 30 * 1000);
    expect_answer(late, 504, "timeout");
    deliver_rows(fixture, 'a', 1);
    fixture_quiet(fixture);
}

static void test_import(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request =
        fixture_send(fixture, "PUT", "/v1/accounts/zenegy/a",
                     "{\"refresh_token\":\"v1.a+/=\",\"scope\":\"read write\"}");
    struct message *question = fixture_take(fixture, ASK_IMPORT);

    assert_true(secret_equal_bytes(question->import->refresh_token, "v1.a+/=", 7));
    assert_null(question->import->access_token);
    assert_string_equal(question->import->scope, "read write");
    fixture_deliver(fixture, fixture_rows(question, 'a', 1));
    expect_answer(request, 200, "\"account\":\"zenegy/a\"");
}

static void test_import_static(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "PUT", "/v1/accounts/zenpayroll/app",
                                               "{\"access_token\":\"5f0c9a\"}");
    struct message *question = fixture_take(fixture, ASK_IMPORT);

    assert_true(secret_equal_bytes(question->import->access_token, "5f0c9a", 6));
    assert_null(question->import->scope);
    fixture_fail(fixture, question, WIRE_INTERNAL);
    expect_answer(request, 500, "the test said no");
}

static void test_forget(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "DELETE", "/v1/accounts/zenegy/a", NULL);

    fixture_deliver(fixture, fixture_answer(fixture_take(fixture, ASK_FORGET)));
    expect_answer(request, 200, "{\"account\":\"zenegy/a\",\"forgotten\":true}");
    audit_flush(fixture->context.audit);
    struct message *letter = fixture_take(fixture, TELL_AUDIT);
    assert_string_equal(letter->audit[0].verdict, "forget");
    message_free(letter);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_whole_account),
        TEST(test_bare_account),
        TEST(test_unknown_account_or_provider),
        TEST(test_answer_without_a_row),
        TEST(test_list_to_the_end),
        TEST(test_empty_list),
        TEST(test_list_page),
        TEST(test_list_filtered),
        TEST(test_list_of_the_unseen),
        TEST(test_list_of_long_rows),
        TEST(test_list_gone_and_late),
        TEST(test_import),
        TEST(test_import_static),
        TEST(test_forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
