#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "front/account_json.h"
#include "front/api_ask.h"
#include "front/asks.h"
#include "front/audit.h"
#include "front/events.h"
#include "front/metrics_text.h"
#include "row_forecast.h"

enum {
    MS_PER_S = 1000,
    ACCOUNT_STATES = ACCOUNT_CONSENT_REQUIRED + 1,
    GATHERED_UNKNOWN_MAX = 256, /* providers that the configuration does not know any more */
    METRICS_MAX = 4 * 1024 * 1024,
    GATHERED_PAGES_MAX = 4096, /* of WIRE_LIST_LIMIT_MAX accounts */
    HORIZONS = 5,
};

#define METRICS_REST "*" /* no provider's name */
#define MS_PER_DAY (INT64_C(24) * 3600 * MS_PER_S)

static const struct {
    int days;
    const char *text;
} horizons[HORIZONS] = { { 1, "1" }, { 3, "3" }, { 7, "7" }, { 14, "14" }, { 30, "30" } };

/* What the accounts of one provider come to. */
struct gathered {
    char provider[PROVIDER_NAME_MAX + 1];
    uint64_t states[ACCOUNT_STATES];
    uint64_t dying[HORIZONS];
    int64_t first_end; /* broker time; 0: none is known */
};

struct gathering {
    struct message *health;    /* the answer */
    struct account_name after; /* the last account that was looked at */
    unsigned pages;
    size_t count, room;
    struct gathered providers[];
};

static void gathering_free(void *state)
{
    struct gathering *gathering = state;

    message_free(gathering->health);
    free(gathering);
}

/* --- the accounts, page by page: they come in the order of their names --- */

/* Where there is no room for another one, the last is nobody's and has all the rest. */
static struct gathered *gathered_of(struct gathering *gathering, const char *provider)
{
    struct gathered *last = &gathering->providers[gathering->count];

    if (gathering->count == gathering->room)
        return last - 1;
    if (gathering->count > 0 && strcmp(last[-1].provider, provider) == 0)
        return last - 1;
    if (gathering->count + 1 == gathering->room)
        provider = METRICS_REST;
    (void)snprintf(last->provider, sizeof(last->provider), "%s", provider);
    gathering->count++;
    return last;
}

/* An idle end counts only where refreshes do not move it away in time. */
static bool will_die(const struct account_row *row, const struct forecast *forecast)
{
    if (row->state == ACCOUNT_CONSENT_REQUIRED || forecast->dies_at == 0)
        return false;
    return forecast->reason != FORECAST_IDLE || forecast->warning != FORECAST_CALM;
}

static void gather(struct gathered *gathered, const struct account_row *row,
                   const struct provider *provider)
{
    const struct forecast forecast = forecast_of_account(row, provider);
    const int64_t left_ms = forecast.dies_at - clock_now();

    gathered->states[row->state]++;
    if (!will_die(row, &forecast))
        return;
    for (size_t i = 0; i < HORIZONS; i++)
        gathered->dying[i] += left_ms <= horizons[i].days * MS_PER_DAY;
    if (gathered->first_end == 0 || forecast.dies_at < gathered->first_end)
        gathered->first_end = forecast.dies_at;
}

/* --- the text --- */

/* What is told of each provider that health knows: the value, or false to leave it out. */
static void put_by_provider(struct buffer *out, const struct health *health)
{
    struct metric metric = metric_begin(out, "provider_paused", METRIC_GAUGE,
                                        "Whether nothing but probes is sent to the provider.");
    for (size_t i = 0; i < health->provider_count; i++)
        metric_put(&metric,
                   (struct metric_label[]){ { "provider", health->providers[i].provider }, { 0 } },
                   health->providers[i].paused);
    metric = metric_begin(out, "refreshes_in_air", METRIC_GAUGE,
                          "Refreshes that the provider has not answered yet.");
    for (size_t i = 0; i < health->provider_count; i++)
        metric_put(&metric,
                   (struct metric_label[]){ { "provider", health->providers[i].provider }, { 0 } },
                   health->providers[i].in_air);
}

static void put_attempts(struct buffer *out, const struct health *health)
{
    const struct metric metric = metric_begin(out, "refresh_attempts", METRIC_COUNTER,
                                              "Refreshes by the class of their verdict.");

    for (size_t i = 0; i < health->provider_count; i++)
        for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
            metric_put(&metric,
                       (struct metric_label[]){ { "provider", health->providers[i].provider },
                                                { "verdict", verdict_name(verdict) } },
                       health->providers[i].attempts[verdict]);
}

static void put_accounts(struct buffer *out, const struct gathering *gathering)
{
    const struct metric metric =
        metric_begin(out, "accounts", METRIC_GAUGE, "Accounts by provider and state.");

    for (size_t i = 0; i < gathering->count; i++)
        for (int state = 0; state < ACCOUNT_STATES; state++)
            metric_put(&metric,
                       (struct metric_label[]){ { "provider", gathering->providers[i].provider },
                                                { "state", account_state_name(state) } },
                       gathering->providers[i].states[state]);
}

static void put_forecast(struct buffer *out, const struct gathering *gathering)
{
    struct metric metric =
        metric_begin(out, "grants_dying", METRIC_GAUGE,
                     "Grants that die within so many days unless someone consents again.");

    for (size_t i = 0; i < gathering->count; i++)
        for (size_t j = 0; j < HORIZONS; j++)
            metric_put(&metric,
                       (struct metric_label[]){ { "provider", gathering->providers[i].provider },
                                                { "days", horizons[j].text } },
                       gathering->providers[i].dying[j]);
    metric = metric_begin(out, "grants_first_end_timestamp_seconds", METRIC_GAUGE,
                          "When the first of the provider's grants dies.");
    for (size_t i = 0; i < gathering->count; i++)
        if (gathering->providers[i].first_end > 0)
            metric_put(
                &metric,
                (struct metric_label[]){ { "provider", gathering->providers[i].provider }, { 0 } },
                (uint64_t)clock_to_wall(gathering->providers[i].first_end) / MS_PER_S);
}

static void put_tokens(struct buffer *out, const struct counters *counters)
{
    const struct metric metric = metric_begin(
        out, "token_answers", METRIC_COUNTER,
        "Answers to requests for a token: hit, waited, or the error they were refused with.");

    metric_put(&metric, (struct metric_label[]){ { "result", "hit" }, { 0 } },
               counters->tokens_hit);
    metric_put(&metric, (struct metric_label[]){ { "result", "waited" }, { 0 } },
               counters->tokens_waited);
    for (int error = 0; error < WIRE_ERROR_COUNT; error++)
        metric_put(&metric, (struct metric_label[]){ { "result", wire_errors[error].name }, { 0 } },
                   counters->tokens_refused[error]);
}

static void put_logins(struct buffer *out, const struct counters *counters)
{
    static const char *const endings[COUNTED_LOGINS] = {
        [COUNTED_GRANTED] = "granted",     [COUNTED_HELD] = "held",
        [COUNTED_FAILED] = "failed",       [COUNTED_EXPIRED] = "expired",
        [COUNTED_CANCELLED] = "cancelled",
    };
    const struct metric metric =
        metric_begin(out, "logins", METRIC_COUNTER, "Logins by how they ended.");

    for (size_t i = 0; i < COUNTED_LOGINS; i++)
        metric_put(&metric, (struct metric_label[]){ { "ending", endings[i] }, { 0 } },
                   counters->logins[i]);
}

static void put_mailboxes(struct buffer *out, const struct asks *asks)
{
    const struct metric metric = metric_begin(out, "mailbox_refusals", METRIC_COUNTER,
                                              "Letters between the threads that found no room.");
    uint64_t front, back;

    asks_refusals(asks, &front, &back);
    metric_put(&metric, (struct metric_label[]){ { "mailbox", "front" }, { 0 } }, front);
    metric_put(&metric, (struct metric_label[]){ { "mailbox", "back" }, { 0 } }, back);
}

/* Those without a label. */
static void put_singles(struct buffer *out, const struct context *context,
                        const struct health *health)
{
    const struct {
        const char *name;
        enum metric_type type;
        const char *help;
        uint64_t value;
    } rows[] = {
        { "process_start_timestamp_seconds", METRIC_GAUGE, "When the broker started.",
          (uint64_t)clock_to_wall(context->started_at) / MS_PER_S },
        { "logins_started", METRIC_COUNTER, "Logins that were begun.",
          context->counters.logins_started },
        { "event_followers", METRIC_GAUGE, "Clients that follow the events.",
          events_followers(context->events) },
        { "commit_groups", METRIC_COUNTER, "Transactions that the store took.",
          health->commit_groups },
        { "commit_failures", METRIC_COUNTER, "Transactions that the store refused.",
          health->commit_failures },
        { "audit_waiting", METRIC_GAUGE, "Rows of the audit that wait for the store.",
          health->audit_waiting },
        { "audit_lost", METRIC_COUNTER, "Events of the audit that there was no room for.",
          health->audit_lost + audit_lost(context->audit) },
        { "store_ok", METRIC_GAUGE, "Whether the store takes writes.", health->store_ok },
        { "refreshing", METRIC_GAUGE,
          "Whether grants are refreshed: not while the store refuses writes, is a copy, or was "
          "moved.",
          health->store_ok && !*health->copied && health->moved_at <= 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct metric metric = metric_begin(out, rows[i].name, rows[i].type, rows[i].help);
        metric_put(&metric, NULL, rows[i].value);
    }
}

static void put_build(struct buffer *out)
{
    const struct metric metric = metric_begin(out, "build", METRIC_INFO, "Which broker answers.");

    metric_put(&metric, (struct metric_label[]){ { "version", TOKENBROKER_VERSION }, { 0 } }, 1);
}

static void answer_metrics(const struct api_request *request, const struct gathering *gathering)
{
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(METRICS_MAX);
    const struct health *health = gathering->health->health;

    put_build(&out);
    put_singles(&out, request->context, health);
    put_accounts(&out, gathering);
    put_forecast(&out, gathering);
    put_by_provider(&out, health);
    put_attempts(&out, health);
    put_tokens(&out, &request->context->counters);
    put_logins(&out, &request->context->counters);
    put_mailboxes(&out, request->context->asks);
    metrics_end(&out);
    const struct web_answer answer = {
        .status = 200,
        .content_type = METRICS_CONTENT_TYPE,
        .body = buffer_text(&out),
        .length = out.length,
        .headers = { { "Cache-Control", "no-store" } },
    };
    if (out.failed)
        api_refuse(request->web, WIRE_INTERNAL, NULL, "the answer is too large");
    else
        web_answer(request->web, &answer);
}

/* --- the questions --- */

static void ask_page(const struct api_request *request, struct gathering *gathering);

/* What it may not list is not counted for it either. */
static bool may_see(const struct api_request *request, const struct account_name *account)
{
    return access_allowed(request->context->settings, &request->context->access, &request->asker,
                          (enum may)(MAY_LIST | MAY_MONITOR), account);
}

static void page_answered(const struct api_request *request, struct message *answer, void *state)
{
    struct gathering *gathering = state;

    for (size_t i = 0; i < answer->row_count; i++) {
        const struct account_row *row = &answer->rows[i];
        gathering->after = row->name;
        if (may_see(request, &row->name))
            gather(gathered_of(gathering, row->name.provider), row,
                   settings_provider(request->context->settings, row->name.provider));
    }
    if (answer->row_count == WIRE_LIST_LIMIT_MAX && ++gathering->pages < GATHERED_PAGES_MAX) {
        ask_page(request, gathering);
        return;
    }
    answer_metrics(request, gathering);
    gathering_free(gathering);
}

static void ask_page(const struct api_request *request, struct gathering *gathering)
{
    struct message *question = message_new(ASK_ACCOUNTS);

    if (question) {
        question->account = gathering->after;
        question->limit = WIRE_LIST_LIMIT_MAX;
    }
    api_ask(request, question,
            &(struct api_follow_up){
                .answered = page_answered, .state = gathering, .release = gathering_free });
}

static struct gathering *gathering_new(const struct settings *settings)
{
    const size_t room = settings->provider_count + GATHERED_UNKNOWN_MAX;
    struct gathering *gathering =
        calloc(1, sizeof(*gathering) + room * sizeof(gathering->providers[0]));

    if (!gathering)
        return NULL;
    gathering->room = room;
    gathering->health = message_new(ANSWER);
    return gathering;
}

static void health_answered(const struct api_request *request, struct message *answer, void *state)
{
    struct gathering *gathering = gathering_new(request->context->settings);

    if (!gathering || !gathering->health || !answer->health) {
        if (gathering)
            gathering_free(gathering);
        api_refuse(request->web, WIRE_INTERNAL, NULL, "out of memory");
        return;
    }
    gathering->health->health = steal(answer->health);
    api_drop_unseen(request, gathering->health->health);
    ask_page(request, gathering);
}

void api_metrics(const struct api_request *request)
{
    if (api_allowed(request, MAY_MONITOR))
        api_ask(request, api_question(request, ASK_HEALTH),
                &(struct api_follow_up){ .answered = health_answered });
}
