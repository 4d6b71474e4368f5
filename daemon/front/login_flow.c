#include "front/login.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "front/callback.h"
#include "oauth/pkce.h"
#include "oauth/url.h"

/* --- beginning --- */

static int set_redirect(struct login *login)
{
    const char *redirect_uri = login->provider->redirect_uri;
    const char *prefix = callback_public_prefix(logins_context(login->logins), redirect_uri);
    struct url url;
    if (!url_parse(redirect_uri, &url))
        return -EINVAL;
    CLEANUP(cleanup_buffer)
    struct buffer target = BUFFER_WITH_MAXIMUM(URL_HOST_MAX + URL_PATH_MAX + 32);
    url_append_origin(&target, &url);
    buffer_append_text(&target, url.path);
    login->redirect_target = buffer_steal_text(&target);
    login->own_browser = login->own_browser && !prefix;
    int r = login->redirect_target ? text_copy(url.path, &login->redirect_path) : -ENOMEM;
    return r == 0 ? text_copy(prefix ? prefix : "", &login->prefix) : r;
}

static int make_id(struct login *login)
{
    CLEANUP(cleanup_secret) struct secret *id = NULL;
    char tag[FINGERPRINT_SIZE];
    int r = secret_random(LOGIN_RANDOM_BYTES, &id);
    if (r < 0)
        return r;
    memcpy(login->id, secret_reveal(id), LOGIN_ID_SIZE);
    digest_text(login->id, LOGIN_ID_SIZE - 1, tag);
    memcpy(login->tag, tag, LOGIN_TAG_SIZE - 1);
    return 0;
}

static int make_secrets(struct login *login)
{
    int r = make_id(login);
    if (r == 0)
        r = secret_random(LOGIN_RANDOM_BYTES, &login->state);
    if (r == 0)
        r = secret_random(LOGIN_RANDOM_BYTES, &login->cookie);
    if (r == 0 && login->provider->pkce != PKCE_OFF)
        r = pkce_verifier_new(&login->verifier);
    if (r == 0 && scope_holds(login->scope, "openid"))
        r = secret_random(LOGIN_RANDOM_BYTES, &login->nonce);
    return r;
}

/* A request that is pushed gets its address when it was. */
static int make_authorize_url(struct login *login, const struct parameters *params,
                              struct complaint *complaint)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(AUTHORIZE_URL_MAX);
    const bool pushed = login->provider->pushed_authorization_request_endpoint != NULL;
    struct authorization_request request = {
        .provider = login->provider,
        .scope = login->scope,
        .params = params,
        .state = login->state,
        .nonce = login->nonce,
        .verifier = login->verifier,
    };
    (pushed ? authorize_append_parameters : authorize_append_url)(&text, &request);
    if (!text.failed)
        return secret_new(text.data, text.length,
                          pushed ? &login->parameters : &login->authorize_url);
    complain(complaint, "the authorization request would be longer than %d bytes",
             AUTHORIZE_URL_MAX);
    return LOGIN_REFUSED;
}

static int make_start_url(struct login *login)
{
    if (login->mode != LOGIN_BROWSER)
        return 0;
    int r = secret_random(LOGIN_RANDOM_BYTES, &login->start_nonce);
    if (r < 0)
        return r;
    size_t origin = strlen(login->redirect_target) - strlen(login->redirect_path);
    CLEANUP(cleanup_buffer)
    struct buffer url = BUFFER_WITH_MAXIMUM(URL_HOST_MAX + PUBLIC_URL_MAX + 128);
    buffer_append(&url, login->redirect_target, origin);
    buffer_append_text(&url, login->prefix);
    buffer_append_text(&url, "/start/");
    buffer_append_text(&url, secret_reveal(login->start_nonce));
    return url.failed ? -ENOMEM : secret_new(url.data, url.length, &login->start_url);
}

static struct login *new_login(struct logins *logins, const struct login_order *order,
                               struct provider *provider)
{
    struct login *login = calloc(1, sizeof *login);
    if (!login) {
        provider_free(provider);
        return NULL;
    }
    login->logins = logins;
    login->provider = provider;
    login->uid = order->uid;
    snprintf(login->unit, sizeof login->unit, "%s", order->unit ? order->unit : "");
    login->account = *order->account;
    login->account_created_at = order->account_created_at;
    if (order->link)
        memcpy(login->link, order->link, sizeof login->link);
    login->mode = order->mode;
    login->own_browser = order->own_browser;
    return login;
}

static int set_scope(struct login *login, const struct login_order *order)
{
    return text_copy(order->scope ? order->scope : login->provider->scope, &login->scope);
}

static int fill_login(struct login *login, const struct login_order *order,
                      struct complaint *complaint)
{
    int r = set_scope(login, order);
    if (r == 0)
        r = set_redirect(login);
    if (r == 0)
        r = make_secrets(login);
    if (r == 0)
        r = make_authorize_url(login, order->params, complaint);
    return r == 0 ? make_start_url(login) : r;
}

DEFINE_CLEANUP(struct login *, login, login_free)

int login_begin(struct logins *logins, const struct login_order *order, struct provider *provider,
                struct login **ret, struct complaint *complaint)
{
    CLEANUP(cleanup_login) struct login *login = new_login(logins, order, provider);
    if (!login)
        return -ENOMEM;
    if (!login->provider->authorization_endpoint || !login->provider->redirect_uri) {
        complain(complaint, "provider %s has no %s", login->provider->name,
                 login->provider->redirect_uri ? "authorization_endpoint" : "redirect_uri");
        return LOGIN_REFUSED;
    }
    int r = fill_login(login, order, complaint);
    if (r)
        return r;
    *ret = login;
    logins_add(logins, steal(login));
    return 0;
}

int login_make_device(struct logins *logins, const struct login_order *order,
                      struct provider *provider, struct login **ret)
{
    CLEANUP(cleanup_login) struct login *login = new_login(logins, order, provider);
    int r = login ? make_id(login) : -ENOMEM;
    if (r == 0)
        r = set_scope(login, order);
    if (r == 0)
        r = text_copy("", &login->redirect_target);
    if (r == 0)
        r = text_copy("", &login->redirect_path);
    if (r == 0)
        r = text_copy("", &login->prefix);
    if (r == 0)
        *ret = steal(login);
    return r;
}

/* --- cookies --- */

/* The next "name=value" of a Cookie header (RFC 6265 4.2.1); NULL at its end. */
static const char *next_pair(const char *at, const char **ret_equals, const char **ret_end)
{
    while (at && *at) {
        at += strspn(at, " \t;");
        const char *end = at + strcspn(at, ";");
        const char *equals = memchr(at, '=', (size_t)(end - at));
        if (equals) {
            while (end > equals + 1 && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
            *ret_equals = equals;
            *ret_end = end;
            return at;
        }
        at = end;
    }
    return NULL;
}

bool cookies_hold(const char *cookies, const char *name, const struct secret *value)
{
    const char *equals, *end;
    size_t name_length = strlen(name);
    for (const char *at = cookies; (at = next_pair(at, &equals, &end)); at = end)
        if ((size_t)(equals - at) == name_length && memcmp(at, name, name_length) == 0 &&
            secret_equal_bytes(value, equals + 1, (size_t)(end - equals) - 1))
            return true;
    return false;
}

bool login_is_https(const struct login *login)
{
    return strncmp(login->redirect_target, "https:", strlen("https:")) == 0;
}

const char *login_browser_cookie(const struct login *login)
{
    return login_is_https(login) ? COOKIE_BROWSER_HTTPS : COOKIE_BROWSER;
}

bool login_cookie_fits(const struct login *login, const char *cookies)
{
    char name[sizeof COOKIE_LOGIN_PREFIX + LOGIN_TAG_SIZE] = COOKIE_LOGIN_PREFIX;
    memcpy(name + sizeof COOKIE_LOGIN_PREFIX - 1, login->tag, LOGIN_TAG_SIZE);
    return cookies_hold(cookies, name, login->cookie);
}

/* --- opening --- */

bool login_is_at(const struct login *login, const char *origin)
{
    size_t length = strlen(origin);
    return strncmp(login->redirect_target, origin, length) == 0 &&
           strcmp(login->redirect_target + length, login->redirect_path) == 0;
}

struct login *login_find_start(const struct logins *logins, const char *origin, const char *nonce)
{
    for (struct login *login = logins_newest(logins); login; login = login->next)
        if (login->start_nonce && secret_equal_bytes(login->start_nonce, nonce, strlen(nonce)) &&
            login_is_at(login, origin))
            return login;
    return NULL;
}

/* Only a value that we gave out ourselves counts: nobody else can choose it for a browser. */
static const struct secret *known_browser(const struct logins *logins, const char *cookie,
                                          const char *cookies)
{
    for (struct login *login = logins_newest(logins); login; login = login->next)
        if (login->browser && strcmp(login_browser_cookie(login), cookie) == 0 &&
            cookies_hold(cookies, cookie, login->browser))
            return login->browser;
    return NULL;
}

static int take_browser(struct logins *logins, struct login *login, const char *cookies)
{
    const struct secret *browser = known_browser(logins, login_browser_cookie(login), cookies);
    if (browser)
        return secret_copy(browser, &login->browser);
    return secret_random(LOGIN_RANDOM_BYTES, &login->browser);
}

/* Where state does not come back, only the cookie tells which login a browser's redirect is for:
 * so a browser has one live login for each redirect path, the newest. */
static void replace_older(struct logins *logins, const struct login *newer)
{
    if (newer->provider->state != STATE_ABSENT)
        return;
    for (struct login *login = logins_newest(logins); login; login = login->next) {
        if (login == newer || login->status != LOGIN_PENDING || !login->browser ||
            !secret_equal(login->browser, newer->browser) ||
            login->provider->state != STATE_ABSENT ||
            strcmp(login->redirect_target, newer->redirect_target) != 0)
            continue;
        login->ending = ENDING_REPLACED;
        login_set_status(login, LOGIN_CANCELLED, "replaced",
                         "a newer login was opened in the same browser");
    }
}

bool login_is_for(const struct login *login, uid_t uid)
{
    return !login->own_browser || uid == login->uid;
}

bool login_may_enter(const struct login *login, const char *cookies)
{
    return login->status == LOGIN_PENDING &&
           (!login->browser || cookies_hold(cookies, login_browser_cookie(login), login->browser));
}

enum login_opening login_enter(struct login *login, const char *cookies)
{
    if (login->browser) {
        if (!cookies_hold(cookies, login_browser_cookie(login), login->browser))
            return OPENING_ELSEWHERE;
        return login->status == LOGIN_PENDING ? OPENING_GRANTED : OPENING_OVER;
    }
    if (login->status != LOGIN_PENDING)
        return OPENING_OVER;
    if (take_browser(login->logins, login, cookies) < 0)
        return OPENING_FAILED;
    replace_older(login->logins, login);
    return OPENING_GRANTED;
}

enum login_opening login_open(struct logins *logins, const char *origin, const char *nonce,
                              const char *cookies, struct login **ret)
{
    struct login *login = login_find_start(logins, origin, nonce);
    if (!login)
        return OPENING_UNKNOWN;
    *ret = login;
    return login_enter(login, cookies);
}
