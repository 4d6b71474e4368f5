#pragma once

/* When tokens of accounts are asked for: what the front tells of what it served by itself, and what
 * comes here as a question. Where a provider's accounts are kept fresh only while somebody asks for
 * them (KEEP_ASKED), a request plans their refreshes again. */

#include "back/keeper.h"

/* A token of the account was asked for now; row is as it was read for that. It is written down with
 * the next commit, before whatever a refresh that starts now will write. */
void asked_note(struct keeper *keeper, const struct account_row *row);

/* One was asked for at that time, of whatever account. Without a row that can be read it is
 * forgotten. */
void asked_note_at(struct keeper *keeper, const struct account_name *name, int64_t at);
