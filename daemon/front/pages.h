#pragma once

/*
 * The pages a person sees in the browser: one card, no script, nothing from outside unescaped. The
 * parts lie in pages/ and are embedded by the build.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"

enum {
    PAGE_MAX = 48 * 1024,
    PAGE_QUOTE_MAX = 300, /* bytes of the provider's words that are shown */
    PAGE_SCOPES_MAX = 40, /* words of a scope that are shown */
    PAGE_WHERE_MAX = 320, /* the footer's name of the machine */
};

/* Pages that stand for no login of this browser. */
enum page_notice {
    PAGE_NOT_FOUND,
    PAGE_BAD_METHOD,
    PAGE_WRONG_HOST,
    PAGE_FRAMED,
    PAGE_UNREADABLE,      /* the redirect's parameters cannot be read */
    PAGE_UNKNOWN_LOGIN,   /* no such login, or over and forgotten */
    PAGE_OTHER_USER,      /* /start is for a browser of another uid */
    PAGE_OTHER_BROWSER,   /* /start was opened in another browser before */
    PAGE_FOREIGN_BROWSER, /* the redirect came to a browser that did not start the login */
    PAGE_WRONG_ISSUER,
    PAGE_STATE_MISSING,
    PAGE_PASTE, /* the login waits for this page's address to be pasted */
    PAGE_BUSY,
    PAGE_LINK_UNKNOWN,
    PAGE_LINK_WORN,    /* opened too often within an hour */
    PAGE_LINK_NOT_NOW, /* the provider, or our own address, cannot be used at the moment */
    PAGE_NOTICE_COUNT,
};

/* Appends the page and returns its HTTP status. It does not say where it is from, since whoever
 * reads it may be elsewhere. */
int page_put_notice(struct buffer *out, enum page_notice notice);

/* PAGE_OTHER_USER, with the uid that the link is for. */
int page_put_other_user(struct buffer *out, uid_t owner);

/* How a login stands. */
enum page_result {
    PAGE_PENDING,    /* the person has not come back from the provider */
    PAGE_NOT_PUSHED, /* the provider did not take the request: nobody was sent anywhere */
    PAGE_FINISHING,  /* the exchange takes long; the page looks again by itself */
    PAGE_CONNECTED,
    PAGE_CONNECTED_FOR_NOW, /* without a refresh token */
    PAGE_HELD,              /* another identity than the account's */
    PAGE_NOT_GRANTED,
    PAGE_FAILED,
    PAGE_UNCERTAIN, /* no answer: the code may have been spent */
    PAGE_EXPIRED,
    PAGE_CANCELLED,
    PAGE_REPLACED,     /* by a newer login of the same browser */
    PAGE_UNTOLD,       /* the provider did not say whose: held until it is accepted */
    PAGE_AWAITS,       /* a first consent by a link: held until it is accepted */
    PAGE_LINK_OVER,    /* another attempt by the same link came first */
    PAGE_ACCOUNT_GONE, /* logged out, or renamed */
    PAGE_RESULT_COUNT,
};

/* Everything a login's page may show, as plain values; NULL and 0 mean "not known". */
struct page_login {
    enum page_result result;
    const char *host; /* of a login through public_url: the person may be elsewhere; else NULL */
    bool by_link;     /* the person has no terminal here; needs host */
    const char *provider;
    const char *account;
    const char *identity;
    const char *scope_asked;
    const char *scope_granted;
    bool fewer_scopes;
    int64_t expires_at;      /* the wall clock's Unix time in ms */
    const char *error;       /* the provider's word, or ours */
    const char *description; /* one line for a person; from outside */
};

/* Appends the page and returns its HTTP status. */
int page_put_login(struct buffer *out, const struct page_login *login);

/* What became of a link. */
enum page_link_state {
    PAGE_LINK_OPEN,
    PAGE_LINK_USED,
    PAGE_LINK_REPLACED,
    PAGE_LINK_WITHDRAWN,
    PAGE_LINK_EXPIRED,
    PAGE_LINK_STATE_COUNT,
};

/* What the page of a link shows, as plain values; NULL means "not known". */
struct page_link {
    enum page_link_state state;
    const char *provider;
    const char *account;
    const char *host;     /* whom it will be connected to */
    const char *expected; /* who is asked for */
    const char *scope;
    int64_t until;  /* the wall clock's Unix time in ms */
    const char *go; /* where the link leads on to */
};

/* Appends the page and returns its HTTP status. */
int page_put_link(struct buffer *out, const struct page_link *link);

/* Appends text with &, <, >, " and ' escaped, control characters as spaces, what is not UTF-8 as
 * U+FFFD, and cut after maximum bytes (at a character's start, with an ellipsis). */
void page_put_escaped(struct buffer *out, const char *text, size_t maximum);

/* Appends the time of day, "14:05 (CET)", with the date where it is another day than now's. Both
 * are the wall clock's Unix time in ms. */
void page_put_time(struct buffer *out, int64_t wall_ms, int64_t now_ms);

/* The Content-Security-Policy that fits every page. */
const char *page_policy(void);
