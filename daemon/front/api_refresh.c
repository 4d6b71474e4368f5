#include <string.h>

#include "front/api_ask.h"
#include "front/api_body.h"
#include "front/api_path.h"
#include "front/audit.h"
#include "front/tokens.h"

static void account_answered(const struct api_request *request, struct message *answer, void *state)
{
    api_answer_account(request, answer);
}

static void refresh_answered(const struct api_request *request, struct message *answer, void *state)
{
    api_count(request, "refresh", answer->token ? answer->token->generation : 0);
    if (answer->row_count > 0)
        api_answer_account(request, answer);
    else
        api_ask(request, api_question(request, ASK_ACCOUNT),
                &(struct api_follow_up){ .answered = account_answered });
}

void api_refresh(const struct api_request *request)
{
    if (api_allowed(request, MAY_TOKEN) && api_provider_known(request))
        api_ask(request, api_question(request, ASK_REFRESH),
                &(struct api_follow_up){ .answered = refresh_answered,
                                         .wait_ms = request->context->wait_max_ms });
}

static bool is_fingerprint(const char *text)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return strlen(text) == FINGERPRINT_SIZE - 1 && strspn(text, letters) == FINGERPRINT_SIZE - 1;
}

/* Reads or makes the fingerprint. False when the request was answered. */
static bool read_fingerprint(const struct api_request *request, const struct json *body,
                             char ret[static FINGERPRINT_SIZE])
{
    CLEANUP(cleanup_secret) struct secret *token = NULL;
    const char *fingerprint = json_member_string(body, "fingerprint");

    if (!json_member(body, "access_token") == !json_member(body, "fingerprint")) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL,
                   "the body must hold either access_token or fingerprint");
        return false;
    }
    if (!api_body_secret(request, body, "access_token", &token))
        return false;
    if (token) {
        secret_fingerprint(token, ret);
        return true;
    }
    if (!fingerprint || !is_fingerprint(fingerprint)) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL,
                   "fingerprint must be base64url of the token's SHA-256, without padding");
        return false;
    }
    memcpy(ret, fingerprint, FINGERPRINT_SIZE);
    return true;
}

static void reject_answered(const struct api_request *request, struct message *answer, void *state)
{
    api_count(request, "reject", 0);
    api_answer_done(request, "rejected");
}

void api_reject(const struct api_request *request)
{
    static const char *const known[] = { "access_token", "fingerprint", NULL };
    char fingerprint[FINGERPRINT_SIZE];

    if (!api_allowed(request, MAY_REJECT))
        return;
    CLEANUP(cleanup_json) struct json *body = api_body(request, known);
    if (!body || !read_fingerprint(request, body, fingerprint))
        return;
    /* Before the back knows: from this moment on nobody gets it. */
    tokens_reject(request->context->tokens, &request->account, fingerprint);
    struct message *question = api_question(request, ASK_REJECT);
    if (question)
        memcpy(question->fingerprint, fingerprint, FINGERPRINT_SIZE);
    api_ask(request, question, &(struct api_follow_up){ .answered = reject_answered });
}

static void retry_answered(const struct api_request *request, struct message *answer, void *state)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(64);

    api_count(request, "retry", 0);
    buffer_append_text(&body, "{\"retried\":true}");
    api_answer(request->web, &body);
}

void api_retry(const struct api_request *request)
{
    char provider[PROVIDER_NAME_MAX + 1] = "";

    if (!request->has_account && *request->rest && !path_provider(request->rest, provider)) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "this is no name of a provider");
        return;
    }
    if (request->has_account ? !api_allowed(request, MAY_ADMIN)
                             : !api_allowed_whole(request, provider, MAY_ADMIN))
        return;
    if (*provider && !settings_provider(request->context->settings, provider)) {
        api_refuse(request->web, WIRE_UNKNOWN_PROVIDER, NULL, "no provider %s is configured",
                   provider);
        return;
    }
    struct message *question = api_question(request, ASK_RETRY);
    if (question && !request->has_account)
        memcpy(question->account.provider, provider, sizeof(provider));
    api_ask(request, question, &(struct api_follow_up){ .answered = retry_answered });
}
