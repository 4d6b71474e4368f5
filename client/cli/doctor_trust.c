#include <string.h>

#include "client/cli/doctor.h"
#include "client/cli/trust.h"
#include "schema/wire.h"

static void look_at_places(struct doctor *doctor, const struct trust *trust)
{
    CLEANUP(cleanup_trust_places) struct trust_places places = { .count = 0 };

    if (!trust_nss.find(trust, true, &places))
        return; /* it was said why */
    for (size_t i = 0; i < places.count; i++) {
        if (trust_nss.holds(trust, &places.rows[i]))
            doctor_find(doctor, VERDICT_OK, "https", NULL, "trusted by %s", places.rows[i].path);
        else
            doctor_find(doctor, VERDICT_WARN, "https", "tokenbroker trust install",
                        "not trusted by %s", places.rows[i].path);
    }
}

void doctor_look_at_trust(struct doctor *doctor)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    struct trust trust = { .certificate = TEXT_WITH_MAXIMUM(0) };

    if (!doctor->health ||
        tb_call(doctor->cli->broker, "GET", WIRE_PATH_AUTHORITY, NULL, &reply, NULL) != TB_OK)
        return; /* without https callbacks of its own there is none */
    const struct tb_value *authority = tb_reply_value(reply);
    const char *missing = trust_nss.missing();
    if (missing)
        doctor_find(doctor, VERDICT_WARN, "https", missing,
                    "whether browsers trust the callback cannot be seen");
    else if (trust_name(&trust, tb_value_text(tb_value_member(authority, "fingerprint"), "")))
        look_at_places(doctor, &trust);
}
