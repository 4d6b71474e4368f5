#pragma once

/* The front without its thread: real mailboxes, the back played by the test, a clock that the test
 * moves, fake requests. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_web.h"
#include "front/api.h"
#include "front/asks.h"
#include "front/audit.h"
#include "front/callback.h"
#include "front/deadlines.h"
#include "front/events.h"
#include "front/login.h"
#include "front/tokens.h"
#include "io/loop.h"

enum { FIXTURE_UID = 1000, STRANGER_UID = 2000 };

struct fixture {
    struct context context;
    struct mailbox *inbox;
    struct mailbox *back;
};

/* The time of all clocks, in ms; wall time is this plus FIXTURE_WALL_OFFSET. */
extern int64_t fixture_now;
enum { FIXTURE_WALL_OFFSET = 1000 * 1000 };

/* As cmocka wants them. The fixture has the providers zenegy (header, Bearer, with an API base) and
 * zenpayroll (query, static), and no rules: FIXTURE_UID may do everything. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* The back's mailbox holds back_slots letters only. */
struct fixture *fixture_new(size_t back_slots);

/* Replaces the rules with one: user `uid` may `may` with `glob`. */
void fixture_rule(struct fixture *fixture, uid_t uid, unsigned may, const char *glob);

/* Sends a request and returns it, answered or waiting; the caller frees it. */
struct web_request *fixture_send(struct fixture *fixture, const char *method, const char *target,
                                 const char *body);
struct web_request *fixture_send_as(struct fixture *fixture, uid_t uid, const char *method,
                                    const char *target, const char *body);

/* The next letter to the back, which must be of this kind; the caller's. */
struct message *fixture_take(struct fixture *fixture, enum message_kind kind);

/* Nothing lies in the back's mailbox. */
void fixture_quiet(struct fixture *fixture);

/* An answer to the question, which it frees; to be delivered. */
struct message *fixture_answer(struct message *question);
void fixture_deliver(struct fixture *fixture, struct message *answer);
void fixture_fail(struct fixture *fixture, struct message *question, enum wire_error error);

/* A token of so much lifetime (0: no end) that was issued now. */
struct issued_token *fixture_token(const char *text, uint64_t generation, int64_t lifetime_ms);

/* Delivers the answer to an ASK_TOKEN. */
void fixture_issue(struct fixture *fixture, struct message *question, const char *text,
                   uint64_t generation, int64_t lifetime_ms);

struct message *fixture_notice(const char *provider, const char *label, struct issued_token *token,
                               uint64_t generation);

/* An answer with count rows, named zenegy/a…, from the first letter on. */
struct message *fixture_rows(struct message *question, char first, size_t count);

void fixture_pass(struct fixture *fixture, int64_t ms);

/* Checks the answer's status and that its body holds the text, then frees the request. */
#define expect_answer(request, status_, text)                                                      \
    do {                                                                                           \
        struct web_request *expected_ = (request);                                                 \
        assert_int_equal(expected_->answers, 1);                                                   \
        if (expected_->status != (status_) || !strstr(expected_->answer, (text)))                  \
            print_error("answered %d %s\n", expected_->status, expected_->answer);                 \
        assert_int_equal(expected_->status, (status_));                                            \
        assert_non_null(strstr(expected_->answer, (text)));                                        \
        free(expected_);                                                                           \
    } while (0)
