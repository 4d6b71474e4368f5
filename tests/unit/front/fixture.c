#include "fixture.h"

int64_t fixture_now;

static int64_t boottime(void)
{
    return fixture_now;
}

static int64_t wall(void)
{
    return fixture_now + FIXTURE_WALL_OFFSET;
}

static struct provider *provider_of(const char *name, enum grant_type grant, const char *in,
                                    const char *present_name, const char *scheme)
{
    struct provider *provider = calloc(1, sizeof(*provider));

    snprintf(provider->name, sizeof(provider->name), "%s", name);
    provider->grant = grant;
    provider->scope_separator = strdup(" ");
    provider->present_in = strdup(in);
    provider->present_name = strdup(present_name);
    provider->present_scheme = strdup(scheme);
    return provider;
}

static struct settings *settings_of_two(void)
{
    struct settings *settings = calloc(1, sizeof(*settings));

    settings->key = strdup("auto");
    settings->provider_count = 2;
    settings->providers = calloc(2, sizeof(settings->providers[0]));
    settings->providers[0] =
        provider_of("zenegy", GRANT_AUTHORIZATION_CODE, "header", "Authorization", "Bearer");
    settings->providers[0]->api_base = strdup("https://api.zenegy.com");
    settings->providers[1] =
        provider_of("zenpayroll", GRANT_STATIC, "query", "access_token", "Bearer");
    return settings;
}

struct fixture *fixture_new(size_t back_slots)
{
    static const struct clock_source source = { boottime, wall };
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct context *context = &fixture->context;
    bool locked;

    fixture_now = 1000 * 1000;
    clock_use_source(&source);
    assert_int_equal(secret_start(&locked), 0);
    assert_int_equal(mailbox_new(4096, 256, message_destroy, &fixture->inbox), 0);
    assert_int_equal(mailbox_new(back_slots, 256, message_destroy, &fixture->back), 0);
    context->settings = settings_of_two();
    context->wait_max_ms = WIRE_WAIT_MAX_S * 1000;
    context->access = (struct access_default){ .own_uid = FIXTURE_UID };
    assert_int_equal(loop_new(&context->loop), 0);
    assert_int_equal(asks_new(fixture->inbox, fixture->back, &context->asks), 0);
    assert_int_equal(deadlines_new(context->loop, &context->deadlines), 0);
    assert_int_equal(audit_new(context, &context->audit), 0);
    assert_int_equal(events_new(context, &context->events), 0);
    assert_int_equal(tokens_new(context, &context->tokens), 0);
    assert_int_equal(logins_new(context, &context->logins), 0);
    assert_int_equal(callback_new(context, false, &context->callback), 0);
    return fixture;
}

int fixture_set_up(void **state)
{
    *state = fixture_new(4096);
    return 0;
}

int fixture_tear_down(void **state)
{
    struct fixture *fixture = *state;
    struct context *context = &fixture->context;

    callback_free(context->callback);
    logins_free(context->logins);
    tokens_free(context->tokens);
    audit_free(context->audit);
    events_free(context->events);
    deadlines_free(context->deadlines);
    asks_free(context->asks);
    loop_free(context->loop);
    settings_free(context->settings);
    mailbox_free(fixture->back);
    mailbox_free(fixture->inbox);
    free(fixture);
    clock_use_source(NULL);
    return 0;
}

void fixture_rule(struct fixture *fixture, uid_t uid, unsigned may, const char *glob)
{
    struct settings *settings = fixture->context.settings;
    struct access_rule *rule = calloc(1, sizeof(*rule));

    assert_int_equal(settings->rule_count, 0);
    rule->name = strdup("rule");
    rule->accounts = calloc(2, sizeof(char *));
    rule->accounts[0] = strdup(glob);
    rule->who = calloc(1, sizeof(*rule->who));
    rule->who[0] = (struct access_who){ .has_user = true, .user = uid };
    rule->who_count = 1;
    rule->may = may;
    settings->rules = rule;
    settings->rule_count = 1;
}

struct web_request *fixture_send_as(struct fixture *fixture, uid_t uid, const char *method,
                                    const char *target, const char *body)
{
    struct web_request *request = fake_request(method, target, body, uid);
    api_handle(&fixture->context, request);
    return request;
}

struct web_request *fixture_send(struct fixture *fixture, const char *method, const char *target,
                                 const char *body)
{
    return fixture_send_as(fixture, FIXTURE_UID, method, target, body);
}

struct message *fixture_take(struct fixture *fixture, enum message_kind kind)
{
    struct message *letter = mailbox_take(fixture->back);

    assert_non_null(letter);
    assert_int_equal(letter->kind, kind);
    return letter;
}

void fixture_quiet(struct fixture *fixture)
{
    assert_null(mailbox_take(fixture->back));
}

struct message *fixture_answer(struct message *question)
{
    struct message *answer = message_new(ANSWER);

    answer->id = question->id;
    answer->account = question->account;
    message_free(question);
    return answer;
}

void fixture_deliver(struct fixture *fixture, struct message *answer)
{
    /* By the mailbox, so that its reserved slots are counted down. */
    mailbox_send_reserved(fixture->inbox, answer);
    assert_ptr_equal(mailbox_take(fixture->inbox), answer);
    asks_deliver(fixture->context.asks, answer);
}

void fixture_fail(struct fixture *fixture, struct message *question, enum wire_error error)
{
    struct message *answer = fixture_answer(question);

    message_fail(answer, error, "the %s said no", "test");
    fixture_deliver(fixture, answer);
}

struct issued_token *fixture_token(const char *text, uint64_t generation, int64_t lifetime_ms)
{
    struct issued_token *token = calloc(1, sizeof(*token));

    token->generation = generation;
    assert_int_equal(secret_new(text, strlen(text), &token->access_token), 0);
    token->token_type = strdup("bearer");
    token->extra = strdup("{\"company_id\":4711}");
    token->obtained_at = clock_now();
    token->lifetime_ms = lifetime_ms;
    token->expires_at = lifetime_ms ? clock_now() + lifetime_ms : 0;
    return token;
}

void fixture_issue(struct fixture *fixture, struct message *question, const char *text,
                   uint64_t generation, int64_t lifetime_ms)
{
    struct message *answer = fixture_answer(question);

    answer->token = fixture_token(text, generation, lifetime_ms);
    fixture_deliver(fixture, answer);
}

struct message *fixture_notice(const char *provider, const char *label, struct issued_token *token,
                               uint64_t generation)
{
    struct message *notice = message_new(NOTICE);

    snprintf(notice->account.provider, sizeof(notice->account.provider), "%s", provider);
    snprintf(notice->account.label, sizeof(notice->account.label), "%s", label);
    notice->token = token;
    notice->generation = generation;
    return notice;
}

struct message *fixture_rows(struct message *question, char first, size_t count)
{
    struct message *answer = fixture_answer(question);

    answer->rows = calloc(count ? count : 1, sizeof(answer->rows[0]));
    answer->row_count = count;
    for (size_t i = 0; i < count; i++) {
        char label[] = { (char)(first + (char)i), '\0' };
        assert_true(account_name_make("zenegy", label, &answer->rows[i].name));
        answer->rows[i].created_at = clock_now();
        answer->rows[i].generation = 7;
    }
    return answer;
}

void fixture_pass(struct fixture *fixture, int64_t ms)
{
    fixture_now += ms;
    deadlines_run(fixture->context.deadlines);
}
