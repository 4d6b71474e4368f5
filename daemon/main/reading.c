#include "main/reading.h"

#include <signal.h>

#include "main/certificate.h"
#include "main/unsupported.h"

void reading_release(struct reading *reading)
{
    settings_text_free(reading->text);
    settings_free(reading->front);
    settings_free(reading->back);
    message_free(reading->certificate);
}

int reading_configuration(const struct places *places, struct reading *reading,
                          struct complaint *complaint)
{
    const struct settings_places where = { .credentials_directory = places->credentials_directory };
    int r = settings_read(places->config, places->config_expected, &reading->text, complaint);
    if (r == 0)
        r = settings_parse(reading->text, &where, false, &reading->front, complaint);
    if (r == 0)
        r = refuse_unsupported(reading->front, complaint);
    if (r == 0)
        r = certificate_read(reading->front, &reading->certificate, complaint);
    return r;
}

/* Who tells it to stop does not wait for all of the programs: the time that a stop may take is for
 * what is under way to providers. */
static bool go_on(void *userdata)
{
    sigset_t pending;
    if (userdata)
        watchdog_look(userdata);
    return sigpending(&pending) < 0 ||
           (!sigismember(&pending, SIGTERM) && !sigismember(&pending, SIGINT));
}

int reading_secrets(const struct places *places, struct watchdog *watchdog, struct reading *reading,
                    struct complaint *complaint)
{
    const struct settings_places where = { .credentials_directory = places->credentials_directory,
                                           .ran = go_on,
                                           .userdata = watchdog };
    int r = settings_parse(reading->text, &where, true, &reading->back, complaint);
    if (r == 0)
        settings_hand_over_keys(reading->back, reading->front);
    return r;
}

int reading_all(const struct places *places, struct watchdog *watchdog, struct reading *reading,
                struct complaint *complaint)
{
    int r = reading_configuration(places, reading, complaint);
    return r == 0 ? reading_secrets(places, watchdog, reading, complaint) : r;
}
