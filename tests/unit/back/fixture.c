#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "fixture_private.h"
#include "io/http.h"
#include "io/loop.h"

/* The sanitizers', where the program has them. */
extern void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

/* The clock of the back: real time since the speed was last set, times the speed. */
static _Atomic int64_t speed = 1;
static _Atomic int64_t broker_base = INT64_C(1800000000) * 1000;
static _Atomic int64_t real_base;
static atomic_uint commits_to_refuse;

int64_t real_ms(void)
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

/* A server answers in the world's time, so that is what it has. */
int __real_http_send(struct http_client *client, const struct http_request *request, http_done done,
                     void *userdata, struct http_transfer **ret);
int __wrap_http_send(struct http_client *client, const struct http_request *request, http_done done,
                     void *userdata, struct http_transfer **ret);
int __wrap_http_send(struct http_client *client, const struct http_request *request, http_done done,
                     void *userdata, struct http_transfer **ret)
{
    struct http_request patient = *request;
    const int whole_ms = request->timeout_ms > 0 ? request->timeout_ms : HTTP_WHOLE_TIMEOUT_MS;
    patient.timeout_ms = speed < INT_MAX / whole_ms ? whole_ms * (int)speed : INT_MAX;
    return __real_http_send(client, &patient, done, userdata, ret);
}

static atomic_uint notes_in_all, notes_in_this, notes_that_fit;

int __real_store_begin(struct store *store);
int __wrap_store_begin(struct store *store);
int __wrap_store_begin(struct store *store)
{
    notes_in_this = 0;
    return __real_store_begin(store);
}

static const char *_Atomic unwritable_label;

void damage_writes(const char *label)
{
    unwritable_label = label;
}

int __real_store_put(struct store *store, const struct account_row *row);
int __wrap_store_put(struct store *store, const struct account_row *row);
int __wrap_store_put(struct store *store, const struct account_row *row)
{
    const char *label = unwritable_label;
    if (label && strcmp(label, row->name.label) == 0)
        return -EBADMSG;
    return __real_store_put(store, row);
}

int __real_store_put_facts(struct store *store, const struct account_row *row);
int __wrap_store_put_facts(struct store *store, const struct account_row *row);
int __wrap_store_put_facts(struct store *store, const struct account_row *row)
{
    notes_in_all += row->warned_days > 0;
    notes_in_this += row->warned_days > 0;
    return __real_store_put_facts(store, row);
}

unsigned notes_tried(void)
{
    return notes_in_all;
}

void refuse_notes_beyond(unsigned count)
{
    notes_that_fit = count;
}

int __real_store_commit(struct store *store);
int __wrap_store_commit(struct store *store);
int __wrap_store_commit(struct store *store)
{
    unsigned left = commits_to_refuse;
    if (notes_in_this > notes_that_fit)
        return -ENOSPC;
    while (left > 0)
        if (atomic_compare_exchange_weak(&commits_to_refuse, &left, left - 1))
            return -ENOSPC;
    return __real_store_commit(store);
}

static atomic_uint commits_without_memory;

void refuse_commit_memory(unsigned count)
{
    commits_without_memory = count;
}

struct commit *__real_commit_new(void);
struct commit *__wrap_commit_new(void);
struct commit *__wrap_commit_new(void)
{
    if (commits_without_memory > 0) {
        commits_without_memory--;
        return NULL;
    }
    return __real_commit_new();
}

static atomic_uint openings_without_memory;

void refuse_vault_memory(unsigned count)
{
    openings_without_memory = count;
}

int __real_vault_open(const struct seal_key *key, const struct account_row *row, struct grant *ret);
int __wrap_vault_open(const struct seal_key *key, const struct account_row *row, struct grant *ret);
int __wrap_vault_open(const struct seal_key *key, const struct account_row *row, struct grant *ret)
{
    if (openings_without_memory > 0) {
        openings_without_memory--;
        return -ENOMEM;
    }
    return __real_vault_open(key, row, ret);
}

static const char *_Atomic damaged_label;
static _Atomic int damage;

int __real_store_read(struct store *store, const struct account_name *name,
                      struct account_row *ret);
int __wrap_store_read(struct store *store, const struct account_name *name,
                      struct account_row *ret);
int __wrap_store_read(struct store *store, const struct account_name *name, struct account_row *ret)
{
    const char *label = damaged_label;
    if (label && strcmp(label, name->label) == 0)
        return damage;
    return __real_store_read(store, name, ret);
}

static const char *_Atomic damaged_audit;

int __real_store_add_audit(struct store *store, const struct audit_row *row);
int __wrap_store_add_audit(struct store *store, const struct audit_row *row);
int __wrap_store_add_audit(struct store *store, const struct audit_row *row)
{
    const char *account = damaged_audit;
    if (account && strcmp(account, row->account) == 0)
        return -EBADMSG;
    return __real_store_add_audit(store, row);
}

void damage_audit(const char *account)
{
    damaged_audit = account;
}

static atomic_uint lists;

int __real_store_list(struct store *store, const struct account_name *after, size_t limit,
                      store_each_account each, void *userdata);
int __wrap_store_list(struct store *store, const struct account_name *after, size_t limit,
                      store_each_account each, void *userdata);
int __wrap_store_list(struct store *store, const struct account_name *after, size_t limit,
                      store_each_account each, void *userdata)
{
    lists++;
    return __real_store_list(store, after, limit, each, userdata);
}

unsigned lists_made(void)
{
    return lists;
}

static atomic_uint schedule_failures;

int __real_store_next_due(struct store *store, const char *provider, int64_t *ret);
int __wrap_store_next_due(struct store *store, const char *provider, int64_t *ret);
int __wrap_store_next_due(struct store *store, const char *provider, int64_t *ret)
{
    unsigned left = schedule_failures;
    while (left > 0)
        if (atomic_compare_exchange_weak(&schedule_failures, &left, left - 1))
            return -EIO;
    return __real_store_next_due(store, provider, ret);
}

void fail_schedule(unsigned count)
{
    schedule_failures = count;
}

void damage_reads(const char *label)
{
    fail_reads(label, STORE_FOREIGN);
}

void fail_reads(const char *label, int result)
{
    damage = result;
    damaged_label = label;
}

void refuse_commits(unsigned count)
{
    commits_to_refuse = count;
}

/* Too many for any test: the region is full before. */
static struct secret *hogs[64 * 1024];
static size_t hog_count;

void fill_secrets(size_t but)
{
    static char text[SECRET_MAX];
    static const size_t lengths[] = { SECRET_MAX, 20 };
    const size_t most = sizeof hogs / sizeof *hogs;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        while (hog_count < most && secret_new(text, lengths[i], &hogs[hog_count]) == 0)
            hog_count++;
    assert_true(but <= hog_count && hog_count < most);
    for (size_t i = 0; i < but; i++)
        hogs[i] = secret_free(hogs[i]);
}

void empty_secrets(void)
{
    while (hog_count > 0)
        secret_free(hogs[--hog_count]);
}

void rest(int ms)
{
    (void)poll(NULL, 0, ms);
}

struct secret *make_secret(const char *text)
{
    struct secret *secret = NULL;
    if (text)
        assert_int_equal(secret_new(text, strlen(text), &secret), 0);
    return secret;
}

static struct settings *copy_settings(const struct settings *from)
{
    struct settings *copy = calloc(1, sizeof *copy);
    assert_non_null(copy);
    copy->key = strdup("credential:seal");
    copy->public_url = from->public_url ? strdup(from->public_url) : NULL;
    copy->on_caller = from->on_caller ? strdup(from->on_caller) : NULL;
    copy->provider_count = from->provider_count;
    copy->providers = calloc(from->provider_count + 1, sizeof copy->providers[0]);
    copy->credentials = calloc(from->provider_count + 1, sizeof copy->credentials[0]);
    for (size_t i = 0; i < from->provider_count; i++) {
        assert_int_equal(provider_copy(from->providers[i], &copy->providers[i]), 0);
        copy->credentials[i] = from->credentials[i];
        copy->credentials[i].client_secret = copy->credentials[i].client_secret_next = NULL;
        if (from->credentials[i].client_secret_next)
            assert_int_equal(secret_copy(from->credentials[i].client_secret_next,
                                         &copy->credentials[i].client_secret_next),
                             0);
        assert_int_equal(
            secret_copy(from->credentials[i].client_secret, &copy->credentials[i].client_secret),
            0);
    }
    return copy;
}

struct seal_key *make_key(void)
{
    const unsigned char bytes[SEAL_KEY_BYTES] = { 7 };
    struct seal_key *key = NULL;
    assert_int_equal(seal_key_new(bytes, &key), 0);
    return key;
}

struct store *open_store(struct stage *stage)
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
                                          .front = stage->front,
                                          .main = stage->main };
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
    damage_reads(NULL);
    damage_writes(NULL);
    damage_audit(NULL);
    refuse_notes_beyond(UINT_MAX);
    fail_schedule(0);
    clock_use_source(&fast_clock);
    (void)snprintf(stage->folder, sizeof stage->folder, "/tmp/tb-back-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    assert_int_equal(mailbox_new(512, 1, message_destroy, &stage->inbox), 0);
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

int tear_down(void **state)
{
    struct stage *stage = *state;
    begin_stop(stage);
    set_speed(100); /* a reply that a test holds is waited for */
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

unsigned logged(const char *text)
{
    char line[1024];
    unsigned lines = 0;
    FILE *caught = fopen("/proc/self/fd/2", "r");
    assert_non_null(caught);
    while (fgets(line, sizeof line, caught))
        lines += strstr(line, text) != NULL;
    (void)fclose(caught);
    return lines;
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
