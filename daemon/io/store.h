#pragma once

/*
 * The store of accounts. It is an interface: a second backend fits without a change above it. It
 * knows facts and opaque sealed bytes, never a secret. One thread uses it at a time; all writes
 * happen between store_begin() and store_commit(), and none is durable before that returned 0.
 *
 * Every call returns 0, a value of enum store_problem, or -errno when the store itself failed
 * (-ENOSPC: the disk is full; -ENOMEM; -EBADMSG: it is damaged; -EIO: anything else); after a
 * negative return inside a transaction call store_rollback(). store_message() says what the backend
 * said.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/account.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"

struct store;
struct link_row;

enum store_problem {
    STORE_NOT_FOUND = 1,
    STORE_LOCKED,  /* another process has it open */
    STORE_NEWER,   /* written by a newer version of the program */
    STORE_FOREIGN, /* not a store of ours, or damaged */
};

enum account_state {
    ACCOUNT_ACTIVE,
    ACCOUNT_SUSPECT,          /* refusals that may pass; refreshes go on slowly */
    ACCOUNT_CONSENT_REQUIRED, /* a person has to consent again */
};

/* How far the refusals of the current refresh token have gone; kept so that each step is taken once
 * whatever crashes. */
enum refusal_step {
    REFUSAL_NONE,
    REFUSAL_ONCE,       /* the current token was refused; it is sent once more */
    REFUSAL_TWICE,      /* twice; the predecessor is next */
    REFUSAL_PREDECESSOR /* the predecessor was sent too */
};

/* Of what a person was told beside the levels of the forecast, which are days and fewer. */
enum { WARNED_NEEDS_CONSENT = 1000, WARNED_HELD, WARNED_IDENTITY };

/* One account. Times are broker time in ms, 0 where there is none. Strings are owned, NULL where
 * there is none. */
struct account_row {
    struct account_name name;
    uint64_t generation; /* of the token; grows by one with each */
    enum account_state state;
    bool has_refresh_token;
    bool rejected; /* an API refused the access token of this generation: never serve it */

    int64_t created_at;
    int64_t granted_at;   /* when a person consented, or the grant was imported; 0: not known */
    int64_t refreshed_at; /* when the current access token was obtained */
    int64_t lifetime_ms;
    bool lifetime_assumed;            /* no reply said it: it is the configuration's */
    int64_t expires_at;               /* 0: no end */
    int64_t refresh_at;               /* next refresh or retry; 0: none planned */
    int64_t refresh_token_expires_at; /* as a reply said; 0: none did */
    int64_t refresh_token_life_ms;    /* when that end was last set further out; 0: not known */
    int64_t asked_at;                 /* when a token was last asked for, to the minute; 0: never */
    int64_t lost_at; /* when the current refresh token was first sent without a usable answer */
    unsigned warned_days; /* the forecast's level that was told last, or WARNED_NEEDS_CONSENT */

    enum refusal_step refusals;
    int64_t refused_at; /* first refusal of the current refresh token */
    int64_t suspect_since;
    unsigned suspect_tries; /* since then */
    unsigned failures;      /* in a row, of whatever class */
    unsigned failed_alone;  /* of them without a usable answer, while others succeeded */
    char refused_under[FINGERPRINT_SIZE]; /* set-up by which a consent came to be wanted; or "" */
    char *last_error;
    char *last_error_description;
    int64_t last_error_at;

    char *scope;
    char *identity;
    char imported[FINGERPRINT_SIZE]; /* refresh token whose import made a grant last; or "" */
    int64_t identity_changed_at; /* when a refresh told of another one; 0: a person was called */
    char *identity_before;       /* whose the grant was then */

    /* Of a consent for another identity that is held; only read, see struct held_row. */
    int64_t held_at;     /* 0: none is */
    char *held_identity; /* NULL also where it is not known */
    int64_t held_refreshed_at;
    int64_t held_refresh_token_expires_at;
    int64_t held_refresh_token_life_ms;
    unsigned held_warned_days;

    void *sealed; /* the tokens; see back/vault; NULL with generation 0: never had a grant */
    size_t sealed_length;

    /* Of the link that is open for it; never in the store, not copied: filled by back/links. */
    struct link_row *link;
    /* When the whole store was moved, in seconds of the wall clock, 0: it was not; filled by the
     * back for who asks, like the link. */
    int64_t moved_at;
};

/* Frees what a row owns; a copy is deep and returns 0 or -ENOMEM. */
void account_row_release(struct account_row *row);
int account_row_copy(const struct account_row *from, struct account_row *ret);

/* What holds the store up: one row for each provider that was ever paused. */
struct pause_row {
    char provider[PROVIDER_NAME_MAX + 1];
    int64_t paused_since; /* 0: not paused */
    int64_t probe_at;
    unsigned probes;
    char reason[64];      /* "invalid_client", "refusals", … */
    char credentials[64]; /* fingerprint of what was configured then */
};

/* A grant for another identity than the account's, held until someone decides: at most one for each
 * account, and gone with it. The facts are those that the account's row would take over. */
struct held_row {
    struct account_name name;
    int64_t created_at;
    int64_t refreshed_at;
    int64_t lifetime_ms;
    bool lifetime_assumed;
    int64_t expires_at;
    int64_t refresh_at;
    int64_t refresh_token_expires_at;
    int64_t refresh_token_life_ms;
    char *scope;
    char *identity;
    unsigned warned_days; /* as an account's, or WARNED_HELD */
    void *sealed;
    size_t sealed_length;
};

/* Frees what a row owns. */
void held_row_release(struct held_row *row);

/* What became of a link. The numbers are in the store. */
enum link_ending { LINK_OPEN, LINK_USED, LINK_REPLACED, LINK_WITHDRAWN };

enum { LINK_TOKEN_SIZE = 43 + 1, LINK_DIGEST_SIZE = 43 + 1 };

/* A link by which a person elsewhere consents for an account, of which there need not be a row. */
struct link_row {
    struct account_name name;
    char digest[LINK_DIGEST_SIZE]; /* SHA-256 of the token, by which it is looked up */
    int64_t created_at;
    int64_t expires_at;
    enum link_ending ending; /* LINK_OPEN also when it has expired */
    int64_t ended_at;        /* 0: open */
    int64_t forget_at;       /* the row goes then */
    uint32_t uid;            /* who made it */
    unsigned clicks;         /* attempts that were begun by it */
    int64_t hour_began_at;
    unsigned hour_clicks; /* of them since hour_began_at */
    char *expect;         /* whose consent it is for; NULL: not known */
    char *scope;          /* to ask for; NULL: the provider's */
    char *params;         /* for the authorize URL, a JSON object; NULL: none */
    void *sealed;         /* the token; NULL once it is over */
    size_t sealed_length;

    char *token; /* never in the store: opened by the back for who may see it; else NULL */
};

/* Frees what a row owns; a copy is deep, but for the token, and returns 0 or -ENOMEM. */
void link_row_release(struct link_row *row);
int link_row_copy(const struct link_row *from, struct link_row *ret);
/* NULL is fine; returns NULL. */
struct link_row *link_row_free(struct link_row *row);

/* A reply that could not be read, kept for a person to look at; a token still to be revoked; or a
 * refresh token that could not be written to its account's row, with the one that was spent for it
 * as its predecessor. All are sealed. The numbers are in the store; 0 was a held consent once. */
enum kept_kind { KEPT_UNREADABLE_REPLY = 1, KEPT_REVOCATION, KEPT_SUCCESSOR, KEPT_KINDS };

struct kept_row {
    int64_t id; /* given by store_keep() */
    enum kept_kind kind;
    struct account_name name;
    int64_t created_at;
    int64_t due_at; /* next try of a revocation */
    unsigned tries;
    const char *identity; /* whose grant is to be revoked; NULL: not known; borrowed */
    void *sealed;
    size_t sealed_length;
};

/* Frees what a row owns. */
void kept_row_release(struct kept_row *row);

enum {
    KEPT_ROWS_MAX = 10 * 1000,
    LINKS_OVER_MAX = 20 * 1000, /* the oldest go */
    IMPORTS_MAX = 16,           /* of one account */
    LINKS_FORGOTTEN_AT_ONCE = 100,
};

/* So long a link that is over can still say so. */
#define LINK_REMEMBERED_MS (INT64_C(30) * 24 * 60 * 60 * 1000)

/* Opens or creates the store in a folder, migrates it, and holds it alone. complaint says what is
 * wrong and what to do. The folder must be there, ours, and 0700: else another -errno than the two
 * above (-ENOENT, -EPERM, -EROFS, …). Nothing that is already in it is ever deleted. */
int store_open(const char *folder, struct store **ret, struct complaint *complaint);
struct store *store_close(struct store *store);
const char *store_message(const struct store *store);

/* All writes stand between begin and commit; rollback is always safe. */
int store_begin(struct store *store);
int store_commit(struct store *store);
/* What has failed in this transaction, also if nobody heard of it: -errno; 0: nothing. */
int store_failure(const struct store *store);
void store_rollback(struct store *store);

/* Moves what lies in the log to its place and empties the log, so that replaced sealed bytes are
 * gone from the disk. It happens by itself at store_close() and when the log has grown; call it,
 * outside a transaction, when the old bytes must not linger. Nothing is lost when it fails. */
int store_checkpoint(struct store *store);

/*
 * A copy of the store as it is when its last step is done; what is written meanwhile is in it. It
 * lies in a file without a name in the store's folder, gone with store_copy_free() or the process.
 * Opened as a store, it knows that it is a copy (the fact `restored`).
 */
struct store_copy;
enum { STORE_COPY_MORE = 1 };

/* Returns 0, -ENOMEM, -ENOSPC (it would leave too little room on the disk) or -EIO. */
int store_copy_begin(struct store *store, struct store_copy **ret);
/* Copies a few pages, outside a transaction. Returns STORE_COPY_MORE, 0 when it is whole, -ENOSPC
 * or -EIO; after another value than STORE_COPY_MORE it must not be called again. */
int store_copy_step(struct store_copy *copy);
/* Of a whole copy: its bytes; and those from offset on, *ret of them, fewer only at its end.
 * -EINVAL: an offset beyond its end. */
uint64_t store_copy_size(const struct store_copy *copy);
int store_copy_read(const struct store_copy *copy, uint64_t offset, void *out, size_t length,
                    size_t *ret);
/* Before store_close(). NULL is fine; returns NULL. */
struct store_copy *store_copy_free(struct store_copy *copy);

/* Reads all of it: 0, or STORE_FOREIGN with a complaint when anything is damaged. It takes long. */
int store_check(struct store *store, struct complaint *complaint);

/* Small facts by name: the uuid, the clock's record, the key's proof. The caller frees *ret. */
int store_get_fact(struct store *store, const char *name, char **ret);
int store_put_fact(struct store *store, const char *name, const char *value);

/* The whole row with its sealed bytes; release it with account_row_release(). STORE_FOREIGN: this
 * row is damaged, which is no reason to give up a transaction. */
int store_read(struct store *store, const struct account_name *name, struct account_row *ret);
/* Inserts or replaces the whole row. */
int store_put(struct store *store, const struct account_row *row);
/* Inserts or replaces everything but the sealed bytes, which stay as they are. */
int store_put_facts(struct store *store, const struct account_row *row);
/* The owner of its refresh token and what is held for it go with it; what is kept for it stays. */
int store_delete(struct store *store, const struct account_name *name);

/* Called for each row until it returns false. The row is the store's. Inside it, neither of the two
 * functions that call it may be called again (-EBUSY); all others may. */
typedef bool (*store_each_account)(void *userdata, const struct account_row *row);

/* Accounts in the order of their names, after the given one (NULL: from the start), at most limit;
 * without their sealed bytes. Damaged rows are passed over. */
int store_list(struct store *store, const struct account_name *after, size_t limit,
               store_each_account each, void *userdata);

/* The names of a provider's accounts with 0 < refresh_at <= now, the longest due first, at most
 * limit, until it is told false. It reads the schedule alone: a row may turn out to be damaged. */
int store_due(struct store *store, const char *provider, int64_t now, size_t limit,
              bool (*each)(void *userdata, const struct account_name *name), void *userdata);

/* The earliest refresh_at of a provider's accounts; 0 when there is none. */
int store_next_due(struct store *store, const char *provider, int64_t *ret);

/* The provider's account that last succeeded (for a canary), of another label than these two ("":
 * of any): STORE_NOT_FOUND when it has no such one with a refresh token and a state other than
 * ACCOUNT_CONSENT_REQUIRED. */
int store_canary(struct store *store, const char *provider, const char *not_this,
                 const char *nor_this, struct account_name *ret);

/* Called for each account until it returns false; lost_at is its row's. */
typedef bool (*store_each_lost)(void *userdata, const struct account_name *name, int64_t lost_at);

/* Those among which store_canary() chooses whose refresh token was sent without a usable answer
 * later than since, the longest ago first; but not where a try has failed last_ms after that, or
 * later. It reads an index alone, as store_due() does. */
int store_lost(struct store *store, const char *provider, int64_t since, int64_t last_ms,
               store_each_lost each, void *userdata);

/* The provider's first account after this label that wants a consent and has a refresh token; where
 * set_up is not "", one that was refused under another one, if that is known. STORE_NOT_FOUND. */
int store_refused(struct store *store, const char *provider, const char *after, const char *set_up,
                  struct account_name *ret);

/* STORE_NOT_FOUND for a provider that was never paused. */
int store_get_pause(struct store *store, const char *provider, struct pause_row *ret);
int store_put_pause(struct store *store, const struct pause_row *row);
/* The same for every provider that store_canary() finds an account of, whichever row names. */
int store_pause_refreshable(struct store *store, const struct pause_row *row);

/* The consent that is held for an account, of which there must be a row: put replaces it. Release
 * what was read with held_row_release(). STORE_NOT_FOUND: none is held. */
int store_put_held(struct store *store, const struct held_row *row);
int store_read_held(struct store *store, const struct account_name *name, struct held_row *ret);
int store_drop_held(struct store *store, const struct account_name *name);
/* store_list() of those accounts alone for which one is held. */
int store_list_held(struct store *store, const struct account_name *after, size_t limit,
                    store_each_account each, void *userdata);

/* Inserts a link; the one that was open for the account is LINK_REPLACED as of row->created_at. The
 * row is open and its token, expect, … are borrowed. */
int store_put_link(struct store *store, const struct link_row *row);
/* Whatever became of it. Release it with link_row_release(). */
int store_read_link(struct store *store, const char *digest, struct link_row *ret);
/* The one that is open for an account, expired or not; STORE_NOT_FOUND: none. */
int store_open_link(struct store *store, const struct account_name *name, struct link_row *ret);
/* It is over, its sealed token gone; STORE_NOT_FOUND: none was open. */
int store_end_link(struct store *store, const struct account_name *name, enum link_ending ending,
                   int64_t now);
/* Writes the numbers of clicks. */
int store_count_click(struct store *store, const struct link_row *row);
/* The one that is open for an account is another's from now on; the other's own is replaced by it.
 * Nothing to move is fine. */
int store_move_link(struct store *store, const struct account_name *from,
                    const struct account_name *to, int64_t now);
/* The open ones in the order of their accounts' names; like store_list(). */
int store_list_links(struct store *store, const struct account_name *after, size_t limit,
                     bool (*each)(void *userdata, const struct link_row *row), void *userdata);
/* How many are open, and how many of these a user has made. */
int store_count_links(struct store *store, uint32_t uid, uint64_t *ret_all, uint64_t *ret_own);
/* Those go whose time to be forgotten has come, a bounded number at a time. */
int store_forget_links(struct store *store, int64_t now);

/* Of each kind the oldest rows beyond KEPT_ROWS_MAX go. */
int store_keep(struct store *store, const struct kept_row *row);
/* The oldest rows of a kind go until so many are left. Tells which they were, unless dropped is
 * NULL. */
int store_trim_kept(struct store *store, enum kept_kind kind, size_t left,
                    void (*dropped)(void *userdata, int64_t id, const char *account),
                    void *userdata);
/* Rows with due_at <= due_before, the longest due first, at most limit; INT64_MAX: all. */
int store_each_kept(struct store *store, enum kept_kind kind, int64_t due_before, size_t limit,
                    bool (*each)(void *userdata, const struct kept_row *row), void *userdata);
/* Whether one was made for the account after that time. Returns 0, STORE_NOT_FOUND, -ENOSPC or
 * -EIO. */
int store_find_kept(struct store *store, enum kept_kind kind, const struct account_name *name,
                    int64_t after);
int store_postpone_kept(struct store *store, int64_t id, int64_t due_at, unsigned tries);
int store_drop_kept(struct store *store, int64_t id);
/* Revocations of grants that may be the same person's go: those of that identity, and those of that
 * account unless both identities are known and differ. Tells which they were. */
int store_drop_revocations(struct store *store, const struct account_name *name,
                           const char *identity,
                           void (*dropped)(void *userdata, int64_t id, const char *label),
                           void *userdata);

/* Whatever is sealed in a table of the store, for who seals it anew. */
enum sealed_kind { SEALED_ACCOUNT, SEALED_HELD, SEALED_KEPT, SEALED_LINK, SEALED_KINDS };

struct sealed_row {
    int64_t id; /* among those of its kind; as long as the row lives */
    struct account_name name;
    uint64_t generation;           /* SEALED_ACCOUNT */
    enum kept_kind kept;           /* SEALED_KEPT */
    char digest[LINK_DIGEST_SIZE]; /* SEALED_LINK */
    void *sealed;                  /* the store's */
    size_t sealed_length;
};

/* Rows with id > after that hold sealed bytes, in the order of their ids, at most limit. Inside it,
 * store_put_sealed() may be called. */
int store_each_sealed(struct store *store, enum sealed_kind kind, int64_t after, size_t limit,
                      bool (*each)(void *userdata, const struct sealed_row *row), void *userdata);
/* Replaces the sealed bytes and nothing else. STORE_NOT_FOUND: there is no such row. */
int store_put_sealed(struct store *store, enum sealed_kind kind, int64_t id, const void *sealed,
                     size_t length);

/* Notes the fingerprint of the account's current refresh token in the place of the one before;
 * NULL: it has none any more. */
int store_put_token_owner(struct store *store, const struct account_name *name,
                          const char *fingerprint);
/* The account of the provider whose current refresh token has this fingerprint, the first by name
 * if several have; STORE_NOT_FOUND when none has. */
int store_token_owner(struct store *store, const char *provider, const char *fingerprint,
                      struct account_name *ret);

/* Notes that the account was imported with the refresh token of this fingerprint at that time; of
 * more than IMPORTS_MAX the oldest go. */
int store_put_import(struct store *store, const struct account_name *name, const char *fingerprint,
                     int64_t now);
/* Of the refresh token that the account has, if it was imported with that. None is at first. */
int store_mark_import(struct store *store, const struct account_name *name, bool unspent);
/* Before the row of the old name is deleted, with which they would go. */
int store_move_imports(struct store *store, const struct account_name *from,
                       const struct account_name *to);
/* Returns 0 where it was imported with that, and sets *ret_unspent; STORE_NOT_FOUND where not. */
int store_find_import(struct store *store, const struct account_name *name, const char *fingerprint,
                      bool *ret_unspent);
/* The account of the provider that has a refresh token, and was imported with the one of this
 * fingerprint, not unspent, the first by name if several were; STORE_NOT_FOUND when none was. */
int store_imported_account(struct store *store, const char *provider, const char *fingerprint,
                           struct account_name *ret);
/* An account of the same provider but this one that has that identity and has ever had a grant, or
 * for which a consent of that identity is held; STORE_NOT_FOUND when there is none. */
int store_identity_account(struct store *store, const struct account_name *not_this,
                           const char *identity, struct account_name *ret);

/* Whether a provider has so many accounts (1 or more) at least: STORE_NOT_FOUND when it has not. An
 * index alone tells, since a row may be damaged. */
int store_has_accounts(struct store *store, const char *provider, size_t count);
/* How many accounts there are in each state; ret has room for 3. */
int store_count(struct store *store, uint64_t ret[static 3]);

DEFINE_CLEANUP(struct store *, store, store_close)
DEFINE_CLEANUP(struct store_copy *, store_copy, store_copy_free)

static inline void cleanup_account_row(struct account_row *row)
{
    account_row_release(row);
}

static inline void cleanup_link_row(struct link_row *row)
{
    link_row_release(row);
}

static inline void cleanup_held_row(struct held_row *row)
{
    held_row_release(row);
}
