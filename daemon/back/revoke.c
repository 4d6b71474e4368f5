#include "back/revoke.h"

#include <errno.h>

#include "back/client_call.h"
#include "back/lanes.h"
#include "back/restored.h"
#include "base/clock.h"
#include "base/log.h"
#include "oauth/lifetime.h"

/* One at a time: nobody waits for it. */
struct revocations {
    struct keeper *keeper;
    struct loop_source *timer;
    struct http_transfer *transfer;
    struct lane *lane; /* while one is under way */
    struct lane_visit visit;
    struct setup *setup; /* a reference, while one is under way */
    struct kept_row row;
    struct grant grant;
    bool under_way;
    bool forgone; /* meanwhile: nothing more is sent of it */
    bool unsealed;
    bool access_token_next; /* the refresh token is done */
};

static void pump(void *userdata)
{
    revocations_pump(userdata);
}

int revocations_new(struct keeper *keeper, struct revocations **ret)
{
    struct revocations *revocations = calloc(1, sizeof *revocations);
    if (!revocations)
        return -ENOMEM;
    revocations->keeper = keeper;
    int r = loop_add_timer(keeper->loop, pump, revocations, &revocations->timer);
    if (r == 0)
        r = loop_timer_set(revocations->timer, 0);
    if (r != 0) {
        revocations_free(revocations);
        return r;
    }
    *ret = revocations;
    return 0;
}

static void put_down(struct revocations *revocations)
{
    lane_leave(&revocations->visit);
    revocations->setup = setup_unref(revocations->setup);
    kept_row_release(&revocations->row);
    grant_release(&revocations->grant);
    revocations->row = (struct kept_row){ 0 };
    revocations->under_way = false;
    revocations->forgone = false;
    revocations->access_token_next = false;
}

struct revocations *revocations_free(struct revocations *revocations)
{
    if (!revocations)
        return NULL;
    http_cancel(revocations->transfer);
    put_down(revocations);
    loop_source_free(revocations->timer);
    free(revocations);
    return NULL;
}

bool revocations_busy(const struct revocations *revocations)
{
    return revocations->under_way;
}

/* Also where only discovery will tell. */
static bool may_revoke(struct lane *lane)
{
    const struct setup *setup = lane_setup(lane);
    return setup->provider->revocation_endpoint || !setup->resolved;
}

/* False also where nobody knows whether that can be revoked, and there is nothing to revoke. */
static bool is_to_be_kept(struct keeper *keeper, const struct account_name *name,
                          const struct grant *grant)
{
    struct lane *lane = lanes_find(keeper->lanes, name->provider);
    char text[ACCOUNT_TEXT_SIZE];
    if (lane)
        return may_revoke(lane);
    if (!grant->refresh_token && !grant->access_token)
        return false;
    commits_say(keeper->commits, "%s: its tokens are revoked when its provider is configured again",
                account_text(name, text));
    return true;
}

static void tell_displaced(void *userdata, int64_t id, const char *account)
{
    struct keeper *keeper = userdata;
    (void)id;
    commits_say(keeper->commits,
                "%s: its tokens are not revoked any more, as %d others wait for that: revoke them "
                "at the provider",
                account, KEPT_ROWS_MAX);
}

int revocation_write(struct keeper *keeper, struct store *store, const struct account_name *name,
                     const char *identity, const struct grant *grant)
{
    if (!is_to_be_kept(keeper, name, grant))
        return 0;
    struct kept_row row = { .kind = KEPT_REVOCATION,
                            .name = *name,
                            .created_at = clock_now(),
                            .due_at = clock_now(),
                            .identity = identity };
    int r = vault_close_kept(keeper->key, &row, grant);
    if (r == 0)
        r = store_trim_kept(store, KEPT_REVOCATION, KEPT_ROWS_MAX - 1, tell_displaced, keeper);
    if (r == 0)
        r = store_keep(store, &row);
    kept_row_release(&row);
    return r;
}

struct newcomer {
    struct revocations *revocations;
    const struct account_name *name;
};

/* label: whose the revocation was. */
static void forgo(void *userdata, int64_t id, const char *label)
{
    const struct newcomer *newcomer = userdata;
    struct revocations *revocations = newcomer->revocations;
    const bool under_way = revocations->under_way && revocations->row.id == id;
    const bool was_sent = under_way && (revocations->transfer || revocations->access_token_next);
    revocations->forgone = revocations->forgone || under_way;
    commits_say(revocations->keeper->commits,
                was_sent
                    ? "%s/%s: its older grant may have been revoked a moment ago, and with it "
                      "the one that %s has now: it shows at the next refresh"
                    : "%s/%s: its older grant is not revoked any more, as that may end the one "
                      "that %s has now: end it at the provider by hand",
                newcomer->name->provider, label, newcomer->name->label);
}

int revocations_forgo(struct keeper *keeper, struct store *store, const struct account_name *name,
                      const char *identity)
{
    struct newcomer newcomer = { .revocations = keeper->revocations, .name = name };
    return store_drop_revocations(store, name, identity, forgo, &newcomer);
}

static int apply_result(void *userdata, struct store *store)
{
    const struct revocations *revocations = userdata;
    const struct kept_row *row = &revocations->row;
    if (row->due_at == 0)
        return store_drop_kept(store, row->id);
    return store_postpone_kept(store, row->id, row->due_at, row->tries);
}

static void written(void *userdata, int result)
{
    struct revocations *revocations = userdata;
    put_down(revocations);
    (void)loop_timer_set(revocations->timer, result == 0 ? 0 : LANE_STORE_CHECK_MS);
}

/* due_at 0: done with it. */
static void finish(struct revocations *revocations, int64_t due_at)
{
    revocations->row.due_at = due_at;
    int r =
        commits_add(revocations->keeper->commits, COMMIT_MAY, apply_result, written, revocations);
    if (r != 0)
        written(revocations, r);
}

static void give_up(struct revocations *revocations, const char *problem)
{
    char name[ACCOUNT_TEXT_SIZE];
    log_warning("%s: its tokens could not be revoked (%s): revoke them at the provider",
                account_text(&revocations->row.name, name), problem);
    finish(revocations, 0);
}

/* Its section may be missing for a moment only. That is no try: nobody was asked. */
static void wait_for_section(struct revocations *revocations)
{
    const int64_t now = clock_now();
    if (now - revocations->row.created_at >= REVOKE_SECTION_WAIT_MS)
        give_up(revocations, "its provider is not configured any more");
    else
        finish(revocations, now + REVOKE_SECTION_LOOK_MS);
}

/* Not before rest_ms, which is how long the provider asked us to rest. */
static void postpone(struct revocations *revocations, const char *problem, int64_t rest_ms)
{
    struct kept_row *row = &revocations->row;
    row->tries++;
    if (row->tries >= REVOKE_TRIES_MAX) {
        give_up(revocations, problem);
        return;
    }
    const int64_t backoff = backoff_ms(row->tries, random_below(1000));
    finish(revocations, clock_now() + (rest_ms > backoff ? rest_ms : backoff));
}

/* True when it was: the next one's turn. Its row has gone with the commit, or is tried again. */
static bool end_forgone(struct revocations *revocations)
{
    if (!revocations->forgone)
        return false;
    put_down(revocations);
    (void)loop_timer_set(revocations->timer, LANE_STORE_CHECK_MS);
    return true;
}

static void enter(struct revocations *revocations);

static void replied(void *userdata, const struct http_reply *reply)
{
    struct revocations *revocations = userdata;
    char name[ACCOUNT_TEXT_SIZE];
    revocations->transfer = NULL;
    lane_leave(&revocations->visit);
    if (end_forgone(revocations))
        return;
    const bool answered = reply->outcome == HTTP_ANSWERED && reply->status < 500 &&
                          reply->status != 408 && reply->status != 429;
    if (!answered) {
        postpone(revocations, reply->outcome == HTTP_ANSWERED ? "server error" : reply->problem,
                 client_rest_asked(reply));
        return;
    }
    if (reply->status >= 300)
        log_warning("%s: the provider answered the revocation with %d: revoke it there by hand",
                    account_text(&revocations->row.name, name), reply->status);
    if (!revocations->access_token_next && revocations->grant.access_token) {
        revocations->access_token_next = true;
        enter(revocations);
        return;
    }
    finish(revocations, 0);
}

static int send_token(struct revocations *revocations, const struct secret *token, const char *hint)
{
    const struct setup *setup = revocations->setup;
    CLEANUP(cleanup_secret) struct secret *proof = NULL;
    struct token_request request = { 0 };
    int r = client_proof(setup, &proof);
    if (r == 0)
        r = token_request_revoke(setup->provider, proof, token, hint, &request);
    if (r != 0)
        return r;
    return client_send(revocations->keeper, setup, &request, replied, revocations,
                       &revocations->transfer);
}

static void send_next(struct revocations *revocations)
{
    const struct grant *grant = &revocations->grant;
    if (!grant->refresh_token)
        revocations->access_token_next = true;
    const struct secret *token =
        revocations->access_token_next ? grant->access_token : grant->refresh_token;
    if (!token) {
        finish(revocations, 0);
        return;
    }
    int r = send_token(revocations, token,
                       revocations->access_token_next ? "access_token" : "refresh_token");
    if (r != 0)
        postpone(revocations, "it could not be sent", 0);
}

static void admitted(void *userdata, const struct failure *why)
{
    struct revocations *revocations = userdata;
    if (end_forgone(revocations))
        return;
    if (why)
        postpone(revocations, why->description, why->retry_after_s * 1000);
    else
        send_next(revocations);
}

/* Each of its requests is a visit of its own: a rate limit counts both. */
static void enter(struct revocations *revocations)
{
    lane_visit(revocations->lane, &revocations->visit, admitted, revocations);
}

static bool take_row(void *userdata, const struct kept_row *row)
{
    struct revocations *revocations = userdata;
    revocations->row = (struct kept_row){ .id = row->id,
                                          .kind = row->kind,
                                          .name = row->name,
                                          .created_at = row->created_at,
                                          .tries = row->tries };
    revocations->under_way = true;
    revocations->unsealed =
        vault_open_kept(revocations->keeper->key, row, &revocations->grant) == 0;
    return false;
}

/* The provider's endpoints are known now, or why not. */
static void begin(void *userdata, const struct failure *why)
{
    struct revocations *revocations = userdata;
    struct keeper *keeper = revocations->keeper;
    struct lane *lane = lanes_find(keeper->lanes, revocations->row.name.provider);
    if (end_forgone(revocations))
        return;
    if (keeper->stopping) {
        put_down(revocations); /* it lies in the store for the next start */
    } else if (why) {
        postpone(revocations, why->description, 0);
    } else if (!lane) {
        wait_for_section(revocations);
    } else if (!lane_setup(lane)->provider->revocation_endpoint) {
        give_up(revocations, "its provider has no endpoint for that");
    } else {
        revocations->lane = lane;
        revocations->setup = setup_ref(lane_setup(lane));
        enter(revocations);
    }
}

void revocations_pump(struct revocations *revocations)
{
    enum { IDLE_CHECK_MS = 15 * 1000 };
    struct keeper *keeper = revocations->keeper;
    if (revocations->under_way || keeper->stopping)
        return;
    if (!commits_problem(keeper->commits) && !restored_holds(keeper))
        (void)store_each_kept(keeper->store, KEPT_REVOCATION, clock_now(), 1, take_row,
                              revocations);
    struct lane *lane = lanes_find(keeper->lanes, revocations->row.name.provider);
    if (!revocations->under_way)
        (void)loop_timer_set(revocations->timer, IDLE_CHECK_MS);
    else if (!revocations->unsealed)
        postpone(revocations, "they cannot be unsealed: another key, or changed on disk", 0);
    else if (lane)
        lane_resolve(lane, begin, revocations);
    else
        begin(revocations, NULL);
}
