#pragma once

/* What a login asks of the provider before its person comes there: one request, of whose answer
 * nothing is stored. */

#include "back/keeper.h"
#include "oauth/token_request.h"

struct errand;
struct errands;

/* What one sort has of its own; only ever static. */
struct errand_kind {
    const char *what; /* is asked for: "the device login" */
    /* True where the provider has the endpoint for it; else *ret says what is to be said. */
    bool (*has_endpoint)(const struct provider *provider, struct failure *ret);
    /* As the functions of oauth/token_request.h. */
    int (*make_request)(const struct provider *provider, const struct secret *proof,
                        const struct message *question, struct token_request *ret);
    /* The provider has looked at it: ends the errand with one of the two below. */
    void (*judge)(struct errand *errand, const struct token_answer *answer);
};

/* Returns 0 or -ENOMEM. */
int errands_new(struct keeper *keeper, struct errands **ret);
/* Ends what is on the wire; whoever waits is told. NULL is fine; returns NULL. */
struct errands *errands_free(struct errands *errands);

/* True while one is under way. */
bool errands_busy(const struct errands *errands);

/* Takes the question over and answers it, later. */
void errand_begin(struct keeper *keeper, const struct errand_kind *kind, struct message *question);

/* Ends the one with this question's id, and answers it; false: there is none. */
bool errand_cancel(struct keeper *keeper, uint64_t id);

/* For judge(): as it was when it was asked. */
const struct provider *errand_provider(const struct errand *errand);

/* For judge(): these end it. answer is taken over; NULL: memory was short for it. */
void errand_answer(struct errand *errand, struct message *answer);
void errand_refuse(struct errand *errand, const struct failure *failure);
/* And, before that, that the client's proof was refused: it is no fault of whoever logs in. */
void errand_refuse_client(struct errand *errand, const char *error, const char *description);
