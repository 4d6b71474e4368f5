#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/store_sqlite_private.h"

/* The sanitizers', where the program has them. */
extern void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

enum { PATIENCE_MS = 20 * 1000, POLL_MS = 5 };

/* The clock of the back: real time since the speed was last set, times the speed. */
static _Atomic int64_t speed = 1;
static _Atomic int64_t broker_base = INT64_C(1800000000) * 1000;
static _Atomic int64_t real_base;
static atomic_uint commits_to_refuse;

static int64_t real_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t broker_now(void)
{
    return broker_base + (real_ms() - real_base) * speed;
}

/* Only while no back runs: the parts are not set together. */
void set_speed(int64_t new_speed)
{
    const int64_t now = broker_now();
    broker_base = now;
    real_base = real_ms();
    speed = new_speed;
}

static const struct clock_source fast_clock = { broker_now, broker_now };

int __real_loop_timer_set(struct loop_source *timer, int64_t delay_ms);
int __wrap_loop_timer_set(struct loop_source *timer, int64_t delay_ms);
int __wrap_loop_timer_set(struct loop_source *timer, int64_t delay_ms)
{
    return __real_loop_timer_set(timer, (delay_ms + speed - 1) / speed);
}

int __real_store_commit(struct store *store);
int __wrap_store_commit(struct store *store);
int __wrap_store_commit(struct store *store)
{
    unsigned left = commits_to_refuse;
    while (left > 0)
        if (atomic_compare_exchange_weak(&commits_to_refuse, &left, left - 1))
            return -ENOSPC;
    return __real_store_commit(store);
}

void refuse_commits(unsigned count)
{
    commits_to_refuse = count;
}

void rest(int ms)
{
    (void)poll(NULL, 0, ms);
}

void set_text(char **slot, const char *text)
{
    free(*slot);
    *slot = text ? strdup(text) : NULL;
}

static struct secret *make_secret(const char *text)
{
    struct secret *secret = NULL;
    if (text)
        assert_int_equal(secret_new(text, strlen(text), &secret), 0);
    return secret;
}

struct provider *acme(struct stage *stage)
{
    return stage->settings->providers[0];
}

struct provider *add_provider(struct stage *stage, const char *name)
{
    struct settings *settings = stage->settings;
    struct provider *provider = calloc(1, sizeof *provider);
    char url[128];
    const size_t i = settings->provider_count++;
    settings->providers =
        reallocarray(settings->providers, i + 1, sizeof settings->providers[0]);
    settings->credentials =
        reallocarray(settings->credentials, i + 1, sizeof settings->credentials[0]);
    assert_true(provider && settings->providers && settings->credentials);
    settings->providers[i] = provider;
    settings->credentials[i] =
        (struct provider_credentials){ .client_secret = make_secret("client-secret-1") };
    (void)snprintf(settings->credentials[i].provider, sizeof settings->credentials[i].provider,
                   "%s", name);
    (void)snprintf(provider->name, sizeof provider->name, "%s", name);
    (void)snprintf(url, sizeof url, "%s/token", stage->url);
    set_text(&provider->token_endpoint, url);
    set_text(&provider->authorization_endpoint, "https://login.example/authorize");
    set_text(&provider->redirect_uri, "http://127.0.0.1:1/callback");
    set_text(&provider->client_id, "client");
    set_text(&provider->scope_separator, " ");
    set_text(&provider->present_in, "header");
    set_text(&provider->present_name, "Authorization");
    set_text(&provider->present_scheme, "Bearer");
    return provider;
}

static struct settings *copy_settings(const struct settings *from)
{
    struct settings *copy = calloc(1, sizeof *copy);
    assert_non_null(copy);
    copy->key = strdup("auto");
    copy->provider_count = from->provider_count;
    copy->providers = calloc(from->provider_count + 1, sizeof copy->providers[0]);
    copy->credentials = calloc(from->provider_count + 1, sizeof copy->credentials[0]);
    for (size_t i = 0; i < from->provider_count; i++) {
        assert_int_equal(provider_copy(from->providers[i], &copy->providers[i]), 0);
        copy->credentials[i] = from->credentials[i];
        copy->credentials[i].client_secret = NULL;
        assert_int_equal(secret_copy(from->credentials[i].client_secret,
                                     &copy->credentials[i].client_secret),
                         0);
    }
    return copy;
}

static struct seal_key *make_key(void)
{
    const unsigned char bytes[SEAL_KEY_BYTES] = { 7 };
    struct seal_key *key = NULL;
    assert_int_equal(seal_key_new(bytes, &key), 0);
    return key;
}

static struct store *open_store(struct stage *stage)
{
    struct store *store = NULL;
    struct complaint complaint = { "" };
    if (store_open(stage->folder, &store, &complaint) != 0)
        fail_msg("%s", complaint.text);
    return store;
}

static void *run(void *userdata)
{
    assert_int_equal(back_run(userdata), 0);
    return NULL;
}

void start(struct stage *stage)
{
    struct complaint complaint = { "" };
    const struct back_options options = { .store = open_store(stage),
                                          .key = make_key(),
                                          .settings = copy_settings(stage->settings),
                                          .inbox = stage->inbox,
                                          .front = stage->front };
    if (back_new(&options, &stage->back, &complaint) != 0)
        fail_msg("%s", complaint.text);
    assert_int_equal(pthread_create(&stage->thread, NULL, run, stage->back), 0);
    stage->runs = true;
}

void begin_stop(struct stage *stage)
{
    if (stage->runs && !stage->stopping)
        assert_int_equal(mailbox_send(stage->inbox, message_new(STOP)), 0);
    stage->stopping = stage->runs;
}

void stop(struct stage *stage)
{
    begin_stop(stage);
    if (!stage->runs)
        return;
    assert_int_equal(pthread_join(stage->thread, NULL), 0);
    stage->back = back_free(stage->back);
    stage->runs = stage->stopping = false;
}

void reload(struct stage *stage)
{
    struct message *letter = message_new(NEW_SETTINGS);
    letter->settings = copy_settings(stage->settings);
    assert_int_equal(mailbox_send(stage->inbox, letter), 0);
}

int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    bool locked;
    assert_non_null(stage);
    assert_int_equal(secret_start(&locked), 0);
    set_speed(1);
    refuse_commits(0);
    clock_use_source(&fast_clock);
    (void)snprintf(stage->folder, sizeof stage->folder, "/tmp/tb-back-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    assert_int_equal(mailbox_new(256, 1, message_destroy, &stage->inbox), 0);
    assert_int_equal(mailbox_new(FRONT_SLOTS, 64, message_destroy, &stage->front), 0);
    stage->server = server_start();
    (void)snprintf(stage->url, sizeof stage->url, "http://127.0.0.1:%u",
                   server_port(stage->server));
    stage->settings = calloc(1, sizeof *stage->settings);
    (void)add_provider(stage, "acme");
    *state = stage;
    return 0;
}

int set_up_all(void **state)
{
    (void)set_up(state);
    start(*state);
    return 0;
}

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)closedir(dir);
    assert_int_equal(rmdir(folder), 0);
}

static void take_all(struct stage *stage)
{
    for (struct message *letter = mailbox_take(stage->front); letter;
         letter = mailbox_take(stage->front)) {
        if (letter->kind == ANSWER) {
            assert_true(stage->answer_count < STAGE_KEPT_MAX);
            stage->answers[stage->answer_count++] = letter;
        } else if (stage->notice_count < STAGE_KEPT_MAX) {
            stage->notices[stage->notice_count++] = letter;
        } else {
            message_free(letter);
        }
    }
}

int tear_down(void **state)
{
    struct stage *stage = *state;
    stop(stage);
    take_all(stage);
    for (size_t i = 0; i < stage->answer_count; i++)
        message_free(stage->answers[i]);
    for (size_t i = 0; i < stage->notice_count; i++)
        message_free(stage->notices[i]);
    /* A question that was never answered still holds its slot. */
    for (size_t i = 0; i < FRONT_SLOTS; i++)
        assert_int_equal(mailbox_reserve(stage->front), 0);
    server_stop(stage->server);
    mailbox_free(stage->inbox);
    mailbox_free(stage->front);
    settings_free(stage->settings);
    remove_folder(stage->folder);
    free(stage);
    return 0;
}

static struct account_name name_of(const char *label)
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
    assert_int_equal(__real_store_commit(store), 0);
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

struct opening {
    struct seal_key *key;
    struct grant *grant;
};

static bool open_kept(void *userdata, const struct kept_row *row)
{
    const struct opening *opening = userdata;
    grant_release(opening->grant);
    assert_int_equal(vault_open_kept(opening->key, row, opening->grant), 0);
    return true;
}

void held_consent(struct stage *stage, struct grant *grant)
{
    CLEANUP(cleanup_store) struct store *store = open_store(stage);
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();
    struct opening opening = { key, grant };
    assert_int_equal(
        store_each_kept(store, KEPT_HELD_CONSENT, INT64_MAX, 1000, open_kept, &opening), 0);
}

void run_sql(struct stage *stage, const char *sql)
{
    CLEANUP(cleanup_store) struct store *store = open_store(stage);
    assert_int_equal(sqlite3_exec(store->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

struct message *question(enum message_kind kind, const char *label)
{
    struct message *message = message_new(kind);
    assert_non_null(message);
    if (label)
        message->account = name_of(label);
    message->min_ttl_ms = -1;
    return message;
}

uint64_t post(struct stage *stage, struct message *message)
{
    const uint64_t id = message->id = ++stage->last_id;
    if (message->kind != TELL_AUDIT)
        assert_int_equal(mailbox_reserve(stage->front), 0);
    assert_int_equal(mailbox_send(stage->inbox, message), 0);
    return id;
}

uint64_t ask(struct stage *stage, enum message_kind kind, const char *label)
{
    return post(stage, question(kind, label));
}

uint64_t ask_import(struct stage *stage, const char *label, const char *refresh_token)
{
    struct message *message = question(ASK_IMPORT, label);
    message->import = calloc(1, sizeof *message->import);
    message->import->refresh_token = make_secret(refresh_token);
    return post(stage, message);
}

uint64_t ask_exchange(struct stage *stage, const char *label, const char *code, const char *nonce)
{
    struct message *message = question(ASK_EXCHANGE, label);
    message->exchange = calloc(1, sizeof *message->exchange);
    message->exchange->code = make_secret(code);
    message->exchange->nonce = make_secret(nonce);
    message->exchange->redirect_uri = strdup("http://127.0.0.1:1/callback");
    message->exchange->scope = strdup("read write");
    return post(stage, message);
}

uint64_t ask_reject(struct stage *stage, const char *label, const char *access_token)
{
    CLEANUP(cleanup_secret) struct secret *secret = make_secret(access_token);
    struct message *message = question(ASK_REJECT, label);
    (void)secret_fingerprint(secret, message->fingerprint);
    return post(stage, message);
}

static struct message *find_answer(struct stage *stage, uint64_t id)
{
    take_all(stage);
    for (size_t i = 0; i < stage->answer_count; i++) {
        struct message *found = stage->answers[i];
        if (found->id != id)
            continue;
        stage->answers[i] = stage->answers[--stage->answer_count];
        return found;
    }
    return NULL;
}

bool answered(struct stage *stage, uint64_t id)
{
    take_all(stage);
    for (size_t i = 0; i < stage->answer_count; i++)
        if (stage->answers[i]->id == id)
            return true;
    return false;
}

struct message *answer(struct stage *stage, uint64_t id)
{
    const int64_t until = real_ms() + PATIENCE_MS;
    struct message *found = find_answer(stage, id);
    while (!found && real_ms() < until) {
        rest(POLL_MS);
        found = find_answer(stage, id);
    }
    if (!found)
        fail_msg("question %llu was not answered", (unsigned long long)id);
    return found;
}

void expect_token(struct stage *stage, uint64_t id, const char *access_token)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, id);
    if (came->failed)
        fail_msg("%s", came->failure.description);
    assert_non_null(came->token);
    if (!holds(came->token->access_token, access_token))
        fail_msg("%s, not %s", secret_reveal(came->token->access_token), access_token);
}

void expect_failure(struct stage *stage, uint64_t id, enum wire_error error)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, id);
    assert_true(came->failed);
    if (came->failure.error != error)
        fail_msg("%s, not %s: %s", wire_errors[came->failure.error].name, wire_errors[error].name,
                 came->failure.description);
}

void expect_ok(struct stage *stage, uint64_t id)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, id);
    if (came->failed)
        fail_msg("%s", came->failure.description);
}

struct account_row ask_row(struct stage *stage, const char *label)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_ACCOUNT, label));
    if (came->failed)
        fail_msg("%s", came->failure.description);
    assert_int_equal(came->row_count, 1);
    struct account_row row = came->rows[0];
    came->rows[0] = (struct account_row){ 0 };
    return row;
}

enum account_state ask_state(struct stage *stage, const char *label)
{
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, label);
    return row.state;
}

bool ask_paused(struct stage *stage)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_HEALTH, NULL));
    assert_false(came->failed);
    assert_true(came->health->provider_count >= 1);
    return came->health->providers[0].paused;
}

void await_state(struct stage *stage, const char *label, enum account_state state)
{
    const int64_t until = real_ms() + PATIENCE_MS;
    while (ask_state(stage, label) != state) {
        if (real_ms() > until)
            fail_msg("%s did not come to state %d", label, (int)state);
        rest(POLL_MS);
    }
}

void await_generation(struct stage *stage, const char *label, uint64_t generation)
{
    const int64_t until = real_ms() + PATIENCE_MS;
    for (;;) {
        CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, label);
        if (row.generation >= generation)
            return;
        if (real_ms() > until)
            fail_msg("%s stays at generation %llu", label, (unsigned long long)row.generation);
        rest(POLL_MS);
    }
}

void await_paused(struct stage *stage, bool paused)
{
    const int64_t until = real_ms() + PATIENCE_MS;
    while (ask_paused(stage) != paused) {
        if (real_ms() > until)
            fail_msg("the provider did not %s", paused ? "pause" : "go on");
        rest(POLL_MS);
    }
}

/* What was written to standard error is shown, and looked at. */
static int look_for_secrets(FILE *caught)
{
    char line[4096];
    int found = 0;
    rewind(caught);
    while (fgets(line, sizeof line, caught)) {
        (void)fputs(line, stdout);
        if (strstr(line, "-secret")) {
            (void)fputs("a secret in the log: ^\n", stdout);
            found = 1;
        }
    }
    return found;
}

int run_quietly(const struct CMUnitTest *tests, size_t count)
{
    FILE *caught = tmpfile();
    const int error_fd = dup(STDERR_FILENO);
    if (!caught || error_fd < 0)
        return 1;
    if (__sanitizer_set_report_fd)
        __sanitizer_set_report_fd((void *)(intptr_t)error_fd);
    log_start(LOG_LEVEL_DEBUG);
    (void)dup2(fileno(caught), STDERR_FILENO);
    int failed = _cmocka_run_group_tests("back", tests, count, NULL, NULL);
    (void)dup2(error_fd, STDERR_FILENO);
    failed += look_for_secrets(caught);
    (void)fclose(caught);
    return failed;
}
