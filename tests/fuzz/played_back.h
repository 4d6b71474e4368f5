#pragma once

#include "messages.h"

/* The answer that a back would give to this question of the front, by the settings; NULL for what
 * wants none. Accounts whose label ends with 'x' fail. The question stays the caller's. */
struct message *played_answer(const struct settings *settings, const struct message *question);
