#pragma once

/* The configuration as the two threads take it, from one reading of its files. */

#include "main/options.h"
#include "main/watchdog.h"
#include "messages.h"
#include "settings/settings.h"

/* Nothing yet where it is zero. */
struct reading {
    struct settings_text *text;
    struct settings *front; /* without secrets */
    struct settings *back;
    struct message *certificate; /* the callback's, where files of the configuration hold it */
};

/* Frees what is left in it. */
void reading_release(struct reading *reading);
static inline void cleanup_reading(struct reading *reading)
{
    reading_release(reading);
}

/* All but the secrets, and back. Returns 0, or not with a complaint, as the next two. */
int reading_configuration(const struct places *places, struct reading *reading,
                          struct complaint *complaint);
/* Then those: it runs the programs that give some. watchdog: NULL where no manager waits. Also
 * returns SETTINGS_NO_CREDENTIALS, and SETTINGS_STOPPED where a signal that ends the daemon is
 * pending. */
int reading_secrets(const struct places *places, struct watchdog *watchdog, struct reading *reading,
                    struct complaint *complaint);
/* Both, one after the other. */
int reading_all(const struct places *places, struct watchdog *watchdog, struct reading *reading,
                struct complaint *complaint);
