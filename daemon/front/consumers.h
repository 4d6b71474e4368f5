#pragma once

/*
 * Consumers: programs that speak HTTP only, such as Power BI, and so cannot come by the Unix
 * socket. Each has a section of the configuration, with a loopback address (which several may
 * share) and a key of its own, which is known here by its SHA-256 alone. Of the API they have GET
 * /v1/token/… and POST /v1/reject/…, with the same answers.
 *
 * The key comes in a header: `Authorization: Bearer KEY` or `X-Api-Key: KEY`; never in an address,
 * which would be logged. A browser is no consumer: a request with an Origin, or a Sec-Fetch-Site
 * other than none, is refused, and no answer has a CORS header, not even to a preflight. The Host
 * must be the address as configured, so that no other name leads here. All these refusals are the
 * same 403.
 */

#include "base/json.h"
#include "front/context.h"

enum {
    CONSUMERS_RETRY_MS = 15 * 1000, /* between tries to bind */
    CONSUMERS_CONNECTIONS_MAX = 128,
    CONSUMERS_CONNECTIONS_PER_UID_MAX = 96,
    CONSUMERS_TLS_CONNECTIONS_PER_UID_MAX = 12,
    CONSUMERS_TLS_CONNECTIONS_MAX = 16, /* all of them could begin a handshake in one turn */
    CONSUMERS_REQUEST_DEADLINE_S = 10,
    CONSUMERS_IDLE_S = 60,
    /* At one address without a right key; more are told to wait. A right key is served all the
     * same, else anybody on the machine could lock the consumers out. */
    CONSUMERS_FAILURES_MAX = 30,
    CONSUMERS_FAILURES_MS = 60 * 1000,
};

struct consumers;

/* Binds the addresses of the settings' consumers; that one cannot be bound is no failure. The
 * context's callback must be there, and go later. Returns 0 or -errno. */
int consumers_new(struct context *context, struct consumers **ret);

/* NULL is fine; returns NULL. */
struct consumers *consumers_free(struct consumers *consumers);

/* After a reload, and when a certificate came: holds the addresses that are asked for now, and lets
 * the others go, with their connections. Not within a handler. */
void consumers_update(struct consumers *consumers);

/* The state of each address, for health: the array "consumers" of writer; none where there are no
 * consumers. NULL is fine. */
void consumers_put_health(const struct consumers *consumers, struct json_writer *writer);
