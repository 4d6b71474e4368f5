#include "played_back.h"

#include <stdio.h>

#include "base/clock.h"
#include "daemon.h"

enum { TOKEN_LIFETIME_MS = 3600 * 1000 };

static void give_token(struct message *answer)
{
    static uint64_t generation;
    static const char token[] = "access-token";

    answer->token = calloc(1, sizeof *answer->token);
    PROMISE(answer->token &&
            secret_new(token, sizeof token - 1, &answer->token->access_token) == 0);
    answer->token->generation = ++generation;
    answer->token->token_type = strdup("Bearer");
    answer->token->extra = strdup("{\"company_id\":4711}");
    answer->token->obtained_at = clock_now();
    answer->token->lifetime_ms = TOKEN_LIFETIME_MS;
    answer->token->expires_at = clock_now() + TOKEN_LIFETIME_MS;
}

static void give_row(struct message *answer)
{
    answer->rows = calloc(1, sizeof *answer->rows);
    PROMISE(answer->rows);
    answer->row_count = 1;
    answer->rows[0] = (struct account_row){ .name = answer->account,
                                            .generation = 1,
                                            .has_refresh_token = true,
                                            .created_at = clock_now() };
}

static void give_provider(const struct settings *settings, struct message *answer)
{
    const struct provider *provider = settings_provider(settings, answer->account.provider);

    if (!provider)
        message_fail(answer, WIRE_UNKNOWN_PROVIDER, "no such provider");
    else
        PROMISE(provider_copy(provider, &answer->provider) == 0);
}

static void give(const struct settings *settings, const struct message *question,
                 struct message *answer)
{
    switch (question->kind) {
    case ASK_TOKEN:
    case ASK_REFRESH:
        give_token(answer);
        break;
    case ASK_ACCOUNT:
    case ASK_IMPORT:
    case ASK_DECIDE:
    case ASK_RENAME:
        give_row(answer);
        break;
    case ASK_PROVIDER:
        give_provider(settings, answer);
        break;
    case ASK_EXCHANGE:
        answer->consent = calloc(1, sizeof *answer->consent);
        break;
    case ASK_HEALTH:
        answer->health = calloc(1, sizeof *answer->health);
        break;
    case ASK_ACCOUNTS:
    case ASK_HELD:
    case ASK_LINKS:
    case ASK_REJECT:
    case ASK_FORGET:
    case ASK_RETRY:
    case ASK_UNLINK:
    case ASK_AUDIT:
        break;
    default:
        message_fail(answer, WIRE_PROVIDER_UNAVAILABLE, "the provider does not answer");
    }
}

struct message *played_answer(const struct settings *settings, const struct message *question)
{
    const size_t length = strlen(question->account.label);

    if (question->kind == TELL_AUDIT || question->kind == TELL_CANCEL)
        return NULL;
    struct message *answer = message_new(ANSWER);
    PROMISE(answer != NULL);
    answer->id = question->id;
    answer->account = question->account;
    if (length > 0 && question->account.label[length - 1] == 'x')
        message_fail(answer, WIRE_CONSENT_REQUIRED, "somebody has to consent anew");
    else
        give(settings, question, answer);
    return answer;
}
