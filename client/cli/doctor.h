#pragma once

#include "client/cli/cli.h"
#include "client/text.h"

/* What doctor finds: each finding says how it is, and what to do where it is not well. */

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL };

struct doctor {
    struct cli *cli;
    struct text json;
    struct text lines;
    unsigned counts[VERDICT_FAIL + 1];
    bool system_broker;            /* it is the system's, not the user's */
    const struct tb_value *health; /* NULL: no broker answers */
};

/* Adds a finding. advice is a sentence without its end, or NULL. */
void doctor_find(struct doctor *doctor, enum verdict verdict, const char *about, const char *advice,
                 const char *format, ...) PRINTF_LIKE(5, 6);

/* Each looks at one thing. doctor_broker.c: what the broker says of itself. */
void doctor_look_at_broker(struct doctor *doctor);
void doctor_look_at_accounts(struct doctor *doctor);

/* doctor_trust.c: which browsers trust https callbacks. */
void doctor_look_at_trust(struct doctor *doctor);

/* doctor_machine.c: what can be seen from outside. */
void doctor_look_at_socket(struct doctor *doctor);
void doctor_look_at_configuration(struct doctor *doctor);
void doctor_look_at_state(struct doctor *doctor);
void doctor_look_at_service(struct doctor *doctor);
void doctor_look_at_clock(struct doctor *doctor);
