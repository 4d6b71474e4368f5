#include "fixture.h"

static void test_copy_of_a_token(void **state)
{
    struct issued_token *token = fixture_token("tok", 7, 1000);
    struct issued_token *copy = NULL;

    token->scope = strdup("read");
    assert_int_equal(issued_token_copy(token, &copy), 0);
    assert_ptr_not_equal(copy->access_token, token->access_token);
    assert_true(secret_equal(copy->access_token, token->access_token));
    assert_ptr_not_equal(copy->scope, token->scope);
    assert_string_equal(copy->scope, "read");
    assert_string_equal(copy->token_type, "bearer");
    assert_string_equal(copy->extra, "{\"company_id\":4711}");
    assert_int_equal(copy->generation, 7);
    assert_int_equal(copy->expires_at, token->expires_at);
    assert_null(issued_token_free(token));
    assert_string_equal(copy->scope, "read");
    issued_token_free(copy);
}

static void test_copy_of_a_bare_token(void **state)
{
    const struct issued_token token = { .generation = 1 };
    struct issued_token *copy = NULL;

    assert_int_equal(issued_token_copy(&token, &copy), 0);
    assert_null(copy->access_token);
    assert_null(copy->extra);
    issued_token_free(copy);
}

static struct secret *secret_of(const char *text)
{
    struct secret *secret = NULL;

    assert_int_equal(secret_new(text, strlen(text), &secret), 0);
    return secret;
}

/* The leak checker says whether everything goes with the message. */
static void test_a_message_frees_all_it_holds(void **state)
{
    struct message *message = message_new(ANSWER);

    message->token = fixture_token("tok", 1, 0);
    message->exchange = calloc(1, sizeof(*message->exchange));
    message->exchange->code = secret_of("code");
    message->exchange->verifier = secret_of("verifier");
    message->exchange->nonce = secret_of("nonce");
    message->exchange->redirect_uri = strdup("http://127.0.0.1/");
    message->exchange->scope = strdup("read");
    message->import = calloc(1, sizeof(*message->import));
    message->import->refresh_token = secret_of("refresh");
    message->import->access_token = secret_of("access");
    message->import->scope = strdup("read");
    message->settings = calloc(1, sizeof(*message->settings));
    message->settings->key = strdup("auto");
    message->rows = calloc(2, sizeof(message->rows[0]));
    message->row_count = 2;
    message->rows[1].scope = strdup("read");
    message->rows[1].sealed = malloc(10);
    message->provider = calloc(1, sizeof(*message->provider));
    message->provider->issuer = strdup("https://example.com");
    message->consent = calloc(1, sizeof(*message->consent));
    message->consent->scope = strdup("read");
    message->consent->identity = strdup("4711");
    message->health = calloc(1, sizeof(*message->health));
    message->health->providers = calloc(3, sizeof(message->health->providers[0]));
    message->audit = calloc(3, sizeof(message->audit[0]));
    assert_null(message_free(message));
    assert_null(message_free(NULL));
    message_destroy(message_new(STOP));
    message_destroy(NULL);
    assert_null(issued_token_free(NULL));
}

static void test_half_built(void **state)
{
    struct message *message = message_new(ANSWER);

    message->row_count = 3; /* memory was short for the rows themselves */
    message->exchange = calloc(1, sizeof(*message->exchange));
    message->health = calloc(1, sizeof(*message->health));
    message_free(message);
}

static void test_fail(void **state)
{
    struct message *message = message_new(ANSWER);
    char text[400];

    message->failure.retry_after_s = 5;
    message_fail(message, WIRE_PROVIDER_UNAVAILABLE, "no answer from %s", "zenegy");
    assert_true(message->failed);
    assert_int_equal(message->failure.error, WIRE_PROVIDER_UNAVAILABLE);
    assert_string_equal(message->failure.description, "no answer from zenegy");
    assert_int_equal(message->failure.retry_after_s, 0);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    message_fail(message, WIRE_INTERNAL, "%s", text);
    assert_int_equal(strlen(message->failure.description),
                     sizeof(message->failure.description) - 1);
    message_free(message);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_copy_of_a_token),
        TEST(test_copy_of_a_bare_token),
        TEST(test_a_message_frees_all_it_holds),
        TEST(test_half_built),
        TEST(test_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
