#include "store_works.h"

/* --- what is done: each returns what the store said --- */

struct account_name alice = { "x", "alice" }, bob = { "x", "bob" };

static struct account_row account(const struct account_name *name)
{
    static char words[] = "words", sealed[] = "sealed";
    return (struct account_row){ .name = *name,
                                 .generation = 1,
                                 .state = ACCOUNT_SUSPECT,
                                 .has_refresh_token = true,
                                 .refreshed_at = 5,
                                 .refresh_at = 9,
                                 .last_error = words,
                                 .scope = words,
                                 .identity = words,
                                 .sealed = sealed,
                                 .sealed_length = sizeof sealed };
}

static struct link_row link_of(const struct account_name *name, const char *digest)
{
    static char sealed[] = "sealed";
    struct link_row row = { .name = *name,
                            .created_at = 5,
                            .expires_at = 50,
                            .forget_at = 500,
                            .sealed = sealed,
                            .sealed_length = sizeof sealed };
    (void)snprintf(row.digest, sizeof row.digest, "%s", digest);
    return row;
}

static bool any_name(void *userdata, const struct account_name *name)
{
    (void)userdata;
    (void)name;
    return true;
}

static bool any_account(void *userdata, const struct account_row *row)
{
    return true;
}

static bool any_link(void *userdata, const struct link_row *row)
{
    return true;
}

static bool any_kept(void *userdata, const struct kept_row *row)
{
    return true;
}

static bool any_sealed(void *userdata, const struct sealed_row *row)
{
    return true;
}

static bool any_audit(void *userdata, const struct audit_row *row)
{
    return true;
}

static int put(struct store *store)
{
    const struct account_row row = account(&bob);
    return store_put(store, &row);
}

static int put_facts(struct store *store)
{
    struct account_row row = account(&alice);
    row.generation = 77;
    return store_put_facts(store, &row);
}

static int delete (struct store *store)
{
    return store_delete(store, &alice);
}

static int put_held(struct store *store)
{
    static char sealed[] = "another";
    const struct held_row row = { .name = alice, .sealed = sealed, .sealed_length = 7 };
    return store_put_held(store, &row);
}

static int drop_held(struct store *store)
{
    return store_drop_held(store, &alice);
}

static int put_link(struct store *store)
{
    const struct link_row row = link_of(&alice, "d9");
    return store_put_link(store, &row);
}

static int end_link(struct store *store)
{
    return store_end_link(store, &alice, LINK_USED, 70);
}

static int count_click(struct store *store)
{
    struct link_row row = link_of(&alice, "d1");
    row.clicks = 3;
    return store_count_click(store, &row);
}

static int move_link(struct store *store)
{
    return store_move_link(store, &alice, &bob, 60);
}

static int forget_links(struct store *store)
{
    return store_forget_links(store, INT64_MAX);
}

static int keep(struct store *store)
{
    static char sealed[] = "reply";
    const struct kept_row row = {
        .kind = KEPT_UNREADABLE_REPLY, .name = alice, .sealed = sealed, .sealed_length = 5
    };
    return store_keep(store, &row);
}

static int postpone_kept(struct store *store)
{
    return store_postpone_kept(store, 1, 90, 4);
}

static int drop_kept(struct store *store)
{
    return store_drop_kept(store, 1);
}

static void see_dropped(void *userdata, int64_t id, const char *label)
{
    (void)userdata;
    (void)id;
    (void)label;
}

static int drop_revocations(struct store *store)
{
    return store_drop_revocations(store, &alice, "one", see_dropped, NULL);
}

static int trim_kept(struct store *store)
{
    return store_trim_kept(store, KEPT_REVOCATION, 0, see_dropped, NULL);
}

static int put_sealed(struct store *store)
{
    return store_put_sealed(store, SEALED_ACCOUNT, 1, "anew", 4);
}

static int put_owner(struct store *store)
{
    return store_put_token_owner(store, &alice, "another");
}

static int drop_owner(struct store *store)
{
    return store_put_token_owner(store, &alice, NULL);
}

static int add_audit(struct store *store)
{
    const struct audit_row row = { .account = "x/alice", .verdict = "token", .count = 2 };
    return store_add_audit(store, &row);
}

static int put_fact(struct store *store)
{
    return store_put_fact(store, "name", "another value");
}

static int put_pause(struct store *store)
{
    const struct pause_row row = { .provider = "x", .probes = 8 };
    return store_put_pause(store, &row);
}

static int pause_refreshable(struct store *store)
{
    const struct pause_row row = { .probes = 9 };
    return store_pause_refreshable(store, &row);
}

static int read_account(struct store *store)
{
    struct account_row row = { 0 };
    const struct account_row untouched = row;
    int r = store_read(store, &alice, &row);
    if (r != 0)
        assert_memory_equal(&row, &untouched, sizeof row);
    account_row_release(&row);
    return r;
}

static int read_held(struct store *store)
{
    CLEANUP(cleanup_held_row) struct held_row row = { 0 };
    int r = store_read_held(store, &alice, &row);
    assert_true(r == 0 || !row.sealed);
    return r;
}

static int read_link(struct store *store)
{
    CLEANUP(cleanup_link_row) struct link_row row = { 0 };
    int r = store_read_link(store, "d1", &row);
    assert_true(r == 0 || !row.sealed);
    return r;
}

static int open_link(struct store *store)
{
    CLEANUP(cleanup_link_row) struct link_row row = { 0 };
    int r = store_open_link(store, &alice, &row);
    assert_true(r == 0 || !row.sealed);
    return r;
}

static int get_fact(struct store *store)
{
    CLEANUP(cleanup_string) char *value = NULL;
    int r = store_get_fact(store, "name", &value);
    assert_true((r == 0) == (value != NULL));
    return r;
}

static int get_pause(struct store *store)
{
    struct pause_row row = { .probes = 99 };
    int r = store_get_pause(store, "x", &row);
    assert_int_equal(row.probes, r == 0 ? 7 : 99);
    return r;
}

static int token_owner(struct store *store)
{
    struct account_name name = bob;
    int r = store_token_owner(store, "x", "print", &name);
    assert_true(account_name_equal(&name, r == 0 ? &alice : &bob));
    return r;
}

static int put_import(struct store *store)
{
    return store_put_import(store, &alice, "another", 7);
}

static int move_imports(struct store *store)
{
    return store_move_imports(store, &alice, &bob);
}

static int mark_import(struct store *store)
{
    return store_mark_import(store, &alice, true);
}

static int find_import(struct store *store)
{
    bool unspent = false;
    return store_find_import(store, &alice, "import", &unspent);
}

static int imported_account(struct store *store)
{
    struct account_name name = bob;
    int r = store_imported_account(store, "x", "import", &name);
    assert_true(account_name_equal(&name, r == 0 ? &alice : &bob));
    return r;
}

static int identity_account(struct store *store)
{
    struct account_name name = bob;
    int r = store_identity_account(store, &bob, "words", &name);
    assert_true(account_name_equal(&name, r == 0 ? &alice : &bob));
    return r;
}

static int refused(struct store *store)
{
    struct account_name name;
    int r = store_refused(store, "x", "", "", &name);
    return r == STORE_NOT_FOUND ? 0 : r;
}

static bool is_lost(void *userdata, const struct account_name *name, int64_t lost_at)
{
    (void)userdata;
    (void)name;
    return lost_at > 0;
}

static int lost(struct store *store)
{
    return store_lost(store, "x", 0, 1, is_lost, NULL);
}

static int canary(struct store *store)
{
    struct account_name name = bob;
    int r = store_canary(store, "x", "", "", &name);
    assert_true(account_name_equal(&name, r == 0 ? &alice : &bob));
    return r;
}

static int next_due(struct store *store)
{
    int64_t at = 99;
    int r = store_next_due(store, "x", &at);
    assert_int_equal(at, r == 0 ? 9 : 99);
    return r;
}

static int count(struct store *store)
{
    uint64_t counts[3] = { 99, 99, 99 };
    int r = store_count(store, counts);
    assert_int_equal(counts[ACCOUNT_SUSPECT], r == 0 ? 1 : 99);
    return r;
}

static int count_links(struct store *store)
{
    uint64_t counted = 99, own = 99;
    int r = store_count_links(store, 7, &counted, &own);
    assert_int_equal(counted, r == 0 ? 1 : 99);
    return r;
}

static int list(struct store *store)
{
    return store_list(store, NULL, 10, any_account, NULL);
}

static int list_held(struct store *store)
{
    return store_list_held(store, NULL, 10, any_account, NULL);
}

static int list_links(struct store *store)
{
    return store_list_links(store, NULL, 10, any_link, NULL);
}

static int due(struct store *store)
{
    return store_due(store, "x", INT64_MAX, 10, any_name, NULL);
}

static int each_kept(struct store *store)
{
    return store_each_kept(store, KEPT_REVOCATION, INT64_MAX, 10, any_kept, NULL);
}

static int find_kept(struct store *store)
{
    int r = store_find_kept(store, KEPT_UNREADABLE_REPLY, &alice, 0);
    return r == STORE_NOT_FOUND ? 0 : r;
}

static int each_sealed(struct store *store)
{
    int r = 0;
    for (int kind = 0; r == 0 && kind < SEALED_KINDS; kind++)
        r = store_each_sealed(store, (enum sealed_kind)kind, 0, 10, any_sealed, NULL);
    return r;
}

static int each_audit(struct store *store)
{
    int r = store_each_audit(store, &(struct audit_filter){ .before = 0 }, 10, any_audit, NULL);
    return r != 0 ? r
                  : store_each_audit(store, &(struct audit_filter){ .account = "x/alice" }, 10,
                                     any_audit, NULL);
}

const struct store_work store_works[] = {
    { "put", put, true },
    { "put_facts", put_facts, true },
    { "delete", delete, true },
    { "put_held", put_held, true },
    { "drop_held", drop_held, true },
    { "put_link", put_link, true },
    { "end_link", end_link, true },
    { "count_click", count_click, true },
    { "move_link", move_link, true },
    { "forget_links", forget_links, true },
    { "keep", keep, true },
    { "postpone_kept", postpone_kept, true },
    { "drop_kept", drop_kept, true },
    { "drop_revocations", drop_revocations, true },
    { "trim_kept", trim_kept, true },
    { "put_sealed", put_sealed, true },
    { "put_owner", put_owner, true },
    { "drop_owner", drop_owner, true },
    { "put_import", put_import, true },
    { "move_imports", move_imports, true },
    { "mark_import", mark_import, true },
    { "add_audit", add_audit, true },
    { "put_fact", put_fact, true },
    { "put_pause", put_pause, true },
    { "pause_refreshable", pause_refreshable, true },
    { "read", read_account, false },
    { "read_held", read_held, false },
    { "read_link", read_link, false },
    { "open_link", open_link, false },
    { "get_fact", get_fact, false },
    { "get_pause", get_pause, false },
    { "token_owner", token_owner, false },
    { "find_import", find_import, false },
    { "imported_account", imported_account, false },
    { "identity_account", identity_account, false },
    { "canary", canary, false },
    { "refused", refused, false },
    { "lost", lost, false },
    { "next_due", next_due, false },
    { "count", count, false },
    { "count_links", count_links, false },
    { "list", list, false },
    { "list_held", list_held, false },
    { "list_links", list_links, false },
    { "due", due, false },
    { "each_kept", each_kept, false },
    { "find_kept", find_kept, false },
    { "each_sealed", each_sealed, false },
    { "each_audit", each_audit, false },
};

const size_t store_work_count = sizeof store_works / sizeof store_works[0];

void fill_store(struct store *store)
{
    static char sealed[] = "sealed";
    const struct account_row row = account(&alice);
    const struct held_row held = { .name = alice, .sealed = sealed, .sealed_length = 6 };
    const struct link_row link = link_of(&alice, "d1");
    const struct kept_row kept = {
        .kind = KEPT_REVOCATION, .name = alice, .due_at = 5, .sealed = sealed, .sealed_length = 6
    };
    const struct audit_row audit = { .account = "x/alice", .verdict = "token", .count = 1 };
    const struct pause_row pause = { .provider = "x", .probes = 7 };

    assert_int_equal(store_begin(store), 0);
    assert_int_equal(store_put(store, &row), 0);
    assert_int_equal(store_put_held(store, &held), 0);
    assert_int_equal(store_put_link(store, &link), 0);
    assert_int_equal(store_keep(store, &kept), 0);
    assert_int_equal(store_put_token_owner(store, &alice, "print"), 0);
    assert_int_equal(store_put_import(store, &alice, "import", 5), 0);
    assert_int_equal(store_put_import(store, &alice, "print", 6), 0);
    assert_int_equal(store_add_audit(store, &audit), 0);
    assert_int_equal(store_put_fact(store, "name", "value"), 0);
    assert_int_equal(store_put_pause(store, &pause), 0);
    assert_int_equal(store_commit(store), 0);
}
