#include "back/pause.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "back/judgement.h"
#include "back/warn.h"
#include "base/clock.h"
#include "base/log.h"
#include "oauth/lifetime.h"

static int write_row(void *userdata, struct store *store)
{
    return store_put_pause(store, userdata);
}

/* Nothing hangs on it but a probe too many after a crash. */
static void written(void *userdata, int result)
{
    (void)result;
    free(userdata);
}

static void save(const struct pause *pause, struct keeper *keeper)
{
    struct pause_row *row = malloc(sizeof *row);
    if (!row)
        return;
    *row = pause->row;
    int r = commits_add(keeper->commits, COMMIT_MAY, write_row, written, row);
    if (r != 0) {
        log_warning("%s: no memory to write down its pause", pause->row.provider);
        written(row, r);
    }
}

int pause_load(struct pause *pause, struct keeper *keeper, const struct setup *setup)
{
    *pause = (struct pause){ 0 };
    (void)snprintf(pause->row.provider, sizeof pause->row.provider, "%s", setup->provider->name);
    int r = store_get_pause(keeper->store, setup->provider->name, &pause->row);
    if (r < 0)
        return r;
    if (r == STORE_NOT_FOUND)
        setup_fingerprint(setup, pause->row.credentials);
    else
        (void)pause_setup_changed(pause, keeper, setup);
    pause->turn = pause->row.probes;
    return 0;
}

bool pause_holds(const struct pause *pause)
{
    return pause->row.paused_since != 0;
}

static void tell(const struct pause *pause, struct keeper *keeper, const char *event)
{
    struct account_name provider = { "", "" };
    memcpy(provider.provider, pause->row.provider, sizeof provider.provider);
    keeper_event(keeper, &provider, event, "%s", pause->row.reason);
}

static void begin(struct pause *pause, struct keeper *keeper, const char *reason,
                  int64_t first_probe_ms)
{
    const int64_t now = clock_now();
    pause->row.paused_since = now;
    pause->row.probes = pause->turn = pause->unanswered = 0;
    pause->row.probe_at = now + first_probe_ms;
    (void)snprintf(pause->row.reason, sizeof pause->row.reason, "%s", reason);
    log_error("provider %s pauses: %s; one account probes in %lld s, then ever more rarely",
              pause->row.provider, reason, (long long)(first_probe_ms / 1000));
    warn_paused(keeper, &pause->row);
    save(pause, keeper);
}

/* A verdict that fell in the row of refusals that led to the pause is taken back. */
struct pardon {
    struct account_name name;
    struct circumstances circumstances;
};

static int write_pardon(void *userdata, struct store *store)
{
    struct pardon *pardon = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &pardon->name, &row);
    if (r != 0)
        return r;
    judge_pardoned(&row, &pardon->circumstances);
    return store_put_facts(store, &row);
}

static void pardon(struct keeper *keeper, const struct account_name *name)
{
    struct pardon *pardon = calloc(1, sizeof *pardon);
    if (!pardon)
        return;
    pardon->name = *name;
    pardon->circumstances.now = clock_now();
    int r = commits_add(keeper->commits, COMMIT_MAY, write_pardon, written, pardon);
    if (r != 0)
        written(pardon, r);
}

bool pause_add_refusal(struct pause *pause, struct keeper *keeper, const struct account_name *name)
{
    for (size_t i = 0; i < pause->refused_count; i++)
        if (account_name_equal(&pause->refused[i], name))
            return false;
    if (pause_holds(pause) || pause->refused_count == PAUSE_AFTER_REFUSALS)
        return false;
    pause->refused[pause->refused_count++] = *name;
    if (pause->refused_count < PAUSE_AFTER_REFUSALS)
        return false;
    begin(pause, keeper, "several accounts in a row were refused", PAUSE_FIRST_PROBE_MS);
    for (size_t i = 0; i < pause->refused_count; i++)
        pardon(keeper, &pause->refused[i]);
    return true;
}

static bool is_risked(const struct pause *pause, const struct account_name *name)
{
    for (size_t i = 0; i < pause->risked_count; i++)
        if (account_name_equal(&pause->risked[i], name))
            return true;
    return false;
}

static void add_risked(struct pause *pause, const struct account_name *name)
{
    if (pause->risked_count < PAUSE_RISKED_MAX && !is_risked(pause, name))
        pause->risked[pause->risked_count++] = *name;
}

/* Whether credentials that are taken are all that was missing. The other words for our set-up are
 * about what a refresh asks for, which a code does not. */
static bool is_of_client_proof(const char *error)
{
    return strcasecmp(error, "invalid_client") == 0;
}

bool pause_credentials_refused(struct pause *pause, struct keeper *keeper,
                               const struct account_name *name, const char *error)
{
    if (name && is_of_client_proof(error))
        add_risked(pause, name);
    if (pause_holds(pause))
        return false;
    begin(pause, keeper, error, backoff_canary_ms(0, random_below(1000)));
    return true;
}

void pause_account_refused(struct pause *pause, const struct account_name *name)
{
    const int64_t now = clock_now();
    if (!pause_holds(pause) || !is_risked(pause, name) ||
        (pause->moved_on_at != 0 && now - pause->moved_on_at < PAUSE_MOVE_ON_MS))
        return;
    pause->moved_on_at = now;
    pause->moves_on = true;
}

void pause_copied(struct pause *pause, struct keeper *keeper)
{
    begin(pause, keeper, WIRE_REASON_COPIED, 0);
}

/* No set-up is known to it: whichever comes is probed. */
static struct pause_row copied_row(void)
{
    const int64_t now = clock_now();
    return (struct pause_row){ .paused_since = now, .probe_at = now, .reason = WIRE_REASON_COPIED };
}

int pause_all_copied(struct store *store)
{
    const struct pause_row row = copied_row();
    return store_pause_refreshable(store, &row);
}

static bool is_copied(const struct pause_row *row)
{
    return row->paused_since != 0 && strcmp(row->reason, WIRE_REASON_COPIED) == 0;
}

bool pause_spares_others(const struct pause *pause)
{
    return pause->risked_count > 0 || is_of_client_proof(pause->row.reason) ||
           is_copied(&pause->row);
}

/* What cannot be read may be. */
static bool is_stored_as_copied(struct store *store, const char *provider)
{
    struct pause_row row = { 0 };
    int r = store_get_pause(store, provider, &row);
    return r < 0 || (r == 0 && is_copied(&row));
}

int pause_carry(struct store *store, const char *from, const char *to)
{
    if (!is_stored_as_copied(store, from) || is_stored_as_copied(store, to))
        return 0;
    struct pause_row row = copied_row();
    (void)snprintf(row.provider, sizeof row.provider, "%s", to);
    return store_put_pause(store, &row);
}

void pause_carried(struct pause *pause, struct keeper *keeper, const char *from)
{
    if (is_stored_as_copied(keeper->store, from) && !is_copied(&pause->row))
        pause_copied(pause, keeper);
}

void pause_probe_unanswered(struct pause *pause)
{
    const unsigned step = PAUSE_UNANSWERED_STEP + pause->unanswered;
    pause->turn++;
    pause->unanswered++;
    pause->row.probe_at = clock_now() + backoff_ms(step, random_below(1000));
}

void pause_probe_failed(struct pause *pause, struct keeper *keeper)
{
    if (pause->moves_on) {
        pause->row.probe_at = clock_now();
        return;
    }
    pause->turn++;
    pause->unanswered = 0;
    pause->row.probes++;
    pause->row.probe_at = clock_now() + backoff_canary_ms(pause->row.probes, random_below(1000));
    save(pause, keeper);
}

static void end(struct pause *pause, struct keeper *keeper, const char *why)
{
    log_info("provider %s goes on: %s", pause->row.provider, why);
    tell(pause, keeper, "provider_resumed");
    pause->row.paused_since = 0;
    pause->row.probe_at = 0;
    pause->row.probes = 0;
    pause->risked_count = 0;
    pause->moved_on_at = 0;
    pause->moves_on = false;
    save(pause, keeper);
}

bool pause_succeeded(struct pause *pause, struct keeper *keeper)
{
    pause->refused_count = 0;
    if (!pause_holds(pause))
        return false;
    end(pause, keeper, "an account was refreshed");
    return true;
}

bool pause_consented(struct pause *pause, struct keeper *keeper, bool known, bool brought)
{
    if (!pause_holds(pause))
        return false;
    if (known && is_of_client_proof(pause->row.reason)) {
        end(pause, keeper, "the client's credentials were taken at a login");
        return true;
    }
    if (brought)
        pause->turn += pause->turn % 2;
    return false;
}

void pause_probe_now(struct pause *pause, struct keeper *keeper)
{
    if (!pause_holds(pause))
        return;
    pause->row.probe_at = clock_now();
    pause->moved_on_at = 0;
    save(pause, keeper);
}

bool pause_setup_changed(struct pause *pause, struct keeper *keeper, const struct setup *setup)
{
    char fingerprint[FINGERPRINT_SIZE];
    setup_fingerprint(setup, fingerprint);
    if (strcmp(pause->row.credentials, fingerprint) == 0)
        return false;
    memcpy(pause->row.credentials, fingerprint, sizeof fingerprint);
    pause_probe_now(pause, keeper);
    return true;
}
