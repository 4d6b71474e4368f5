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
    } tokens[TOKENS];
    size_t count, current, rotations;
};

static void import_token(struct stage *stage, struct model *model, size_t i)
{
    expect_ok(stage, ask_import(stage, model->label, model->tokens[i].text));
    if (model->tokens[i].spent || model->current == i)
        return;
    model->current = i;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_STARTED(no_order_of_imports_and_rotations_spends_a_token_twice),
        TEST_STARTED(one_that_is_brought_by_hand_does_not_displace_that_of_a_script),
    };
    return RUN(tests);
}
