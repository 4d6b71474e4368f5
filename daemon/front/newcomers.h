#pragma once

/*
 * Requests under an access rule that holds for approved callers alone. A caller that is not
 * approved is noted by the back, which tells somebody; a request for a token waits meanwhile, for
 * as long as it says; any other is refused at once, with how to approve. Whatever goes wrong, it is
 * not served.
 */

#include "front/api.h"
#include "messages.h"

struct newcomers;

/* Uses the context's deadlines and asks; fills its access.approved. Returns 0 or -errno. */
int newcomers_new(struct context *context, struct newcomers **ret);

/* No request waits any more: the server is gone. NULL is fine; returns NULL. */
struct newcomers *newcomers_free(struct newcomers *newcomers);

/* Answers the request, which ACCESS_AWAITS under the rule, or gives it back to its handler, now or
 * later. */
void newcomers_ask(struct newcomers *newcomers, const struct api_request *request,
                   const struct access_rule *rule);

/* CALLERS, CALLER_REFUSED, and a NOTICE, which may stand for a lost one of them. */
void newcomers_take(struct newcomers *newcomers, struct message *letter);
void newcomers_take_refusal(struct newcomers *newcomers, const struct message *letter);
void newcomers_notice(struct newcomers *newcomers, const struct message *notice);

/* All who wait are told `busy`. */
void newcomers_stop(struct newcomers *newcomers);
