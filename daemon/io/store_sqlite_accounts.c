/* Accounts, their schedule, and whose a refresh token is, or was. */

#include <errno.h>

#include "io/store_sqlite_private.h"

static const struct field name_fields[] = {
    FIELD_ARRAY(account_name, provider),
    FIELD_ARRAY(account_name, label),
};

enum { NAME_FIELDS = sizeof name_fields / sizeof name_fields[0] };

enum {
    ACCOUNT_STATES = ACCOUNT_CONSENT_REQUIRED + 1,
    REFUSAL_STEPS = REFUSAL_PREDECESSOR + 1,
};

/* What is only read comes first. The sealed bytes are last, so that the facts alone are this table
 * without its last row. */
static const struct field account_fields[] = {
    FIELD(account_row, NUMBER, held_at),
    FIELD(account_row, TEXT, held_identity),
    FIELD(account_row, NUMBER, held_refreshed_at),
    FIELD(account_row, NUMBER, held_refresh_token_expires_at),
    FIELD(account_row, NUMBER, held_refresh_token_life_ms),
    FIELD(account_row, UNSIGNED, held_warned_days),
    FIELD_ARRAY(account_row, name.provider),
    FIELD_ARRAY(account_row, name.label),
    FIELD(account_row, COUNTER, generation),
    FIELD_SIZED(account_row, CHOICE, state, ACCOUNT_STATES),
    FIELD(account_row, BOOLEAN, has_refresh_token),
    FIELD(account_row, BOOLEAN, rejected),
    FIELD(account_row, NUMBER, created_at),
    FIELD(account_row, NUMBER, refreshed_at),
    FIELD(account_row, NUMBER, lifetime_ms),
    FIELD(account_row, NUMBER, expires_at),
    FIELD(account_row, NUMBER, refresh_at),
    FIELD(account_row, NUMBER, refresh_token_expires_at),
    FIELD_SIZED(account_row, CHOICE, refusals, REFUSAL_STEPS),
    FIELD(account_row, NUMBER, refused_at),
    FIELD(account_row, NUMBER, suspect_since),
    FIELD(account_row, UNSIGNED, failures),
    FIELD(account_row, TEXT, last_error),
    FIELD(account_row, TEXT, last_error_description),
    FIELD(account_row, NUMBER, last_error_at),
    FIELD(account_row, TEXT, scope),
    FIELD(account_row, TEXT, identity),
    FIELD(account_row, NUMBER, refresh_token_life_ms),
    FIELD(account_row, NUMBER, asked_at),
    FIELD(account_row, NUMBER, lost_at),
    FIELD(account_row, UNSIGNED, warned_days),
    FIELD_ARRAY(account_row, imported),
    FIELD(account_row, NUMBER, granted_at),
    FIELD(account_row, BOOLEAN, lifetime_assumed),
    FIELD(account_row, UNSIGNED, failed_alone),
    FIELD(account_row, UNSIGNED, suspect_tries),
    FIELD_ARRAY(account_row, refused_under),
    FIELD(account_row, NUMBER, identity_changed_at),
    FIELD(account_row, TEXT, identity_before),
    FIELD_SIZED(account_row, BYTES, sealed, offsetof(struct account_row, sealed_length)),
};

enum {
    ACCOUNT_FIELDS = sizeof account_fields / sizeof account_fields[0],
    ACCOUNT_FACT_FIELDS = ACCOUNT_FIELDS - 1,
    ACCOUNT_READ_ONLY = 6,
};

int store_find_by_name(struct store *store, enum store_statement which,
                       const struct account_name *name, sqlite3_stmt **ret)
{
    int r = store_reading(store, which, ret);
    if (r == 0)
        r = store_bind_account(store, *ret, 1, name);
    if (r == 0)
        r = store_step(store, *ret);
    if (r <= 0)
        return r < 0 ? r : STORE_NOT_FOUND;
    return 0;
}

int store_read(struct store *store, const struct account_name *name, struct account_row *ret)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;
    struct account_row borrowed = { 0 };

    int r = store_find_by_name(store, STATEMENT_READ_ACCOUNT, name, &statement);
    if (r != 0)
        return r;

    r = store_read_row(store, statement, account_fields, ACCOUNT_FIELDS, &borrowed);
    if (r < 0)
        return r == -EIO ? STORE_FOREIGN : r;
    return account_row_copy(&borrowed, ret);
}

static int put_account(struct store *store, enum store_statement which, size_t fields,
                       const struct account_row *row)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, which, &statement);
    if (r == 0)
        r = store_bind_row(store, statement, 1, account_fields + ACCOUNT_READ_ONLY,
                           fields - ACCOUNT_READ_ONLY, row);
    return r < 0 ? r : store_write(store, statement);
}

int store_put(struct store *store, const struct account_row *row)
{
    return put_account(store, STATEMENT_PUT_ACCOUNT, ACCOUNT_FIELDS, row);
}

int store_put_facts(struct store *store, const struct account_row *row)
{
    return put_account(store, STATEMENT_PUT_ACCOUNT_FACTS, ACCOUNT_FACT_FIELDS, row);
}

int store_write_by_name(struct store *store, enum store_statement which,
                        const struct account_name *name)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, which, &statement);
    if (r == 0)
        r = store_bind_account(store, statement, 1, name);
    return r < 0 ? r : store_write(store, statement);
}

int store_delete(struct store *store, const struct account_name *name)
{
    int r = store_write_by_name(store, STATEMENT_DELETE_ACCOUNT, name);
    if (r < 0)
        return r;
    return sqlite3_changes(store->db) > 0 ? 0 : STORE_NOT_FOUND;
}

/* The account's name that is a statement's next row. */
static int read_name(struct store *store, sqlite3_stmt *statement, struct account_name *ret)
{
    struct account_name name;
    int r = store_step(store, statement);
    if (r <= 0)
        return r < 0 ? r : STORE_NOT_FOUND;

    r = store_read_row(store, statement, name_fields, NAME_FIELDS, &name);
    if (r < 0)
        return r;
    *ret = name;
    return 0;
}

/* How a list goes on. */
struct listing {
    store_each_account each;
    void *userdata;
    size_t limit;
};

/* One row that is damaged, or on a page that is, is that account's trouble: it is passed over. */
static int list_one(struct store *store, const struct account_name *name, struct listing *listing)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;
    struct account_row row = { 0 };

    int r = store_find_by_name(store, STATEMENT_READ_FACTS, name, &statement);
    if (r == 0) {
        r = store_read_row(store, statement, account_fields, ACCOUNT_FACT_FIELDS, &row);
        if (r == -EIO)
            return 0;
    }
    if (r != 0)
        return r == STORE_NOT_FOUND || r == -EBADMSG ? 0 : r;
    listing->limit = listing->each(listing->userdata, &row) ? listing->limit - 1 : 0;
    return 0;
}

static int list(struct store *store, enum store_statement which, const struct account_name *after,
                struct listing *listing)
{
    static const struct account_name before_all = { "", "" };
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, which, &statement);
    if (r == 0)
        r = store_bind_account(store, statement, 1, after ? after : &before_all);
    while (r == 0 && listing->limit > 0) {
        struct account_name name;
        r = read_name(store, statement, &name);
        if (r == 0)
            r = list_one(store, &name, listing);
    }
    return r == STORE_NOT_FOUND ? 0 : r;
}

int store_list(struct store *store, const struct account_name *after, size_t limit,
               store_each_account each, void *userdata)
{
    return list(store, STATEMENT_LIST_ACCOUNTS, after, &(struct listing){ each, userdata, limit });
}

int store_list_held(struct store *store, const struct account_name *after, size_t limit,
                    store_each_account each, void *userdata)
{
    return list(store, STATEMENT_LIST_HELD, after, &(struct listing){ each, userdata, limit });
}

int store_due(struct store *store, const char *provider, int64_t now, size_t limit,
              bool (*each)(void *userdata, const struct account_name *name), void *userdata)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;
    struct account_name name;

    int r = store_reading(store, STATEMENT_DUE_ACCOUNTS, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, provider);
    if (r == 0)
        r = store_bind_number(store, statement, 2, now);
    if (r == 0)
        r = store_bind_limit(store, statement, 3, limit);
    while (r == 0 && (r = read_name(store, statement, &name)) == 0)
        if (!each(userdata, &name))
            return 0;
    return r == STORE_NOT_FOUND ? 0 : r;
}

int store_next_due(struct store *store, const char *provider, int64_t *ret)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_NEXT_DUE, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, provider);
    if (r == 0)
        r = store_step(store, statement);
    if (r < 0)
        return r;
    *ret = r == 1 ? sqlite3_column_int64(statement, 0) : 0;
    return 0;
}

int store_canary(struct store *store, const char *provider, const char *not_this,
                 const char *nor_this, struct account_name *ret)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_CANARY, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, provider);
    if (r == 0)
        r = store_bind_text(store, statement, 2, not_this);
    if (r == 0)
        r = store_bind_text(store, statement, 3, nor_this);
    return r < 0 ? r : read_name(store, statement, ret);
}

int store_lost(struct store *store, const char *provider, int64_t since, int64_t last_ms,
               store_each_lost each, void *userdata)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;
    struct account_name name;

    int r = store_reading(store, STATEMENT_LOST, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, provider);
    if (r == 0)
        r = store_bind_number(store, statement, 2, since);
    if (r == 0)
        r = store_bind_number(store, statement, 3, last_ms);
    while (r == 0 && (r = read_name(store, statement, &name)) == 0)
        if (!each(userdata, &name, sqlite3_column_int64(statement, NAME_FIELDS)))
            return 0;
    return r == STORE_NOT_FOUND ? 0 : r;
}

int store_refused(struct store *store, const char *provider, const char *after, const char *set_up,
                  struct account_name *ret)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_REFUSED, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, provider);
    if (r == 0)
        r = store_bind_text(store, statement, 2, after);
    if (r == 0)
        r = store_bind_text(store, statement, 3, set_up);
    return r < 0 ? r : read_name(store, statement, ret);
}

int store_has_accounts(struct store *store, const char *provider, size_t count)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_HAS_ACCOUNTS, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, provider);
    if (r == 0)
        r = store_bind_limit(store, statement, 2, count - 1);
    if (r == 0)
        r = store_step(store, statement);
    if (r <= 0)
        return r < 0 ? r : STORE_NOT_FOUND;
    return 0;
}

int store_count(struct store *store, uint64_t ret[static 3])
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;
    uint64_t counts[ACCOUNT_STATES] = { 0 };
    int r = store_reading(store, STATEMENT_COUNT_ACCOUNTS, &statement);
    if (r < 0)
        return r;

    while ((r = store_step(store, statement)) == 1) {
        int64_t state = sqlite3_column_int64(statement, 0);
        if (state >= 0 && state < ACCOUNT_STATES)
            counts[state] = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    if (r < 0)
        return r;
    for (int state = 0; state < ACCOUNT_STATES; state++)
        ret[state] = counts[state];
    return 0;
}

int store_put_token_owner(struct store *store, const struct account_name *name,
                          const char *fingerprint)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    if (!fingerprint)
        return store_write_by_name(store, STATEMENT_DROP_OWNER, name);

    int r = store_writing(store, STATEMENT_PUT_OWNER, &statement);
    if (r == 0)
        r = store_bind_account(store, statement, 1, name);
    if (r == 0)
        r = store_bind_text(store, statement, 3, fingerprint);
    return r < 0 ? r : store_write(store, statement);
}

static int find_of_token(struct store *store, enum store_statement which, const char *provider,
                         const char *fingerprint, struct account_name *ret)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, which, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, provider);
    if (r == 0)
        r = store_bind_text(store, statement, 2, fingerprint);
    return r < 0 ? r : read_name(store, statement, ret);
}

int store_token_owner(struct store *store, const char *provider, const char *fingerprint,
                      struct account_name *ret)
{
    return find_of_token(store, STATEMENT_GET_OWNER, provider, fingerprint, ret);
}

static int trim_imports(struct store *store, const struct account_name *name)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_TRIM_IMPORTS, &statement);
    if (r == 0)
        r = store_bind_account(store, statement, 1, name);
    if (r == 0)
        r = store_bind_limit(store, statement, 3, IMPORTS_MAX);
    return r < 0 ? r : store_write(store, statement);
}

int store_put_import(struct store *store, const struct account_name *name, const char *fingerprint,
                     int64_t now)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_PUT_IMPORT, &statement);
    if (r == 0)
        r = store_bind_account(store, statement, 1, name);
    if (r == 0)
        r = store_bind_text(store, statement, 3, fingerprint);
    if (r == 0)
        r = store_bind_number(store, statement, 4, now);
    if (r == 0)
        r = store_write(store, statement);
    return r < 0 ? r : trim_imports(store, name);
}

int store_mark_import(struct store *store, const struct account_name *name, bool unspent)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_MARK_IMPORT, &statement);
    if (r == 0)
        r = store_bind_account(store, statement, 1, name);
    if (r == 0)
        r = store_bind_number(store, statement, 3, unspent);
    return r < 0 ? r : store_write(store, statement);
}

int store_move_imports(struct store *store, const struct account_name *from,
                       const struct account_name *to)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_MOVE_IMPORTS, &statement);
    if (r == 0)
        r = store_bind_account(store, statement, 1, from);
    if (r == 0)
        r = store_bind_account(store, statement, 3, to);
    return r < 0 ? r : store_write(store, statement);
}

int store_find_import(struct store *store, const struct account_name *name, const char *fingerprint,
                      bool *ret_unspent)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_FIND_IMPORT, &statement);
    if (r == 0)
        r = store_bind_account(store, statement, 1, name);
    if (r == 0)
        r = store_bind_text(store, statement, 3, fingerprint);
    if (r == 0)
        r = store_step(store, statement);
    if (r <= 0)
        return r < 0 ? r : STORE_NOT_FOUND;
    *ret_unspent = sqlite3_column_int64(statement, 0) != 0;
    return 0;
}

int store_imported_account(struct store *store, const char *provider, const char *fingerprint,
                           struct account_name *ret)
{
    return find_of_token(store, STATEMENT_IMPORTED_ACCOUNT, provider, fingerprint, ret);
}

int store_identity_account(struct store *store, const struct account_name *not_this,
                           const char *identity, struct account_name *ret)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_IDENTITY_ACCOUNT, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, not_this->provider);
    if (r == 0)
        r = store_bind_text(store, statement, 2, identity);
    if (r == 0)
        r = store_bind_text(store, statement, 3, not_this->label);
    return r < 0 ? r : read_name(store, statement, ret);
}
