#include "front/asker.h"

#include <stdio.h>

uid_t asker_uid(const struct asker *asker)
{
    return asker->kind == ASKER_PEER ? asker->peer.uid : ASKER_NO_UID;
}

const char *asker_unit(const struct asker *asker, char out[static AUDIT_UNIT_SIZE])
{
    if (asker->kind == ASKER_PEER)
        (void)snprintf(out, AUDIT_UNIT_SIZE, "%.*s", AUDIT_UNIT_SIZE - 1, asker->peer.unit);
    else
        (void)snprintf(out, AUDIT_UNIT_SIZE, "consumer:%s", asker->consumer);
    return out;
}

const char *asker_text(const struct asker *asker, char out[static ASKER_TEXT_SIZE])
{
    if (asker->kind == ASKER_PEER)
        (void)snprintf(out, ASKER_TEXT_SIZE, "uid %u", (unsigned)asker->peer.uid);
    else
        (void)snprintf(out, ASKER_TEXT_SIZE, "consumer %s", asker->consumer);
    return out;
}
