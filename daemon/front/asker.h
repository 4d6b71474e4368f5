#pragma once

/* Who asks: the peer of the API socket, as the kernel knows it, or a consumer, which has shown its
 * key at a loopback address and of which no more is known than its section's name. */

#include <sys/types.h>

#include "base/account.h"
#include "io/peer.h"
#include "io/store_audit.h"
#include "settings/settings.h"

enum asker_kind { ASKER_PEER, ASKER_CONSUMER };

struct asker {
    enum asker_kind kind;
    struct peer peer; /* of ASKER_PEER */
    /* Of ASKER_CONSUMER: its name, and the key that it has shown. */
    char consumer[PROVIDER_NAME_MAX + 1];
    unsigned char key_digest[CONSUMER_DIGEST_SIZE];
};

/* Where a uid is wanted and no user is known: the number that chown(2) keeps for "none", so that it
 * is nobody's. */
#define ASKER_NO_UID ((uid_t)-1)

/* What the audit has as the unit where somebody asked who is no consumer. */
#define ASKER_UNKNOWN_CONSUMER "consumer:?"

/* The uid that counts, and whose quota is used: the peer's; ASKER_NO_UID for a consumer. */
uid_t asker_uid(const struct asker *asker);

/* What the audit has as the unit: the peer's, "" when it is not known; "consumer:NAME" (no unit's
 * name is like that). Returns out. */
const char *asker_unit(const struct asker *asker, char out[static AUDIT_UNIT_SIZE]);

enum { ASKER_TEXT_SIZE = 64 };

/* For people: "uid 1000", "consumer powerbi". Returns out. */
const char *asker_text(const struct asker *asker, char out[static ASKER_TEXT_SIZE]);
