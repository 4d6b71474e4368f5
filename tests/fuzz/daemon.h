#pragma once

/* fuzz.h for targets of the daemon; the client's own headers do not go together with it. */

#include "fuzz.h"

#include "base/cleanup.h"
#include "base/secret.h"

/* For LLVMFuzzerInitialize(). */
static inline int start_secrets(void)
{
    bool locked;
    return secret_start(&locked);
}
