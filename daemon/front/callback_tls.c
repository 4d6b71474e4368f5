/* The certificate of the https listeners, and the authority that stands behind it. */

#include "front/callback_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { MS_PER_S = 1000 };

static void take_authority(struct callback *callback, struct message *letter)
{
    if (!letter->authority)
        return;
    free(callback->authority);
    callback->authority = steal(letter->authority);
    callback->authority_facts = letter->authority_facts;
}

/* Takes effect at the next handshake; who is connected stays so. */
static void take_certified(struct callback *callback, const struct certified *certified)
{
    if (!certified)
        return;
    int r = web_tls_set(callback->tls, certified->certificate, certified->key);
    if (r < 0) {
        log_error("the callback keeps its old certificate: %s", strerror(-r));
        return;
    }
    callback->certificate_until_s = certified->until_s;
}

void callback_take_certificate(struct callback *callback, struct message *letter)
{
    take_authority(callback, letter);
    take_certified(callback, letter->certified);
    callback_update(callback);
}

const char *callback_authority(const struct callback *callback,
                               const struct certificate_facts **ret_facts)
{
    *ret_facts = &callback->authority_facts;
    return callback->authority;
}

struct web_tls *callback_tls(const struct callback *callback)
{
    return callback->tls;
}

const char *callback_tls_problem(const struct callback *callback)
{
    if (!web_tls_ready(callback->tls))
        return LOOPBACK_NO_CERTIFICATE;
    if (callback->certificate_until_s <= clock_to_wall(clock_now()) / MS_PER_S)
        return "the certificate has expired";
    return NULL;
}
