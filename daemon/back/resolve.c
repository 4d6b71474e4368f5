#include "back/resolve.h"

#include <errno.h>

#include "oauth/discovery.h"

struct resolve {
    struct keeper *keeper;
    struct setup *setup; /* a reference */
    resolve_done done;
    void *userdata;
    unsigned attempt;
    struct http_transfer *transfer;
    bool refused;               /* there was a document, and complaint says why it was no use */
    struct complaint complaint; /* else of the latest attempt */
};

bool resolve_is_needed(const struct setup *setup)
{
    const struct provider *provider = setup->provider;
    if (!provider->issuer)
        return false;
    const bool browser = provider->grant == GRANT_AUTHORIZATION_CODE;
    const bool device = provider->grant == GRANT_DEVICE_CODE;
    return !provider->token_endpoint || (browser && !provider->authorization_endpoint) ||
           (device && !provider->device_authorization_endpoint);
}

struct resolve *resolve_cancel(struct resolve *resolve)
{
    if (!resolve)
        return NULL;
    http_cancel(resolve->transfer);
    setup_unref(resolve->setup);
    free(resolve);
    return NULL;
}

static void finish(struct resolve *resolve, const struct failure *why)
{
    resolve_done done = resolve->done;
    void *userdata = resolve->userdata;
    resolve_cancel(resolve);
    done(userdata, why);
}

static int ask(struct resolve *resolve);

static void attempt_failed(struct resolve *resolve)
{
    resolve->attempt++;
    if (resolve->attempt < DISCOVERY_ATTEMPTS && ask(resolve) == 0)
        return;
    const struct failure failure =
        failure_make(WIRE_PROVIDER_UNAVAILABLE, 10, "discovery of provider %s failed: %.180s",
                     resolve->setup->provider->name, resolve->complaint.text);
    finish(resolve, &failure);
}

static void replied(void *userdata, const struct http_reply *reply)
{
    struct resolve *resolve = userdata;
    /* That there is no second document does not tell what the first one lacks. */
    struct complaint *complaint = resolve->refused ? NULL : &resolve->complaint;
    resolve->transfer = NULL;
    if (reply->outcome != HTTP_ANSWERED || reply->status != 200 || reply->truncated) {
        complain(complaint, "%s answered %d %s", resolve->setup->provider->issuer, reply->status,
                 reply->outcome == HTTP_ANSWERED ? "" : reply->problem);
        attempt_failed(resolve);
        return;
    }
    int r = discovery_apply(resolve->setup->provider, reply->body, reply->length, complaint);
    if (r != 0) {
        resolve->refused = true;
        attempt_failed(resolve);
        return;
    }
    resolve->setup->resolved = true;
    finish(resolve, NULL);
}

static int ask(struct resolve *resolve)
{
    const struct provider *provider = resolve->setup->provider;
    CLEANUP(cleanup_buffer) struct buffer url = BUFFER_WITH_MAXIMUM(DISCOVERY_URL_MAX);
    discovery_append_url(&url, provider->issuer, resolve->attempt);
    if (url.failed)
        return -E2BIG;
    const struct http_request request = {
        .method = "GET",
        .url = buffer_text(&url),
        .ca_file = provider->ca_file,
        .proxy = provider->proxy,
    };
    return http_send(resolve->keeper->http, &request, replied, resolve, &resolve->transfer);
}

int resolve_start(struct keeper *keeper, struct setup *setup, resolve_done done, void *userdata,
                  struct resolve **ret)
{
    struct resolve *resolve = calloc(1, sizeof *resolve);
    if (!resolve)
        return -ENOMEM;
    *resolve = (struct resolve){
        .keeper = keeper, .setup = setup_ref(setup), .done = done, .userdata = userdata
    };
    int r = ask(resolve);
    if (r != 0) {
        resolve_cancel(resolve);
        return r;
    }
    *ret = resolve;
    return 0;
}
