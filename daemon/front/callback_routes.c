#include "front/callback_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "front/callback_answer.h"
#include "front/login.h"
#include "front/pages.h"
#include "oauth/authorize.h"

#define PATH_START "/start/"
#define PATH_DONE "/done/"
#define PATH_LINK "/link/"
#define PATH_ICON "/favicon.ico"

enum { COOKIE_LINE_MAX = 2048, COOKIE_LIFETIME_S = LOGIN_LIFETIME_MS / 1000 };

/* --- answers --- */

static void answer_done(struct web_request *request, const struct login *login)
{
    char location[CALLBACK_PREFIX_MAX + sizeof PATH_DONE + LOGIN_ID_SIZE];
    snprintf(location, sizeof location, "%s" PATH_DONE "%s", login->prefix, login->id);
    callback_answer_redirect(request, location);
}

/* public_url's host where a redirect to target comes through it, so that whoever reads the page may
 * be elsewhere; else NULL. */
static const char *host_elsewhere(const struct context *context, const char *target,
                                  char out[static CALLBACK_HOST_MAX])
{
    return callback_public_prefix(context, target) ? callback_public_host(context, out) : NULL;
}

static const char *host_of(const struct login *login, char out[static CALLBACK_HOST_MAX])
{
    return host_elsewhere(logins_context(login->logins), login->redirect_target, out);
}

/* --- /start/NONCE --- */

/* A ';' would end the attribute (RFC 6265 4.1.1); the folder above matches the path as well. */
static size_t cookie_path_length(const char *path)
{
    size_t length = strcspn(path, ";");
    if (path[length] == '\0')
        return length;
    while (length > 1 && path[length - 1] != '/')
        length--;
    return length;
}

static void put_cookie(struct buffer *out, const struct login *login, const char *name,
                       const struct secret *value, const char *path)
{
    buffer_append_text(out, name);
    buffer_append_char(out, '=');
    buffer_append_text(out, secret_reveal(value));
    buffer_append_text(out, "; Path=");
    buffer_append(out, path, cookie_path_length(path));
    buffer_append_format(out, "; Max-Age=%d; HttpOnly; SameSite=Lax%s", COOKIE_LIFETIME_S,
                         login_is_https(login) ? "; Secure" : "");
}

static void send_to_provider(struct web_request *request, const struct login *login)
{
    CLEANUP(cleanup_buffer) struct buffer own = BUFFER_WITH_MAXIMUM(COOKIE_LINE_MAX);
    CLEANUP(cleanup_buffer) struct buffer browser = BUFFER_WITH_MAXIMUM(COOKIE_LINE_MAX);
    char name[sizeof COOKIE_LOGIN_PREFIX + LOGIN_TAG_SIZE];
    char start[CALLBACK_PREFIX_MAX + sizeof PATH_START];
    snprintf(name, sizeof name, COOKIE_LOGIN_PREFIX "%s", login->tag);
    snprintf(start, sizeof start, "%s" PATH_START, login->prefix);
    put_cookie(&own, login, name, login->cookie, login->redirect_path);
    put_cookie(&browser, login, login_browser_cookie(login), login->browser, start);
    if (own.failed || browser.failed) {
        callback_answer_notice(request, PAGE_BUSY);
        return;
    }
    struct web_answer answer = callback_new_answer(303);
    callback_add_header(&answer, "Location", secret_reveal(login->authorize_url));
    callback_add_header(&answer, "Set-Cookie", buffer_text(&own));
    callback_add_header(&answer, "Set-Cookie", buffer_text(&browser));
    web_answer(request, &answer);
}

void callback_answer_busy(struct web_request *request)
{
    callback_answer_notice(request, PAGE_BUSY);
}

void callback_answer_not_pushed(struct web_request *request, const struct login *login,
                                const char *why)
{
    CLEANUP(cleanup_buffer) struct buffer page = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    char account[ACCOUNT_TEXT_SIZE], host[CALLBACK_HOST_MAX];
    if (!login) {
        callback_answer_notice(request, PAGE_UNKNOWN_LOGIN);
        return;
    }
    struct page_login facts = {
        .result = PAGE_NOT_PUSHED,
        .host = host_of(login, host),
        .by_link = login->link[0] != '\0',
        .provider = login->account.provider,
        .account = account_text(&login->account, account),
        .description = why,
    };
    int status = page_put_login(&page, &facts);
    callback_answer_page(request, status, &page);
}

void callback_enter(struct web_request *request, struct login *login)
{
    switch (login ? login_enter(login, web_header(request, "Cookie")) : OPENING_UNKNOWN) {
    case OPENING_GRANTED:
        send_to_provider(request, login);
        break;
    case OPENING_OVER:
        answer_done(request, login);
        break;
    case OPENING_ELSEWHERE:
        callback_answer_notice(request, PAGE_OTHER_BROWSER);
        break;
    case OPENING_FAILED:
        callback_answer_notice(request, PAGE_BUSY);
        break;
    case OPENING_UNKNOWN:
        callback_answer_notice(request, PAGE_UNKNOWN_LOGIN);
        break;
    }
}

/* The link is as good as before for whom it is meant. */
static void answer_other_user(struct web_request *request, uid_t owner)
{
    CLEANUP(cleanup_buffer) struct buffer page = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    int status = page_put_other_user(&page, owner);
    callback_answer_page(request, status, &page);
}

static void handle_start(struct callback *callback, struct web_request *request,
                         const struct callback_site *site, const char *nonce)
{
    struct login *login = login_find_start(callback->context->logins, site->origin, nonce);
    const char *cookies = web_header(request, "Cookie");
    if (login && login->own_browser && !login_is_for(login, web_holder(request)))
        answer_other_user(request, login->uid);
    else if (login && login_is_pushed(login) && login_may_enter(login, cookies))
        callback_push(callback, request, login);
    else
        callback_enter(request, login);
}

/* --- /done/ID --- */

static enum page_result login_result(const struct login *login)
{
    switch (login->status) {
    case LOGIN_PENDING:
        return PAGE_PENDING;
    case LOGIN_EXCHANGING:
        return PAGE_FINISHING;
    case LOGIN_DONE:
        return login->without_refresh_token ? PAGE_CONNECTED_FOR_NOW : PAGE_CONNECTED;
    case LOGIN_EXPIRED:
        return PAGE_EXPIRED;
    case LOGIN_CANCELLED:
        return login->ending == ENDING_REPLACED    ? PAGE_REPLACED
               : login->ending == ENDING_LINK_OVER ? PAGE_LINK_OVER
               : login->ending == ENDING_GONE      ? PAGE_ACCOUNT_GONE
                                                   : PAGE_CANCELLED;
    case LOGIN_FAILED:
        break;
    }
    return login->ending == ENDING_NOT_GRANTED ? PAGE_NOT_GRANTED
           : login->ending == ENDING_HELD      ? PAGE_HELD
           : login->ending == ENDING_AWAITS    ? PAGE_AWAITS
           : login->ending == ENDING_UNTOLD    ? PAGE_UNTOLD
           : login->ending == ENDING_UNCERTAIN ? PAGE_UNCERTAIN
                                               : PAGE_FAILED;
}

static void handle_done(struct callback *callback, struct web_request *request,
                        const struct callback_site *site, const char *id)
{
    const struct login *login = logins_find(callback->context->logins, id);
    if (!login || login->mode != LOGIN_BROWSER || !login_is_at(login, site->origin)) {
        callback_answer_notice(request, PAGE_UNKNOWN_LOGIN);
        return;
    }
    CLEANUP(cleanup_buffer) struct buffer page = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    char account[ACCOUNT_TEXT_SIZE], host[CALLBACK_HOST_MAX];
    struct page_login facts = {
        .result = login_result(login),
        .host = host_of(login, host),
        .by_link = login->link[0] != '\0',
        .provider = login->account.provider,
        .account = account_text(&login->account, account),
        .identity = login->identity,
        .scope_asked = login->scope,
        .scope_granted = login->granted_scope,
        .fewer_scopes = login->fewer_scopes,
        .expires_at = login->expires_at > 0 ? clock_to_wall(login->expires_at) : 0,
        .error = login->error,
        .description = login->description,
    };
    int status = page_put_login(&page, &facts);
    callback_answer_page(request, status, &page);
}

/* --- the redirect paths --- */

/* A browser that waits for the exchange. */
struct waiting {
    struct web_request *request;
    struct login_waiter *waiter;
};

static void on_changed(void *userdata, struct login *login)
{
    struct waiting *waiting = userdata;
    answer_done(waiting->request, login);
    free(waiting);
}

static void on_gone(void *userdata)
{
    struct waiting *waiting = userdata;
    login_unwait(waiting->waiter);
    free(waiting);
}

/* Where there is no room to wait, the result page shows what is known, and looks again itself. */
static void wait_for_end(struct web_request *request, struct login *login)
{
    struct waiting *waiting = malloc(sizeof *waiting);
    if (!waiting) {
        answer_done(request, login);
        return;
    }
    waiting->request = request;
    if (login_wait(login, true, CALLBACK_WAIT_MS, on_changed, waiting, &waiting->waiter)) {
        free(waiting);
        answer_done(request, login);
        return;
    }
    web_set_userdata(request, waiting);
    web_on_gone(request, on_gone);
}

/* A refusal of which this browser's login is not known: the words are shown, nothing changes. */
static void answer_not_granted(struct web_request *request,
                               const struct authorization_response *response, const char *host)
{
    CLEANUP(cleanup_buffer) struct buffer page = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    struct page_login facts = {
        .result = PAGE_NOT_GRANTED,
        .host = host,
        .provider = "The provider",
        .error = response->error,
        .description = response->error_description,
    };
    int status = page_put_login(&page, &facts);
    callback_answer_page(request, status, &page);
}

static void answer_landing(struct web_request *request, enum login_landing landing,
                           struct login *login, const struct authorization_response *response,
                           const char *host)
{
    static const enum page_notice notices[] = {
        [LANDING_UNKNOWN] = PAGE_UNKNOWN_LOGIN,
        [LANDING_FOREIGN] = PAGE_FOREIGN_BROWSER,
        [LANDING_WRONG_ISSUER] = PAGE_WRONG_ISSUER,
        [LANDING_STATE_MISSING] = PAGE_STATE_MISSING,
        [LANDING_PASTE] = PAGE_PASTE,
        [LANDING_BUSY] = PAGE_BUSY,
    };
    if (landing == LANDING_EXCHANGING)
        wait_for_end(request, login);
    else if (landing == LANDING_OVER)
        answer_done(request, login);
    else if (landing == LANDING_NOT_GRANTED)
        answer_not_granted(request, response, host);
    else
        callback_answer_notice(request, notices[landing]);
}

static void handle_return(struct callback *callback, struct web_request *request,
                          const char *target)
{
    struct authorization_response response = { 0 };
    const char *query = web_query(request);
    int r = authorization_response_parse(query, strlen(query), &response, NULL);
    if (r) {
        callback_answer_notice(request, r == RESPONSE_MALFORMED ? PAGE_UNREADABLE : PAGE_BUSY);
        return;
    }
    struct login *login = NULL;
    char host[CALLBACK_HOST_MAX];
    enum login_landing landing = login_return(callback->context->logins, target,
                                              web_header(request, "Cookie"), &response, &login);
    answer_landing(request, landing, login, &response,
                   host_elsewhere(callback->context, target, host));
    authorization_response_release(&response);
}

/* --- which route --- */

/* A redirect path is one of the settings' or of a login that began before they changed. */
static bool is_redirect_target(const struct callback *callback, const char *target)
{
    const struct login *login = logins_newest(callback->context->logins);
    for (; login; login = login->next)
        if (strcmp(login->redirect_target, target) == 0)
            return true;
    const struct settings *settings = callback->context->settings;
    for (size_t i = 0; i < settings->provider_count; i++) {
        const char *redirect = settings->providers[i]->redirect_uri;
        size_t length = strlen(target);
        if (redirect && strncmp(redirect, target, length) == 0 &&
            (redirect[length] == '\0' || redirect[length] == '?'))
            return true;
    }
    return false;
}

/* Fetch metadata (W3C): only a page that a person opens is a document. */
static bool is_document(const struct web_request *request)
{
    const char *destination = web_header(request, "Sec-Fetch-Dest");
    return !destination || strcmp(destination, "document") == 0;
}

static const char *after(const char *path, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(path, prefix, length) == 0 ? path + length : NULL;
}

/* Our own pages, by what their path below the site's prefix begins with. */
struct page_route {
    const char *path;
    bool acts; /* a GET changes something: HEAD must not */
    void (*handle)(struct callback *callback, struct web_request *request,
                   const struct callback_site *site, const char *rest);
};

static const struct page_route page_routes[] = {
    { PATH_START, true, handle_start },
    { PATH_DONE, false, handle_done },
    { PATH_LINK, true, callback_handle_link },
};

static const struct page_route *find_page(const struct callback_site *site, const char *path,
                                          const char **ret_rest)
{
    const char *below = after(path, site->prefix);
    for (size_t i = 0; below && i < sizeof page_routes / sizeof *page_routes; i++)
        if ((*ret_rest = after(below, page_routes[i].path)))
            return &page_routes[i];
    return NULL;
}

static void route(struct callback *callback, struct web_request *request,
                  const struct callback_site *site)
{
    const char *path = web_path(request), *rest = NULL;
    bool head = strcmp(web_method(request), "HEAD") == 0;
    CLEANUP(cleanup_buffer)
    struct buffer target = BUFFER_WITH_MAXIMUM(CALLBACK_ORIGIN_MAX + WEB_PATH_MAX + 1);
    buffer_append_text(&target, site->origin);
    buffer_append_text(&target, path);

    bool redirect = !target.failed && is_redirect_target(callback, buffer_text(&target));
    const struct page_route *page = find_page(site, path, &rest);
    if (head && (redirect || (page && page->acts)))
        callback_answer_bare(request, 200);
    else if (redirect)
        handle_return(callback, request, buffer_text(&target));
    else if (page)
        page->handle(callback, request, site, rest);
    else
        callback_answer_notice(request, PAGE_NOT_FOUND);
}

void callback_handle(void *userdata, struct web_request *request)
{
    struct loopback_socket *socket = userdata;
    struct callback *callback = socket->loopback->service.userdata;
    const char *method = web_method(request);
    const char *host = web_header(request, "Host");
    struct callback_site site;
    if (!host || !callback_find_site(socket, host, &site))
        callback_answer_notice(request, PAGE_WRONG_HOST);
    else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        callback_answer_notice(request, PAGE_BAD_METHOD);
    else if (strcmp(web_path(request), PATH_ICON) == 0)
        callback_answer_bare(request, 404);
    else if (!is_document(request))
        callback_answer_notice(request, PAGE_FRAMED);
    else
        route(callback, request, &site);
}
