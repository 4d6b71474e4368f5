/* Logins whose authorization request goes to the provider before the browser does (RFC 9126). */

#include <errno.h>

#include "front/login.h"

bool login_is_pushed(const struct login *login)
{
    return login->parameters != NULL;
}

int login_push_question(struct login *login, struct message **ret)
{
    if (login->pushes >= LOGIN_PUSHES_MAX)
        return LOGIN_REFUSED;
    CLEANUP(cleanup_message) struct message *question = message_new(ASK_PUSH);
    if (!question)
        return -ENOMEM;
    question->account = login->account;
    int r = secret_copy(login->parameters, &question->parameters);
    if (r != 0)
        return r;
    login->pushes++;
    *ret = steal(question);
    return 0;
}

int login_take_pushed(struct login *login, const struct message *answer)
{
    CLEANUP(cleanup_buffer) struct buffer url = BUFFER_WITH_MAXIMUM(AUTHORIZE_URL_MAX);
    struct secret *made = NULL;
    if (!answer->request_uri)
        return -EINVAL;
    authorize_append_pushed_url(&url, login->provider, answer->request_uri);
    int r = url.failed ? -ENOMEM : secret_new(url.data, url.length, &made);
    if (r != 0)
        return r;
    secret_free(login->authorize_url);
    login->authorize_url = made;
    login->authorize_url_lifetime_ms = answer->request_uri_lifetime_ms;
    return 0;
}
