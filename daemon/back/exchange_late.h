#pragma once

/* What came too late to be anybody's grant: while a login is under way its link may end, its
 * account go, and a newer login be done. */

#include "io/store.h"
#include "messages.h"

struct exchange_write;

/* What logins of the account have brought whose codes came later, where it is stored already. */
enum exchange_newer {
    NEWER_NONE,
    NEWER_PARTIAL, /* no refresh token, which some providers give at the first consent alone */
    NEWER_WHOLE,
};

/* Why a grant that came, or would come, is nobody's. */
enum exchange_late {
    EXCHANGE_IN_TIME,
    EXCHANGE_LINK_OVER, /* the link was used, replaced or withdrawn while the code was in the air */
    EXCHANGE_REPLACED,  /* a login of the account whose code came later was finished first */
    EXCHANGE_CANCELLED, /* the login was */
    EXCHANGE_GONE,      /* the account was: logged out, or renamed */
};

/* Before it is sent: late as far as is known now. */
enum exchange_late exchange_late_request(const struct exchange_write *write,
                                         const struct account_row *row,
                                         const struct link_row *link);

/* The same of its reply, which is a grant and would come to that outcome. */
enum exchange_late exchange_late_reply(const struct exchange_write *write,
                                       const struct account_row *row, const struct link_row *link,
                                       enum consent_outcome outcome);

/* What newer stored was asked for later, and takes the place of what older will bring. */
void exchange_late_outdo(struct exchange_write *older, const struct exchange_write *newer);
