#include "front/token_answer.h"

#include "base/clock.h"
#include "front/api.h"
#include "front/audit.h"
#include "front/link_url.h"
#include "oauth/lifetime.h"

enum { MS_PER_S = 1000, ANSWER_KEPT_MAX = 16 * 1024 };

enum token_verdict token_judge(const struct cached_token *entry, int64_t min_ttl_ms)
{
    if (!entry)
        return TOKEN_SHORT;
    const struct issued_token *token = entry->token;
    if (token->expires_at == 0)
        return TOKEN_GOOD;
    if (min_ttl_ms > lifetime_max_min_ttl(token->lifetime_ms))
        return TOKEN_IMPOSSIBLE;
    if (min_ttl_ms < 0)
        min_ttl_ms = lifetime_default_min_ttl(token->lifetime_ms);
    int64_t left_ms = token->expires_at - clock_now();
    return left_ms > 0 && left_ms >= min_ttl_ms ? TOKEN_GOOD : TOKEN_SHORT;
}

void token_fail(struct token_server *server, struct web_request *web, const struct token_wish *wish,
                const struct failure *failure)
{
    CLEANUP(cleanup_buffer) struct buffer url = BUFFER_WITH_MAXIMUM(LINK_URL_MAX);
    const char *token = wish->may_consent ? failure->link : NULL;
    char account[ACCOUNT_TEXT_SIZE];

    server->context->counters.tokens_refused[failure->error]++;
    api_fail(web, failure, account_text(&wish->account, account),
             link_url(server->context, token, &url));
}

void token_refuse(struct token_server *server, struct web_request *web,
                  const struct token_wish *wish, enum wire_error error, const char *text)
{
    char account[ACCOUNT_TEXT_SIZE];
    server->context->counters.tokens_refused[error]++;
    api_refuse(web, error, account_text(&wish->account, account), "%s", text);
}

static void answer_plain(struct web_request *web, const struct secret *token)
{
    const struct web_answer answer = {
        .status = 200,
        .content_type = "text/plain; charset=utf-8",
        .body = secret_reveal(token),
        .length = secret_length(token),
        .headers = { { "Cache-Control", "no-store" } },
    };
    web_answer(web, &answer);
}

static void answer_json(struct token_server *server, struct web_request *web,
                        const struct token_wish *wish, struct cached_token *entry)
{
    if (!entry->parts.text) {
        const struct provider *provider =
            settings_provider(server->context->settings, wish->account.provider);
        if (!provider) {
            token_refuse(server, web, wish, WIRE_UNKNOWN_PROVIDER,
                         "the provider is not configured");
            return;
        }
        if (token_parts_make(&wish->account, entry->token, provider, &entry->parts) < 0) {
            token_refuse(server, web, wish, WIRE_INTERNAL, "out of memory");
            return;
        }
    }
    token_parts_append(&server->answer, &entry->parts, entry->token, clock_now());
    api_answer(web, &server->answer);
    /* Clearing wipes all that was ever allocated: one huge answer must not slow down the next. */
    if (server->answer.allocated > ANSWER_KEPT_MAX)
        buffer_release(&server->answer);
    else
        buffer_clear(&server->answer);
}

static void serve(struct token_server *server, struct web_request *web,
                  const struct token_wish *wish, struct cached_token *entry)
{
    char account[ACCOUNT_TEXT_SIZE];

    audit_count(server->context->audit, &(struct audit_event){
                                            .account = account_text(&wish->account, account),
                                            .uid = wish->uid,
                                            .unit = wish->unit,
                                            .verdict = AUDIT_TOKEN,
                                            .generation = entry->token->generation,
                                        });
    if (wish->plain)
        answer_plain(web, entry->token->access_token);
    else
        answer_json(server, web, wish, entry);
}

void token_answer(struct token_server *server, struct web_request *web,
                  const struct token_wish *wish, struct cached_token *entry,
                  enum token_verdict verdict)
{
    if (verdict == TOKEN_GOOD) {
        serve(server, web, wish, entry);
        return;
    }
    const struct failure failure = {
        .error = WIRE_BAD_REQUEST,
        .description = "min_ttl is more than half of the token's lifetime",
        .max_min_ttl_s = lifetime_max_min_ttl(entry->token->lifetime_ms) / MS_PER_S,
    };
    token_fail(server, web, wish, &failure);
}
