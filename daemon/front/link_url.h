#pragma once

/* Who may have a link's address. */

#include "base/buffer.h"
#include "front/context.h"

/* True when who asks may have people consent for the account: log in, or make links. */
bool link_may_be_shown(const struct context *context, const struct asker *asker,
                       const struct account_name *account);

/* The address of the link with that token, appended to out, which is empty; NULL when there is no
 * token (NULL or "") or nowhere that it leads to. Otherwise what lies in out. */
const char *link_url(const struct context *context, const char *token, struct buffer *out);
