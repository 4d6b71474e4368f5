/* /start/NONCE where the provider wants the request before the browser (RFC 9126): the browser
 * waits until it is pushed. Each opening pushes anew, as a request_uri is good once and briefly; a
 * login has one in the air, for the latest browser, and none when that has left. */

#include "front/callback_private.h"

#include <stdlib.h>
#include <string.h>

#include "front/asks.h"
#include "front/deadlines.h"
#include "front/login.h"

struct opening {
    struct deadline deadline;
    struct callback *callback;
    struct web_request *request;
    uint64_t ask;
    char login_id[LOGIN_ID_SIZE]; /* it may be over by then */
};

/* NULL: it is over, and forgotten. */
static struct login *login_of(const struct opening *opening)
{
    return logins_find(opening->callback->context->logins, opening->login_id);
}

/* Ends the wait; the request that is returned is the caller's to answer. */
static struct web_request *opening_end(struct opening *opening)
{
    struct web_request *request = opening->request;
    struct login *login = login_of(opening);
    if (login && login->opening == opening)
        login->opening = NULL;
    deadlines_remove(opening->callback->context->deadlines, &opening->deadline);
    asks_cancel(opening->callback->context->asks, opening->ask);
    free(opening);
    return request;
}

static void gone(void *userdata)
{
    (void)opening_end(userdata);
}

/* The login is as it was: reloading the page tries again. */
static void fail(struct opening *opening, const char *why)
{
    const struct login *login = login_of(opening);
    callback_answer_not_pushed(opening_end(opening), login, why);
}

static void expired(struct deadline *deadline)
{
    fail((struct opening *)deadline, "no answer came in time");
}

static void pushed(void *userdata, struct message *answer)
{
    struct opening *opening = userdata;
    struct login *login = login_of(opening);
    opening->ask = 0;
    if (answer->failed)
        fail(opening, answer->failure.description);
    else if (login && !login_ended(login) && login_take_pushed(login, answer) != 0)
        fail(opening, "memory is short");
    else
        callback_enter(opening_end(opening), login);
}

static int wait_for_push(struct opening *opening, struct login *login)
{
    struct context *context = opening->callback->context;
    struct message *question = NULL;
    memcpy(opening->login_id, login->id, sizeof opening->login_id);
    int r = login_push_question(login, &question);
    if (r == 0)
        r = asks_send_for(context->asks, login->uid, question, pushed, opening, &opening->ask);
    if (r == 0)
        r = deadlines_add(context->deadlines, &opening->deadline, login->uid, CALLBACK_PUSH_WAIT_MS,
                          expired);
    return r;
}

void callback_push(struct callback *callback, struct web_request *request, struct login *login)
{
    struct opening *opening = NULL;
    if (login->pushes >= LOGIN_PUSHES_MAX) {
        callback_answer_not_pushed(request, login, "it was opened too often: start a new login");
        return;
    }
    opening = calloc(1, sizeof *opening);
    if (!opening) {
        callback_answer_busy(request);
        return;
    }
    if (login->opening)
        fail(login->opening, "it was opened again, and goes on there");
    opening->callback = callback;
    opening->request = request;
    if (wait_for_push(opening, login) != 0) {
        callback_answer_busy(opening_end(opening));
        return;
    }
    login->opening = opening;
    web_set_userdata(request, opening);
    web_on_gone(request, gone);
}
