#include "fixture.h"

#include <stdio.h>

#include "base/clock.h"
#include "fixture_private.h"
#include "io/store_sqlite_private.h"

struct account_name name_of(const char *label)
{
    struct account_name name = { "acme", "" };
    const char *slash = strchr(label, '/');
    if (slash)
        (void)snprintf(name.provider, sizeof name.provider, "%.*s", (int)(slash - label), label);
    (void)snprintf(name.label, sizeof name.label, "%s", slash ? slash + 1 : label);
    return name;
}

void seed(struct stage *stage, struct seed seed)
{
    CLEANUP(cleanup_store) struct store *store = open_store(stage);
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();
    CLEANUP(cleanup_account_row) struct account_row row = { .name = name_of(seed.label) };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    char fingerprint[FINGERPRINT_SIZE];
    const int64_t now = clock_now();
    grant.access_token = make_secret(seed.access_token);
    grant.refresh_token = make_secret(seed.refresh_token);
    grant.predecessor = make_secret(seed.predecessor);
    row.generation = 1;
    row.created_at = now;
    row.state = seed.state;
    row.refusals = seed.refusals;
    row.has_refresh_token = seed.refresh_token != NULL;
    row.refreshed_at = seed.access_token ? now : 0;
    row.lifetime_ms = seed.lifetime_ms;
    row.expires_at = seed.lifetime_ms > 0 ? now + seed.lifetime_ms : 0;
    row.refresh_at = seed.refresh_at;
    row.identity = seed.identity ? strdup(seed.identity) : NULL;
    assert_int_equal(vault_close(key, &row, &grant), 0);
    assert_int_equal(store_begin(store), 0);
    assert_int_equal(store_put(store, &row), 0);
    if (grant.refresh_token)
        assert_int_equal(
            store_put_token_owner(store, &row.name,
                                  secret_fingerprint(grant.refresh_token, fingerprint)),
            0);
    assert_int_equal(store_commit(store), 0);
}

void seed_due(struct stage *stage, const char *label, const char *predecessor)
{
    char token[64];
    (void)snprintf(token, sizeof token, "rt-secret-%s", label);
    seed(stage,
         (struct seed){
             .label = label, .refresh_token = token, .predecessor = predecessor, .refresh_at = 1 });
}

void seed_live_and_ended(struct stage *stage)
{
    seed(stage, (struct seed){ .label = "dk",
                               .refresh_token = "rt-secret",
                               .access_token = "at-secret",
                               .lifetime_ms = HOUR,
                               .refresh_at = 1 });
    seed(stage, (struct seed){ .label = "se", .refresh_token = "rt-secret-se", .refresh_at = 1 });
}

void stored(struct stage *stage, const char *label, struct account_row *row, struct grant *grant)
{
    CLEANUP(cleanup_store) struct store *store = open_store(stage);
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();
    const struct account_name name = name_of(label);
    assert_int_equal(store_read(store, &name, row), 0);
    assert_int_equal(vault_open(key, row, grant), 0);
}

bool holds(const struct secret *secret, const char *text)
{
    return secret && secret_equal_bytes(secret, text, strlen(text));
}

static bool count_row(void *userdata, const struct kept_row *row)
{
    (void)row;
    ++*(size_t *)userdata;
    return true;
}

size_t count_kept(struct stage *stage, enum kept_kind kind)
{
    CLEANUP(cleanup_store) struct store *store = open_store(stage);
    size_t count = 0;
    assert_int_equal(store_each_kept(store, kind, INT64_MAX, 1000, count_row, &count), 0);
    return count;
}

bool held_consent(struct stage *stage, const char *label, struct held_row *row, struct grant *grant)
{
    CLEANUP(cleanup_store) struct store *store = open_store(stage);
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();
    const struct account_name name = name_of(label);
    int r = store_read_held(store, &name, row);
    if (r == STORE_NOT_FOUND)
        return false;
    assert_int_equal(r, 0);
    assert_int_equal(vault_open_held(key, row, grant), 0);
    return true;
}

void run_sql(struct stage *stage, const char *sql)
{
    CLEANUP(cleanup_store) struct store *store = open_store(stage);
    assert_int_equal(sqlite3_exec(store->db, sql, NULL, NULL, NULL), SQLITE_OK);
}
