#include "login_fixture.h"

#include <stdio.h>

#include "front/callback.h"
#include "front/deadlines.h"

static char *copy(const char *text)
{
    char *made = strdup(text);
    assert_non_null(made);
    return made;
}

static struct provider *make_provider(const char *name, const char *redirect_uri)
{
    struct provider *provider = calloc(1, sizeof(*provider));
    assert_non_null(provider);
    (void)snprintf(provider->name, sizeof(provider->name), "%s", name);
    provider->grant = GRANT_AUTHORIZATION_CODE;
    provider->authorization_endpoint = copy("https://auth.example/authorize");
    provider->token_endpoint = copy("https://auth.example/token");
    provider->redirect_uri = copy(redirect_uri);
    provider->client_id = copy("client");
    provider->scope_separator = copy(" ");
    provider->present_in = copy("header");
    provider->present_name = copy("Authorization");
    provider->present_scheme = copy("Bearer");
    return provider;
}

static struct provider *make_local(const char *name, uint16_t port)
{
    char uri[128];
    (void)snprintf(uri, sizeof(uri), "http://127.0.0.1:%u/callback/%s", (unsigned)port, name);
    return make_provider(name, uri);
}

static void make_providers(struct fixture *f)
{
    f->providers[PROVIDER_ABSENT] = make_local("absent", f->port);
    f->providers[PROVIDER_ABSENT]->state = STATE_ABSENT;
    f->providers[PROVIDER_ABSENT]->pkce = PKCE_OFF;
    f->providers[PROVIDER_PASTED] = make_provider("pasted", "https://oauth.example/v1/callback");
    f->providers[PROVIDER_PUSHED] = make_local("pushed", f->port);
    f->providers[PROVIDER_PUSHED]->pushed_authorization_request_endpoint =
        copy("https://auth.example/par");
    f->providers[PROVIDER_STRICT] = make_local("strict", f->port);
    f->providers[PROVIDER_STRICT]->issuer = copy("https://auth.example");
    f->providers[PROVIDER_STRICT]->iss_promised = true;
    f->providers[PROVIDER_ZENEGY] = make_local("zenegy", f->port);
    f->providers[PROVIDER_ZENEGY]->issuer = copy("https://auth.example");
    f->providers[PROVIDER_ZENEGY]->scope = copy("read write");
}

void fixture_start(struct fixture *f, uint16_t port)
{
    bool locked;
    *f = (struct fixture){ .port = port };
    assert_int_equal(secret_start(&locked), 0);
    make_providers(f);
    f->listener = (struct callback_listener){ .address = "127.0.0.1", .port = port };
    f->settings.providers = f->providers;
    f->settings.provider_count = FIXTURE_PROVIDERS;
    f->settings.listeners = &f->listener;
    f->settings.listener_count = 1;
    f->context.settings = &f->settings;
    f->context.access.own_uid = getuid();
    assert_int_equal(loop_new(&f->context.loop), 0);
    assert_int_equal(mailbox_new(FIXTURE_INBOX_SLOTS, 4, message_destroy, &f->inbox), 0);
    assert_int_equal(mailbox_new(FIXTURE_INBOX_SLOTS, 4, message_destroy, &f->back), 0);
    assert_int_equal(asks_new(f->inbox, f->back, &f->context.asks), 0);
    assert_int_equal(deadlines_new(f->context.loop, &f->context.deadlines), 0);
    assert_int_equal(logins_new(&f->context, &f->context.logins), 0);
}

void fixture_stop(struct fixture *f)
{
    f->context.callback = callback_free(f->context.callback);
    logins_free(f->context.logins);
    asks_free(f->context.asks);
    deadlines_free(f->context.deadlines);
    mailbox_free(f->inbox);
    mailbox_free(f->back);
    loop_free(f->context.loop);
    for (size_t i = 0; i < FIXTURE_PROVIDERS; i++)
        provider_free(f->providers[i]);
}

void fixture_go_public(struct fixture *f, const char *public_url)
{
    (void)snprintf(f->public_url, sizeof(f->public_url), "%s", public_url);
    f->settings.public_url = f->public_url;
    if (f->context.callback)
        callback_update(f->context.callback);
}

struct login *fixture_begin(struct fixture *f, size_t provider, enum login_mode mode)
{
    struct account_name account;
    struct provider *resolved = NULL;
    struct login *login = NULL;
    struct complaint complaint = { "" };
    assert_true(account_name_make(f->providers[provider]->name, "acme", &account));
    assert_int_equal(provider_copy(f->providers[provider], &resolved), 0);
    struct login_order order = { .uid = 1000, .account = &account, .mode = mode };
    assert_int_equal(login_begin(f->context.logins, &order, resolved, &login, &complaint), 0);
    return login;
}

void fixture_cookies(const struct login *login, char out[static FIXTURE_TEXT_MAX])
{
    int length =
        snprintf(out, FIXTURE_TEXT_MAX, "theme=dark; tb_login_%s=%s; tb_browser=%s", login->tag,
                 secret_reveal(login->cookie), login->browser ? secret_reveal(login->browser) : "");
    assert_in_range(length, 1, FIXTURE_TEXT_MAX - 1);
}

enum login_opening fixture_open(struct fixture *f, struct login *login, const char *cookies)
{
    char origin[64];
    struct login *opened = NULL;
    (void)snprintf(origin, sizeof(origin), "http://127.0.0.1:%u", (unsigned)f->port);
    enum login_opening opening =
        login_open(f->context.logins, origin, secret_reveal(login->start_nonce), cookies, &opened);
    if (opening != OPENING_UNKNOWN)
        assert_ptr_equal(opened, login);
    return opening;
}

struct authorization_response fixture_response(const char *query)
{
    struct authorization_response response = { 0 };
    assert_int_equal(authorization_response_parse(query, strlen(query), &response, NULL), 0);
    return response;
}

struct message *fixture_question(struct fixture *f)
{
    return mailbox_take(f->back);
}

struct message *fixture_answer_to(const struct message *question)
{
    struct message *answer = message_new(ANSWER);
    assert_non_null(answer);
    answer->id = question->id;
    answer->account = question->account;
    return answer;
}

struct message *fixture_consent_for(const struct message *question, enum consent_outcome outcome)
{
    struct message *answer = fixture_answer_to(question);
    answer->consent = calloc(1, sizeof(*answer->consent));
    assert_non_null(answer->consent);
    answer->consent->outcome = outcome;
    answer->consent->scope = copy("read");
    answer->consent->identity = copy("4711");
    return answer;
}

struct message *fixture_pushed_for(const struct message *question, const char *request_uri)
{
    struct message *answer = fixture_answer_to(question);
    assert_int_equal(secret_new(request_uri, strlen(request_uri), &answer->request_uri), 0);
    answer->request_uri_lifetime_ms = 60 * 1000;
    return answer;
}

void fixture_deliver(struct fixture *f, struct message *answer)
{
    mailbox_send_reserved(f->inbox, answer);
    struct message *letter = mailbox_take(f->inbox);
    assert_ptr_equal(letter, answer);
    asks_deliver(f->context.asks, letter);
}
