#include <string.h>

#include "front/account_json.h"
#include "front/api_ask.h"
#include "front/api_body.h"
#include "front/api_path.h"
#include "front/audit.h"

enum {
    LIST_QUESTIONS_MAX = 16, /* pages of the back for one of the client's */
    ACCOUNT_BYTES_MAX = 64 * 1024,
    SCOPE_MAX = 4096,
};

static void count(const struct api_request *request, const char *verdict, uint64_t generation)
{
    char account[ACCOUNT_TEXT_SIZE];
    audit_count(request->context->audit, account_text(&request->account, account),
                request->peer.uid, verdict, generation);
}

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

/* A page for a client, made of the rows that it may see. */
struct listing {
    struct account_name after; /* the last row that was looked at */
    struct buffer body;        /* a JSON object, open inside its array */
    struct json_writer object, accounts;
    size_t limit;
    size_t count;
    unsigned questions;
};

static void listing_free(void *state)
{
    struct listing *listing = state;

    buffer_release(&listing->body);
    free(listing);
}

static void listing_finish(const struct api_request *request, struct listing *listing, bool at_end)
{
    char account[ACCOUNT_TEXT_SIZE];

    json_writer_end(&listing->accounts);
    if (!at_end)
        json_put_string(&listing->object, "next", account_text(&listing->after, account));
    json_writer_end(&listing->object);
    api_answer(request->web, &listing->body);
    listing_free(listing);
}

static bool listing_full(const struct listing *listing)
{
    return listing->count == listing->limit ||
           listing->body.length > WIRE_ANSWER_MAX - ACCOUNT_BYTES_MAX;
}

static void listing_add(const struct api_request *request, struct listing *listing,
                        const struct account_row *row)
{
    const struct context *context = request->context;

    listing->after = row->name;
    if (!access_allowed(context->settings, &context->access, &request->peer, MAY_LIST, &row->name))
        return;
    if (listing->count++ > 0)
        buffer_append_char(&listing->body, ',');
    account_json_append(&listing->body, row);
}

static void listing_ask(const struct api_request *request, struct listing *listing);

static void listing_answered(const struct api_request *request, struct message *answer, void *state)
{
    struct listing *listing = state;
    size_t looked_at = 0;

    while (looked_at < answer->row_count && !listing_full(listing))
        listing_add(request, listing, &answer->rows[looked_at++]);

    bool at_end = looked_at == answer->row_count && answer->row_count < listing->limit;
    if (at_end || listing_full(listing) || listing->questions == LIST_QUESTIONS_MAX)
        listing_finish(request, listing, at_end);
    else
        listing_ask(request, listing);
}

static void listing_ask(const struct api_request *request, struct listing *listing)
{
    struct message *question = message_new(ASK_ACCOUNTS);

    if (question) {
        question->account = listing->after;
        question->limit = listing->limit;
    }
    listing->questions++;
    api_ask(request, question,
            &(struct api_follow_up){
                .answered = listing_answered, .state = listing, .release = listing_free });
}

static struct listing *listing_new(const struct account_name *after, size_t limit)
{
    struct listing *listing = calloc(1, sizeof(*listing));
    if (!listing)
        return NULL;
    listing->after = *after;
    listing->limit = limit;
    listing->body = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);
    listing->object = json_writer_begin(&listing->body, '{');
    listing->accounts = json_put_nested(&listing->object, "accounts", '[');
    return listing;
}

void api_accounts(const struct api_request *request)
{
    const char *after_text = web_parameter(request->web, "after");
    const char *limit_text = web_parameter(request->web, "limit");
    struct account_name after = { "", "" };
    int64_t limit = WIRE_LIST_LIMIT_DEFAULT;

    if (!api_allowed(request, MAY_LIST))
        return;
    if (after_text && !text_to_account(after_text, &after)) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "after is no name of an account");
        return;
    }
    if (limit_text && !text_to_integer(limit_text, 1, WIRE_LIST_LIMIT_MAX, &limit)) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "limit must be a number from 1 to %d",
                   WIRE_LIST_LIMIT_MAX);
        return;
    }
    struct listing *listing = listing_new(&after, (size_t)limit);
    if (listing)
        listing_ask(request, listing);
    else
        api_refuse(request->web, WIRE_INTERNAL, NULL, "out of memory");
}

static void import_answered(const struct api_request *request, struct message *answer, void *state)
{
    count(request, "import", answer->row_count > 0 ? answer->rows[0].generation : 0);
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
    count(request, "forget", 0);
    api_answer_done(request, "forgotten");
}

void api_forget(const struct api_request *request)
{
    if (api_allowed(request, MAY_LOGOUT))
        api_ask(request, api_question(request, ASK_FORGET),
                &(struct api_follow_up){ .answered = forget_answered });
}
