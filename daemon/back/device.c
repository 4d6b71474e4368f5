#include "back/device.h"

#include <errno.h>
#include <string.h>

#include "back/client_call.h"
#include "back/lanes.h"
#include "base/log.h"

struct device_start {
    struct device_start *next;
    struct keeper *keeper;
    struct message *question;
    struct lane *lane;
    struct setup *setup; /* a reference, once the endpoints are known */
    struct lane_visit visit;
    struct http_transfer *transfer;
};

struct device_starts {
    struct keeper *keeper;
    struct device_start *first;
    size_t count;
};

int device_starts_new(struct keeper *keeper, struct device_starts **ret)
{
    struct device_starts *starts = calloc(1, sizeof *starts);
    if (!starts)
        return -ENOMEM;
    starts->keeper = keeper;
    *ret = starts;
    return 0;
}

static void end(struct device_start *start)
{
    struct device_starts *starts = start->keeper->device_starts;
    struct device_start **link = &starts->first;
    while (*link != start)
        link = &(*link)->next;
    *link = start->next;
    starts->count--;
    http_cancel(start->transfer);
    lane_leave(&start->visit);
    setup_unref(start->setup);
    message_free(start->question);
    free(start);
}

static void refuse(struct device_start *start, const struct failure *failure)
{
    keeper_refuse(start->keeper, start->question->id, failure);
    end(start);
}

struct device_starts *device_starts_free(struct device_starts *starts)
{
    if (!starts)
        return NULL;
    const struct failure failure =
        failure_make(WIRE_BUSY, 1, "the broker is stopping: log in again");
    while (starts->first)
        refuse(starts->first, &failure);
    free(starts);
    return NULL;
}

bool device_starts_busy(const struct device_starts *starts)
{
    return starts->first != NULL;
}

static struct failure why_not_begun(const struct device_start *start, int result,
                                    const struct complaint *why)
{
    const char *provider = start->question->account.provider;
    if (result < 0)
        return failure_make(WIRE_INTERNAL, 0, "memory is short: log in again");
    return failure_make(result == DEVICE_REFUSED ? WIRE_PROVIDER_REJECTED
                                                 : WIRE_PROVIDER_UNAVAILABLE,
                        0, "provider %s: %.180s", provider, why->text);
}

/* The provider did not look at it; nothing else is to be sent there for so long either. */
static void refuse_for_rest(struct device_start *start, const struct http_reply *http)
{
    lane_asked_to_rest(start->lane, client_rest_asked(http));
    const struct failure failure = client_postponed(http, "a device login");
    refuse(start, &failure);
}

static void take_reply(struct device_start *start, const struct http_reply *http)
{
    const struct token_answer answer = { .status = http->status,
                                         .body = http->body,
                                         .length = http->length,
                                         .content_type = http->content_type,
                                         .truncated = http->truncated };
    struct complaint why = { "" };
    struct message *reply = message_new(ANSWER);
    int r = reply ? DEVICE_NO_ANSWER : -ENOMEM;
    if (reply && http->outcome == HTTP_ANSWERED)
        r = device_authorization_read(&answer, &reply->device, &why);
    else
        complain(&why, "the device login cannot begin: %s", http->problem);
    if (r == 0) {
        keeper_answer(start->keeper, start->question->id, reply);
        end(start);
        return;
    }
    const struct failure failure = why_not_begun(start, r, &why);
    char name[ACCOUNT_TEXT_SIZE];
    log_warning("%s: %s", account_text(&start->question->account, name), failure.description);
    message_free(reply);
    refuse(start, &failure);
}

static void replied(void *userdata, const struct http_reply *http)
{
    struct device_start *start = userdata;
    start->transfer = NULL;
    if (client_told_to_wait(http))
        refuse_for_rest(start, http);
    else
        take_reply(start, http);
}

static int send_request(struct device_start *start)
{
    const struct device_request *asked = start->question->device_request;
    CLEANUP(cleanup_secret) struct secret *proof = NULL;
    struct token_request request = { 0 };
    int r = client_proof(start->setup, &proof);
    if (r == 0)
        r = token_request_device_authorization(start->setup->provider, proof, asked->scope,
                                               &asked->params, &request);
    return r != 0 ? r
                  : client_send(start->keeper, start->setup, &request, replied, start,
                                &start->transfer);
}

static void admitted(void *userdata, const struct failure *why)
{
    struct device_start *start = userdata;
    int r = why ? 0 : send_request(start);
    if (!why && r == 0)
        return;
    const struct failure failure = failure_make(WIRE_PROVIDER_UNAVAILABLE, 1,
                                                "the device login cannot begin: %s", strerror(-r));
    refuse(start, why ? why : &failure);
}

static void resolved(void *userdata, const struct failure *why)
{
    struct device_start *start = userdata;
    const char *name = start->question->account.provider;
    struct lane *lane = lanes_find(start->keeper->lanes, name);
    struct failure failure;
    if (why || !lane) {
        failure =
            failure_make(WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured any more", name);
        refuse(start, why ? why : &failure);
        return;
    }
    start->lane = lane;
    start->setup = setup_ref(lane_setup(lane));
    if (start->setup->provider->device_authorization_endpoint) {
        lane_visit(lane, &start->visit, admitted, start);
        return;
    }
    failure =
        failure_make(WIRE_BAD_REQUEST, 0, "provider %s has no device_authorization_endpoint", name);
    refuse(start, &failure);
}

void device_begin(struct keeper *keeper, struct message *question)
{
    CLEANUP(cleanup_message) struct message *owned = question;
    struct device_starts *starts = keeper->device_starts;
    struct lane *lane = lanes_find(keeper->lanes, question->account.provider);
    struct failure failure = failure_make(WIRE_BUSY, 1, "too many logins at once: try again");
    struct device_start *start = NULL;
    if (!lane)
        failure = failure_make(WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured",
                               question->account.provider);
    else if (starts->count < LOGINS_IN_BACK_MAX && !keeper->stopping)
        start = calloc(1, sizeof *start);
    if (!start) {
        keeper_refuse(keeper, question->id, &failure);
        return;
    }
    *start = (struct device_start){
        .next = starts->first, .keeper = keeper, .question = steal(owned), .lane = lane
    };
    starts->first = start;
    starts->count++;
    lane_resolve(lane, resolved, start);
}

bool device_cancel(struct keeper *keeper, uint64_t id)
{
    const struct failure failure = failure_make(WIRE_BUSY, 1, "nobody waits for it any more");
    struct device_start *start = keeper->device_starts->first;
    while (start && start->question->id != id)
        start = start->next;
    if (!start)
        return false;
    if (!start->setup)
        lane_unresolve(start->lane, start);
    refuse(start, &failure);
    return true;
}
