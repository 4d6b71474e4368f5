#pragma once

/*
 * Everything that the threads say to each other. A message belongs to its sender until it lies in a
 * mailbox, to its receiver from then on; message_free() frees it with all it holds. What is a
 * pointer here is owned by the message.
 *
 * Front to back: a request has an id and gets exactly one ANSWER with the same id, for which the
 * front reserved a slot in its own mailbox before it asked. Back to front: ANSWERs, NOTICEs and
 * EVENTs.
 * Main to both: NEW_SETTINGS, STOP.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/secret.h"
#include "io/local_ca.h"
#include "io/seal.h"
#include "io/store_audit.h"
#include "io/store_callers.h"
#include "oauth/authorize.h"
#include "oauth/device.h"
#include "oauth/provider.h"
#include "oauth/token_reply.h"
#include "schema/wire.h"
#include "settings/settings.h"

enum message_kind {
    /* front to back, each answered once */
    ASK_TOKEN,    /* account, min_ttl_ms → token */
    ASK_ACCOUNT,  /* account → rows (one) */
    ASK_ACCOUNTS, /* after, limit → rows */
    ASK_REFRESH, /* account → token, after a refresh that starts now or is under way; and rows (one)
                    where they are at hand */
    ASK_REJECT,   /* account, fingerprint → nothing, once it is durable */
    ASK_IMPORT,   /* account, import → rows (one) */
    ASK_FORGET,   /* account → nothing, once it is durable */
    ASK_RETRY,    /* account, or provider alone (label ""), or all (provider "") → nothing */
    ASK_PUSH,     /* account, parameters → request_uri and its lifetime */
    ASK_EXCHANGE, /* account, exchange → consent */
    ASK_DEVICE,   /* account, device_request → device */
    ASK_POLL, /* account, device, exchange (its scope, account_created_at and audience) → consent,
                 when the device login has ended */
    ASK_HELD, /* after, limit → rows of those for which a consent is held */
    ASK_DECIDE,   /* account, held_at, accept → rows (one): that consent becomes the grant, or is
                     revoked */
    ASK_RENAME,   /* account, new_name → rows (one) */
    ASK_PROVIDER, /* account: endpoints, discovered where needed → provider, account_created_at */
    ASK_LINK,  /* account, link_order → rows (one, its link with it): made, the older replaced */
    ASK_LINKS, /* after, limit → rows with their links, of which the names alone are filled */
    ASK_LINK_OF,    /* account → rows (one, the same) */
    ASK_UNLINK,     /* account → nothing, once it is durable */
    ASK_LINK_LOOK,  /* link_digest → rows (one, the same), whatever became of it */
    ASK_LINK_CLICK, /* link_digest → the same, the click counted where it is open */
    ASK_AUDIT,      /* audit query → audit rows */
    ASK_CALLER,  /* callers (one: who asks) → the same (one) as it is kept: waiting or approved */
    ASK_CALLERS, /* → callers: all */
    ASK_APPROVE, /* caller_id, uid of who approves → callers (one) */
    ASK_UNAPPROVE, /* caller_id → callers (one), which is forgotten */
    ASK_HEALTH,    /* → health */
    ASK_REKEY,     /* accept: begin unless it runs → rekey */
    ASK_RESUME, /* accept: also where it was moved → accept: it was held back, and goes on now */
    ASK_BACKUP, /* backup_order → backup: a copy of the store begins */
    ASK_BACKUP_PIECE, /* backup_order (its id and offset) → backup, piece */
    ASK_BACKUP_END,   /* backup_order (its id) → nothing: the copy is deleted */

    /* front to back, not answered */
    TELL_AUDIT,  /* audit rows, with counts */
    TELL_CANCEL, /* id: of the ASK_POLL, ASK_PUSH or ASK_DEVICE that is to end, which is answered
                    all the same */

    /* back to front */
    ANSWER,
    NOTICE, /* account, token and its generation; without a token: forget those up to generation (0:
               whatever it is; UINT64_MAX: what had that name is gone, and its logins with it);
               account.provider "": forget all. With the name of an event it is that too. */

    CALLERS,        /* callers: all who are approved, in the place of those told before */
    CALLER_REFUSED, /* caller_id: on_caller says no to those of it who wait now */

    /* main to back */
    TELL_DECISION, /* caller_id, accept: what on_caller says */
    TELL_HEARD,    /* the EVENT with this id; accept: its program has ended, or there is none */

    /* back or main to front */
    CERTIFICATE, /* certified: what https is served with from now on; authority and its facts; each
                    absent where it stays as it was */

    /* any to main, for the hook; back to front, for those who follow */
    EVENT, /* account (label "": the provider), event; callers (one) where it is about a caller; id:
              it goes back as TELL_HEARD, 0: it does not */

    PULSE, /* main to a thread and back again: it has come to this letter */

    /* main to both */
    NEW_SETTINGS,
    STOP,
};

/* What the back does for logins at once, of each kind: for as many as there may be, since the
 * front's quotas see to it that they are not one user's, and some more whose end is on its way. */
enum { LOGINS_IN_BACK_MAX = 320 };

/* An access token as the front may hand it out. */
struct issued_token {
    uint64_t generation;
    struct secret *access_token;
    char *token_type;
    char *scope; /* NULL: not known */
    char *extra; /* a JSON object */
    int64_t obtained_at;
    int64_t lifetime_ms; /* 0: no end */
    int64_t expires_at;  /* 0: no end */
};

/* NULL is fine; returns NULL. A copy returns 0 or -errno. */
struct issued_token *issued_token_free(struct issued_token *token);
int issued_token_copy(const struct issued_token *token, struct issued_token **ret);

/* Why a request was not served; goes to the client as it is. */
struct failure {
    enum wire_error error;
    char description[256];
    int64_t retry_after_s;      /* 0: not said */
    int64_t max_min_ttl_s;      /* 0: not said */
    char link[LINK_TOKEN_SIZE]; /* WIRE_CONSENT_REQUIRED: the account's; "": none */
    struct account_name other;  /* whom it is about too: for who may list it; "": none */
};

struct exchange_request {
    struct secret *code;
    struct secret *verifier; /* NULL without PKCE */
    struct secret *nonce;    /* NULL when none was sent */
    char *redirect_uri;
    char *scope;                     /* asked for; NULL: none */
    char link[LINK_DIGEST_SIZE];     /* it was begun by; "": by none */
    int64_t account_created_at;      /* as ASK_PROVIDER told it when the login began */
    char audience[FINGERPRINT_SIZE]; /* provider_audience() at its begin; "": not said */
};

struct link_order {
    uint32_t uid; /* who makes it */
    int64_t life_ms;
    char *expect; /* whose consent it is for; NULL: the account's identity, where that is known */
    char *scope;
    char *params;
};

struct device_request {
    char *scope;              /* asked for; NULL: the provider's */
    struct parameters params; /* the caller's own */
};

struct import_request {
    struct secret *refresh_token; /* either this */
    struct secret *access_token;  /* or, for GRANT_STATIC, this */
    char *scope;
};

/* How a consent ended; the last three leave an account as it was. */
enum consent_outcome {
    CONSENT_GRANTED,
    CONSENT_WITHOUT_REFRESH_TOKEN, /* works until expires_at */
    CONSENT_IDENTITY_MISMATCH,     /* held; the old grant serves on */
    CONSENT_AWAITS,                /* by a link, and nobody has said whose it should be: held */
    CONSENT_UNTOLD,                /* held: nobody said whose, and the account is known */
    CONSENT_DENIED,                /* on the device's page, by the person */
    CONSENT_EXPIRED,               /* nobody entered the device's code in time */
    CONSENT_CANCELLED,             /* by TELL_CANCEL */
};

struct consent {
    enum consent_outcome outcome;
    int64_t expires_at;
    char *scope;    /* granted */
    char *identity; /* NULL: not known */
    bool fewer_scopes;
    bool link_used; /* the link that it was begun by is over with it */
};

/* NULL is fine; returns NULL. */
struct consent *consent_free(struct consent *consent);

struct audit_query {
    struct audit_filter filter;
    size_t limit;
};

/* Of client_secret_next. */
enum next_secret {
    NEXT_SECRET_NONE, /* not configured */
    NEXT_SECRET_UNTRIED,
    NEXT_SECRET_REFUSED,
    NEXT_SECRET_WORKS, /* it is in force */
};

struct provider_health {
    char provider[PROVIDER_NAME_MAX + 1];
    bool paused;
    char reason[64];
    int64_t probe_at;
    enum next_secret next_secret;
    uint64_t attempts[VERDICT_COUNT]; /* refreshes since the start, by what came of them */
    unsigned in_air;
};

struct health {
    bool store_ok; /* false: writes fail at the moment */
    char store_problem[160];
    char copied[160];         /* why the store is held for a copy; "": it is not */
    int64_t moved_at;         /* when it was moved, in seconds of the wall clock; 0: it was not */
    uint64_t commit_groups;   /* that were written since the start */
    uint64_t commit_failures; /* tries that the store refused */
    uint64_t audit_waiting;   /* rows of the audit that wait for the store */
    uint64_t audit_lost;      /* events for which there was no row, since the start */
    uint64_t accounts[3];     /* by enum account_state */
    size_t provider_count;
    struct provider_health *providers; /* all that are configured */
};

/* How far the store is sealed anew. */
struct rekey_progress {
    bool running;
    uint64_t resealed;             /* rows, since it began or the broker started */
    uint64_t unreadable;           /* rows that no key opens */
    char key_id[SEAL_KEY_ID_SIZE]; /* of the key that seals by now */
};

enum { BACKUP_ID_SIZE = 22 + 1, BACKUP_KEY_SIZE = 200 };

struct backup_order {
    char id[BACKUP_ID_SIZE];
    int64_t offset; /* -1: no piece is wanted */
    bool key_kept;  /* the asker keeps a copy of the key that the broker made for itself */
    char key_id[SEAL_KEY_ID_SIZE]; /* of the key that the asker keeps; "": not said */
    bool moves;                    /* the store is another broker's from then on */
};

struct backup_facts {
    char id[BACKUP_ID_SIZE];
    bool whole;
    uint64_t bytes;            /* once it is whole */
    char key[BACKUP_KEY_SIZE]; /* where the key that opens it comes from */
    char key_id[SEAL_KEY_ID_SIZE];
};

/* Something that happened. */
struct event {
    char name[32]; /* one of WIRE_EVENTS */
    char text[200];
};

struct message {
    enum message_kind kind;
    uint64_t id;
    struct account_name account;
    int64_t min_ttl_ms; /* ASK_TOKEN; -1: the default */
    size_t limit;       /* ASK_ACCOUNTS, ASK_HELD: after `account` */
    bool accept;        /* ASK_DECIDE; false: discard. ASK_REKEY, ASK_RESUME
                           and the answer to it; TELL_DECISION, TELL_HEARD */
    int64_t held_at;    /* ASK_DECIDE: of the consent that was seen */
    int64_t caller_id;
    uint32_t uid; /* ASK_APPROVE */
    struct caller_row *callers;
    size_t caller_count;
    struct account_name new_name;       /* ASK_RENAME */
    char fingerprint[FINGERPRINT_SIZE]; /* ASK_REJECT */

    struct secret *parameters; /* ASK_PUSH: as a form, without the client's proof */
    struct exchange_request *exchange;
    struct device_request *device_request;
    struct device_authorization *device; /* ASK_POLL, and the answer to ASK_DEVICE */
    struct import_request *import;
    struct link_order *link_order;
    char link_digest[LINK_DIGEST_SIZE]; /* ASK_LINK_LOOK, ASK_LINK_CLICK */
    struct audit_query audit_query;
    struct backup_order backup_order;
    struct settings *settings; /* NEW_SETTINGS */
    struct seal_key *key_next; /* NEW_SETTINGS, to the back; NULL: none is configured */

    /* answers: a failure, or what the request says */
    bool failed;
    struct failure failure;
    struct issued_token *token;
    uint64_t generation; /* NOTICE */
    struct account_row *rows;
    size_t row_count;
    struct provider *provider;
    int64_t account_created_at; /* 0: nobody has given it a grant */
    struct consent *consent;
    struct secret *request_uri; /* RFC 9126 2.2 */
    int64_t request_uri_lifetime_ms;
    struct health *health;
    struct rekey_progress rekey;
    struct backup_facts backup;
    void *piece; /* sealed as it lies in the store */
    size_t piece_length;
    struct audit_row *audit;
    size_t audit_count;
    struct event event;                       /* EVENT, NOTICE */
    char *start_url;                          /* EVENT: where a person may consent; NULL: none */
    struct certified *certified;              /* CERTIFICATE */
    char *authority;                          /* CERTIFICATE: PEM */
    struct certificate_facts authority_facts; /* CERTIFICATE */
};

/* A message of that kind with everything else zero; NULL when memory is short. */
struct message *message_new(enum message_kind kind);

/* NULL and half-built messages are fine; returns NULL. */
struct message *message_free(struct message *message);

/* The same, as mailbox_new() wants it. */
void message_destroy(void *letter);

/* Makes an answer a failure; whatever else it holds stays owned by it. */
void message_fail(struct message *message, enum wire_error error, const char *format, ...)
    PRINTF_LIKE(3, 4);

DEFINE_CLEANUP(struct message *, message, message_free)
DEFINE_CLEANUP(struct issued_token *, issued_token, issued_token_free)
