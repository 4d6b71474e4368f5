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
