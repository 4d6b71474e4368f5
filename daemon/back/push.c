#include "back/push.h"

#include "back/client_call.h"
#include "back/errand.h"
#include "oauth/push_reply.h"

static bool has_endpoint(const struct provider *provider, struct failure *ret)
{
    *ret = client_lost_endpoint();
    return provider->pushed_authorization_request_endpoint != NULL;
}

static int make_request(const struct provider *provider, const struct secret *proof,
                        const struct message *question, struct token_request *ret)
{
    return token_request_push(provider, proof, question->parameters, ret);
}

static void tell(struct errand *errand, struct push_reply *reply)
{
    struct message *answer = message_new(ANSWER);
    if (answer) {
        answer->request_uri = steal(reply->request_uri);
        answer->request_uri_lifetime_ms = reply->lifetime_s * 1000;
    }
    errand_answer(errand, answer);
}

static void refuse(struct errand *errand, const struct push_reply *reply, int status)
{
    const struct failure failure =
        failure_make(status >= 500 ? WIRE_PROVIDER_UNAVAILABLE : WIRE_PROVIDER_REJECTED, 0,
                     "the provider did not take the authorization request (%s): %.150s",
                     reply->error, reply->description);
    if (client_is_refused(reply->error))
        errand_refuse_client(errand, reply->error, reply->description);
    else
        errand_refuse(errand, &failure);
}

static void judge(struct errand *errand, const struct token_answer *answer)
{
    struct push_reply reply = { 0 };
    if (push_reply_judge(answer, &reply) != 0)
        errand_answer(errand, NULL);
    else if (reply.request_uri)
        tell(errand, &reply);
    else
        refuse(errand, &reply, answer->status);
    push_reply_release(&reply);
}

void push_begin(struct keeper *keeper, struct message *question)
{
    static const struct errand_kind kind = {
        .what = "the authorization request",
        .has_endpoint = has_endpoint,
        .make_request = make_request,
        .judge = judge,
    };
    errand_begin(keeper, &kind, question);
}
