#pragma once

/* When tokens of accounts are asked for: what the front tells of what it served by itself, and what
 * comes here as a question. Where a provider's accounts are kept fresh only while somebody asks for
 * them (KEEP_ASKED), a request plans their refreshes again. */

#include "back/keeper.h"

/* A token of the account was asked for now; row is as it was read for that. It is written down with
 * the next commit, before whatever a refresh that starts now will write. */
void asked_note(struct keeper *keeper, const struct account_row *row);

/* In a transaction: a token of the account was asked for at that time. Sets *planned where a
 * refresh may be due earlier than it was; the caller pumps the lanes once that is durable. Returns
 * 0 or -errno. */
int asked_write(struct keeper *keeper, struct store *store, const struct account_name *name,
                int64_t at, bool *planned);
