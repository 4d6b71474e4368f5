/* Imports and rotations of one account, in any order: what people hold of its tokens does not take
 * the place of what came of it. The provider is the judge: no token is spent twice there. */

#include "fixture.h"

#include <stdio.h>

enum { HELD_BY_PEOPLE = 5, ROTATIONS = 12, TOKENS = HELD_BY_PEOPLE + ROTATIONS };
enum { LIVES = 8, STEPS = 24, SPEED = 50, REFRESH_REST_MS = 1200 / SPEED };

#define ROTATED                                                                                    \
    "{\"access_token\":\"at-secret-%u-\",\"expires_in\":3600,\"refresh_token\":\"rt-secret-%u-\"}"

/* What is so of an account, whatever the broker thinks. */
struct model {
    char label[16];
    struct held {
        char text[32];
        bool spent, known; /* known: people have it */
        bool brought;      /* as an import */
        bool served;       /* before another import took its place */
    } tokens[TOKENS];
    size_t count, current, rotations;
    bool fresh; /* the current one came as an import, and nothing came of it */
};

static void import_token(struct stage *stage, struct model *model, size_t i)
{
    struct held *token = &model->tokens[i];
    const bool again = token->brought;
    expect_ok(stage, ask_import(stage, model->label, token->text));
    token->brought = true;
    if (model->current == i || token->spent || (again && (token->served || !model->fresh)))
        return;
    model->tokens[model->current].served = !model->fresh;
    model->current = i;
    model->fresh = true;
}

static void rotate(struct stage *stage, struct model *model)
{
    char sent[64], came[32];
    const unsigned before = server_count(stage->server, NULL);
    (void)snprintf(sent, sizeof sent, "refresh_token=%s", model->tokens[model->current].text);
    (void)snprintf(came, sizeof came, "at-secret-%u-", before + 1);
    rest(REFRESH_REST_MS);
    expect_token(stage, ask(stage, ASK_REFRESH, model->label), came);
    assert_int_equal(server_count(stage->server, NULL), before + 1);
    assert_int_equal(server_count(stage->server, sent), 1);
    model->tokens[model->current].spent = true;
    model->fresh = false;
    model->current = model->count++;
    model->rotations++;
    (void)snprintf(model->tokens[model->current].text, sizeof model->tokens[0].text,
                   "rt-secret-%u-", before + 1);
}

/* Any of those that people have; now and then one gets hold of the current one. */
static size_t choose(struct model *model, unsigned random)
{
    size_t known[TOKENS], count = 0;
    if (random % 4 == 0)
        model->tokens[model->current].known = true;
    for (size_t i = 0; i < model->count; i++)
        if (model->tokens[i].known)
            known[count++] = i;
    return known[random / 4 % count];
}

static void live(struct stage *stage, unsigned seed)
{
    struct model model = { .count = HELD_BY_PEOPLE };
    (void)snprintf(model.label, sizeof model.label, "a%u", seed);
    for (size_t i = 0; i < HELD_BY_PEOPLE; i++) {
        model.tokens[i].known = true;
        (void)snprintf(model.tokens[i].text, sizeof model.tokens[i].text, "rt-secret-%u-%zu-", seed,
                       i);
    }
    expect_ok(stage, ask_import(stage, model.label, model.tokens[0].text));
    model.tokens[0].brought = model.fresh = true;
    for (unsigned step = 0, random = seed; step < STEPS; step++) {
        random = random * 1103515245 + 12345;
        if (random >> 16 & 1 && model.rotations < ROTATIONS)
            rotate(stage, &model);
        else
            import_token(stage, &model, choose(&model, random >> 17));
    }
}

static void no_order_of_imports_and_rotations_spends_a_token_twice(void **state)
{
    struct stage *stage = *state;
    set_speed(SPEED);
    server_script(stage->server, (struct canned){ .status = 200, .body = ROTATED });
    for (unsigned seed = 0; seed < LIVES; seed++)
        live(stage, seed);
}

/* A script brings the first one at each start; somebody brought a later one by hand, once. */
static void one_that_is_brought_by_hand_does_not_displace_that_of_a_script(void **state)
{
    struct stage *stage = *state;
    struct model model = { .label = "a",
                           .count = 1,
                           .tokens = { { .text = "rt-secret-script-" } } };
    set_speed(SPEED);
    server_script(stage->server, (struct canned){ .status = 200, .body = ROTATED });
    expect_ok(stage, ask_import(stage, "a", "rt-secret-script-"));
    rotate(stage, &model);
    const size_t by_hand = model.current;
    rotate(stage, &model);
    import_token(stage, &model, by_hand);
    rotate(stage, &model);
    import_token(stage, &model, 0);
    rotate(stage, &model);
    import_token(stage, &model, by_hand);
    rotate(stage, &model);
}

static void expect_current(struct stage *stage, const char *token)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, token));
}

/* It was in use for long, at a provider that does not rotate; the one of by hand is the newer. */
static void one_that_served_without_rotation_does_not_come_back(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    expect_ok(stage, ask_import(stage, "a", "rt-secret-script"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    expect_ok(stage, ask_import(stage, "a", "rt-secret-by-hand"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-script"));
    expect_current(stage, "rt-secret-by-hand");
}

/* A script brings both at each start, the older first. */
static void nor_one_of_which_nothing_came_where_something_came_of_the_next(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    expect_ok(stage, ask_import(stage, "a", "rt-secret-older"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-newer"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    expect_ok(stage, ask_import(stage, "a", "rt-secret-older"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-newer"));
    expect_current(stage, "rt-secret-1");
}

/* Its reply was lost: it may be spent. */
static void nor_where_something_may_have_come_of_the_next(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_import(stage, "a", "rt-secret-older"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-newer"));
    stop(stage);
    run_sql(stage, "UPDATE accounts SET lost_at = 1");
    start(stage);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-older"));
    expect_current(stage, "rt-secret-newer");
}

/* The next was a slip that the provider took, and has moved to the account that it is for. */
static void but_where_that_has_another_name_now_it_does(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-slip"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    struct message *rename = question(ASK_RENAME, "a");
    rename->new_name = rename->account;
    (void)snprintf(rename->new_name.label, sizeof rename->new_name.label, "b");
    expect_ok(stage, post(stage, rename));
    expect_failure(stage, ask_import(stage, "a", "rt-secret-slip"), WIRE_BAD_REQUEST);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_current(stage, "rt-secret-a");
}

/* Nor did anything come of the slip: the provider refused it. */
static void and_where_that_was_refused(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .match = RT("slip"), .status = 400, .body = REFUSED });
    set_speed(200);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-slip"));
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_CONSENT_REQUIRED);
    await_state(stage, "a", ACCOUNT_CONSENT_REQUIRED);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_current(stage, "rt-secret-a");
}

/* Nor of a consent's grant: whose that is a person has said. */
static void but_not_over_a_consents(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    expect_ok(stage, ask_import(stage, "a", "rt-secret-older"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-newer"));
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-older"));
    expect_current(stage, "rt-secret-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_STARTED(no_order_of_imports_and_rotations_spends_a_token_twice),
        TEST_STARTED(one_that_is_brought_by_hand_does_not_displace_that_of_a_script),
        TEST_STARTED(one_that_served_without_rotation_does_not_come_back),
        TEST_STARTED(nor_one_of_which_nothing_came_where_something_came_of_the_next),
        TEST_STARTED(nor_where_something_may_have_come_of_the_next),
        TEST_STARTED(but_where_that_has_another_name_now_it_does),
        TEST_STARTED(and_where_that_was_refused),
        TEST_STARTED(but_not_over_a_consents),
    };
    return RUN(tests);
}
