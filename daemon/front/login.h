#pragma once

/*
 * Pending logins: an authorization that a person has not finished yet. Bounded in number and time;
 * they die with the daemon. The callback (front/callback) reaches them through plain values, so
 * that it can move into a process of its own one day.
 *
 * login_table.c keeps them (expiry, who waits), login_room.c says whether there is room for one
 * more (quotas); login_flow.c begins and opens them, login_push.c has the provider take the request
 * first where it wants that (RFC 9126), login_return.c takes what the provider's redirect brings
 * and has the code exchanged; login_device.c begins those that are finished on another device.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/account.h"
#include "base/secret.h"
#include "front/context.h"
#include "messages.h"
#include "oauth/authorize.h"
#include "oauth/provider.h"
#include "oauth/token_reply.h"

enum {
    LOGINS_MAX = 256,
    LOGINS_PER_UID_MAX = 32,
    LOGINS_BY_LINKS_MAX = 128, /* of LOGINS_MAX; the starters' quotas do not count them */
    LOGINS_PER_LINK_MAX = 8,   /* pending ones; the oldest gives way */
    LOGIN_LIFETIME_MS = 10 * 60 * 1000,
    LOGIN_ENDED_KEPT_MS = 10 * 60 * 1000, /* so that a result page can be reloaded */
    LOGIN_ID_SIZE = 43 + 1,
    LOGIN_RANDOM_BYTES = 32,        /* of an id, state, nonce or cookie */
    LOGIN_WAITERS_MAX = 512,        /* of all logins together */
    LOGIN_WAITERS_PER_UID_MAX = 64, /* for what it began; as many for its links */
    LOGIN_WAITERS_PER_LOGIN_MAX = 8,
    LOGIN_PAGE_LINGER_MS = 60 * 1000, /* a browser may fetch its result so long */
    LOGIN_PASTE_MAX = 8 * 1024,
    LOGIN_PUSHES_MAX = 32, /* openings of one login whose request is pushed */
};

/* The cookies: COOKIE_LOGIN_PREFIX and the login's tag, for the redirect path; COOKIE_BROWSER for
 * /start/, by which the browser is known again when it opens this or another login. */
#define COOKIE_LOGIN_PREFIX "tb_login_"
#define COOKIE_BROWSER "tb_browser"
#define COOKIE_BROWSER_HTTPS "__Secure-tb_browser" /* cookies know no ports: not to be mixed up */
enum { LOGIN_TAG_SIZE = 16 + 1 };

enum login_status {
    LOGIN_PENDING,    /* waiting for the person */
    LOGIN_EXCHANGING, /* the code is being exchanged */
    LOGIN_DONE,
    LOGIN_FAILED, /* not granted, or the exchange failed */
    LOGIN_EXPIRED,
    LOGIN_CANCELLED,
};

/* Why an ended login ended as it did, finer than its status. */
enum login_ending {
    ENDING_NONE,
    ENDING_NOT_GRANTED, /* the provider said no */
    ENDING_HELD,        /* the consent was for another identity */
    ENDING_AWAITS,      /* the first by a link: held until it is accepted */
    ENDING_UNTOLD,      /* nobody said whose it is: held until it is accepted */
    ENDING_LINK_OVER,   /* another attempt by the account's link came first */
    ENDING_GONE,        /* the account was logged out, or renamed, or another to it */
    ENDING_UNCERTAIN,   /* no usable answer: the code may have been spent */
    ENDING_REPLACED,    /* by a newer login of the same browser (state = absent) */
};

enum login_mode {
    LOGIN_BROWSER, /* through /start on our callback address */
    LOGIN_PASTE,   /* the person pastes the address the redirect ended on */
    LOGIN_DEVICE,  /* the person enters a code on a page of the provider (RFC 8628) */
};

struct logins;
struct login_waiter;
struct opening;

struct login {
    struct logins *logins;
    struct login *next; /* older */

    char id[LOGIN_ID_SIZE];
    char tag[LOGIN_TAG_SIZE];   /* public; names the cookie */
    uid_t uid;                  /* its starter */
    char unit[AUDIT_UNIT_SIZE]; /* the starter's; "": not known */
    struct account_name account;
    int64_t account_created_at; /* when it began; 0: nobody had given it a grant */
    enum login_mode mode;
    bool own_browser;            /* its start address opens for the starter's uid alone */
    char link[LINK_DIGEST_SIZE]; /* the link that it was begun by; "": none */
    struct provider *provider;   /* as it was when the login began, endpoints known */
    char *scope;                 /* asked for; NULL: none */
    char *redirect_target;       /* the redirect URI without its query; "" for LOGIN_DEVICE */
    char *redirect_path;
    char *prefix; /* before our own paths at that origin: "", or public_url's "/oauth" */

    /* Of these a LOGIN_DEVICE has none. */
    struct secret *state;
    struct secret *verifier; /* NULL without PKCE */
    struct secret *nonce;    /* NULL unless the scope holds openid */
    struct secret *cookie;
    struct secret *start_nonce;   /* NULL for LOGIN_PASTE */
    struct secret *start_url;     /* NULL for LOGIN_PASTE */
    struct secret *parameters;    /* of a request that is pushed (RFC 9126), else NULL */
    struct secret *authorize_url; /* holds the state; where it is pushed: the latest, or NULL */
    int64_t authorize_url_lifetime_ms; /* 0: the login's */
    unsigned pushes;
    struct opening
        *opening; /* a browser that waits for a push, as callback_push.c has it, or NULL */
    struct secret *browser; /* COOKIE_BROWSER of who opened it; NULL: not opened yet */

    enum login_status status;
    enum login_ending ending;
    int64_t due_at; /* broker time: expires, or is forgotten; 0 while the back has it */
    int64_t ended_at;
    uint64_t ask;                /* what the back has to answer; 0: nothing */
    char code[FINGERPRINT_SIZE]; /* of the code that came for it; "": none has */
    struct login_waiter *waiters;
    unsigned waiter_count;

    /* the result */
    char error[ERROR_TEXT_MAX];
    char description[ERROR_TEXT_MAX];
    char *granted_scope;
    char *identity;
    bool fewer_scopes;
    bool without_refresh_token;
    int64_t expires_at; /* of the access token, broker time; 0: not known */
};

/* --- login_table.c --- */

/* Returns 0 or -ENOMEM. */
int logins_new(struct context *context, struct logins **ret);

/* After both HTTP servers (callback_free() too), so that nobody waits any more; before asks_free().
 * NULL is fine; returns NULL. */
struct logins *logins_free(struct logins *logins);

/* True while any login is pending: a user service holds its callback address only then. */
bool logins_any_pending(const struct logins *logins);

/* Until when (broker time) a browser may come for the page of a login that has ended; 0: none. */
int64_t logins_pages_until(const struct logins *logins);

/* Borrowed: what logins_new() was given. */
struct context *logins_context(const struct logins *logins);

/* The newest login; the older ones by ->next. */
struct login *logins_newest(const struct logins *logins);

/* NULL when there is none. */
struct login *logins_find(const struct logins *logins, const char *id);

/* Takes a login over, into a seat that was just given back; it expires LOGIN_LIFETIME_MS from now,
 * a LOGIN_DEVICE when the back says so. */
void logins_add(struct logins *logins, struct login *login);

/* Removes a login that could not be begun after all. */
void logins_remove(struct logins *logins, struct login *login);

/* Such as is in no table. NULL and half-built logins are fine; returns NULL. */
struct login *login_free(struct login *login);

/* True for every status but pending and exchanging. */
bool login_ended(const struct login *login);

/* "pending", "exchanging", … as the API says it. */
const char *login_status_name(enum login_status status);

/* Changes the status (never back to LOGIN_PENDING) and tells who waits. error and description are
 * kept, cut; NULL: none. */
void login_set_status(struct login *login, enum login_status status, const char *error,
                      const char *description);

/* Called once, when the login's status changed (or, with until_ended, when it ended) or after
 * wait_ms; the waiter is gone then. It may take waiters away, and must not begin or end logins. */
typedef void (*login_changed)(void *userdata, struct login *login);
enum { LOGIN_WAITERS_FULL = 1 };
/* Returns 0, LOGIN_WAITERS_FULL or -ENOMEM. */
int login_wait(struct login *login, bool until_ended, int64_t wait_ms, login_changed changed,
               void *userdata, struct login_waiter **ret);
/* Whoever waited is gone; must not be called after changed() was. */
void login_unwait(struct login_waiter *waiter);

/* --- login_room.c --- */

/* A place in the table for a login that is about to begin: it counts like a login. */
struct login_seat;
enum { LOGINS_FULL = 1, LOGINS_QUOTA };

/* If need be, uid's or anyone's oldest ended login is forgotten for it. Returns 0, LOGINS_FULL,
 * LOGINS_QUOTA or -ENOMEM. */
int logins_take_seat(struct logins *logins, uid_t uid, struct login_seat **ret);
/* NULL is fine; returns NULL. */
struct login_seat *login_seat_free(struct login_seat *seat);

/* The same for one that a link begins at once: its oldest attempts give way. Returns 0 or
 * LOGINS_FULL. */
int logins_make_room_for_link(struct logins *logins, const char *digest);

/* The account's link is over: attempts by it, but for this login, end. */
void logins_end_attempts(struct login *login);

/* What the back tells of an account: where it is gone, or another has its name, its pending logins
 * end. */
void logins_notice(struct logins *logins, const struct message *notice);

/* --- login_flow.c --- */

struct login_order {
    uid_t uid;
    const char *unit; /* NULL: not known */
    const struct account_name *account;
    int64_t account_created_at; /* as ASK_PROVIDER told it */
    enum login_mode mode;
    bool own_browser;                /* the starter opens it itself; see login_is_for() */
    const char *scope;               /* NULL: the provider's */
    const struct parameters *params; /* may be NULL */
    const char *link;                /* digest of the link that begins it; NULL: none */
};

enum { LOGIN_REFUSED = 1 };

/* Begins a login at provider (taken over in every case, endpoints known). Returns 0, LOGIN_REFUSED
 * (complaint says why) or -errno; *ret is owned by the table. */
int login_begin(struct logins *logins, const struct login_order *order, struct provider *provider,
                struct login **ret, struct complaint *complaint);

/* One that is in no table yet, for login_begin_device(): provider is taken over in every case.
 * Returns 0 or -errno. */
int login_make_device(struct logins *logins, const struct login_order *order,
                      struct provider *provider, struct login **ret);

enum login_opening {
    OPENING_UNKNOWN,
    OPENING_ELSEWHERE, /* another browser has opened it */
    OPENING_GRANTED,   /* send it on: to login->authorize_url, with both cookies */
    OPENING_OVER,      /* this browser opened it, and it has ended or is about to */
    OPENING_FAILED,    /* memory was short */
};

/* A browser opens /start/nonce at origin ("http://host:port"). cookies: its Cookie header, may be
 * NULL. *ret is set but for OPENING_UNKNOWN. */
enum login_opening login_open(struct logins *logins, const char *origin, const char *nonce,
                              const char *cookies, struct login **ret);

/* The same in two steps: the login whose start address it is (NULL: none's), and its opening. */
struct login *login_find_start(const struct logins *logins, const char *origin, const char *nonce);
enum login_opening login_enter(struct login *login, const char *cookies);

/* True when a browser of that uid may open its start address. One that the starter's own browser
 * opens passes through that browser's arguments, which every user of the machine can read: it is
 * for the starter's uid alone, unless its address is below public_url, where the connection is the
 * reverse proxy's. */
bool login_is_for(const struct login *login, uid_t uid);

/* True when login_enter() would grant it to a browser with these cookies; nothing changes. */
bool login_may_enter(const struct login *login, const char *cookies);

/* True when the header ("a=b; c=d", may be NULL) holds the name with the secret's value. */
bool cookies_hold(const char *cookies, const char *name, const struct secret *value);

/* True when its redirect URI is at that origin ("http://host:port"). */
bool login_is_at(const struct login *login, const char *origin);

/* True when it goes through an https address, where cookies are Secure. */
bool login_is_https(const struct login *login);

/* The name of the cookie by which the login's browser is known again. */
const char *login_browser_cookie(const struct login *login);

/* True when the header holds the cookie that the login gave its browser. */
bool login_cookie_fits(const struct login *login, const char *cookies);

/* --- login_device.c --- */

/* Begins a login with the codes that the provider gave: the back polls from now on. provider is
 * taken over in every case. Returns 0, -EBUSY or -errno; *ret is owned by the table. */
int login_begin_device(struct logins *logins, const struct login_order *order,
                       struct provider *provider, const struct device_authorization *device,
                       struct login **ret);

/* Asks the back to end a pending one; it ends soon, perhaps with the grant that had just come.
 * Returns 0, -EBUSY or -ENOMEM. */
int login_cancel_device(const struct login *login);

/* --- login_push.c --- */

/* True when its request has to be pushed before authorize_url is known. */
bool login_is_pushed(const struct login *login);

/* The question that has its request pushed. Returns 0, LOGIN_REFUSED (LOGIN_PUSHES_MAX were) or
 * -errno. */
int login_push_question(struct login *login, struct message **ret);

/* Sets authorize_url by the answer, a success. Returns 0 or -errno. */
int login_take_pushed(struct login *login, const struct message *answer);

/* --- login_return.c --- */

/* The back has answered what login->ask was: the login ends. */
void login_take_answer(struct login *login, struct message *answer);

enum login_landing {
    LANDING_UNKNOWN, /* no such login, or not this browser's and over */
    LANDING_FOREIGN, /* not the browser that started it */
    LANDING_WRONG_ISSUER,
    LANDING_STATE_MISSING,
    LANDING_PASTE,       /* the login waits for the address to be pasted */
    LANDING_NOT_GRANTED, /* of which login is not known: nothing has changed */
    LANDING_BUSY,        /* nothing has changed, the code is not spent */
    LANDING_EXCHANGING,  /* wait for its end */
    LANDING_OVER,        /* show its result */
};

/*
 * A browser came to a redirect target ("http://host:port/path"). response's code may be stolen.
 * What does not fit a pending login of this browser changes nothing. *ret is set for
 * LANDING_EXCHANGING and LANDING_OVER alone.
 */
enum login_landing login_return(struct logins *logins, const char *target, const char *cookies,
                                struct authorization_response *response, struct login **ret);

/* Finishes a login with the address the redirect ended on. Returns 0 (it is exchanging, or ended),
 * LOGIN_REFUSED (complaint says why, nothing has changed), or -EBUSY. */
int login_paste(struct login *login, const char *address, struct complaint *complaint);
