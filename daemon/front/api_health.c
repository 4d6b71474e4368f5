#include "base/clock.h"
#include "base/json.h"
#include "front/api_ask.h"
#include "front/callback.h"
#include "front/consumers.h"

enum { MS_PER_S = 1000, HEALTH_WAIT_MS = 2 * 1000 };

static bool may_monitor(const struct api_request *request)
{
    const struct context *context = request->context;
    return access_allowed(context->settings, &context->access, &request->asker, MAY_MONITOR, NULL);
}

static bool may_monitor_all(const struct api_request *request)
{
    const struct context *context = request->context;
    return access_allowed_all(context->settings, &context->access, &request->asker, MAY_MONITOR);
}

void api_drop_unseen(const struct api_request *request, struct health *health)
{
    const struct context *context = request->context;
    size_t kept = 0;

    for (size_t i = 0; i < health->provider_count; i++)
        if (access_allowed_some(context->settings, &context->access, &request->asker, MAY_MONITOR,
                                health->providers[i].provider))
            health->providers[kept++] = health->providers[i];
    health->provider_count = kept;
}

static void put_store(struct json_writer *writer, const char *problem, const char *copied,
                      int64_t moved_at)
{
    struct json_writer store = json_put_nested(writer, "store", '{');

    json_put_boolean(&store, "ok", !problem);
    json_put_string(&store, "problem", problem);
    json_put_string(&store, "copied", copied);
    if (moved_at > 0)
        json_put_integer(&store, "moved_at", moved_at);
    json_writer_end(&store);
}

static void put_accounts(struct json_writer *writer, const struct health *health)
{
    struct json_writer accounts = json_put_nested(writer, "accounts", '{');

    json_put_integer(&accounts, "active", (int64_t)health->accounts[ACCOUNT_ACTIVE]);
    json_put_integer(&accounts, "suspect", (int64_t)health->accounts[ACCOUNT_SUSPECT]);
    json_put_integer(&accounts, "consent_required",
                     (int64_t)health->accounts[ACCOUNT_CONSENT_REQUIRED]);
    json_writer_end(&accounts);
}

/* NULL: there is none. */
static const char *next_secret_name(enum next_secret next)
{
    static const char *const names[] = {
        [NEXT_SECRET_NONE] = NULL,
        [NEXT_SECRET_UNTRIED] = "untried",
        [NEXT_SECRET_REFUSED] = "refused",
        [NEXT_SECRET_WORKS] = "works",
    };
    return names[next];
}

static void put_provider(struct json_writer *providers, const struct provider_health *provider)
{
    struct json_writer writer = json_put_nested(providers, NULL, '{');

    json_put_string(&writer, "name", provider->provider);
    json_put_boolean(&writer, "paused", provider->paused);
    json_put_string(&writer, "reason", *provider->reason ? provider->reason : NULL);
    json_put_string(&writer, "client_secret_next", next_secret_name(provider->next_secret));
    if (provider->probe_at > 0)
        json_put_integer(&writer, "probe_at", clock_to_wall(provider->probe_at) / MS_PER_S);
    json_writer_end(&writer);
}

static void put_providers(struct json_writer *writer, const struct health *health)
{
    struct json_writer providers = json_put_nested(writer, "providers", '[');

    for (size_t i = 0; i < health->provider_count; i++)
        put_provider(&providers, &health->providers[i]);
    json_writer_end(&providers);
}

static bool any_paused(const struct health *health)
{
    for (size_t i = 0; i < health->provider_count; i++) {
        if (health->providers[i].paused)
            return true;
    }
    return false;
}

/* NULL when it is well. */
static const char *store_problem(const struct message *answer)
{
    if (!answer)
        return "the store has not answered for 2 s";
    if (answer->failed || !answer->health)
        return *answer->failure.description ? answer->failure.description : "no answer";
    if (answer->health->store_ok)
        return NULL;
    return *answer->health->store_problem ? answer->health->store_problem : "writes fail";
}

static void health_answered(const struct api_request *request, struct message *answer, void *state)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);
    struct json_writer writer = json_writer_begin(&body, '{');
    struct health *health = answer && !answer->failed ? answer->health : NULL;
    const char *problem = store_problem(answer);
    const char *copied = health && *health->copied ? health->copied : NULL;
    const int64_t moved_at = health ? health->moved_at : 0;
    if (health) /* first: the status too must not tell of what the peer may not see */
        api_drop_unseen(request, health);
    bool degraded = problem || copied || moved_at > 0 || (health && any_paused(health));

    json_put_string(&writer, "status", degraded ? "degraded" : "ok");
    json_put_string(&writer, "version", TOKENBROKER_VERSION);
    put_store(&writer, problem, copied, moved_at);
    if (health && may_monitor_all(request))
        put_accounts(&writer, health);
    if (health && may_monitor(request))
        put_providers(&writer, health);
    callback_put_health(request->context->callback, &writer);
    consumers_put_health(request->context->consumers, &writer);
    json_put_string(&writer, "public_url", callback_public_base(request->context));
    json_writer_end(&writer);
    api_answer(request->web, &body);
}

void api_health(const struct api_request *request)
{
    if (api_allowed(request, MAY_ANYTHING))
        api_ask(request, api_question(request, ASK_HEALTH),
                &(struct api_follow_up){ .answered = health_answered,
                                         .also_failures = true,
                                         .wait_ms = HEALTH_WAIT_MS });
}
