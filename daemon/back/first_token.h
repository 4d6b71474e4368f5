#pragma once

/* Accounts that no person has to consent to: where the grant is client_credentials, the first
 * question for a token makes the account (RFC 6749 4.4). */

#include "back/keeper.h"

enum { FIRST_TOKENS_MAX = 256 }; /* accounts of one provider that come to be in this way */

/* Makes the account that a question with this id asks for, durably, then asks the provider: the
 * question is answered when that has ended. */
void first_token_begin(struct keeper *keeper, const struct account_name *name, uint64_t id);
