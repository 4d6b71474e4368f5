/* What lies sealed in a row may be anything that had our key: only a whole blob of our version is a
 * grant. And where memory is short nothing half made comes out, nor is anything called broken.
 * Links with malloc() and its kin wrapped. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "back/vault.h"

enum { CALLS_MAX = 100 };

/* Allocations until the one that fails; negative: none does. */
static int allocations_left = -1;

static bool fails_now(void)
{
    return allocations_left >= 0 && allocations_left-- == 0;
}

#define WRAPPED(type, name, parameters, arguments)                                                 \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fails_now() ? NULL : __real_##name arguments;                                       \
    }

WRAPPED(void *, malloc, (size_t size), (size))
WRAPPED(void *, calloc, (size_t count, size_t size), (count, size))
WRAPPED(void *, realloc, (void *old, size_t size), (old, size))
WRAPPED(void *, reallocarray, (void *old, size_t count, size_t size), (old, count, size))
WRAPPED(char *, strdup, (const char *text), (text))
WRAPPED(char *, strndup, (const char *text, size_t length), (text, length))

static struct seal_key *key;
static struct grant full;

static int start(void **state)
{
    bool locked;
    const unsigned char bytes[SEAL_KEY_BYTES] = { 1 };
    int r = secret_start(&locked);
    if (r == 0)
        r = seal_key_new(bytes, &key);
    if (r == 0)
        r = secret_new("access", 6, &full.access_token);
    if (r == 0)
        r = secret_new("refresh", 7, &full.refresh_token);
    if (r == 0)
        r = secret_new("before", 6, &full.predecessor);
    full.token_type = strdup("Bearer");
    full.extra = strdup("{}");
    return r;
}

static int end(void **state)
{
    grant_release(&full);
    key = seal_key_free(key);
    return 0;
}

static void only_a_whole_blob_is_a_grant(void **state)
{
    static const struct {
        const char *plain;
        size_t length;
        int result;
    } rows[] = {
#define ROW(plain, result) { plain, sizeof plain - 1, result }
        ROW("\1", 0), /* nothing is in it */
        ROW("\1\2\1\0\0\0r", 0),
        ROW("\1\2\1\0\0\0r\x63\2\0\0\0no", 0), /* a later version's field is passed over */
        ROW("\2", VAULT_BROKEN),
        ROW("\1\2\1\0", VAULT_BROKEN),
        ROW("\1\2\2\0\0\0r", VAULT_BROKEN),
        ROW("\1\2\xff\xff\xff\xffr", VAULT_BROKEN),
        ROW("\1\2\1\0\0\0r\2\1\0\0\0s", VAULT_BROKEN), /* which of the two? */
        ROW("\1\4\1\0\0\0B\4\1\0\0\0M", VAULT_BROKEN),
        ROW("\1\5\3\0\0\0a\0b", VAULT_BROKEN),
#undef ROW
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(cleanup_buffer) struct buffer sealed = BUFFER_WITH_MAXIMUM(4096);
        struct account_row row = { .name = { "acme", "dk" }, .generation = 3 };
        struct grant grant = { 0 };
        assert_int_equal(seal(key, "account acme/dk 3", rows[i].plain, rows[i].length, &sealed), 0);
        row.sealed = sealed.data;
        row.sealed_length = sealed.length;
        assert_int_equal(vault_open(key, &row, &grant), rows[i].result);
        if (rows[i].result != 0)
            assert_true(!grant.refresh_token && !grant.token_type && !grant.extra);
        grant_release(&grant);
    }
}

static int close_and_open(void)
{
    CLEANUP(cleanup_account_row)
    struct account_row row = { .name = { "acme", "dk" }, .generation = 3 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    int r = vault_close(key, &row, &full);
    assert_true((r == 0) == (row.sealed != NULL));
    if (r == 0)
        r = vault_open(key, &row, &grant);
    assert_true((r == 0) == (grant.extra != NULL));
    return r;
}

static int issue(void)
{
    static char scope[] = "read";
    const struct account_row row = { .generation = 3, .scope = scope };
    CLEANUP(cleanup_issued_token) struct issued_token *token = NULL;
    CLEANUP(cleanup_issued_token) struct issued_token *copy = NULL;
    int r = grant_issue(&full, &row, &token);
    assert_true((r == 0) == (token != NULL));
    if (r == 0)
        r = issued_token_copy(token, &copy);
    assert_true((r == 0) == (copy != NULL));
    return r;
}

static void each_allocation_fails_once(void **state)
{
    static int (*const works[])(void) = { close_and_open, issue };
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        int n = 0;
        for (;; n++) {
            assert_in_range(n, 0, CALLS_MAX);
            allocations_left = n;
            int r = works[i]();
            bool reached = allocations_left < 0;
            allocations_left = -1;
            if (!reached) {
                assert_int_equal(r, 0);
                break;
            }
            assert_true(r < 0); /* not VAULT_BROKEN: the account is well */
        }
        assert_in_range(n, 3, CALLS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_whole_blob_is_a_grant),
        cmocka_unit_test(each_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, start, end);
}
