#pragma once

/* What the rooms of this thread have in common. Owned by back.c; the others borrow. */

#include <stdbool.h>

#include "back/commit.h"
#include "base/mailbox.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/seal.h"
#include "io/store.h"
#include "messages.h"

/* Room is taken for tokens so long before the first of an account are asked for: nobody knows how
 * long they will be. */
enum { KEEPER_FIRST_TOKEN_ROOM = 12 * 1024 };

struct lanes;
struct exchanges;
struct settle;
struct errands;
struct device_polls;
struct revocations;
struct authority;
struct warn;
struct rekey;
struct replan;
struct restored;
struct callers;
struct backup;
struct audit_held;

struct keeper {
    struct loop *loop;
    struct store *store;
    struct seal_key *key; /* another object after each rekey */
    struct http_client *http;
    struct commits *commits;
    struct mailbox *front;
    struct message *spare_answer; /* to refuse with where memory is short; NULL: it is used up */
    struct mailbox *main;         /* NULL: nobody hears of events */
    struct lanes *lanes;
    struct exchanges *exchanges;
    struct settle *settles; /* all logins that are under way, the newest first */
    struct errands *errands;
    struct device_polls *device_polls;
    struct revocations *revocations;
    struct authority *authority;
    struct warn *warn;
    struct rekey *rekey;
    struct replan *replan;
    struct restored *restored;
    struct callers *callers;
    struct backup *backup;
    struct audit_held *audit;
    const struct settings *settings; /* the newest; back.c's */
    bool stopping;                   /* nothing new is sent to a provider, but codes are */
    bool closed;                     /* nor are these */
};

/* One provider as it was configured when an operation began: it ends with what it began with. */
struct setup {
    unsigned references;
    struct provider *provider; /* endpoints known once `resolved` */
    struct secret *client_secret;
    bool resolved;
};

/* Copies both. Returns 0 or -errno. */
int setup_new(const struct provider *provider, const struct secret *client_secret,
              struct setup **ret);
struct setup *setup_ref(struct setup *setup);
struct setup *setup_unref(struct setup *setup);

/* What shapes a request for a token, as it was configured, in one word, the secret by its SHA-256:
 * a change of it is a reason to probe. Discovery does not change it. */
void setup_fingerprint(const struct setup *setup, char out[static FINGERPRINT_SIZE]);

/* Tells the front of a new token: takes token over; NULL: forget what is not newer than
 * generation. */
void keeper_notify(struct keeper *keeper, const struct account_name *name, uint64_t generation,
                   struct issued_token *token);

/* The same, and tells those who follow that the token comes from a refresh. */
void keeper_notify_refreshed(struct keeper *keeper, const struct account_name *name,
                             uint64_t generation, struct issued_token *token);

/* Sends the answer to a question with that id (the front has reserved the slot); takes answer
 * over. NULL: memory was short for it, which is what the asker is told. */
void keeper_answer(struct keeper *keeper, uint64_t id, struct message *answer);
void keeper_refuse(struct keeper *keeper, uint64_t id, const struct failure *failure);

/* Tells the main thread, and those who follow, of something that a person may want to be called
 * for; label "": of the provider. event is one of WIRE_EVENTS. What too many wait before is
 * dropped; of those who follow, only the last one of a name and account that waits is told. */
void keeper_event(struct keeper *keeper, const struct account_name *name, const char *event,
                  const char *format, ...) PRINTF_LIKE(4, 5);

/* Tells the main thread alone; it says with TELL_HEARD and that receipt when the program was run.
 * Returns 0, also where there is no main thread, MAILBOX_FULL or -ENOMEM. */
struct hook_call {
    uint64_t receipt;
    const char *link; /* where a person may consent; "" or NULL: nowhere */
};
int keeper_call_hook(struct keeper *keeper, const struct account_name *name, const char *event,
                     const struct hook_call *call, const char *format, ...) PRINTF_LIKE(5, 6);

/* The same for what nobody needs to be called for: those who follow alone are told. */
void keeper_remark(struct keeper *keeper, const struct account_name *name, const char *event,
                   const char *format, ...) PRINTF_LIKE(4, 5);

/* The failure of an account whose grant a person has to renew. */
struct failure failure_consent_required(const struct account_row *row);

/* The failure of an account whose row store_read() could not give, with what it returned. */
struct failure failure_unreadable(const struct account_name *name, int result);

/* A failure from a format; retry_after_s 0: not said. */
struct failure failure_make(enum wire_error error, int64_t retry_after_s, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* In a transaction: the account's row, or where there is none yet a new one with its name, which is
 * not written. Returns 0 or what store_read() said. */
int keeper_row_or_new(struct store *store, const struct account_name *name,
                      struct account_row *ret);
