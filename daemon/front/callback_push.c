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

static void opening_free(struct opening *opening)
{
    struct login *login = logins_find(opening->callback->context->logins, opening->login_id);
    if (login && login->opening == opening)
        login->opening = NULL;
    deadlines_remove(opening->callback->context->deadlines, &opening->deadline);
    asks_cancel(opening->callback->context->asks, opening->ask);
    free(opening);
}

static void gone(void *userdata)
{
    opening_free(userdata);
}

/* The login is as it was: reloading the page tries again. */
static void answer_failed(const struct opening *opening, const struct failure *failure)
{
    struct login *login = logins_find(opening->callback->context->logins, opening->login_id);
    callback_answer_not_pushed(opening->request, login, failure->description);
}

static void expired(struct deadline *deadline)
{
    struct opening *opening = (struct opening *)deadline;
    const struct failure failure = { .description = "no answer came in time" };
    answer_failed(opening, &failure);
    opening_free(opening);
}

static void give_way(struct opening *opening)
{
    const struct failure failure = { .description = "it was opened again, and goes on there" };
    answer_failed(opening, &failure);
    opening_free(opening);
}

static void pushed(void *userdata, struct message *answer)
{
    struct opening *opening = userdata;
    struct login *login = logins_find(opening->callback->context->logins, opening->login_id);
    const struct failure odd = { .description = "memory is short" };
    opening->ask = 0;
    if (answer->failed)
        answer_failed(opening, &answer->failure);
    else if (login && login_take_pushed(login, answer) != 0)
        answer_failed(opening, &odd);
    else
        callback_enter(opening->request, login);
    opening_free(opening);
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
        give_way(login->opening);
    opening->callback = callback;
    opening->request = request;
    if (wait_for_push(opening, login) != 0) {
        opening_free(opening);
        callback_answer_busy(request);
        return;
    }
    login->opening = opening;
    web_set_userdata(request, opening);
    web_on_gone(request, gone);
}
