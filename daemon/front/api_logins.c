#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "front/api.h"
#include "front/api_body.h"
#include "front/api_path.h"
#include "front/audit.h"
#include "front/login.h"
#include "front/pages.h"

enum { LOGIN_ANSWER_MAX = 64 * 1024, LOGIN_WARNING_MAX = 512, CANCEL_WAIT_MS = 10 * 1000 };

/* --- the login as JSON --- */

static void append_warning(struct buffer *out, const struct login *login)
{
    if (login->status != LOGIN_DONE)
        return;
    if (login->without_refresh_token)
        buffer_append_text(out, "the provider sent no refresh token");
    if (login->without_refresh_token && login->expires_at > 0) {
        buffer_append_text(out, ": works until ");
        page_put_time(out, clock_to_wall(login->expires_at), clock_to_wall(clock_now()));
    }
    if (login->fewer_scopes)
        buffer_append_format(out, "%sthe provider granted less than was asked for",
                             out->length > 0 ? "; " : "");
}

static const char *text_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static void answer_login(struct web_request *web, const struct login *login)
{
    char account[ACCOUNT_TEXT_SIZE];
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(LOGIN_ANSWER_MAX);
    CLEANUP(cleanup_buffer) struct buffer warning = BUFFER_WITH_MAXIMUM(LOGIN_WARNING_MAX);
    append_warning(&warning, login);
    struct json_writer writer = json_writer_begin(&body, '{');
    json_put_string(&writer, "login_id", login->id);
    json_put_string(&writer, "account", account_text(&login->account, account));
    json_put_string(&writer, "status", login_status_name(login->status));
    json_put_string(&writer, "error", text_or_null(login->error));
    json_put_string(&writer, "error_description", text_or_null(login->description));
    if (login->status == LOGIN_DONE && login->expires_at > 0)
        json_put_integer(&writer, "expires_at", clock_to_wall(login->expires_at) / 1000);
    json_put_string(&writer, "scope", login->granted_scope);
    json_put_string(&writer, "identity", login->identity);
    json_put_string(&writer, "warning", text_or_null(buffer_text(&warning)));
    json_writer_end(&writer);
    api_answer(web, &body);
}

/* --- waiting for it --- */

struct follower {
    struct web_request *web;
    struct login_waiter *waiter;
};

static void on_changed(void *userdata, struct login *login)
{
    struct follower *follower = userdata;
    answer_login(follower->web, login);
    free(follower);
}

static void on_gone(void *userdata)
{
    struct follower *follower = userdata;
    login_unwait(follower->waiter);
    free(follower);
}

static void follow(struct web_request *web, struct login *login, bool until_ended, int64_t wait_ms,
                   login_changed changed)
{
    char account[ACCOUNT_TEXT_SIZE];
    struct follower *follower = malloc(sizeof *follower);
    int r = -ENOMEM;
    if (follower) {
        follower->web = web;
        r = login_wait(login, until_ended, wait_ms, changed, follower, &follower->waiter);
    }
    if (r) {
        free(follower);
        api_refuse(web, r == LOGIN_WAITERS_FULL ? WIRE_BUSY : WIRE_INTERNAL,
                   account_text(&login->account, account),
                   r == LOGIN_WAITERS_FULL ? "too many wait for logins of this user already"
                                           : "out of memory");
        return;
    }
    web_set_userdata(web, follower);
    web_on_gone(web, on_gone);
}

static int64_t capped_wait(const struct context *context, int64_t wait_ms)
{
    int64_t most = context->wait_max_ms > 0 ? context->wait_max_ms : WIRE_WAIT_MAX_S * 1000;
    return wait_ms < most ? wait_ms : most;
}

/* --- the requests --- */

/* The request's login, if its peer started it or is an admin of its account; answers and returns
 * NULL otherwise. */
static struct login *find_login(const struct api_request *request)
{
    struct context *context = request->context;
    struct login *login = logins_find(context->logins, request->rest);
    char account[ACCOUNT_TEXT_SIZE], unit[AUDIT_UNIT_SIZE];
    if (!login) {
        api_refuse(request->web, WIRE_NOT_FOUND, NULL,
                   "there is no such login: it is long over, or the broker was restarted");
        return NULL;
    }
    if (login->uid == asker_uid(&request->asker) ||
        access_allowed(context->settings, &context->access, &request->asker, MAY_ADMIN,
                       &login->account))
        return login;
    account_text(&login->account, account);
    audit_count_refusal(context->audit, account, asker_uid(&request->asker),
                        asker_unit(&request->asker, unit));
    api_refuse(request->web, WIRE_FORBIDDEN, NULL,
               "only the uid that started a login, or an admin, may follow or change it");
    return NULL;
}

void api_login_follow(const struct api_request *request)
{
    struct login *login = find_login(request);
    if (!login)
        return;
    int64_t wait_s = 0;
    const char *wait = web_parameter(request->web, "wait");
    if (wait && !text_to_integer(wait, 0, WIRE_WAIT_MAX_S, &wait_s))
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "wait is a number of seconds from 0 to %d",
                   WIRE_WAIT_MAX_S);
    else if (wait_s == 0 || login_ended(login))
        answer_login(request->web, login);
    else
        follow(request->web, login, false, capped_wait(request->context, wait_s * 1000),
               on_changed);
}

static void finish(const struct api_request *request, struct login *login, const char *redirect)
{
    char account[ACCOUNT_TEXT_SIZE];
    struct complaint complaint = { "" };
    int r = login_paste(login, redirect, &complaint);
    account_text(&login->account, account);
    if (r == LOGIN_REFUSED)
        api_refuse(request->web, WIRE_BAD_REQUEST, account, "%s", complaint.text);
    else if (r)
        api_refuse(request->web, r == -EBUSY ? WIRE_BUSY : WIRE_INTERNAL, account,
                   "the code could not be exchanged now: paste the address again");
    else if (login_ended(login))
        answer_login(request->web, login);
    else
        follow(request->web, login, true, capped_wait(request->context, WIRE_WAIT_MAX_S * 1000),
               on_changed);
}

void api_login_finish(const struct api_request *request)
{
    static const char *const known[] = { "redirect", NULL };
    struct login *login = find_login(request);
    if (!login)
        return;
    CLEANUP(cleanup_json) struct json *body = api_body(request, known);
    if (!body)
        return;
    const char *redirect = json_member_string(body, "redirect");
    if (redirect)
        finish(request, login, redirect);
    else
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL,
                   "the body wants \"redirect\", the pasted address");
}

static void answer_cancelled(struct web_request *web, const struct login *login)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(LOGIN_ANSWER_MAX);
    struct json_writer writer = json_writer_begin(&body, '{');
    json_put_string(&writer, "login_id", login->id);
    json_put_string(&writer, "status", login_status_name(LOGIN_CANCELLED));
    json_writer_end(&writer);
    api_answer(web, &body);
}

static void answer_cancel(struct web_request *web, const struct login *login)
{
    char account[ACCOUNT_TEXT_SIZE];
    account_text(&login->account, account);
    if (login->status == LOGIN_CANCELLED)
        answer_cancelled(web, login);
    else if (login_ended(login))
        api_refuse(web, WIRE_BAD_REQUEST, account, "the login has ended already: %s",
                   login_status_name(login->status));
    else
        api_refuse(web, WIRE_BUSY, account,
                   "the provider has said yes and its code is being exchanged: it is too late");
}

static void on_cancel_taken(void *userdata, struct login *login)
{
    struct follower *follower = userdata;
    answer_cancel(follower->web, login);
    free(follower);
}

/* Only the back knows whether a grant has come already: its word is waited for. */
static void cancel_device(const struct api_request *request, struct login *login)
{
    if (login_cancel_device(login) == 0)
        follow(request->web, login, true, capped_wait(request->context, CANCEL_WAIT_MS),
               on_cancel_taken);
    else
        api_refuse(request->web, WIRE_BUSY, NULL, "the login cannot be cancelled now: try again");
}

void api_login_cancel(const struct api_request *request)
{
    struct login *login = find_login(request);
    if (!login)
        return;
    if (login->status == LOGIN_PENDING && login->mode == LOGIN_DEVICE) {
        cancel_device(request, login);
        return;
    }
    if (login->status == LOGIN_PENDING)
        login_set_status(login, LOGIN_CANCELLED, "cancelled", "the login was cancelled");
    answer_cancel(request->web, login);
}
