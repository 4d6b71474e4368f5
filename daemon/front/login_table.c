#include "front/login_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "front/asks.h"
#include "front/audit.h"
#include "front/callback.h"
#include "front/events.h"

struct login_waiter {
    struct login *login;
    struct login_waiter *next;
    bool until_ended;
    int64_t due_at;
    login_changed changed;
    void *userdata;
};

static void on_timer(void *userdata);

int logins_new(struct context *context, struct logins **ret)
{
    struct logins *logins = calloc(1, sizeof *logins);
    if (!logins)
        return -ENOMEM;
    logins->context = context;
    int r = loop_add_timer(context->loop, on_timer, logins, &logins->timer);
    if (r < 0) {
        free(logins);
        return r;
    }
    *ret = logins;
    return 0;
}

struct logins *logins_free(struct logins *logins)
{
    if (!logins)
        return NULL;
    while (logins->newest) {
        struct login *login = logins->newest;
        logins->newest = login->next;
        if (login->ask != 0)
            asks_forget(logins->context->asks, login->ask);
        login_free(login);
    }
    loop_source_free(logins->timer);
    free(logins);
    return NULL;
}

struct login *login_free(struct login *login)
{
    if (!login)
        return NULL;
    while (login->waiters)
        login_unwait(login->waiters);
    provider_free(login->provider);
    free(login->scope);
    free(login->redirect_target);
    free(login->redirect_path);
    free(login->prefix);
    secret_free(login->state);
    secret_free(login->verifier);
    secret_free(login->nonce);
    secret_free(login->cookie);
    secret_free(login->start_nonce);
    secret_free(login->start_url);
    secret_free(login->parameters);
    secret_free(login->authorize_url);
    secret_free(login->browser);
    free(login->granted_scope);
    free(login->identity);
    free(login);
    return NULL;
}

bool login_ended(const struct login *login)
{
    return login->status != LOGIN_PENDING && login->status != LOGIN_EXCHANGING;
}

bool logins_any_pending(const struct logins *logins)
{
    for (const struct login *login = logins->newest; login; login = login->next)
        if (!login_ended(login) && login->mode == LOGIN_BROWSER)
            return true;
    return false;
}

int64_t logins_pages_until(const struct logins *logins)
{
    int64_t until = 0;
    for (const struct login *login = logins->newest; login; login = login->next)
        if (login_ended(login) && login->browser && login->ended_at + LOGIN_PAGE_LINGER_MS > until)
            until = login->ended_at + LOGIN_PAGE_LINGER_MS;
    return until;
}

struct context *logins_context(const struct logins *logins)
{
    return logins->context;
}

struct login *logins_newest(const struct logins *logins)
{
    return logins->newest;
}

struct login *logins_find(const struct logins *logins, const char *id)
{
    for (struct login *login = logins->newest; login; login = login->next)
        if (strcmp(login->id, id) == 0)
            return login;
    return NULL;
}

const char *login_status_name(enum login_status status)
{
    static const char *const names[] = {
        [LOGIN_PENDING] = "pending", [LOGIN_EXCHANGING] = "exchanging",
        [LOGIN_DONE] = "done",       [LOGIN_FAILED] = "failed",
        [LOGIN_EXPIRED] = "expired", [LOGIN_CANCELLED] = "cancelled",
    };
    return names[status];
}

/* The callback is told last, so that it sees the table as it is now. */
static void tell_callback(struct logins *logins)
{
    if (logins->context->callback)
        callback_update(logins->context->callback);
}

static void consider(int64_t *earliest, int64_t due_at)
{
    if (due_at > 0 && due_at < *earliest)
        *earliest = due_at;
}

static void set_timer(struct logins *logins)
{
    int64_t earliest = INT64_MAX;
    for (const struct login *login = logins->newest; login; login = login->next) {
        consider(&earliest, login->due_at);
        for (const struct login_waiter *waiter = login->waiters; waiter; waiter = waiter->next)
            consider(&earliest, waiter->due_at);
    }
    if (earliest == INT64_MAX) {
        loop_timer_stop(logins->timer);
        return;
    }
    int64_t delay = earliest - clock_now();
    /* Arming can only fail for a broken loop, which ends the thread anyway. */
    (void)loop_timer_set(logins->timer, delay > 0 ? delay : 0);
}

void logins_forget(struct logins *logins, struct login *login)
{
    struct login **link = &logins->newest;
    while (*link != login)
        link = &(*link)->next;
    *link = login->next;
    login_free(login);
}

static void tell_started(const struct login *login)
{
    struct context *context = login->logins->context;
    context->counters.logins_started++;
    events_tell(context->events, &login->account, "login_started", "by uid %u",
                (unsigned)login->uid);
}

static enum counted_login counted_as(const struct login *login)
{
    static const enum counted_login endings[] = {
        [LOGIN_DONE] = COUNTED_GRANTED,
        [LOGIN_FAILED] = COUNTED_FAILED,
        [LOGIN_EXPIRED] = COUNTED_EXPIRED,
        [LOGIN_CANCELLED] = COUNTED_CANCELLED,
    };
    const bool held = login->ending == ENDING_HELD || login->ending == ENDING_AWAITS ||
                      login->ending == ENDING_UNTOLD;
    return held ? COUNTED_HELD : endings[login->status];
}

/* Those who follow hear how a login ended. */
static void tell_ended(const struct login *login)
{
    static const char *const names[] = {
        [COUNTED_GRANTED] = "login_granted",     [COUNTED_HELD] = "login_held",
        [COUNTED_FAILED] = "login_failed",       [COUNTED_EXPIRED] = "login_expired",
        [COUNTED_CANCELLED] = "login_cancelled",
    };
    struct context *context = login->logins->context;
    if (!login_ended(login))
        return;
    const enum counted_login ending = counted_as(login);
    const bool consented = ending == COUNTED_GRANTED || ending == COUNTED_HELD;
    context->counters.logins[ending]++;
    if (consented)
        events_tell(context->events, &login->account, names[ending], "identity: %s",
                    login->identity ? login->identity : "not known");
    else
        events_tell(context->events, &login->account, names[ending], "%s", login->error);
}

void logins_add(struct logins *logins, struct login *login)
{
    login->logins = logins;
    login->next = logins->newest;
    login->due_at = login->mode == LOGIN_DEVICE ? 0 : clock_now() + LOGIN_LIFETIME_MS;
    logins->newest = login;
    tell_started(login);
    set_timer(logins);
    tell_callback(logins);
}

void logins_remove(struct logins *logins, struct login *login)
{
    logins_forget(logins, login);
    set_timer(logins);
    tell_callback(logins);
}

static void unlink_waiter(struct login_waiter *waiter)
{
    struct login *login = waiter->login;
    struct login_waiter **link = &login->waiters;
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    login->waiter_count--;
    login->logins->waiter_count--;
}

static void wake(struct login_waiter *waiter)
{
    struct login *login = waiter->login;
    login_changed changed = waiter->changed;
    void *userdata = waiter->userdata;
    unlink_waiter(waiter);
    free(waiter);
    changed(userdata, login);
}

/* The first waiter that is to be told; NULL when none is. A callback may take other waiters away,
 * so the search begins anew after each. */
static struct login_waiter *next_to_wake(const struct login *login, bool changed, int64_t now)
{
    for (struct login_waiter *waiter = login->waiters; waiter; waiter = waiter->next)
        if (waiter->due_at <= now || (changed && (!waiter->until_ended || login_ended(login))))
            return waiter;
    return NULL;
}

static void wake_all(struct login *login, bool changed, int64_t now)
{
    struct login_waiter *waiter;
    while ((waiter = next_to_wake(login, changed, now)))
        wake(waiter);
}

static void keep_text(char out[static ERROR_TEXT_MAX], const char *text)
{
    size_t length = text ? strnlen(text, ERROR_TEXT_MAX - 1) : 0;
    if (length > 0)
        memcpy(out, text, length);
    out[length] = '\0';
}

/* One row of the audit for each way a login ends. */
static void count_end(const struct login *login)
{
    static const char *const verdicts[] = {
        [LOGIN_DONE] = "login_done",
        [LOGIN_FAILED] = "login_failed",
        [LOGIN_EXPIRED] = "login_expired",
        [LOGIN_CANCELLED] = "login_cancelled",
    };
    char account[ACCOUNT_TEXT_SIZE];
    struct audit *audit = login->logins->context->audit;
    if (audit && login_ended(login))
        audit_count(audit, &(struct audit_event){
                               .account = account_text(&login->account, account),
                               .uid = login->uid,
                               .unit = login->unit,
                               .verdict = verdicts[login->status],
                           });
}

/* An end is told for minutes. What the login was begun with may be large, and the memory for
 * secrets is everybody's. */
static void forget_request(struct login *login)
{
    login->verifier = secret_free(login->verifier);
    login->nonce = secret_free(login->nonce);
    login->parameters = secret_free(login->parameters);
    login->authorize_url = secret_free(login->authorize_url);
}

void login_set_status(struct login *login, enum login_status status, const char *error,
                      const char *description)
{
    int64_t now = clock_now();
    login->status = status;
    keep_text(login->error, error);
    keep_text(login->description, description);
    login->ended_at = login_ended(login) ? now : 0;
    /* The back answers every exchange, so that an exchanging login needs no end of its own. */
    login->due_at = login_ended(login) ? now + LOGIN_ENDED_KEPT_MS : 0;
    if (login_ended(login))
        forget_request(login);
    count_end(login);
    tell_ended(login);
    wake_all(login, true, now);
    set_timer(login->logins);
    tell_callback(login->logins);
}

int login_wait(struct login *login, bool until_ended, int64_t wait_ms, login_changed changed,
               void *userdata, struct login_waiter **ret)
{
    struct logins *logins = login->logins;
    if (!login_room_to_wait(login))
        return LOGIN_WAITERS_FULL;
    struct login_waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter)
        return -ENOMEM;
    *waiter = (struct login_waiter){
        .login = login,
        .next = login->waiters,
        .until_ended = until_ended,
        .due_at = clock_now() + wait_ms,
        .changed = changed,
        .userdata = userdata,
    };
    login->waiters = waiter;
    login->waiter_count++;
    logins->waiter_count++;
    set_timer(logins);
    *ret = waiter;
    return 0;
}

void login_unwait(struct login_waiter *waiter)
{
    unlink_waiter(waiter);
    free(waiter);
}

static void expire(struct login *login)
{
    login_set_status(login, LOGIN_EXPIRED, "expired",
                     "nobody finished the login in time; start it again");
}

static struct login *first_due(const struct logins *logins, int64_t now)
{
    for (struct login *login = logins->newest; login; login = login->next)
        if ((login->due_at > 0 && login->due_at <= now) || next_to_wake(login, false, now))
            return login;
    return NULL;
}

static void on_timer(void *userdata)
{
    struct logins *logins = userdata;
    int64_t now = clock_now();
    struct login *login;
    while ((login = first_due(logins, now))) {
        wake_all(login, false, now);
        if (login->due_at == 0 || login->due_at > now)
            continue;
        if (login_ended(login))
            logins_forget(logins, login);
        else
            expire(login);
    }
    set_timer(logins);
    tell_callback(logins);
}
