#include "front/account_json.h"

#include "base/clock.h"
#include "base/json.h"
#include "oauth/lifetime.h"
#include "row_forecast.h"

enum { MS_PER_S = 1000 };

const char *account_state_name(enum account_state state)
{
    switch (state) {
    case ACCOUNT_SUSPECT:
        return "suspect";
    case ACCOUNT_CONSENT_REQUIRED:
        return "consent_required";
    case ACCOUNT_ACTIVE:
        break;
    }
    return "active";
}

static void put_time(struct json_writer *writer, const char *key, int64_t broker_ms)
{
    if (broker_ms > 0)
        json_put_integer(writer, key, clock_to_wall(broker_ms) / MS_PER_S);
}

static void put_end(struct json_writer *writer, int64_t expires_at)
{
    int64_t left_ms = expires_at - clock_now();

    if (expires_at == 0)
        return;
    put_time(writer, "expires_at", expires_at);
    json_put_integer(writer, "expires_in", left_ms > 0 ? left_ms / MS_PER_S : 0);
}

static void put_last_error(struct json_writer *writer, const struct account_row *row)
{
    if (!row->last_error)
        return;
    struct json_writer error = json_put_nested(writer, "last_error", '{');
    json_put_string(&error, "error", row->last_error);
    json_put_string(&error, "error_description", row->last_error_description);
    put_time(&error, "at", row->last_error_at);
    json_writer_end(&error);
}

static void put_forecast(struct json_writer *writer, const struct account_row *row,
                         const struct provider *provider)
{
    const struct forecast forecast = forecast_of_account(row, provider);
    put_time(writer, "refresh_token_expires_at", forecast.refresh_token_end);
    struct json_writer object = json_put_nested(writer, "forecast", '{');
    put_time(&object, "dies_at", forecast.dies_at);
    json_put_string(&object, "reason", forecast_reason_name(forecast.reason));
    json_put_string(&object, "warning", forecast_warning_name(forecast.warning));
    json_writer_end(&object);
}

void account_json_append(struct buffer *out, const struct account_row *row,
                         const struct provider *provider, const char *link)
{
    struct json_writer writer = json_writer_begin(out, '{');
    char text[ACCOUNT_TEXT_SIZE];

    json_put_string(&writer, "account", account_text(&row->name, text));
    json_put_string(&writer, "provider", row->name.provider);
    json_put_string(&writer, "state", account_state_name(row->state));
    json_put_string(&writer, "scope", row->scope);
    json_put_string(&writer, "identity", row->identity);
    if (row->held_at > 0)
        json_put_string(&writer, "held_identity", row->held_identity ? row->held_identity : "");
    json_put_boolean(&writer, "has_refresh_token", row->has_refresh_token);
    json_put_boolean(&writer, "rejected", row->rejected);
    json_put_integer(&writer, "generation", (int64_t)row->generation);
    json_put_integer(&writer, "created_at", clock_to_wall(row->created_at) / MS_PER_S);
    put_time(&writer, "refreshed_at", row->refreshed_at);
    put_end(&writer, row->expires_at);
    if (row->moved_at > 0)
        json_put_integer(&writer, "moved_at", row->moved_at);
    else
        put_time(&writer, "next_refresh_at", row->refresh_at);
    put_time(&writer, "retry_grace_ends_at", lifetime_grace_ends_at(provider, row->lost_at));
    put_time(&writer, "asked_at", row->asked_at);
    if (lifetime_rests(provider, row->asked_at, clock_now()))
        json_put_boolean(&writer, "rests", true);
    put_forecast(&writer, row, provider);
    put_last_error(&writer, row);
    json_put_string(&writer, "link", link);
    json_writer_end(&writer);
}
