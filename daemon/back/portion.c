#include "back/portion.h"

enum { PORTION_STEP = 4 };

int64_t portion_refused(struct portion *portion)
{
    const int64_t pause_ms = portion->pause_ms;
    portion->now /= PORTION_STEP;
    if (portion->now < portion->least)
        portion->now = portion->least;
    portion->pause_ms *= 2;
    if (portion->pause_ms > PORTION_PAUSE_LONGEST_MS)
        portion->pause_ms = PORTION_PAUSE_LONGEST_MS;
    return pause_ms;
}

void portion_taken(struct portion *portion)
{
    portion->pause_ms = PORTION_PAUSE_MS;
    portion->now *= PORTION_STEP;
    if (portion->now > portion->most)
        portion->now = portion->most;
}
