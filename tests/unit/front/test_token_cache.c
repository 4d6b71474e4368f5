#include "fixture.h"

#include "front/token_cache.h"

enum { HOUR_MS = 3600 * 1000 };

static struct account_name named(int number)
{
    struct account_name name = { .provider = "zenegy" };

    snprintf(name.label, sizeof(name.label), "a%d", number);
    return name;
}

static struct issued_token *token_of(size_t length, uint64_t generation)
{
    static char text[SECRET_MAX + 1];

    memset(text, 'x', length);
    text[length] = '\0';
    return fixture_token(text, generation, HOUR_MS);
}

static void put(struct token_cache *cache, int number, size_t length, uint64_t generation)
{
    struct account_name name = named(number);
    assert_non_null(token_cache_put(cache, &name, token_of(length, generation)));
}

static struct cached_token *find(struct token_cache *cache, int number)
{
    struct account_name name = named(number);
    return token_cache_find(cache, &name);
}

static void test_generations(void **state)
{
    CLEANUP(cleanup_token_cache) struct token_cache *cache = NULL;
    struct account_name one = named(1), two = named(2);

    assert_int_equal(token_cache_new(&cache), 0);
    put(cache, 1, 10, 5);
    put(cache, 1, 20, 4);
    assert_int_equal(find(cache, 1)->token->generation, 5);
    put(cache, 1, 20, 5);
    assert_int_equal(secret_length(find(cache, 1)->token->access_token), 10);
    put(cache, 1, 20, 6);
    assert_int_equal(find(cache, 1)->token->generation, 6);

    token_cache_replace(cache, &two, token_of(10, 9));
    assert_null(find(cache, 2));
    token_cache_replace(cache, &one, token_of(10, 9));
    assert_int_equal(find(cache, 1)->token->generation, 9);
    token_cache_forget(cache, &one, 8);
    assert_non_null(find(cache, 1));
    token_cache_forget(cache, &one, 9);
    assert_null(find(cache, 1));
    token_cache_forget(cache, &one, 0);
    put(cache, 1, 10, 9);
    token_cache_forget(cache, &one, 0);
    assert_null(find(cache, 1));
}

static void test_reject(void **state)
{
    CLEANUP(cleanup_token_cache) struct token_cache *cache = NULL;
    struct account_name one = named(1), two = named(2);
    char fingerprint[FINGERPRINT_SIZE];

    assert_int_equal(token_cache_new(&cache), 0);
    put(cache, 1, 3, 1);
    digest_text("xxx", 3, fingerprint);
    token_cache_reject(cache, &two, fingerprint);
    assert_non_null(find(cache, 1));
    digest_text("xxxx", 4, fingerprint);
    token_cache_reject(cache, &one, fingerprint);
    assert_non_null(find(cache, 1));
    digest_text("xxx", 3, fingerprint);
    token_cache_reject(cache, &one, fingerprint);
    assert_null(find(cache, 1));
}

static void test_longest_unused_goes_first(void **state)
{
    CLEANUP(cleanup_token_cache) struct token_cache *cache = NULL;

    assert_int_equal(token_cache_new(&cache), 0);
    for (int i = 0; i < TOKEN_CACHE_ENTRIES_MAX; i++)
        put(cache, i, 10, 1);
    assert_non_null(find(cache, 0)); /* used: no longer the oldest */
    put(cache, TOKEN_CACHE_ENTRIES_MAX, 10, 1);
    assert_non_null(find(cache, 0));
    assert_null(find(cache, 1));
    assert_non_null(find(cache, 2));
    token_cache_forget_all(cache);
    assert_null(find(cache, 2));
    put(cache, 1, 10, 1);
    assert_non_null(find(cache, 1));
}

/* Tokens as large as they may be: what is kept is bounded in bytes, and the region never runs
 * out. */
static void test_secret_bytes_bounded(void **state)
{
    CLEANUP(cleanup_token_cache) struct token_cache *cache = NULL;
    const int most = TOKEN_CACHE_SECRET_BYTES_MAX / SECRET_MAX;
    int kept = 0;

    assert_int_equal(token_cache_new(&cache), 0);
    for (int i = 0; i < 2 * most; i++)
        put(cache, i, SECRET_MAX, 1);
    for (int i = 0; i < 2 * most; i++)
        kept += find(cache, i) != NULL;
    assert_in_range(kept, most / 4, most);
    assert_non_null(find(cache, 2 * most - 1));
}

static void test_public_bytes_bounded(void **state)
{
    CLEANUP(cleanup_token_cache) struct token_cache *cache = NULL;
    enum { EXTRA = 60 * 1024 };
    const int many = 2 * (TOKEN_CACHE_PUBLIC_BYTES_MAX / EXTRA);
    int kept = 0;

    assert_int_equal(token_cache_new(&cache), 0);
    for (int i = 0; i < many; i++) {
        struct account_name name = named(i);
        struct issued_token *token = token_of(10, 1);
        free(token->extra);
        token->extra = malloc(EXTRA + 1);
        memset(token->extra, ' ', EXTRA);
        token->extra[EXTRA] = '\0';
        assert_non_null(token_cache_put(cache, &name, token));
    }
    for (int i = 0; i < many; i++)
        kept += find(cache, i) != NULL;
    assert_in_range(kept, 10, TOKEN_CACHE_PUBLIC_BYTES_MAX / (2 * EXTRA));
}

/* The secret region holds what the cache may hold and as much again under way. */
static void test_churn_of_sizes(void **state)
{
    CLEANUP(cleanup_token_cache) struct token_cache *cache = NULL;
    static const size_t sizes[] = { 40, 900, 1500, 4000, 9000, SECRET_MAX };

    assert_int_equal(token_cache_new(&cache), 0);
    for (int i = 0; i < 20000; i++)
        put(cache, i % 5000, sizes[(size_t)(i / 1000) % 6], (uint64_t)i + 1);
}

static void test_parts_forgotten(void **state)
{
    CLEANUP(cleanup_token_cache) struct token_cache *cache = NULL;
    struct fixture *fixture = *state;
    struct account_name one = named(1);

    assert_int_equal(token_cache_new(&cache), 0);
    put(cache, 1, 10, 1);
    struct cached_token *entry = find(cache, 1);
    assert_int_equal(token_parts_make(&one, entry->token, fixture->context.settings->providers[0],
                                      &entry->parts),
                     0);
    assert_null(strstr(entry->parts.text, "xxxxxxxxxx"));
    token_cache_forget_parts(cache);
    assert_null(entry->parts.text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_generations),
        TEST(test_reject),
        TEST(test_longest_unused_goes_first),
        TEST(test_secret_bytes_bounded),
        TEST(test_public_bytes_bounded),
        TEST(test_churn_of_sizes),
        TEST(test_parts_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
