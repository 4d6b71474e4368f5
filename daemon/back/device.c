#include "back/device.h"

#include "back/errand.h"

static bool has_endpoint(const struct provider *provider, struct failure *ret)
{
    if (provider->device_authorization_endpoint)
        return true;
    *ret = failure_make(WIRE_BAD_REQUEST, 0, "provider %s has no device_authorization_endpoint",
                        provider->name);
    return false;
}

static int make_request(const struct provider *provider, const struct secret *proof,
                        const struct message *question, struct token_request *ret)
{
    const struct device_request *asked = question->device_request;
    return token_request_device_authorization(provider, proof, asked->scope, &asked->params, ret);
}

static void judge(struct errand *errand, const struct token_answer *answer)
{
    struct complaint why = { "" };
    CLEANUP(cleanup_message) struct message *codes = message_new(ANSWER);
    const int r = codes ? device_authorization_read(answer, &codes->device, &why) : 0;
    if (!codes || r < 0) {
        errand_answer(errand, NULL);
        return;
    }
    if (r == 0) {
        provider_audience(errand_provider(errand), codes->device->audience);
        errand_answer(errand, steal(codes));
        return;
    }
    const struct failure failure =
        failure_make(r == DEVICE_REFUSED ? WIRE_PROVIDER_REJECTED : WIRE_PROVIDER_UNAVAILABLE, 0,
                     "the provider gives no codes: %.180s", why.text);
    errand_refuse(errand, &failure);
}

void device_begin(struct keeper *keeper, struct message *question)
{
    static const struct errand_kind kind = {
        .what = "the device login",
        .has_endpoint = has_endpoint,
        .make_request = make_request,
        .judge = judge,
    };
    errand_begin(keeper, &kind, question);
}
