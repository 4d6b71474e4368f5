#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "front/api_ask.h"
#include "front/api_body.h"
#include "front/api_login.h"
#include "front/api_order.h"
#include "front/audit.h"
#include "front/callback.h"

struct starting *starting_free(struct starting *starting)
{
    if (!starting)
        return NULL;
    login_seat_free(starting->seat);
    parameters_release(&starting->params);
    free(starting->scope);
    free(starting);
    return NULL;
}

void starting_release(void *starting)
{
    starting_free(starting);
}

void login_refuse(const struct api_request *request, enum wire_error error, const char *text)
{
    char account[ACCOUNT_TEXT_SIZE];
    api_refuse(request->web, error, account_text(&request->account, account), "%s", text);
}

struct login_order login_order_of(const struct api_request *request,
                                  const struct starting *starting)
{
    return (struct login_order){
        .uid = asker_uid(&request->asker),
        .unit = request->asker.peer.unit, /* consumers log nobody in */
        .account = &request->account,
        .account_created_at = starting->account_created_at,
        .mode = starting->mode,
        .own_browser = starting->own_browser,
        .scope = starting->scope,
        .params = &starting->params,
    };
}

/* --- the body --- */

struct reading {
    struct starting *starting;
    struct complaint *complaint;
    int result;
};

static bool refuse_body(struct reading *reading, const char *format, const char *word)
{
    /* The word is a member's name from outside: it is only ever an argument. */
    complain(reading->complaint, "%s \"%.64s\"", format, word);
    reading->result = JSON_INVALID;
    return false;
}

static const char *const mode_names[] = {
    [LOGIN_BROWSER] = "browser", [LOGIN_PASTE] = "paste", [LOGIN_DEVICE] = "device"
};

static int read_mode(struct reading *reading, const struct json *member)
{
    const char *mode = json_string(member);
    if (json_kind(member) == JSON_ABSENT)
        return 0;
    for (size_t i = 0; mode && i < sizeof mode_names / sizeof mode_names[0]; i++) {
        if (strcmp(mode, mode_names[i]) != 0)
            continue;
        reading->starting->mode_given = true;
        reading->starting->mode = (enum login_mode)i;
        return reading->result;
    }
    refuse_body(reading, "\"browser\", \"paste\" or \"device\" is wanted as", "mode");
    return reading->result;
}

/* NULL when the request was answered. */
static struct starting *read_body(const struct api_request *request)
{
    static const char *const known[] = { "mode", "own_browser", "scope", "params", NULL };
    CLEANUP(cleanup_json) struct json *body = api_body(request, known);
    if (!body)
        return NULL;
    CLEANUP(cleanup_starting) struct starting *starting = calloc(1, sizeof *starting);
    struct complaint complaint = { "" };
    struct reading reading = { starting, &complaint, starting ? 0 : -ENOMEM };
    if (starting && !api_body_flag(request, body, "own_browser", &starting->own_browser))
        return NULL;
    if (reading.result == 0)
        reading.result = read_mode(&reading, json_member(body, "mode"));
    if (reading.result == 0)
        reading.result = order_read_scope(body, &starting->scope, &complaint);
    if (reading.result == 0)
        reading.result = order_read_params(body, &starting->params, &complaint);
    if (reading.result == 0)
        return steal(starting);
    bool invalid = reading.result == JSON_INVALID;
    login_refuse(request, invalid ? WIRE_BAD_REQUEST : WIRE_INTERNAL,
                 invalid ? complaint.text : "out of memory");
    return NULL;
}

/* --- what may begin --- */

/* Answers and returns false when this provider's consent is not given by a person. */
static bool check_grant(const struct api_request *request, const struct provider *provider)
{
    if (provider->grant == GRANT_DEVICE_CODE ||
        (provider->grant == GRANT_AUTHORIZATION_CODE && provider->redirect_uri))
        return true;
    login_refuse(request, WIRE_BAD_REQUEST,
                 provider->grant == GRANT_CLIENT_CREDENTIALS
                     ? "this provider needs no login, since its grant is client_credentials: ask "
                       "for a token"
                     : "this provider does not use a login in the browser: its grant is not "
                       "authorization_code");
    return false;
}

/* What an issuer may still tell is not missing. */
static bool may_have_device(const struct provider *provider)
{
    return provider->device_authorization_endpoint || provider->issuer;
}

/* Why the mode is none for this provider; false when it is fine. */
static bool mode_problem(const struct starting *starting, const struct provider *provider,
                         enum callback_reach reach, struct complaint *ret)
{
    if (starting->mode == LOGIN_DEVICE && !may_have_device(provider))
        complain(ret, "provider %s has no device_authorization_endpoint: use mode \"browser\"",
                 provider->name);
    else if (starting->mode != LOGIN_DEVICE && provider->grant == GRANT_DEVICE_CODE)
        complain(ret, "the grant of provider %s is device_code: use mode \"device\"",
                 provider->name);
    else if (starting->mode == LOGIN_BROWSER && reach != CALLBACK_OURS)
        complain(ret,
                 "the redirect URI %s is no callback address of this broker: use mode \"paste\"",
                 provider->redirect_uri);
    else
        return false;
    return true;
}

/* Settles the mode; answers and returns false when it cannot be served. */
static bool settle_mode(const struct api_request *request, struct starting *starting,
                        const struct provider *provider)
{
    const bool by_device = provider->grant == GRANT_DEVICE_CODE;
    const enum callback_reach reach =
        by_device ? CALLBACK_ELSEWHERE
                  : callback_reach(request->context->callback, provider->redirect_uri);
    struct complaint complaint;
    if (!starting->mode_given)
        starting->mode = by_device                     ? LOGIN_DEVICE
                         : reach == CALLBACK_ELSEWHERE ? LOGIN_PASTE
                                                       : LOGIN_BROWSER;
    if (!mode_problem(starting, provider, reach, &complaint))
        return true;
    login_refuse(request, WIRE_BAD_REQUEST, complaint.text);
    return false;
}

static bool take_seat(const struct api_request *request, struct starting *starting)
{
    struct complaint complaint;
    int r = logins_take_seat(request->context->logins, asker_uid(&request->asker), &starting->seat);
    if (r == LOGINS_QUOTA)
        complain(&complaint, "uid %u has %d logins under way: finish or cancel one",
                 (unsigned)asker_uid(&request->asker), LOGINS_PER_UID_MAX);
    else if (r == LOGINS_FULL)
        complain(&complaint, "%d logins are under way, which is the most there can be", LOGINS_MAX);
    else if (r)
        complain(&complaint, "out of memory");
    if (r)
        login_refuse(request,
                     r == LOGINS_QUOTA  ? WIRE_TOO_MANY_REQUESTS
                     : r == LOGINS_FULL ? WIRE_BUSY
                                        : WIRE_INTERNAL,
                     complaint.text);
    return r == 0;
}

/* --- the answer --- */

static void answer_started(const struct api_request *request, const struct login *login)
{
    char account[ACCOUNT_TEXT_SIZE];
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(LOGIN_ANSWER_MAX);
    struct json_writer writer = json_writer_begin(&body, '{');
    json_put_string(&writer, "login_id", login->id);
    json_put_string(&writer, "account", account_text(&login->account, account));
    json_put_secret(&writer, "start_url", login->start_url);
    json_put_secret(&writer, "authorize_url", login->authorize_url);
    if (login->authorize_url_lifetime_ms > 0)
        json_put_integer(&writer, "authorize_url_expires_in",
                         login->authorize_url_lifetime_ms / 1000);
    json_put_integer(&writer, "expires_in", LOGIN_LIFETIME_MS / 1000);
    json_put_string(&writer, "redirect_uri", login->provider->redirect_uri);
    if (login->provider->device_authorization_endpoint)
        json_put_boolean(&writer, "device", true);
    json_writer_end(&writer);
    api_count(request, "login_started", 0);
    api_answer(request->web, &body);
}

/* A login in the browser needs its callback address at once. */
static bool hold(const struct api_request *request, struct login *login)
{
    struct complaint complaint = { "" };
    struct context *context = request->context;
    if (login->mode != LOGIN_BROWSER ||
        callback_hold(context->callback, login->provider->redirect_uri, &complaint) == 0)
        return true;
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(2 * COMPLAINT_MAX);
    buffer_append_format(&text, "%s; free the port, or use mode \"paste\"", complaint.text);
    logins_remove(context->logins, login);
    login_refuse(request, WIRE_BUSY, buffer_text(&text));
    return false;
}

/* --- a request that is pushed before it can be pasted --- */

struct pushing {
    struct logins *logins;
    char login_id[LOGIN_ID_SIZE];
};

/* Nobody hears of the login: it ends before it began. */
static void release_pushing(void *state)
{
    struct pushing *pushing = state;
    struct login *login = logins_find(pushing->logins, pushing->login_id);
    if (login)
        logins_remove(pushing->logins, login);
    free(pushing);
}

static void on_pushed(const struct api_request *request, struct message *answer, void *state)
{
    struct pushing *pushing = state;
    struct login *login = logins_find(pushing->logins, pushing->login_id);
    const bool over = !login || login_ended(login);
    if (!over && login_take_pushed(login, answer) == 0) {
        answer_started(request, login);
        free(pushing);
        return;
    }
    login_refuse(request, WIRE_INTERNAL, over ? "the login is over already" : "out of memory");
    release_pushing(pushing);
}

static void push(const struct api_request *request, struct login *login)
{
    struct message *question = NULL;
    struct pushing *pushing = malloc(sizeof *pushing);
    if (!pushing) {
        logins_remove(request->context->logins, login);
        login_refuse(request, WIRE_INTERNAL, "out of memory");
        return;
    }
    pushing->logins = request->context->logins;
    memcpy(pushing->login_id, login->id, sizeof pushing->login_id);
    (void)login_push_question(login, &question); /* without a question: api_ask() says so */
    struct api_follow_up then = {
        .answered = on_pushed,
        .cancels = true,
        .state = pushing,
        .release = release_pushing,
    };
    api_ask(request, question, &then);
}

/* In the browser it is pushed when the start address is opened: its address is short-lived. */
static void begin_at_provider(const struct api_request *request, struct login *login)
{
    if (login->mode == LOGIN_PASTE && login_is_pushed(login))
        push(request, login);
    else
        answer_started(request, login);
}

static void on_provider(const struct api_request *request, struct message *answer, void *state)
{
    CLEANUP(cleanup_starting) struct starting *starting = state;
    struct complaint complaint = { "the provider's endpoints are not known" };
    if (!answer->provider) {
        login_refuse(request, WIRE_INTERNAL, complaint.text);
        return;
    }
    if (!check_grant(request, answer->provider) ||
        !settle_mode(request, starting, answer->provider))
        return;
    starting->account_created_at = answer->account_created_at;
    if (starting->mode == LOGIN_DEVICE) {
        api_login_device(request, steal(starting));
        return;
    }
    struct login *login = NULL;
    const struct login_order order = login_order_of(request, starting);
    starting->seat = login_seat_free(starting->seat);
    int r =
        login_begin(request->context->logins, &order, steal(answer->provider), &login, &complaint);
    if (r)
        login_refuse(request, r == LOGIN_REFUSED ? WIRE_BAD_REQUEST : WIRE_INTERNAL,
                     r == LOGIN_REFUSED ? complaint.text : strerror(-r));
    else if (hold(request, login))
        begin_at_provider(request, login);
}

void api_login(const struct api_request *request)
{
    if (!api_allowed(request, MAY_LOGIN) || !api_provider_known(request))
        return;
    CLEANUP(cleanup_starting) struct starting *starting = read_body(request);
    if (!starting)
        return;
    const struct provider *provider =
        settings_provider(request->context->settings, request->account.provider);
    if (!check_grant(request, provider) || !settle_mode(request, starting, provider) ||
        !take_seat(request, starting))
        return;
    struct api_follow_up then = {
        .answered = on_provider,
        .state = steal(starting),
        .release = starting_release,
    };
    api_ask(request, api_question(request, ASK_PROVIDER), &then);
}
