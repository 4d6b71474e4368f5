#include "back/push.h"

#include <errno.h>
#include <string.h>

#include "back/client_call.h"
#include "back/lanes.h"
#include "base/log.h"
#include "oauth/push_reply.h"

struct push {
    struct push *next;
    struct keeper *keeper;
    struct message *question;
    struct lane *lane;
    struct setup *setup; /* once the endpoints are known */
    struct lane_visit visit;
    struct http_transfer *transfer;
};

struct pushes {
    struct keeper *keeper;
    struct push *first;
    size_t count;
};

int pushes_new(struct keeper *keeper, struct pushes **ret)
{
    struct pushes *pushes = calloc(1, sizeof *pushes);
    if (!pushes)
        return -ENOMEM;
    pushes->keeper = keeper;
    *ret = pushes;
    return 0;
}

static void end(struct push *push)
{
    struct pushes *pushes = push->keeper->pushes;
    struct push **link = &pushes->first;
    while (*link != push)
        link = &(*link)->next;
    *link = push->next;
    pushes->count--;
    http_cancel(push->transfer);
    lane_leave(&push->visit);
    setup_unref(push->setup);
    message_free(push->question);
    free(push);
}

struct pushes *pushes_free(struct pushes *pushes)
{
    if (!pushes)
        return NULL;
    const struct failure failure = failure_make(WIRE_BUSY, 1, "the broker is stopping: try again");
    while (pushes->first) {
        keeper_refuse(pushes->keeper, pushes->first->question->id, &failure);
        end(pushes->first);
    }
    free(pushes);
    return NULL;
}

bool pushes_busy(const struct pushes *pushes)
{
    return pushes->first != NULL;
}

static void refuse(struct push *push, const struct failure *failure)
{
    char name[ACCOUNT_TEXT_SIZE];
    log_warning("%s: the authorization request could not be pushed: %s",
                account_text(&push->question->account, name), failure->description);
    keeper_refuse(push->keeper, push->question->id, failure);
    end(push);
}

static void refuse_with(struct push *push, enum wire_error error, int64_t retry_after_s,
                        const char *text)
{
    const struct failure failure = failure_make(error, retry_after_s, "%s", text);
    refuse(push, &failure);
}

static void tell(struct push *push, struct push_reply *reply)
{
    struct message *answer = message_new(ANSWER);
    if (!answer) {
        refuse_with(push, WIRE_BUSY, 1, "memory is short: try again");
        return;
    }
    answer->request_uri = steal(reply->request_uri);
    answer->request_uri_lifetime_ms = reply->lifetime_s * 1000;
    keeper_answer(push->keeper, push->question->id, answer);
    end(push);
}

static void refuse_by_reply(struct push *push, const struct push_reply *reply, int status)
{
    if (client_is_refused(reply->error)) {
        const struct failure failure =
            client_refusal(push->setup, reply->error, reply->description);
        if (client_proof_is_refused(reply->error) && lane_setup(push->lane) == push->setup)
            lane_credentials_refused(push->lane, NULL, reply->error);
        refuse(push, &failure);
        return;
    }
    const struct failure failure =
        failure_make(status >= 500 ? WIRE_PROVIDER_UNAVAILABLE : WIRE_PROVIDER_REJECTED, 0,
                     "the provider did not take the authorization request (%s): %.150s",
                     reply->error, reply->description);
    refuse(push, &failure);
}

static void judge(struct push *push, const struct http_reply *http)
{
    const struct token_answer answer = { .status = http->status,
                                         .body = http->body,
                                         .length = http->length,
                                         .content_type = http->content_type,
                                         .truncated = http->truncated };
    struct push_reply reply = { 0 };
    if (push_reply_judge(&answer, &reply) != 0)
        refuse_with(push, WIRE_BUSY, 1, "memory is short: try again");
    else if (reply.request_uri)
        tell(push, &reply);
    else
        refuse_by_reply(push, &reply, http->status);
    push_reply_release(&reply);
}

static void replied(void *userdata, const struct http_reply *http)
{
    struct push *push = userdata;
    struct failure failure;
    push->transfer = NULL;
    if (http->outcome == HTTP_ANSWERED && !client_told_to_wait(http)) {
        judge(push, http);
        return;
    }
    lane_asked_to_rest(push->lane, client_rest_asked(http));
    if (http->outcome == HTTP_ANSWERED)
        failure = failure_make(WIRE_PROVIDER_UNAVAILABLE, client_rest_asked(http) / 1000,
                               "the provider is too busy for the authorization request (%d)",
                               http->status);
    else
        failure = failure_make(WIRE_PROVIDER_UNAVAILABLE, 0,
                               "the provider did not answer the authorization request (%.120s)",
                               http->problem);
    refuse(push, &failure);
}

static int send_request(struct push *push)
{
    CLEANUP(cleanup_secret) struct secret *proof = NULL;
    struct token_request request = { 0 };
    int r = client_proof(push->setup, &proof);
    if (r == 0)
        r = token_request_push(push->setup->provider, proof, push->question->parameters, &request);
    if (r != 0)
        return r;
    return client_send(push->keeper, push->setup, &request, replied, push, &push->transfer);
}

static void admitted(void *userdata, const struct failure *why)
{
    struct push *push = userdata;
    int r = why ? 0 : send_request(push);
    if (why)
        refuse(push, why);
    else if (r != 0)
        refuse_with(push, WIRE_PROVIDER_UNAVAILABLE, 1, strerror(-r));
}

static void resolved(void *userdata, const struct failure *why)
{
    struct push *push = userdata;
    struct lane *lane = lanes_find(push->keeper->lanes, push->question->account.provider);
    if (why) {
        refuse(push, why);
        return;
    }
    if (!lane || !lane_setup(lane)->provider->pushed_authorization_request_endpoint) {
        refuse_with(push, WIRE_BUSY, 0,
                    "the provider's configuration has changed: start the login again");
        return;
    }
    push->lane = lane;
    push->setup = setup_ref(lane_setup(lane));
    lane_visit(lane, &push->visit, admitted, push);
}

void push_begin(struct keeper *keeper, struct message *question)
{
    struct pushes *pushes = keeper->pushes;
    struct lane *lane = lanes_find(keeper->lanes, question->account.provider);
    const bool room = pushes->count < LOGINS_IN_BACK_MAX && !keeper->stopping;
    struct push *push = lane && room && question->parameters ? calloc(1, sizeof *push) : NULL;
    if (!push) {
        const struct failure failure =
            lane ? failure_make(WIRE_BUSY, 1, "too many logins at once: try again")
                 : failure_make(WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured",
                                question->account.provider);
        keeper_refuse(keeper, question->id, &failure);
        message_free(question);
        return;
    }
    *push = (struct push){
        .keeper = keeper, .question = question, .lane = lane, .next = pushes->first
    };
    pushes->first = push;
    pushes->count++;
    lane_resolve(lane, resolved, push);
}

bool push_cancel(struct keeper *keeper, uint64_t id)
{
    const struct failure failure = failure_make(WIRE_BUSY, 1, "nobody waits for it any more");
    struct push *push = keeper->pushes->first;
    while (push && push->question->id != id)
        push = push->next;
    if (!push)
        return false;
    if (!push->setup)
        lane_unresolve(push->lane, push);
    keeper_refuse(keeper, id, &failure);
    end(push);
    return true;
}
