#include "front/api_ask.h"

#include <stdio.h>

#include "base/json.h"
#include "front/account_json.h"
#include "front/asks.h"
#include "front/deadlines.h"
#include "front/link_url.h"

enum { DONE_BYTES_MAX = 256 };

struct pending {
    struct deadline deadline;
    struct api_request request; /* without `rest`, which ended with the handler's call */
    struct api_follow_up then;
    uint64_t ask;
};

static void release_state(const struct api_follow_up *then)
{
    if (then->release && then->state)
        then->release(then->state);
}

/* Ends the wait; the state is the caller's. */
static void pending_free(struct pending *pending)
{
    struct asks *asks = pending->request.context->asks;
    deadlines_remove(pending->request.context->deadlines, &pending->deadline);
    (pending->then.cancels ? asks_cancel : asks_forget)(asks, pending->ask);
    free(pending);
}

/* The address in out, or NULL where there is none or the peer may not have it. */
static const char *shown_link(const struct api_request *request, const struct account_name *account,
                              const char *token, struct buffer *out)
{
    if (!token || !*token || !link_may_be_shown(request->context, &request->asker, account))
        return NULL;
    return link_url(request->context, token, out);
}

/* The failure with the other account's name, for who may know it. */
static struct failure with_other(const struct api_request *request, const struct failure *failure)
{
    const struct context *context = request->context;
    struct failure told = *failure;
    char other[ACCOUNT_TEXT_SIZE];

    if (*failure->other.provider && access_allowed(context->settings, &context->access,
                                                   &request->asker, MAY_LIST, &failure->other))
        (void)snprintf(told.description, sizeof(told.description), "%.120s: %s",
                       failure->description, account_text(&failure->other, other));
    return told;
}

/* There is no answer: the reason is the failure. */
static void fail(const struct api_request *request, const struct api_follow_up *then,
                 const struct failure *failure)
{
    CLEANUP(cleanup_buffer) struct buffer url = BUFFER_WITH_MAXIMUM(LINK_URL_MAX);
    char account[ACCOUNT_TEXT_SIZE];

    if (then->also_failures) {
        then->answered(request, NULL, then->state);
        return;
    }
    release_state(then);
    const struct failure told = with_other(request, failure);
    api_fail(request->web, &told,
             request->has_account ? account_text(&request->account, account) : NULL,
             shown_link(request, &request->account, failure->link, &url));
}

static void pending_gone(void *userdata)
{
    struct pending *pending = userdata;

    release_state(&pending->then);
    pending_free(pending);
}

static void pending_expired(struct deadline *deadline)
{
    struct pending *pending = (struct pending *)deadline;
    const struct failure failure = {
        .error = WIRE_TIMEOUT,
        .description = "no answer in time; what was asked for may still happen",
    };

    asks_forget(pending->request.context->asks, pending->ask);
    fail(&pending->request, &pending->then, &failure);
    pending_free(pending);
}

/* The back knows no account of it; where no such provider is configured, that is the reason. */
static bool misses_provider(const struct api_request *request, const struct message *answer)
{
    return answer->failure.error == WIRE_UNKNOWN_ACCOUNT && request->has_account &&
           !settings_provider(request->context->settings, request->account.provider);
}

static void pending_answered(void *userdata, struct message *answer)
{
    struct pending *pending = userdata;
    const struct api_request *request = &pending->request;

    /* What is called now may ask again, and then has another pending. */
    if (!answer->failed || pending->then.also_failures) {
        pending->then.answered(request, answer, pending->then.state);
    } else if (misses_provider(request, answer)) {
        release_state(&pending->then);
        (void)api_provider_known(request);
    } else {
        fail(request, &pending->then, &answer->failure);
    }
    pending_free(pending);
}

/* Returns 0, ASKS_BUSY, ASKS_QUOTA or -ENOMEM; takes the question over. */
static int start(struct pending *pending, struct message *question, const struct context *context)
{
    int64_t wait_ms = pending->then.wait_ms ? pending->then.wait_ms : API_ASK_WAIT_MS;
    uid_t uid = asker_uid(&pending->request.asker);
    int r = deadlines_add(context->deadlines, &pending->deadline, uid, wait_ms, pending_expired);
    if (r) {
        message_free(question);
        return r == DEADLINES_FULL ? ASKS_BUSY : r == DEADLINES_QUOTA ? ASKS_QUOTA : r;
    }
    return asks_send_for(context->asks, uid, question, pending_answered, pending, &pending->ask);
}

void api_ask(const struct api_request *request, struct message *question,
             const struct api_follow_up *then)
{
    struct pending *pending = calloc(1, sizeof(*pending));
    struct failure failure = { .error = WIRE_INTERNAL, .description = "out of memory" };
    int r;

    if (!pending) {
        message_free(question);
        fail(request, then, &failure);
        return;
    }
    pending->request = *request;
    pending->request.rest = "";
    pending->then = *then;
    r = start(pending, question, request->context);
    if (r == 0) {
        web_set_userdata(request->web, pending);
        web_on_gone(request->web, pending_gone);
        return;
    }
    pending_free(pending);
    if (r == ASKS_BUSY)
        failure =
            (struct failure){ .error = WIRE_BUSY, .description = "too many requests are waiting" };
    if (r == ASKS_QUOTA)
        failure = (struct failure){ .error = WIRE_TOO_MANY_REQUESTS,
                                    .description = "too many requests of yours are waiting" };
    fail(request, then, &failure);
}

struct message *api_question(const struct api_request *request, enum message_kind kind)
{
    struct message *question = message_new(kind);
    if (question && request->has_account)
        question->account = request->account;
    return question;
}

bool api_provider_known(const struct api_request *request)
{
    char account[ACCOUNT_TEXT_SIZE];

    if (settings_provider(request->context->settings, request->account.provider))
        return true;
    api_refuse(request->web, WIRE_UNKNOWN_PROVIDER, account_text(&request->account, account),
               "no provider %s is configured", request->account.provider);
    return false;
}

void api_append_account(const struct api_request *request, struct buffer *out,
                        const struct account_row *row)
{
    CLEANUP(cleanup_buffer) struct buffer url = BUFFER_WITH_MAXIMUM(LINK_URL_MAX);
    const struct provider *provider =
        settings_provider(request->context->settings, row->name.provider);
    const char *token = row->link ? row->link->token : NULL;
    account_json_append(out, row, provider, shown_link(request, &row->name, token, &url));
}

void api_answer_account(const struct api_request *request, const struct message *answer)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);

    if (answer->row_count != 1) {
        api_refuse(request->web, WIRE_INTERNAL, NULL, "the store told of no account");
        return;
    }
    api_append_account(request, &body, &answer->rows[0]);
    api_answer(request->web, &body);
}

void api_answer_done(const struct api_request *request, const char *done)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(DONE_BYTES_MAX);
    struct json_writer writer = json_writer_begin(&body, '{');
    char account[ACCOUNT_TEXT_SIZE];

    if (request->has_account)
        json_put_string(&writer, "account", account_text(&request->account, account));
    json_put_boolean(&writer, done, true);
    json_writer_end(&writer);
    api_answer(request->web, &body);
}
