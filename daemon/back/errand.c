#include "back/errand.h"

#include <errno.h>
#include <string.h>

#include "back/client_call.h"
#include "back/lanes.h"
#include "base/log.h"

struct errand {
    struct errand *next;
    const struct errand_kind *kind;
    struct keeper *keeper;
    struct message *question;
    struct lane *lane;
    struct setup *setup; /* a reference, once the endpoints are known */
    struct lane_visit visit;
    struct http_transfer *transfer;
};

struct errands {
    struct keeper *keeper;
    struct errand *first;
};

int errands_new(struct keeper *keeper, struct errands **ret)
{
    struct errands *errands = calloc(1, sizeof *errands);
    if (!errands)
        return -ENOMEM;
    errands->keeper = keeper;
    *ret = errands;
    return 0;
}

static void end(struct errand *errand)
{
    struct errand **link = &errand->keeper->errands->first;
    while (*link != errand)
        link = &(*link)->next;
    *link = errand->next;
    lane_unresolve(errand->lane, errand);
    http_cancel(errand->transfer);
    lane_leave(&errand->visit);
    setup_unref(errand->setup);
    message_free(errand->question);
    free(errand);
}

const struct provider *errand_provider(const struct errand *errand)
{
    return errand->setup->provider;
}

void errand_answer(struct errand *errand, struct message *answer)
{
    keeper_answer(errand->keeper, errand->question->id, answer);
    end(errand);
}

static void refuse_quietly(struct errand *errand, const struct failure *failure)
{
    keeper_refuse(errand->keeper, errand->question->id, failure);
    end(errand);
}

void errand_refuse(struct errand *errand, const struct failure *failure)
{
    char name[ACCOUNT_TEXT_SIZE];
    log_warning("%s: %s failed: %s", account_text(&errand->question->account, name),
                errand->kind->what, failure->description);
    refuse_quietly(errand, failure);
}

void errand_refuse_client(struct errand *errand, const char *error, const char *description)
{
    const struct failure failure = client_refusal(errand->setup, error, description);
    if (client_proof_is_refused(error) && lane_setup(errand->lane) == errand->setup)
        lane_credentials_refused(errand->lane, NULL, error);
    errand_refuse(errand, &failure);
}

struct errands *errands_free(struct errands *errands)
{
    if (!errands)
        return NULL;
    const struct failure failure =
        failure_make(WIRE_BUSY, 1, "the broker is stopping: log in again");
    while (errands->first)
        refuse_quietly(errands->first, &failure);
    free(errands);
    return NULL;
}

bool errands_busy(const struct errands *errands)
{
    return errands->first != NULL;
}

static void replied(void *userdata, const struct http_reply *http)
{
    struct errand *errand = userdata;
    struct failure failure;
    errand->transfer = NULL;
    if (http->outcome == HTTP_ANSWERED && !client_told_to_wait(http)) {
        const struct token_answer answer = { .status = http->status,
                                             .body = http->body,
                                             .length = http->length,
                                             .content_type = http->content_type,
                                             .truncated = http->truncated };
        errand->kind->judge(errand, &answer);
        return;
    }
    lane_asked_to_rest(errand->lane, client_rest_asked(http));
    if (http->outcome == HTTP_ANSWERED)
        failure = client_postponed(http, errand->kind->what);
    else
        failure =
            failure_make(WIRE_PROVIDER_UNAVAILABLE, 0, "the provider did not answer %s (%.120s)",
                         errand->kind->what, http->problem);
    errand_refuse(errand, &failure);
}

static int send_request(struct errand *errand)
{
    CLEANUP(cleanup_secret) struct secret *proof = NULL;
    struct token_request request = { 0 };
    int r = client_proof(errand->setup, &proof);
    if (r == 0)
        r = errand->kind->make_request(errand->setup->provider, proof, errand->question, &request);
    return r != 0 ? r
                  : client_send(errand->keeper, errand->setup, &request, replied, errand,
                                &errand->transfer);
}

static void admitted(void *userdata, const struct failure *why)
{
    struct errand *errand = userdata;
    int r = why ? 0 : send_request(errand);
    if (!why && r == 0)
        return;
    const struct failure failure = failure_make(
        WIRE_PROVIDER_UNAVAILABLE, 1, "%s cannot be sent: %s", errand->kind->what, strerror(-r));
    errand_refuse(errand, why ? why : &failure);
}

static void resolved(void *userdata, const struct failure *why)
{
    struct errand *errand = userdata;
    const char *name = errand->question->account.provider;
    struct lane *lane = lanes_find(errand->keeper->lanes, name);
    struct failure failure =
        failure_make(WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured any more", name);
    if (why || !lane || !errand->kind->has_endpoint(lane_setup(lane)->provider, &failure)) {
        errand_refuse(errand, why ? why : &failure);
        return;
    }
    errand->lane = lane;
    errand->setup = setup_ref(lane_setup(lane));
    lane_visit(lane, &errand->visit, admitted, errand);
}

static size_t count(const struct errands *errands, const struct errand_kind *kind)
{
    size_t count = 0;
    for (const struct errand *errand = errands->first; errand; errand = errand->next)
        count += errand->kind == kind;
    return count;
}

void errand_begin(struct keeper *keeper, const struct errand_kind *kind, struct message *question)
{
    CLEANUP(cleanup_message) struct message *owned = question;
    struct lane *lane = lanes_find(keeper->lanes, question->account.provider);
    const bool room = count(keeper->errands, kind) < LOGINS_IN_BACK_MAX && !keeper->stopping;
    struct errand *errand = lane && room ? calloc(1, sizeof *errand) : NULL;
    if (!errand) {
        const struct failure failure =
            lane ? failure_make(WIRE_BUSY, 1, "too many logins at once: try again")
                 : failure_make(WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured",
                                question->account.provider);
        keeper_refuse(keeper, question->id, &failure);
        return;
    }
    *errand = (struct errand){ .next = keeper->errands->first,
                               .kind = kind,
                               .keeper = keeper,
                               .question = steal(owned),
                               .lane = lane };
    keeper->errands->first = errand;
    lane_resolve(lane, resolved, errand);
}

bool errand_cancel(struct keeper *keeper, uint64_t id)
{
    const struct failure failure = failure_make(WIRE_BUSY, 1, "nobody waits for it any more");
    struct errand *errand = keeper->errands->first;
    while (errand && errand->question->id != id)
        errand = errand->next;
    if (errand)
        refuse_quietly(errand, &failure);
    return errand != NULL;
}
