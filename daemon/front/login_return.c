#include "front/login.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "front/asks.h"
#include "oauth/url.h"

/* --- the exchange --- */

/* How a login ends by its consent's outcome; those that are not here are done. */
static const struct {
    enum login_status status;
    enum login_ending ending;
    const char *error, *description;
} outcomes[] = {
    [CONSENT_IDENTITY_MISMATCH] = { LOGIN_FAILED, ENDING_HELD, "identity_mismatch",
                                    "the consent is for another identity than the account's; it "
                                    "is held, and the earlier grant serves on" },
    [CONSENT_AWAITS] = { LOGIN_FAILED, ENDING_AWAITS, "consent_held",
                         "a first consent by a link is held until it is accepted" },
    [CONSENT_UNTOLD] = { LOGIN_FAILED, ENDING_UNTOLD, "consent_held",
                         "the provider did not say whose consent it is, so it is held until it is "
                         "accepted; the earlier grant serves on" },
    [CONSENT_DENIED] = { LOGIN_FAILED, ENDING_NOT_GRANTED, "access_denied",
                         "the provider says that the person refused" },
    [CONSENT_EXPIRED] = { LOGIN_EXPIRED, ENDING_NONE, "expired",
                          "nobody entered the code in time; start it again" },
    [CONSENT_CANCELLED] = { LOGIN_CANCELLED, ENDING_NONE, "cancelled", "the login was cancelled" },
};

static void take_consent(struct login *login, struct consent *consent)
{
    login->granted_scope = steal(consent->scope);
    login->identity = steal(consent->identity);
    login->expires_at = consent->expires_at;
    login->fewer_scopes = consent->fewer_scopes;
    login->without_refresh_token = consent->outcome == CONSENT_WITHOUT_REFRESH_TOKEN;
    if (consent->link_used)
        logins_end_attempts(login);
    const bool known = (size_t)consent->outcome < sizeof outcomes / sizeof outcomes[0];
    if (!known || !outcomes[consent->outcome].error) {
        login_set_status(login, LOGIN_DONE, NULL, NULL);
        return;
    }
    login->ending = outcomes[consent->outcome].ending;
    login_set_status(login, outcomes[consent->outcome].status, outcomes[consent->outcome].error,
                     outcomes[consent->outcome].description);
}

static void take_failure(struct login *login, const struct failure *failure)
{
    bool uncertain = failure->error == WIRE_TIMEOUT || failure->error == WIRE_PROVIDER_UNAVAILABLE;
    login->ending = uncertain ? ENDING_UNCERTAIN : ENDING_NONE;
    login_set_status(login, LOGIN_FAILED, wire_errors[failure->error].name, failure->description);
}

void login_take_answer(struct login *login, struct message *answer)
{
    struct failure odd = { WIRE_INTERNAL, "the answer to the exchange holds nothing" };
    login->ask = 0;
    if (!answer->failed && answer->consent)
        take_consent(login, answer->consent);
    else
        take_failure(login, answer->failed ? &answer->failure : &odd);
}

static void on_exchanged(void *userdata, struct message *answer)
{
    login_take_answer(userdata, answer);
}

static int fill_exchange(const struct login *login, struct secret *code,
                         struct exchange_request *exchange)
{
    int r = secret_copy(code, &exchange->code);
    if (r == 0)
        r = secret_copy(login->verifier, &exchange->verifier);
    if (r == 0)
        r = secret_copy(login->nonce, &exchange->nonce);
    memcpy(exchange->link, login->link, sizeof exchange->link);
    exchange->account_created_at = login->account_created_at;
    provider_audience(login->provider, exchange->audience);
    if (r == 0)
        r = text_copy(login->provider->redirect_uri, &exchange->redirect_uri);
    return r == 0 ? text_copy(login->scope, &exchange->scope) : r;
}

/* Returns 0; -EBUSY or -ENOMEM leave the login as it was. */
static int exchange(struct login *login, struct secret *code)
{
    CLEANUP(cleanup_message) struct message *question = message_new(ASK_EXCHANGE);
    if (!question || !(question->exchange = calloc(1, sizeof *question->exchange)))
        return -ENOMEM;
    question->account = login->account;
    int r = fill_exchange(login, code, question->exchange);
    if (r < 0)
        return r;
    r = asks_send(logins_context(login->logins)->asks, steal(question), on_exchanged, login,
                  &login->ask);
    if (r)
        return r == ASKS_BUSY ? -EBUSY : r;
    (void)secret_fingerprint(code, login->code);
    login_set_status(login, LOGIN_EXCHANGING, NULL, NULL);
    return 0;
}

static void not_granted(struct login *login, const struct authorization_response *response)
{
    bool said = response->kind == RESPONSE_ERROR;
    login->ending = ENDING_NOT_GRANTED;
    login_set_status(login, LOGIN_FAILED, said ? response->error : "not_granted",
                     said ? response->error_description
                          : "the provider sent neither a code nor an error");
}

/* --- which login --- */

static struct login *find_by_state(const struct logins *logins, const char *target,
                                   const struct secret *state)
{
    for (struct login *login = logins_newest(logins); login; login = login->next)
        if (secret_equal(login->state, state) && strcmp(login->redirect_target, target) == 0)
            return login;
    return NULL;
}

struct found {
    struct login *login; /* whose code it is, else the newest that waits for one, else the newest */
    unsigned waiting;    /* how many wait for a code */
    bool any_live;       /* a live one is there, but perhaps another browser's */
};

/* The better a login fits, the higher: a page that is loaded again brings a code that came before,
 * and another code is for a login that has none yet. */
static int rank(const struct login *login, const char *code)
{
    if (code[0] && strcmp(login->code, code) == 0)
        return 3;
    return login->status == LOGIN_PENDING ? 2 : !login_ended(login);
}

static struct found find_by_cookie(const struct logins *logins, const char *target,
                                   const char *cookies, const char *code)
{
    struct found found = { 0 };
    for (struct login *login = logins_newest(logins); login; login = login->next) {
        if (login->mode != LOGIN_BROWSER || strcmp(login->redirect_target, target) != 0)
            continue;
        found.any_live |= !login_ended(login);
        if (!login_cookie_fits(login, cookies))
            continue;
        if (!found.login || rank(login, code) > rank(found.login, code))
            found.login = login;
        found.waiting += login->status == LOGIN_PENDING;
    }
    return found;
}

/* RFC 9207 2.4. A provider whose issuer is not configured has nothing to compare with. */
static bool issuer_fits(const struct provider *provider, const char *iss)
{
    if (!iss)
        return !provider->iss_promised;
    return !provider->issuer || strcmp(provider->issuer, iss) == 0;
}

/* The login is known to be this browser's. */
static enum login_landing land(struct login *login, struct authorization_response *response)
{
    if (login->status == LOGIN_EXCHANGING)
        return LANDING_EXCHANGING;
    if (login_ended(login))
        return LANDING_OVER;
    if (!issuer_fits(login->provider, response->iss))
        return LANDING_WRONG_ISSUER;
    if (response->kind != RESPONSE_CODE) {
        not_granted(login, response);
        return LANDING_OVER;
    }
    if (!response->state && login->provider->state != STATE_ABSENT)
        return LANDING_STATE_MISSING;
    return exchange(login, response->code) == 0 ? LANDING_EXCHANGING : LANDING_BUSY;
}

static enum login_landing land_by_cookie(struct logins *logins, const char *target,
                                         const char *cookies,
                                         struct authorization_response *response,
                                         struct login **ret)
{
    char code[FINGERPRINT_SIZE] = "";
    if (response->kind == RESPONSE_CODE)
        (void)secret_fingerprint(response->code, code);
    struct found found = find_by_cookie(logins, target, cookies, code);
    if (!found.login)
        return found.any_live ? LANDING_FOREIGN : LANDING_UNKNOWN;
    if (found.login->status == LOGIN_PENDING && found.waiting > 1)
        return response->kind == RESPONSE_CODE ? LANDING_STATE_MISSING : LANDING_NOT_GRANTED;
    *ret = found.login;
    return land(found.login, response);
}

enum login_landing login_return(struct logins *logins, const char *target, const char *cookies,
                                struct authorization_response *response, struct login **ret)
{
    if (!response->state)
        return land_by_cookie(logins, target, cookies, response, ret);
    struct login *login = find_by_state(logins, target, response->state);
    if (!login)
        return LANDING_UNKNOWN;
    if (login->mode == LOGIN_PASTE)
        return login->status == LOGIN_PENDING ? LANDING_PASTE : LANDING_UNKNOWN;
    if (!login_cookie_fits(login, cookies))
        return login_ended(login) ? LANDING_UNKNOWN : LANDING_FOREIGN;
    *ret = login;
    return land(login, response);
}

/* --- by paste --- */

static bool same_target(const struct login *login, const struct url *pasted)
{
    CLEANUP(cleanup_buffer)
    struct buffer target = BUFFER_WITH_MAXIMUM(URL_HOST_MAX + URL_PATH_MAX + 32);
    url_append_origin(&target, pasted);
    buffer_append_text(&target, pasted->path);
    return strcmp(buffer_text(&target), login->redirect_target) == 0;
}

static int refuse(struct complaint *complaint, const char *text)
{
    complain(complaint, "%s", text);
    return LOGIN_REFUSED;
}

static int paste(struct login *login, struct authorization_response *response,
                 struct complaint *complaint)
{
    if (response->state && !secret_equal(response->state, login->state))
        return refuse(complaint, "the address belongs to another login: its state differs");
    if (!issuer_fits(login->provider, response->iss))
        return refuse(complaint, "the address does not come from this provider: its iss differs or "
                                 "is missing");
    /* What was cut off on its way here looks like a refusal without words. */
    if (response->kind != RESPONSE_ERROR && !response->state &&
        login->provider->state != STATE_ABSENT)
        return refuse(complaint, "the address has no state: paste it whole");
    if (response->kind != RESPONSE_CODE) {
        not_granted(login, response);
        return 0;
    }
    int r = exchange(login, response->code);
    return r == -ENOMEM ? -EBUSY : r;
}

/* What people copy may have blanks around it and a fragment behind it ("#_=_"). */
static void trim(struct buffer *out, const char *address)
{
    address += strspn(address, " \t\r\n");
    size_t length = strcspn(address, "#");
    while (length > 0 && strchr(" \t\r\n", address[length - 1]))
        length--;
    buffer_append(out, address, length);
}

int login_paste(struct login *login, const char *address, struct complaint *complaint)
{
    if (login->status != LOGIN_PENDING)
        return refuse(complaint, "the login is not pending any more");
    if (login->mode == LOGIN_DEVICE)
        return refuse(complaint, "this login ends on the provider's page: enter its code there");
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(LOGIN_PASTE_MAX);
    struct url url;
    trim(&text, address);
    if (text.failed)
        return refuse(complaint, "the address is too long");
    if (!url_parse(buffer_text(&text), &url))
        return refuse(complaint, "this is not an address: paste all of it, from http on");
    if (!same_target(login, &url))
        return refuse(complaint, "the address is not the one that the provider redirects to: paste "
                                 "it from the page on which the login ended");
    struct authorization_response response = { 0 };
    const char *query = url.query ? url.query : "";
    int r = authorization_response_parse(query, strlen(query), &response, complaint);
    if (r)
        return r == RESPONSE_MALFORMED ? LOGIN_REFUSED : r;
    r = paste(login, &response, complaint);
    authorization_response_release(&response);
    return r;
}
