#pragma once

/* A request whose answer needs the back's: the question goes out, the request waits, bounded in
 * time and number; who hangs up is forgotten. */

#include "front/api.h"

enum { API_ASK_WAIT_MS = WIRE_WAIT_DEFAULT_S * 1000 };

/*
 * The back has answered: must answer request->web, or ask again with a copy of this request. answer
 * is a success (unless also_failures) and valid during the call. state is the callee's from now on.
 */
typedef void (*api_answered)(const struct api_request *request, struct message *answer,
                             void *state);

/* What happens then. */
struct api_follow_up {
    api_answered answered;
    /* Call answered also for a failure, and with an answer of NULL when none came in time or the
     * question could not be asked; else these are told to the client without it. */
    bool also_failures;
    bool cancels;    /* when nobody waits for the answer any more the back is told so */
    int64_t wait_ms; /* 0: API_ASK_WAIT_MS */
    void *state;     /* the handler's; may be NULL */
    void (*release)(void *state); /* called when answered never will be; may be NULL */
};

/* Takes over the question (NULL: memory was short) and the state. The request is answered now or
 * later. */
void api_ask(const struct api_request *request, struct message *question,
             const struct api_follow_up *then);

/* A question about the request's account (where it has one); NULL when memory is short. */
struct message *api_question(const struct api_request *request, enum message_kind kind);

/* True when the request's provider is configured; else it is answered. Only after api_allowed(). */
bool api_provider_known(const struct api_request *request);

/* Appends an account as JSON; with its link for who may have it. */
void api_append_account(const struct api_request *request, struct buffer *out,
                        const struct account_row *row);

/* Answers with the one account that the back told of. */
void api_answer_account(const struct api_request *request, const struct message *answer);

/* Answers {"account"?, done: true}. */
void api_answer_done(const struct api_request *request, const char *done);
