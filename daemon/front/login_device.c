/* A login that is finished on another device (RFC 8628): the back polls, the login waits for it. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "front/asks.h"
#include "front/login.h"

static void on_polled(void *userdata, struct message *answer)
{
    login_take_answer(userdata, answer);
}

static int fill(const struct login *login, const struct device_authorization *device,
                struct message *question)
{
    question->account = login->account;
    question->exchange = calloc(1, sizeof *question->exchange);
    question->device = calloc(1, sizeof *question->device);
    if (!question->exchange || !question->device)
        return -ENOMEM;
    question->device->interval_ms = device->interval_ms;
    question->device->lifetime_ms = device->lifetime_ms;
    question->exchange->account_created_at = login->account_created_at;
    memcpy(question->exchange->audience, device->audience, sizeof device->audience);
    if (login->scope && !(question->exchange->scope = strdup(login->scope)))
        return -ENOMEM;
    return secret_copy(device->device_code, &question->device->device_code);
}

static int ask(struct login *login, const struct device_authorization *device)
{
    CLEANUP(cleanup_message) struct message *question = message_new(ASK_POLL);
    int r = question ? fill(login, device, question) : -ENOMEM;
    if (r < 0)
        return r;
    r = asks_send(logins_context(login->logins)->asks, steal(question), on_polled, login,
                  &login->ask);
    return r == ASKS_BUSY ? -EBUSY : r;
}

int login_begin_device(struct logins *logins, const struct login_order *order,
                       struct provider *provider, const struct device_authorization *device,
                       struct login **ret)
{
    struct login *login = NULL;
    int r = login_make_device(logins, order, provider, &login);
    if (r < 0)
        return r;
    logins_add(logins, login);
    r = ask(login, device);
    if (r < 0) {
        logins_remove(logins, login);
        return r;
    }
    *ret = login;
    return 0;
}

int login_cancel_device(const struct login *login)
{
    struct message *letter = message_new(TELL_CANCEL);
    if (letter)
        letter->id = login->ask;
    int r = asks_tell(logins_context(login->logins)->asks, letter);
    return r == ASKS_BUSY ? -EBUSY : r;
}
