#pragma once

/* A request to a provider as the client that it knows us as. */

#include "back/keeper.h"
#include "oauth/token_request.h"

/* What goes into one request as client_secret: the secret itself, an assertion that is signed now
 * (RFC 7523), or NULL where there is none, or a certificate stands for it (RFC 8705). The set-up's
 * endpoints are known. Returns 0 or -errno. */
int client_proof(const struct setup *setup, struct secret **ret);

/* Sends it, with the client's certificate where there is one, and releases it. Returns 0 or
 * -errno. */
int client_send(struct keeper *keeper, const struct setup *setup, struct token_request *request,
                http_done done, void *userdata, struct http_transfer **ret);

/* How long the reply asks us to rest (Retry-After), in ms, RETRY_AFTER_MAX_MS at most; 0: it does
 * not. */
int64_t client_rest_asked(const struct http_reply *reply);

/* True for a status that says "not now", so that the request was not looked at: 429, or 503 with
 * Retry-After. */
bool client_told_to_wait(const struct http_reply *reply);

/* What a person who logs in is told of such a reply to what was asked ("the code"). */
struct failure client_postponed(const struct http_reply *reply, const char *asked);

/* What a person is told whose login began before a reload took the provider's endpoint away, or
 * named another. */
struct failure client_lost_endpoint(void);

/* True when error is about the client itself (RFC 6749 5.2), whoever the request was for. */
bool client_is_refused(const char *error);

/* True when it says so of our credentials. Only that is held against the provider as a whole when a
 * person's login meets it: unauthorized_client may be about that person's tenant alone. */
bool client_proof_is_refused(const char *error);

/* What a person whose login meets that is told: it is the provider's configuration. */
struct failure client_refusal(const struct setup *setup, const char *error,
                              const char *description);
