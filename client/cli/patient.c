#include "client/cli/patient.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { BUSY_TRIES_MAX = 6, BUSY_WAIT_MAX_S = 10 };

/* True when the broker only wants us to slow down, after having waited so long. */
static bool waited(const struct tb_error *error)
{
    const bool busy = error->code && (strcmp(error->code, "busy") == 0 ||
                                      strcmp(error->code, "too_many_requests") == 0);
    int64_t wait_s = error->retry_after > 0 ? error->retry_after : 1;
    struct timespec left = { .tv_sec = wait_s < BUSY_WAIT_MAX_S ? wait_s : BUSY_WAIT_MAX_S };

    while (busy && nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
    return busy;
}

enum tb_status patient_call(struct tb_broker *broker, const char *method, const char *path,
                            const char *body, struct tb_reply **ret_reply,
                            struct tb_error **ret_error)
{
    enum tb_status status = TB_FAILED;

    for (unsigned tries = 1; tries <= BUSY_TRIES_MAX; tries++) {
        *ret_error = tb_error_free(*ret_error);
        status = tb_call(broker, method, path, body, ret_reply, ret_error);
        if (status == TB_OK || tries == BUSY_TRIES_MAX || !waited(*ret_error))
            break;
    }
    return status;
}
