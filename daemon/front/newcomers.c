#include "front/newcomers.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "front/api_ask.h"
#include "front/api_path.h"
#include "front/deadlines.h"

enum { MS_PER_S = 1000, NOTE_WAIT_MS = 10 * MS_PER_S, WHO_TEXT_SIZE = CALLER_UNIT_SIZE + 64 };

static_assert((int)CALLER_RULE_SIZE > (int)RULE_NAME_MAX, "a rule's name is kept whole");
static_assert((int)CALLER_UNIT_SIZE >= (int)PEER_UNIT_SIZE, "so is a unit's");

/* A request whose caller is not approved. */
struct waiting {
    struct deadline deadline;
    struct waiting *next, *previous;
    struct newcomers *newcomers;
    struct api_request request; /* once it waits in the list */
    struct caller_row caller;
    int64_t until; /* broker time */
};

struct newcomers {
    struct context *context;
    struct waiting *first;
};

int newcomers_new(struct context *context, struct newcomers **ret)
{
    struct newcomers *newcomers = calloc(1, sizeof(*newcomers));
    if (!newcomers)
        return -ENOMEM;
    newcomers->context = context;
    *ret = newcomers;
    return 0;
}

/* Takes it out of the list and frees it. */
static void waiting_end(struct waiting *waiting)
{
    struct newcomers *newcomers = waiting->newcomers;

    *(waiting->previous ? &waiting->previous->next : &newcomers->first) = waiting->next;
    if (waiting->next)
        waiting->next->previous = waiting->previous;
    deadlines_remove(newcomers->context->deadlines, &waiting->deadline);
    free(waiting);
}

struct newcomers *newcomers_free(struct newcomers *newcomers)
{
    if (!newcomers)
        return NULL;
    while (newcomers->first)
        waiting_end(newcomers->first);
    approvals_set(&newcomers->context->access.approved, NULL, 0);
    free(newcomers);
    return NULL;
}

/* --- what a client is told --- */

static const char *who_text(const struct caller_row *caller, char out[static WHO_TEXT_SIZE])
{
    (void)snprintf(out, WHO_TEXT_SIZE, "uid %u%s%s%s", (unsigned)caller->uid,
                   *caller->unit ? " (" : "", caller->unit, *caller->unit ? ")" : "");
    return out;
}

static void refuse_waiting(const struct api_request *request, const struct caller_row *caller)
{
    char who[WHO_TEXT_SIZE];

    api_forbid(request,
               "%s waits for approval under access rule \"%s\": an admin runs `tokenbroker approve "
               "%lld`",
               who_text(caller, who), caller->rule, (long long)caller->id);
}

static void refuse_refused(const struct api_request *request, const struct caller_row *caller)
{
    char who[WHO_TEXT_SIZE];

    api_forbid(request,
               "the program on_caller did not approve %s under access rule \"%s\"; an admin may: "
               "`tokenbroker approve %lld`",
               who_text(caller, who), caller->rule, (long long)caller->id);
}

/* --- those who wait --- */

static bool is_approved(const struct newcomers *newcomers, const struct caller_row *caller)
{
    return approvals_have(&newcomers->context->access.approved, caller->rule, caller->uid,
                          caller->unit);
}

static void waiting_gone(void *userdata)
{
    waiting_end(userdata);
}

static void waiting_expired(struct deadline *deadline)
{
    struct waiting *waiting = (struct waiting *)deadline;
    struct api_request request = waiting->request;
    struct caller_row caller = waiting->caller;

    waiting_end(waiting);
    refuse_waiting(&request, &caller);
}

/* Takes waiting over; the request is answered where it cannot wait. */
static void wait_in_list(struct waiting *waiting, const struct api_request *request)
{
    struct newcomers *newcomers = waiting->newcomers;
    int r =
        deadlines_add(newcomers->context->deadlines, &waiting->deadline, asker_uid(&request->asker),
                      waiting->until - clock_now(), waiting_expired);
    if (r) {
        free(waiting);
        api_refuse(request->web,
                   r == DEADLINES_QUOTA ? WIRE_TOO_MANY_REQUESTS
                   : r < 0              ? WIRE_INTERNAL
                                        : WIRE_BUSY,
                   NULL, r < 0 ? "out of memory" : "too many requests are waiting");
        return;
    }
    waiting->request = *request;
    waiting->next = newcomers->first;
    if (newcomers->first)
        newcomers->first->previous = waiting;
    newcomers->first = waiting;
    web_set_userdata(request->web, waiting);
    web_on_gone(request->web, waiting_gone);
}

/* The back has noted the caller, or knows it as approved, which it told before this answer. */
static void noted(const struct api_request *request, struct message *answer, void *state)
{
    struct waiting *waiting = state;
    const bool may_wait = request->handler == api_token && waiting->until > clock_now();
    const bool approved = is_approved(waiting->newcomers, &waiting->caller);
    struct caller_row *caller = answer->caller_count == 1 ? &answer->callers[0] : NULL;

    if (caller && caller->approved_at == 0 && may_wait) {
        waiting->caller = *caller;
        wait_in_list(waiting, request);
        return;
    }
    free(waiting);
    if (caller && caller->approved_at == 0)
        refuse_waiting(request, caller);
    else if (approved && request->handler == api_token)
        api_token(request);
    else
        api_refuse(request->web, WIRE_BUSY, NULL, "approvals are being read: ask again");
}

/* --- who asks --- */

/* How long a request is ready to wait; the handler says it where that is no number. */
static int64_t wait_of(const struct api_request *request)
{
    const char *text = web_parameter(request->web, "wait");
    int64_t wait_s = WIRE_WAIT_DEFAULT_S;

    if (request->handler != api_token)
        return 0;
    if (text)
        (void)text_to_integer(text, 0, WIRE_WAIT_MAX_S, &wait_s);
    int64_t wait_ms = wait_s * MS_PER_S, most = request->context->wait_max_ms;
    return wait_ms < most ? wait_ms : most;
}

static struct waiting *waiting_new(struct newcomers *newcomers, const struct api_request *request,
                                   const struct access_rule *rule)
{
    struct waiting *waiting = calloc(1, sizeof(*waiting));
    if (!waiting)
        return NULL;
    struct caller_row *caller = &waiting->caller;

    waiting->newcomers = newcomers;
    waiting->until = clock_now() + wait_of(request);
    caller->uid = asker_uid(&request->asker);
    (void)snprintf(caller->rule, sizeof(caller->rule), "%s", rule->name);
    (void)snprintf(caller->unit, sizeof(caller->unit), "%s",
                   access_caller_unit(&request->asker.peer));
    if (request->has_account)
        account_text(&request->account, caller->account);
    return waiting;
}

void newcomers_ask(struct newcomers *newcomers, const struct api_request *request,
                   const struct access_rule *rule)
{
    struct waiting *waiting = waiting_new(newcomers, request, rule);
    CLEANUP(cleanup_message) struct message *question = message_new(ASK_CALLER);

    if (question)
        question->callers = calloc(1, sizeof(*question->callers));
    if (!waiting || !question || !question->callers) {
        free(waiting);
        api_refuse(request->web, WIRE_INTERNAL, NULL, "out of memory");
        return;
    }
    question->callers[0] = waiting->caller;
    question->caller_count = 1;
    api_ask(request, steal(question),
            &(struct api_follow_up){
                .answered = noted, .wait_ms = NOTE_WAIT_MS, .state = waiting, .release = free });
}

/* --- what the back says --- */

/* Answering one may bring the next one in, or find a client gone, before it returns: so the search
 * begins anew after each. */
static struct waiting *find(struct newcomers *newcomers,
                            bool (*fits)(const struct waiting *waiting, int64_t id), int64_t id)
{
    for (struct waiting *one = newcomers->first; one; one = one->next)
        if (fits(one, id))
            return one;
    return NULL;
}

static bool has_come_true(const struct waiting *waiting, int64_t id)
{
    (void)id;
    return is_approved(waiting->newcomers, &waiting->caller);
}

static bool has_id(const struct waiting *waiting, int64_t id)
{
    return waiting->caller.id == id;
}

static bool is_any(const struct waiting *waiting, int64_t id)
{
    (void)waiting;
    (void)id;
    return true;
}

void newcomers_take(struct newcomers *newcomers, struct message *letter)
{
    struct waiting *waiting;

    approvals_set(&newcomers->context->access.approved, steal(letter->callers),
                  letter->caller_count);
    while ((waiting = find(newcomers, has_come_true, 0))) {
        struct api_request request = waiting->request;
        waiting_end(waiting);
        web_on_gone(request.web, NULL);
        api_token(&request);
    }
}

void newcomers_take_refusal(struct newcomers *newcomers, const struct message *letter)
{
    struct waiting *waiting;

    while ((waiting = find(newcomers, has_id, letter->caller_id))) {
        struct api_request request = waiting->request;
        struct caller_row caller = waiting->caller;
        waiting_end(waiting);
        refuse_refused(&request, &caller);
    }
}

void newcomers_notice(struct newcomers *newcomers, const struct message *notice)
{
    /* What was told may have been lost with the rest: nobody is approved until it is told again. */
    if (!*notice->account.provider)
        approvals_set(&newcomers->context->access.approved, NULL, 0);
}

void newcomers_stop(struct newcomers *newcomers)
{
    struct waiting *waiting;

    while ((waiting = find(newcomers, is_any, 0))) {
        struct web_request *web = waiting->request.web;
        waiting_end(waiting);
        api_refuse(web, WIRE_BUSY, NULL, "the broker is stopping");
    }
}
