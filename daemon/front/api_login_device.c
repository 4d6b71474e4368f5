#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "front/api_ask.h"
#include "front/api_login.h"
#include "front/audit.h"

enum { MS_PER_S = 1000 };

static void answer_started(const struct api_request *request, const struct login *login,
                           const struct device_authorization *device)
{
    char account[ACCOUNT_TEXT_SIZE];
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(LOGIN_ANSWER_MAX);
    struct json_writer writer = json_writer_begin(&body, '{');
    json_put_string(&writer, "login_id", login->id);
    json_put_string(&writer, "account", account_text(&login->account, account));
    json_put_string(&writer, "user_code", device->user_code);
    json_put_string(&writer, "verification_uri", device->verification_uri);
    json_put_string(&writer, "verification_uri_complete", device->verification_uri_complete);
    json_put_integer(&writer, "interval", device->interval_ms / MS_PER_S);
    json_put_integer(&writer, "expires_in", device->lifetime_ms / MS_PER_S);
    json_writer_end(&writer);
    api_count(request, "login_started", 0);
    api_answer(request->web, &body);
}

static void on_device(const struct api_request *request, struct message *answer, void *state)
{
    CLEANUP(cleanup_starting) struct starting *starting = state;
    CLEANUP(cleanup_provider) struct provider *provider = NULL;
    const struct login_order order = login_order_of(request, starting);
    const struct provider *configured =
        settings_provider(request->context->settings, request->account.provider);
    struct login *login = NULL;
    int r = -ENOENT;
    starting->seat = login_seat_free(starting->seat);
    if (configured && answer->device)
        r = provider_copy(configured, &provider);
    if (r == 0)
        r = login_begin_device(request->context->logins, &order, steal(provider), answer->device,
                               &login);
    if (r == 0)
        answer_started(request, login, answer->device);
    else
        login_refuse(request, r == -EBUSY ? WIRE_BUSY : WIRE_INTERNAL, strerror(-r));
}

static struct message *make_question(const struct api_request *request,
                                     const struct starting *starting)
{
    CLEANUP(cleanup_message) struct message *question = api_question(request, ASK_DEVICE);
    struct device_request *device = question ? calloc(1, sizeof *device) : NULL;
    if (!device)
        return NULL;
    question->device_request = device;
    if ((starting->scope && !(device->scope = strdup(starting->scope))) ||
        parameters_copy(&starting->params, &device->params) != 0)
        return NULL;
    return steal(question);
}

void api_login_device(const struct api_request *request, struct starting *starting)
{
    struct message *question = make_question(request, starting);
    const struct api_follow_up then = {
        .answered = on_device,
        .cancels = true,
        .state = starting,
        .release = starting_release,
    };
    api_ask(request, question, &then);
}
