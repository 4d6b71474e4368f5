#include "back/credentials.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "oauth/lifetime.h"

enum { FACT_NAME_SIZE = 64, FACT_SIZE = 256 };

/* What is written down: "pair works refusals try_at label", the label only after a refusal. */
struct record {
    char name[FACT_NAME_SIZE];
    char text[FACT_SIZE];
};

static void name_fact(const char *provider, char out[static FACT_NAME_SIZE])
{
    (void)snprintf(out, FACT_NAME_SIZE, "client_secret_next/%s", provider);
}

static int write_record(void *userdata, struct store *store)
{
    const struct record *record = userdata;
    return store_put_fact(store, record->name, record->text);
}

/* Nothing hangs on it but a trial too many after a crash. */
static void written(void *userdata, int result)
{
    (void)result;
    free(userdata);
}

static void save(const struct credentials *credentials, struct keeper *keeper)
{
    struct record *record = malloc(sizeof *record);
    if (!record)
        return;
    name_fact(credentials->provider, record->name);
    (void)snprintf(record->text, sizeof record->text, "%s %d %u %" PRId64 " %s", credentials->pair,
                   (int)credentials->works, credentials->refusals, credentials->try_at,
                   credentials->canary.label);
    int r = commits_add(keeper->commits, COMMIT_MAY, write_record, written, record);
    if (r != 0) {
        log_warning("%s: no memory to write down which client secret works", credentials->provider);
        written(record, r);
    }
}

/* What was found out about another pair, or what cannot be read, is as if nothing were known. */
static void take_record(struct credentials *credentials, const char *text)
{
    char pair[FINGERPRINT_SIZE] = "", label[LABEL_MAX + 1] = "";
    int works = 0;
    unsigned refusals = 0;
    int64_t try_at = 0;
    _Static_assert(FINGERPRINT_SIZE == 44 && LABEL_MAX == 64, "the widths below");
    if (sscanf(text, "%43s %d %u %" SCNd64 " %64s", pair, &works, &refusals, &try_at, label) < 4 ||
        strcmp(pair, credentials->pair) != 0)
        return;
    credentials->works = works != 0;
    credentials->refusals = refusals;
    credentials->try_at = try_at;
    if (label[0])
        (void)account_name_make(credentials->provider, label, &credentials->canary);
}

static int read_record(struct credentials *credentials, struct keeper *keeper)
{
    CLEANUP(cleanup_string) char *text = NULL;
    char name[FACT_NAME_SIZE];
    name_fact(credentials->provider, name);
    int r = store_get_fact(keeper->store, name, &text);
    if (r == 0)
        take_record(credentials, text);
    return r == STORE_NOT_FOUND ? 0 : r;
}

static void fingerprint_pair(struct credentials *credentials)
{
    char now[FINGERPRINT_SIZE] = "", next[FINGERPRINT_SIZE] = "";
    char both[2 * FINGERPRINT_SIZE];
    if (credentials->now)
        secret_fingerprint(credentials->now, now);
    secret_fingerprint(credentials->next, next);
    const int length = snprintf(both, sizeof both, "%s %s", now, next);
    digest_text(both, (size_t)length, credentials->pair);
}

static int copy_secrets(struct credentials *credentials, struct client_secrets secrets)
{
    int r = secrets.now ? secret_copy(secrets.now, &credentials->now) : 0;
    /* The same twice is one. */
    if (r == 0 && secrets.next && !secret_equal(secrets.now, secrets.next))
        r = secret_copy(secrets.next, &credentials->next);
    return r;
}

int credentials_load(struct credentials *credentials, struct keeper *keeper, const char *provider,
                     struct client_secrets secrets)
{
    struct credentials fresh = { 0 };
    (void)snprintf(fresh.provider, sizeof fresh.provider, "%s", provider);
    int r = copy_secrets(&fresh, secrets);
    if (r == 0 && fresh.next) {
        fingerprint_pair(&fresh);
        r = read_record(&fresh, keeper);
    }
    if (r != 0) {
        credentials_release(&fresh);
        return r < 0 ? r : -EIO;
    }
    *credentials = fresh;
    return 0;
}

void credentials_carry(struct credentials *from, struct credentials *to)
{
    if (!from->next || !to->next || strcmp(from->pair, to->pair) != 0)
        return;
    to->works = from->works;
    to->refusals = from->refusals;
    to->try_at = from->try_at;
    to->canary = from->canary;
    to->trying = from->trying;
    to->trial = steal(from->trial);
}

void credentials_release(struct credentials *credentials)
{
    secret_free(credentials->now);
    secret_free(credentials->next);
    setup_unref(credentials->trial);
    *credentials = (struct credentials){ 0 };
}

static int make_setup(const struct provider *provider, const struct secret *secret, bool is_next,
                      struct setup **ret)
{
    struct setup *setup = NULL;
    int r = setup_new(provider, secret, &setup);
    if (r != 0)
        return r;
    if (is_next && setup->provider->client_key_id_next) {
        free(setup->provider->client_key_id);
        setup->provider->client_key_id = steal(setup->provider->client_key_id_next);
    }
    *ret = setup;
    return 0;
}

int credentials_setup(const struct credentials *credentials, const struct provider *provider,
                      struct setup **ret)
{
    const bool is_next = credentials->works;
    return make_setup(provider, is_next ? credentials->next : credentials->now, is_next, ret);
}

bool credentials_wants_trial(const struct credentials *credentials, const struct account_name *name)
{
    if (!credentials->next || credentials->works || credentials->trial ||
        clock_now() < credentials->try_at)
        return false;
    return !name || !credentials->canary.label[0] || account_name_equal(&credentials->canary, name);
}

struct setup *credentials_choose(struct credentials *credentials, struct setup *in_force,
                                 const struct account_name *name)
{
    struct setup *trial = NULL;
    char text[ACCOUNT_TEXT_SIZE];
    if (!credentials_wants_trial(credentials, name) ||
        make_setup(in_force->provider, credentials->next, true, &trial) != 0)
        return in_force;
    trial->resolved = in_force->resolved;
    credentials->trial = trial;
    credentials->trying = *name;
    log_info("provider %s: %s tries client_secret_next", credentials->provider,
             account_text(name, text));
    return trial;
}

static void tell(const struct credentials *credentials, struct keeper *keeper, const char *event,
                 const char *text)
{
    struct account_name provider = { "", "" };
    memcpy(provider.provider, credentials->provider, sizeof provider.provider);
    log_warning("provider %s: %s", credentials->provider, text);
    keeper_event(keeper, &provider, event, "%s", text);
}

static enum trial_result passed(struct credentials *credentials, struct keeper *keeper)
{
    credentials->works = true;
    tell(credentials, keeper, "client_secret_changed",
         "client_secret_next works: make it client_secret");
    save(credentials, keeper);
    return TRIAL_PASSED;
}

static enum trial_result refused(struct credentials *credentials, struct keeper *keeper,
                                 const char *error)
{
    char text[160];
    credentials->refusals++;
    credentials->canary = credentials->trying;
    const int64_t rest_ms = backoff_canary_ms(credentials->refusals, random_below(1000));
    credentials->try_at = clock_now() + rest_ms;
    (void)snprintf(
        text, sizeof text,
        "client_secret_next was refused (%.60s): client_secret stays in use; tried again "
        "in %lld s",
        error, (long long)(rest_ms / 1000));
    tell(credentials, keeper, "client_secret_refused", text);
    save(credentials, keeper);
    return TRIAL_REFUSED;
}

static void try_later(struct credentials *credentials)
{
    credentials->try_at = clock_now() + TRIAL_AGAIN_MS;
}

/* What came to the server may have cost the account its token: nobody else is put to that. */
static enum trial_result undecided(struct credentials *credentials, struct keeper *keeper,
                                   enum verdict verdict)
{
    try_later(credentials);
    if (verdict != VERDICT_NOT_SENT)
        credentials->canary = credentials->trying;
    if (verdict == VERDICT_ACCOUNT_REFUSED || verdict == VERDICT_ACCOUNT_SUSPECT)
        save(credentials, keeper);
    return TRIAL_OPEN;
}

enum trial_result credentials_judge(struct credentials *credentials, struct keeper *keeper,
                                    const struct setup *used, const struct token_reply *reply)
{
    if (!credentials->trial || credentials->trial != used)
        return TRIAL_NONE;
    credentials->trial = setup_unref(credentials->trial);
    switch (reply->verdict) {
    case VERDICT_GRANTED:
        return passed(credentials, keeper);
    case VERDICT_PROVIDER_REFUSED:
        return refused(credentials, keeper, reply->error);
    case VERDICT_NOT_SENT:
    case VERDICT_NO_ANSWER:
    case VERDICT_ACCOUNT_REFUSED:
    case VERDICT_ACCOUNT_SUSPECT:
        break;
    }
    return undecided(credentials, keeper, reply->verdict);
}

void credentials_landed(struct credentials *credentials, const struct account_name *name)
{
    if (!credentials->trial || !account_name_equal(&credentials->trying, name))
        return;
    credentials->trial = setup_unref(credentials->trial);
    try_later(credentials);
}

void credentials_needed(struct credentials *credentials)
{
    if (credentials->refusals == 0)
        credentials->try_at = 0;
}

void credentials_retry(struct credentials *credentials, struct keeper *keeper)
{
    if (!credentials->next || credentials->works)
        return;
    credentials->try_at = 0;
    credentials->canary = (struct account_name){ "", "" };
    save(credentials, keeper);
}

enum next_secret credentials_next_secret(const struct credentials *credentials)
{
    if (!credentials->next)
        return NEXT_SECRET_NONE;
    if (credentials->works)
        return NEXT_SECRET_WORKS;
    return credentials->refusals > 0 ? NEXT_SECRET_REFUSED : NEXT_SECRET_UNTRIED;
}
