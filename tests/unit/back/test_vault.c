/* A blob opens in its own row, at its own generation, under its own key, and nowhere else. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "back/vault.h"

static struct seal_key *key_of(unsigned char fill)
{
    unsigned char bytes[SEAL_KEY_BYTES];
    struct seal_key *key = NULL;
    memset(bytes, fill, sizeof bytes);
    assert_int_equal(seal_key_new(bytes, &key), 0);
    return key;
}

static struct secret *secret_of(const char *text)
{
    struct secret *secret = NULL;
    assert_int_equal(secret_new(text, strlen(text), &secret), 0);
    return secret;
}

static struct grant full_grant(void)
{
    return (struct grant){ .access_token = secret_of("access"),
                           .refresh_token = secret_of("refresh+/="),
                           .predecessor = secret_of("before"),
                           .token_type = strdup("Bearer"),
                           .extra = strdup("{\"company_id\":\"1\"}") };
}

static int start_secrets(void **state)
{
    bool locked;
    (void)state;
    return secret_start(&locked);
}

static struct account_row sealed_row(const struct seal_key *key)
{
    struct account_row row = { .name = { "acme", "dk" }, .generation = 3 };
    CLEANUP(cleanup_grant) struct grant grant = full_grant();
    assert_int_equal(vault_close(key, &row, &grant), 0);
    return row;
}

static void everything_comes_back(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = key_of(1);
    CLEANUP(cleanup_account_row) struct account_row row = sealed_row(key);
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    (void)state;
    assert_int_equal(vault_open(key, &row, &grant), 0);
    assert_true(secret_equal_bytes(grant.access_token, "access", 6));
    assert_true(secret_equal_bytes(grant.refresh_token, "refresh+/=", 10));
    assert_true(secret_equal_bytes(grant.predecessor, "before", 6));
    assert_string_equal(grant.token_type, "Bearer");
    assert_string_equal(grant.extra, "{\"company_id\":\"1\"}");
}

static void absent_parts_stay_absent(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = key_of(1);
    CLEANUP(cleanup_account_row) struct account_row row = { .name = { "acme", "dk" } };
    CLEANUP(cleanup_grant) struct grant grant = { .refresh_token = secret_of("r") };
    CLEANUP(cleanup_grant) struct grant opened = { 0 };
    (void)state;
    assert_int_equal(vault_close(key, &row, &grant), 0);
    assert_int_equal(vault_open(key, &row, &opened), 0);
    assert_null(opened.access_token);
    assert_null(opened.predecessor);
    assert_non_null(opened.refresh_token);
}

static void no_secret_lies_in_the_row(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = key_of(1);
    CLEANUP(cleanup_account_row) struct account_row row = sealed_row(key);
    (void)state;
    assert_null(memmem(row.sealed, row.sealed_length, "refresh", 7));
    assert_null(memmem(row.sealed, row.sealed_length, "access", 6));
}

static void another_key_row_or_generation_does_not_open_it(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = key_of(1);
    CLEANUP(cleanup_seal_key) struct seal_key *other = key_of(2);
    CLEANUP(cleanup_account_row) struct account_row row = sealed_row(key);
    struct grant grant = { 0 };
    (void)state;
    assert_int_equal(vault_open(other, &row, &grant), VAULT_BROKEN);
    row.generation++;
    assert_int_equal(vault_open(key, &row, &grant), VAULT_BROKEN);
    row.generation--;
    row.name.label[0] = 'x';
    assert_int_equal(vault_open(key, &row, &grant), VAULT_BROKEN);
    assert_null(grant.access_token);
}

static void changed_bytes_do_not_open(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = key_of(1);
    CLEANUP(cleanup_account_row) struct account_row row = sealed_row(key);
    struct grant grant = { 0 };
    unsigned char *bytes = row.sealed;
    (void)state;
    for (size_t i = 0; i < row.sealed_length; i++) {
        bytes[i] ^= 1;
        assert_int_equal(vault_open(key, &row, &grant), VAULT_BROKEN);
        bytes[i] ^= 1;
    }
    row.sealed_length = 5;
    assert_int_equal(vault_open(key, &row, &grant), VAULT_BROKEN);
}

static void an_issued_token_carries_no_refresh_token(void **state)
{
    CLEANUP(cleanup_grant) struct grant grant = full_grant();
    CLEANUP(cleanup_issued_token) struct issued_token *token = NULL;
    struct account_row row = { .generation = 9, .refreshed_at = 1, .expires_at = 2 };
    (void)state;
    assert_int_equal(grant_issue(&grant, &row, &token), 0);
    assert_int_equal(token->generation, 9);
    assert_true(secret_equal_bytes(token->access_token, "access", 6));
    assert_string_equal(token->extra, "{\"company_id\":\"1\"}");
}

static void kept_rows_have_a_place_of_their_own(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = key_of(1);
    CLEANUP(cleanup_grant) struct grant grant = full_grant();
    struct grant opened = { 0 };
    struct kept_row row = { .kind = KEPT_REVOCATION, .name = { "acme", "dk" } };
    (void)state;
    assert_int_equal(vault_close_kept(key, &row, &grant), 0);
    row.kind = KEPT_UNREADABLE_REPLY;
    assert_int_equal(vault_open_kept(key, &row, &opened), VAULT_BROKEN);
    row.kind = KEPT_REVOCATION;
    assert_int_equal(vault_open_kept(key, &row, &opened), 0);
    grant_release(&opened);
    kept_row_release(&row);
}

static void a_held_consent_is_bound_to_its_account(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = key_of(1);
    CLEANUP(cleanup_grant) struct grant grant = full_grant();
    struct grant opened = { 0 };
    struct held_row row = { .name = { "acme", "dk" } };
    (void)state;
    assert_int_equal(vault_close_held(key, &row, &grant), 0);
    row.name = (struct account_name){ "acme", "se" };
    assert_int_equal(vault_open_held(key, &row, &opened), VAULT_BROKEN);
    row.name = (struct account_name){ "acme", "dk" };
    assert_int_equal(vault_open_held(key, &row, &opened), 0);
    grant_release(&opened);
    held_row_release(&row);
}

static struct link_row sealed_link(const struct seal_key *key)
{
    struct link_row row = { .name = { "acme", "dk" }, .digest = "the digest" };
    CLEANUP(cleanup_secret) struct secret *token = secret_of("link-token");
    assert_int_equal(vault_close_link(key, &row, token), 0);
    assert_null(memmem(row.sealed, row.sealed_length, "link-token", 10));
    return row;
}

/* It may move to another account, as that is renamed; it opens by its own digest alone. */
static void a_links_token_is_bound_to_its_digest(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = key_of(1);
    CLEANUP(cleanup_seal_key) struct seal_key *other = key_of(2);
    CLEANUP(cleanup_link_row) struct link_row row = sealed_link(key);
    CLEANUP(cleanup_secret) struct secret *token = NULL;
    (void)state;
    assert_int_equal(vault_open_link(other, &row, &token), VAULT_BROKEN);
    row.digest[0] ^= 1;
    assert_int_equal(vault_open_link(key, &row, &token), VAULT_BROKEN);
    row.digest[0] ^= 1;
    assert_null(token);
    row.name = (struct account_name){ "acme", "se" };
    assert_int_equal(vault_open_link(key, &row, &token), 0);
    assert_true(secret_equal_bytes(token, "link-token", 10));
}

static void changed_bytes_of_a_link_do_not_open(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = key_of(1);
    CLEANUP(cleanup_link_row) struct link_row row = sealed_link(key);
    struct secret *token = NULL;
    unsigned char *bytes = row.sealed;
    (void)state;
    for (size_t i = 0; i < row.sealed_length; i++) {
        bytes[i] ^= 1;
        assert_int_equal(vault_open_link(key, &row, &token), VAULT_BROKEN);
        bytes[i] ^= 1;
    }
    row.sealed_length--;
    assert_int_equal(vault_open_link(key, &row, &token), VAULT_BROKEN);
    assert_null(token);
}

/* Accounts and links have places apart. */
static void another_rows_blob_is_no_link(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = key_of(1);
    CLEANUP(cleanup_account_row) struct account_row account = sealed_row(key);
    struct link_row row = { .digest = "acme/dk", .sealed = account.sealed };
    struct secret *token = NULL;
    (void)state;
    row.sealed_length = account.sealed_length;
    assert_int_equal(vault_open_link(key, &row, &token), VAULT_BROKEN);
    assert_null(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(absent_parts_stay_absent),
        cmocka_unit_test(no_secret_lies_in_the_row),
        cmocka_unit_test(another_key_row_or_generation_does_not_open_it),
        cmocka_unit_test(changed_bytes_do_not_open),
        cmocka_unit_test(an_issued_token_carries_no_refresh_token),
        cmocka_unit_test(kept_rows_have_a_place_of_their_own),
        cmocka_unit_test(a_held_consent_is_bound_to_its_account),
        cmocka_unit_test(a_links_token_is_bound_to_its_digest),
        cmocka_unit_test(changed_bytes_of_a_link_do_not_open),
        cmocka_unit_test(another_rows_blob_is_no_link),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
