#include "login_support.h"

#include <stdio.h>

#include "base/clock.h"

int login_set_up(void **state)
{
    struct fixture *f = malloc(sizeof(*f));
    assert_non_null(f);
    fixture_start(f, PORT);
    *state = f;
    return 0;
}

int login_tear_down(void **state)
{
    fixture_stop(*state);
    free(*state);
    clock_use_source(NULL);
    return 0;
}

struct login *login_opened(struct fixture *f, size_t provider,
                           char cookies[static FIXTURE_TEXT_MAX])
{
    struct login *login = fixture_begin(f, provider, LOGIN_BROWSER);
    assert_int_equal(fixture_open(f, login, NULL), OPENING_GRANTED);
    fixture_cookies(login, cookies);
    return login;
}

enum login_landing login_land(struct fixture *f, const char *target, const char *cookies,
                              const char *query, struct login **ret)
{
    CLEANUP(cleanup_response) struct authorization_response response = fixture_response(query);
    return login_return(f->context.logins, target, cookies, &response, ret);
}

void login_fill_state(const char *text, const struct login *login,
                      char out[static FIXTURE_TEXT_MAX])
{
    const char *mark = strstr(text, "STATE");
    int before = mark ? (int)(mark - text) : (int)strlen(text);
    (void)snprintf(out, FIXTURE_TEXT_MAX, "%.*s%s%s", before, text,
                   mark ? secret_reveal(login->state) : "", mark ? mark + strlen("STATE") : "");
}
