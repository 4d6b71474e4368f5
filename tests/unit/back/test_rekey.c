/* Sealing the store anew: every row opens at every moment, and the old key opens none in the end.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "back/rekey.h"
#include "back/vault.h"
#include "crash.h"

enum { ACCOUNTS = 3 * REKEY_STEP_ROWS + 5, ROWS = ACCOUNTS + 3, PATH_SIZE = CRASH_PATH_SIZE };

struct world {
    char folder[PATH_SIZE];
    struct keeper keeper;
    struct settings settings;
    struct seal_key *outside; /* what key_next gives */
    struct loop_source *timer;
    struct rekey_progress progress;
    unsigned waited; /* looks that were told that it waits */
};

/* --- keys --- */

static struct seal_key *key_of(unsigned char fill)
{
    unsigned char bytes[SEAL_KEY_BYTES];
    struct seal_key *key = NULL;
    memset(bytes, fill, sizeof bytes);
    assert_int_equal(seal_key_new(bytes, &key), 0);
    return key;
}

static struct seal_key *key_in(const struct world *w, const char *name)
{
    char path[2 * PATH_SIZE];
    struct seal_key *key = NULL;
    struct complaint complaint = { "" };
    (void)snprintf(path, sizeof path, "%s/%s", w->folder, name);
    (void)seal_key_from_file(path, false, &key, &complaint);
    return key;
}

static struct seal_key *fitting(struct world *w, const char *fact)
{
    CLEANUP(cleanup_string) char *proof = NULL;
    struct seal_key *all[] = { key_in(w, "key"), key_in(w, "key.next"),
                               w->outside ? key_of(9) : NULL };
    struct seal_key *found = NULL;
    if (store_get_fact(w->keeper.store, fact, &proof) != 0)
        proof = strdup("");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i] && !found && seal_key_fits(all[i], proof))
            found = all[i];
        else
            seal_key_free(all[i]);
    }
    return found;
}

/* --- the store --- */

static void put_proof(struct world *w)
{
    CLEANUP(cleanup_string) char *proof = NULL;
    assert_int_equal(seal_key_prove(w->keeper.key, &proof), 0);
    assert_int_equal(store_put_fact(w->keeper.store, "key_proof", proof), 0);
}

static void put_authority(struct world *w)
{
    CLEANUP(cleanup_buffer) struct buffer sealed = BUFFER_WITH_MAXIMUM(1000);
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(1000);
    assert_int_equal(seal(w->keeper.key, "authority", "PEM", 3, &sealed), 0);
    buffer_append_base64(&text, sealed.data, sealed.length);
    assert_int_equal(store_put_fact(w->keeper.store, "authority", buffer_text(&text)), 0);
}

static struct account_name account(unsigned number)
{
    struct account_name name = { "acme", "" };
    (void)snprintf(name.label, sizeof name.label, "u%03u", number);
    return name;
}

static struct grant grant_of(void)
{
    struct grant grant = { 0 };
    assert_int_equal(secret_new("refresh", 7, &grant.refresh_token), 0);
    return grant;
}

static void put_account(struct world *w, unsigned number)
{
    CLEANUP(cleanup_account_row) struct account_row row = { .name = account(number) };
    CLEANUP(cleanup_grant) struct grant grant = grant_of();
    row.generation = number + 1;
    assert_int_equal(vault_close(w->keeper.key, &row, &grant), 0);
    assert_int_equal(store_put(w->keeper.store, &row), 0);
}

static void put_others(struct world *w)
{
    CLEANUP(cleanup_grant) struct grant grant = grant_of();
    CLEANUP(cleanup_held_row) struct held_row held = { .name = account(1) };
    CLEANUP(cleanup_link_row)
    struct link_row link = { .name = account(2), .digest = "digest", .expires_at = INT64_MAX };
    struct kept_row kept = { .kind = KEPT_REVOCATION, .name = account(3) };
    assert_int_equal(vault_close_held(w->keeper.key, &held, &grant), 0);
    assert_int_equal(store_put_held(w->keeper.store, &held), 0);
    assert_int_equal(vault_close_link(w->keeper.key, &link, grant.refresh_token), 0);
    assert_int_equal(store_put_link(w->keeper.store, &link), 0);
    assert_int_equal(vault_close_kept(w->keeper.key, &kept, &grant), 0);
    assert_int_equal(store_keep(w->keeper.store, &kept), 0);
    kept_row_release(&kept);
}

static void fill(struct world *w)
{
    assert_int_equal(store_begin(w->keeper.store), 0);
    for (unsigned i = 0; i < ACCOUNTS; i++)
        put_account(w, i);
    put_others(w);
    put_authority(w);
    put_proof(w);
    assert_int_equal(store_commit(w->keeper.store), 0);
}

/* --- the world --- */

static void open_world(struct world *w)
{
    struct complaint complaint = { "" };
    struct seal_key *older = NULL;
    if (store_open(w->folder, &w->keeper.store, &complaint) != 0)
        fail_msg("%s", complaint.text);
    assert_int_equal(loop_new(&w->keeper.loop), 0);
    assert_int_equal(commits_new(w->keeper.loop, w->keeper.store, &w->keeper.commits), 0);
    assert_int_equal(mailbox_new(16, 1, message_destroy, &w->keeper.front), 0);
    w->keeper.settings = &w->settings;
    w->keeper.key = fitting(w, "key_proof");
    struct seal_key *next = fitting(w, "key_proof_next");
    if (next) {
        older = w->keeper.key;
        w->keeper.key = next;
        seal_key_set_older(next, older);
    }
}

static void begin_world(struct world *w)
{
    assert_non_null(w->keeper.key);
    assert_int_equal(rekey_new(&w->keeper, w->folder, &w->keeper.rekey), 0);
    if (w->outside)
        rekey_configure(w->keeper.rekey, key_of(9));
}

static void close_world(struct world *w)
{
    w->keeper.stopping = true;
    commits_finish(w->keeper.commits);
    rekey_free(w->keeper.rekey);
    commits_free(w->keeper.commits);
    mailbox_free(w->keeper.front);
    loop_free(w->keeper.loop);
    seal_key_free(w->keeper.key);
    store_close(w->keeper.store);
    message_free(w->keeper.spare_answer);
    w->keeper = (struct keeper){ 0 };
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    bool locked;
    assert_non_null(w);
    assert_int_equal(secret_start(&locked), 0);
    (void)snprintf(w->folder, sizeof w->folder, "/tmp/tb-rekey-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    commits_to_refuse = crashes = 0;
    crash_from[0] = '\0';
    static char from_auto[] = "auto";
    w->settings.key = from_auto;
    char path[2 * PATH_SIZE];
    struct complaint complaint = { "" };
    struct seal_key *key = NULL;
    (void)snprintf(path, sizeof path, "%s/key", w->folder);
    assert_int_equal(seal_key_from_file(path, true, &key, &complaint), 0);
    open_world(w);
    w->keeper.key = key;
    fill(w);
    begin_world(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    close_world(w);
    seal_key_free(w->outside);
    remove_folder(w->folder);
    free(w);
    return 0;
}

static struct message *ask(struct world *w, bool begin)
{
    struct message *question = message_new(ASK_REKEY);
    question->accept = begin;
    question->id = 7;
    assert_int_equal(mailbox_reserve(w->keeper.front), 0);
    rekey_ask(&w->keeper, question);
    commits_flush(w->keeper.commits);
    struct message *answer = mailbox_take(w->keeper.front);
    assert_non_null(answer);
    return answer;
}

static void leave_at_its_end(void *userdata)
{
    struct world *w = userdata;
    CLEANUP(cleanup_message) struct message *answer = ask(w, false);
    if (!answer->failed)
        w->progress = answer->rekey;
    w->waited += answer->failed;
    if (answer->failed || answer->rekey.running)
        (void)loop_timer_set(w->timer, 1);
    else
        loop_exit(w->keeper.loop, 0);
}

/* Once for each world: a loop that has ended does not run again. */
static struct rekey_progress run_to_its_end(struct world *w)
{
    assert_int_equal(loop_add_timer(w->keeper.loop, leave_at_its_end, w, &w->timer), 0);
    assert_int_equal(loop_timer_set(w->timer, 1), 0);
    assert_int_equal(loop_run(w->keeper.loop), 0);
    w->timer = loop_source_free(w->timer);
    return w->progress;
}

/* --- what is looked at --- */

struct count {
    const struct seal_key *key;
    enum sealed_kind kind;
    unsigned by_key, opened, all;
};

static bool look_at(void *userdata, const struct sealed_row *row)
{
    struct count *count = userdata;
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(SEAL_PLAIN_MAX);
    count->all++;
    count->by_key += seal_is_by(count->key, row->sealed, row->sealed_length);
    count->opened += vault_seal_again(count->key, count->kind, row, &out) == 0;
    return true;
}

static struct count look(struct world *w, const struct seal_key *key)
{
    struct count count = { .key = key };
    for (; count.kind < SEALED_KINDS; count.kind++)
        assert_int_equal(store_each_sealed(w->keeper.store, count.kind, 0, 10000, look_at, &count),
                         0);
    return count;
}

static bool authority_opens(struct world *w, const struct seal_key *key)
{
    CLEANUP(cleanup_string) char *fact = NULL;
    CLEANUP(cleanup_buffer) struct buffer sealed = BUFFER_WITH_MAXIMUM(1000);
    CLEANUP(cleanup_buffer) struct buffer plain = BUFFER_WITH_MAXIMUM(1000);
    assert_int_equal(store_get_fact(w->keeper.store, "authority", &fact), 0);
    return buffer_append_unbase64(&sealed, fact) &&
           unseal(key, "authority", sealed.data, sealed.length, &plain) == 0;
}

/* All is sealed by the key that the files lead to, and by no other. */
static void assert_sealed_anew(struct world *w, const struct seal_key *old)
{
    CLEANUP(cleanup_seal_key) struct seal_key *now = fitting(w, "key_proof");
    assert_non_null(now);
    assert_false(seal_key_equal(now, old));
    const struct count count = look(w, now);
    assert_int_equal(count.all, ROWS);
    assert_int_equal(count.by_key, ROWS);
    assert_int_equal(count.opened, ROWS);
    assert_int_equal(look(w, old).opened, 0);
    assert_true(authority_opens(w, now));
    assert_false(authority_opens(w, old));
    CLEANUP(cleanup_string) char *proof_next = NULL;
    assert_int_equal(store_get_fact(w->keeper.store, "key_proof_next", &proof_next), 0);
    assert_string_equal(proof_next, "");
}

static bool file_is_there(const struct world *w, const char *name)
{
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", w->folder, name);
    return access(path, F_OK) == 0;
}

/* --- the tests --- */

static void a_new_key_of_its_own(void **state)
{
    struct world *w = *state;
    CLEANUP(cleanup_seal_key) struct seal_key *old = key_in(w, "key");
    message_free(ask(w, true));
    const struct rekey_progress progress = run_to_its_end(w);
    assert_int_equal(progress.resealed, ROWS);
    assert_int_equal(progress.unreadable, 0);
    assert_sealed_anew(w, old);
    assert_false(file_is_there(w, "key.next"));
    CLEANUP(cleanup_seal_key) struct seal_key *now = key_in(w, "key");
    assert_true(seal_key_equal(now, w->keeper.key));
}

static void the_configured_key(void **state)
{
    struct world *w = *state;
    CLEANUP(cleanup_seal_key) struct seal_key *old = key_in(w, "key");
    w->outside = key_of(9);
    rekey_configure(w->keeper.rekey, key_of(9));
    message_free(ask(w, true));
    (void)run_to_its_end(w);
    assert_sealed_anew(w, old);
    assert_true(seal_key_equal(w->keeper.key, w->outside));
    assert_false(file_is_there(w, "key"));
    static char from_file[] = "file:/x";
    w->settings.key_next = from_file;
    CLEANUP(cleanup_message) struct message *again = ask(w, true);
    w->settings.key_next = NULL;
    assert_true(again->failed);
    assert_non_null(strstr(again->failure.description, "already"));
}

static void nothing_to_go_to(void **state)
{
    struct world *w = *state;
    static char from_file[] = "credential:x";
    w->settings.key = from_file;
    CLEANUP(cleanup_message) struct message *answer = ask(w, true);
    assert_true(answer->failed);
    assert_int_equal(answer->failure.error, WIRE_BAD_REQUEST);
    assert_non_null(strstr(answer->failure.description, "key_next"));
    assert_null(strstr(answer->failure.description, ":x"));
}

static void what_is_written_meanwhile_has_the_new_key(void **state)
{
    struct world *w = *state;
    CLEANUP(cleanup_seal_key) struct seal_key *old = key_in(w, "key");
    message_free(ask(w, true));
    assert_int_equal(store_begin(w->keeper.store), 0);
    put_account(w, 0); /* over the first, whose turn was or will be */
    assert_int_equal(store_commit(w->keeper.store), 0);
    (void)run_to_its_end(w);
    assert_sealed_anew(w, old);
}

/* A row that was changed on disk is left as it is, and told. */
static void unreadable_rows_stay(void **state)
{
    struct world *w = *state;
    assert_int_equal(store_begin(w->keeper.store), 0);
    assert_int_equal(store_put_sealed(w->keeper.store, SEALED_ACCOUNT, 5, "broken", 6), 0);
    assert_int_equal(store_commit(w->keeper.store), 0);
    message_free(ask(w, true));
    const struct rekey_progress progress = run_to_its_end(w);
    assert_int_equal(progress.resealed, ROWS - 1);
    assert_int_equal(progress.unreadable, 1);
    assert_int_equal(look(w, w->keeper.key).opened, ROWS - 1);
}

/* A full disk at the beginning leaves all as it was; later on, it only takes longer. */
static void a_full_disk(void **state)
{
    struct world *w = *state;
    CLEANUP(cleanup_seal_key) struct seal_key *old = key_in(w, "key");
    commits_to_refuse = 1;
    CLEANUP(cleanup_message) struct message *refused = ask(w, true);
    assert_true(refused->failed);
    assert_true(seal_key_equal(w->keeper.key, old));
    assert_int_equal(look(w, old).by_key, ROWS);
    message_free(ask(w, true));
    commits_to_refuse = 1;
    (void)run_to_its_end(w);
    assert_true(w->waited > 0);
    assert_sealed_anew(w, old);
}

/* Nor is the configured key forgotten there. */
static void a_full_disk_at_the_configured_key(void **state)
{
    struct world *w = *state;
    CLEANUP(cleanup_seal_key) struct seal_key *old = key_in(w, "key");
    w->outside = key_of(9);
    rekey_configure(w->keeper.rekey, key_of(9));
    commits_to_refuse = 1;
    CLEANUP(cleanup_message) struct message *refused = ask(w, true);
    assert_true(refused->failed);
    CLEANUP(cleanup_message) struct message *begun = ask(w, true);
    assert_false(begun->failed);
    (void)run_to_its_end(w);
    assert_sealed_anew(w, old);
    assert_true(seal_key_equal(w->keeper.key, w->outside));
}

/* What lies on the disk after every commit is opened as a start would, and goes on to the end. */
static void killed_after_every_commit(void **state)
{
    struct world *w = *state;
    CLEANUP(cleanup_seal_key) struct seal_key *old = key_in(w, "key");
    (void)snprintf(crash_from, sizeof crash_from, "%.60s", w->folder);
    message_free(ask(w, true));
    (void)run_to_its_end(w);
    assert_true(crashes >= 2 * (ACCOUNTS / REKEY_STEP_ROWS) && crashes < CRASHES_MAX);
    const unsigned count = crashes;
    for (unsigned i = 0; i < count; i++) {
        struct world after = { .settings = w->settings };
        crash_folder(i, after.folder);
        crashes = CRASHES_MAX;
        open_world(&after);
        assert_non_null(after.keeper.key);
        assert_int_equal(look(&after, after.keeper.key).opened, ROWS);
        begin_world(&after);
        (void)run_to_its_end(&after);
        assert_sealed_anew(&after, old);
        assert_false(file_is_there(&after, "key.next"));
        close_world(&after);
        remove_folder(after.folder);
    }
}

static void it_runs_once(void **state)
{
    struct world *w = *state;
    message_free(ask(w, true));
    CLEANUP(cleanup_message) struct message *second = ask(w, true);
    assert_true(second->rekey.running);
    assert_int_equal(run_to_its_end(w).resealed, ROWS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_key_of_its_own),
        TEST(the_configured_key),
        TEST(nothing_to_go_to),
        TEST(what_is_written_meanwhile_has_the_new_key),
        TEST(unreadable_rows_stay),
        TEST(a_full_disk),
        TEST(a_full_disk_at_the_configured_key),
        TEST(killed_after_every_commit),
        TEST(it_runs_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
