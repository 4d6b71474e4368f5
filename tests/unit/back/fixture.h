#pragma once

/* The whole back on its own thread, over a real store, a real key and a scripted provider; the test
 * is its front. Its clock and its timers run as fast as the test wants. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* after the four above */
#include <cmocka.h>

#include "back/back.h"
#include "back/vault.h"
#include "messages.h"
#include "server.h"

enum { FRONT_SLOTS = 384, STAGE_KEPT_MAX = 384, SECOND = 1000, MINUTE = 60 * SECOND };
#define HOUR (INT64_C(60) * MINUTE)

struct stage {
    char folder[64];
    char url[64]; /* of the provider, without a path */
    struct server *server;
    struct settings *settings; /* as the next start or reload takes them */
    struct mailbox *inbox, *front;
    struct mailbox *main; /* the test's; NULL: nobody hears of events */
    struct back *back;
    pthread_t thread;
    bool runs, stopping;
    uint64_t last_id;
    struct message *notices[STAGE_KEPT_MAX];
    size_t notice_count;
    struct message *answers[STAGE_KEPT_MAX];
    size_t answer_count;
};

int set_up(void **state);     /* provider "acme", not started */
int set_up_all(void **state); /* and started */
/* Also checks that every question was answered once. */
int tear_down(void **state);

/* How many times faster than the world the back's clock and timers are. */
void set_speed(int64_t speed);
/* So many of the next commits find the disk full. */
void refuse_commits(unsigned count);
/* So many of the next commits find no memory before what they store exists. */
void refuse_commit_memory(unsigned count);
/* So many of the next grants of accounts that are opened find no memory. */
void refuse_vault_memory(unsigned count);
/* How often it was written since, in a transaction that stood or not, that a person was told of an
 * account; and commits that say so of more accounts find the disk full, until set_up(). */
unsigned notes_tried(void);
/* How often accounts were listed, since the first test of this program. */
unsigned lists_made(void);
void refuse_notes_beyond(unsigned count);
/* Takes all that is free for secrets, but so many of the longest, until empty_secrets(). */
void fill_secrets(size_t but);
void empty_secrets(void);
/* The row with this label cannot be read; NULL: all can. The label must live on. */
void damage_reads(const char *label);
/* The same with another result. */
void fail_reads(const char *label, int result);
/* No grant of the row with this label can be written; NULL: all can. The label must live on. */
void damage_writes(const char *label);
/* No row of the audit of this account can be written; NULL: all can. */
void damage_audit(const char *account);
/* So many of the next looks at the schedule fail. */
void fail_schedule(unsigned count);
/* The back's clock. */
int64_t broker_now(void);

struct provider *add_provider(struct stage *stage, const char *name);
/* The one that the fixture made. */
struct provider *acme(struct stage *stage);
void set_text(char **slot, const char *text);
/* The server's own POST /revoke, for acme. */
void set_revocation_endpoint(struct stage *stage);
/* What links need: a callback that others reach. */
void set_public_url(struct stage *stage);

void start(struct stage *stage);
/* With whatever is in the air; keeps the store's folder. */
void stop(struct stage *stage);
void begin_stop(struct stage *stage); /* without waiting for its end: stop() does */
void reload(struct stage *stage);

/* Straight into the store, while the back does not run. */
struct seed {
    const char *label;
    const char *refresh_token; /* NULL: none */
    const char *predecessor;
    const char *access_token;
    int64_t lifetime_ms; /* of the access token, obtained now */
    int64_t refresh_at;  /* 0: not planned; 1: due */
    enum account_state state;
    enum refusal_step refusals;
    const char *identity;
};
void seed(struct stage *stage, struct seed seed);
/* Due, with the refresh token "rt-secret-LABEL", which a request shows as RT(LABEL); predecessor
 * may be NULL. */
void seed_due(struct stage *stage, const char *label, const char *predecessor);
#define RT(label) "refresh_token=rt-secret-" label
/* Both are due; "dk" still has the live token "at-secret", "se" has none. */
void seed_live_and_ended(struct stage *stage);
/* Out of the store, while the back does not run. Both are the caller's to release. */
void stored(struct stage *stage, const char *label, struct account_row *row, struct grant *grant);
bool holds(const struct secret *secret, const char *text);
/* What is held for an account, to be released; false when nothing is. */
bool held_consent(struct stage *stage, const char *label, struct held_row *row,
                  struct grant *grant);
size_t count_kept(struct stage *stage, enum kept_kind kind);
void run_sql(struct stage *stage, const char *sql);

/* Questions. The message is given up; returns the id. */
struct message *question(enum message_kind kind, const char *label);
uint64_t post(struct stage *stage, struct message *question);
uint64_t ask(struct stage *stage, enum message_kind kind, const char *label);
/* Seeds, starts and asks for the token: its refresh is in the air, the reply (GRANT_ROTATED) held
 * back by the server. */
uint64_t ask_in_the_air(struct stage *stage, const char *label);
uint64_t ask_import(struct stage *stage, const char *label, const char *refresh_token);
/* Of a consent that was begun by a link. */
uint64_t ask_exchange_by(struct stage *stage, const char *label, const char *code,
                         const char *digest);
uint64_t ask_exchange(struct stage *stage, const char *label, const char *code, const char *nonce);
/* A login begins, for the account that is there now: returns what brings its code, not sent. */
struct message *begin_login(struct stage *stage, const char *label, const char *code);
/* A device login's end, whose codes were shown. */
uint64_t ask_poll(struct stage *stage, const char *label, int64_t interval_ms, int64_t lifetime_ms);
uint64_t ask_reject(struct stage *stage, const char *label, const char *access_token);

/* Makes a link, for whoever's consent where expect is NULL; its digest goes to out. */
void make_link(struct stage *stage, const char *label, const char *expect,
               char out[static LINK_DIGEST_SIZE]);

/* The answer to it, within 20 s. The caller's. */
struct message *answer(struct stage *stage, uint64_t id);
/* True when it has come by now. */
bool answered(struct stage *stage, uint64_t id);
void expect_token(struct stage *stage, uint64_t id, const char *access_token);
/* The refusal, for whoever looks at its words too; the caller's. */
struct message *refusal(struct stage *stage, uint64_t id, enum wire_error error);
void expect_failure(struct stage *stage, uint64_t id, enum wire_error error);
void expect_ok(struct stage *stage, uint64_t id);

/* The account's row; the caller releases it. */
struct account_row ask_row(struct stage *stage, const char *label);
enum account_state ask_state(struct stage *stage, const char *label);
bool ask_paused(struct stage *stage);
/* Waits, 20 s at most. */
void await_state(struct stage *stage, const char *label, enum account_state state);
void await_generation(struct stage *stage, const char *label, uint64_t generation);
void await_paused(struct stage *stage, bool paused);
void rest(int ms);
/* How many lines of the log hold that text, since the first test of this program. */
unsigned logged(const char *text);

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_STARTED(name) cmocka_unit_test_setup_teardown(name, set_up_all, tear_down)
/* Runs the tests with standard error caught, and looks for secrets in it afterwards: tests name
 * theirs with a "-secret" in them. */
int run_quietly(const struct CMUnitTest *tests, size_t count);
#define RUN(tests) run_quietly(tests, sizeof(tests) / sizeof((tests)[0]))

/* Replies of a token endpoint. */
#define GRANT_ROTATED                                                                              \
    "{\"access_token\":\"at-secret-%u\",\"token_type\":\"bearer\",\"expires_in\":3600,"            \
    "\"refresh_token\":\"rt-secret-%u\"}"
#define GRANT_PLAIN "{\"access_token\":\"at-secret-%u\",\"expires_in\":3600}"
#define REFUSED "{\"error\":\"invalid_grant\",\"error_description\":\"gone\"}"
#define BAD_CLIENT "{\"error\":\"invalid_client\",\"error_description\":\"who?\"}"
