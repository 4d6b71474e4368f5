#include <string.h>

#include "front/account_json.h"
#include "front/api_ask.h"
#include "front/api_body.h"
#include "front/api_listing.h"
#include "front/audit.h"

static void account_answered(const struct api_request *request, struct message *answer, void *state)
{
    api_answer_account(request, answer);
}

void api_account(const struct api_request *request)
{
    if (api_allowed(request, MAY_LIST))
        api_ask(request, api_question(request, ASK_ACCOUNT),
                &(struct api_follow_up){ .answered = account_answered });
}

static const struct api_listing accounts = { ASK_ACCOUNTS, "accounts", MAY_LIST,
                                             api_append_account };

void api_accounts(const struct api_request *request)
{
    api_list(request, &accounts);
}

static void import_answered(const struct api_request *request, struct message *answer, void *state)
{
    api_count(request, "import", answer->row_count > 0 ? answer->rows[0].generation : 0);
    api_answer_account(request, answer);
}

/* Is it the one kind of token that the provider's accounts are made of? */
static const char *import_flaw(const struct import_request *import, const struct provider *provider)
{
    if (!import->refresh_token == !import->access_token)
        return "the body must hold either refresh_token or access_token";
    if (import->access_token && provider->grant != GRANT_STATIC)
        return "an access_token can only be imported where the provider's grant is \"static\"";
    if (import->refresh_token &&
        (provider->grant == GRANT_STATIC || provider->grant == GRANT_CLIENT_CREDENTIALS))
        return "this provider's accounts have no refresh token";
    return NULL;
}

/* Moves the body's members into the question. False when the request was answered. */
static bool read_import(const struct api_request *request, const struct json *body,
                        struct import_request *import)
{
    const char *scope = json_member_string(body, "scope");
    const char *flaw = NULL;

    if (!api_body_secret(request, body, "refresh_token", &import->refresh_token) ||
        !api_body_secret(request, body, "access_token", &import->access_token))
        return false;
    if (json_member(body, "scope") && (!scope || strlen(scope) > SCOPE_MAX))
        flaw = "scope must be a text";
    if (!flaw)
        flaw = import_flaw(
            import, settings_provider(request->context->settings, request->account.provider));
    if (flaw) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "%s", flaw);
        return false;
    }
    import->scope = scope ? strdup(scope) : NULL;
    if (scope && !import->scope) {
        api_refuse(request->web, WIRE_INTERNAL, NULL, "out of memory");
        return false;
    }
    return true;
}

void api_import(const struct api_request *request)
{
    static const char *const known[] = { "refresh_token", "access_token", "scope", NULL };

    if (!api_allowed(request, MAY_IMPORT) || !api_provider_known(request))
        return;
    CLEANUP(cleanup_json) struct json *body = api_body(request, known);
    if (!body)
        return;
    CLEANUP(cleanup_message) struct message *question = api_question(request, ASK_IMPORT);
    if (question)
        question->import = calloc(1, sizeof(*question->import));
    if (!question || !question->import) {
        api_refuse(request->web, WIRE_INTERNAL, NULL, "out of memory");
        return;
    }
    if (read_import(request, body, question->import))
        api_ask(request, steal(question), &(struct api_follow_up){ .answered = import_answered });
}

static void forget_answered(const struct api_request *request, struct message *answer, void *state)
{
    api_count(request, "forget", 0);
    api_answer_done(request, "forgotten");
}

void api_forget(const struct api_request *request)
{
    if (api_allowed(request, MAY_LOGOUT))
        api_ask(request, api_question(request, ASK_FORGET),
                &(struct api_follow_up){ .answered = forget_answered });
}
