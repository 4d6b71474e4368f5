#include "client/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Behind the public part: the text that it points to. */
struct failure_box {
    struct tb_error error;
    char *owned[5];
};

static const struct tb_error out_of_memory = {
    .status = TB_FAILED,
    .message = "out of memory",
    .retry_after = TB_DEFAULT,
    .max_min_ttl = TB_DEFAULT,
};

static struct failure_box *box_free(struct failure_box *box)
{
    for (size_t i = 0; box && i < sizeof box->owned / sizeof *box->owned; i++)
        free(box->owned[i]);
    free(box);
    return NULL;
}

/* Copies a string into a slot of the box; NULL stays NULL. Returns false without memory. */
static bool keep(struct failure_box *box, size_t slot, const char *string, const char **ret)
{
    if (!string)
        return true;
    *ret = box->owned[slot] = strdup(string);
    return *ret != NULL;
}

static struct failure_box *box_new(const struct failure *failure, char *message)
{
    struct failure_box *box = calloc(1, sizeof *box);

    if (!box || !message) {
        free(message);
        return box_free(box);
    }
    box->error = (struct tb_error){
        .status = failure->status,
        .message = message,
        .retry_after = failure->retry_after,
        .max_min_ttl = failure->max_min_ttl,
    };
    box->owned[0] = message;
    if (keep(box, 1, failure->code, &box->error.code) &&
        keep(box, 2, failure->account, &box->error.account) &&
        keep(box, 3, failure->start_url, &box->error.start_url) &&
        keep(box, 4, failure->broker, &box->error.broker))
        return box;
    return box_free(box);
}

enum tb_status failure_raise(struct tb_error **ret_error, const struct failure *failure,
                             const char *format, ...)
{
    va_list arguments;
    char *message = NULL;

    if (!ret_error)
        return failure->status;
    va_start(arguments, format);
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    va_end(arguments);
    struct failure_box *box = box_new(failure, message);
    /* The constant is never written to: tb_error_free() knows it. */
    *ret_error = box ? &box->error : (struct tb_error *)&out_of_memory;
    return (*ret_error)->status;
}

struct tb_error *tb_error_free(struct tb_error *error)
{
    if (error && error != &out_of_memory)
        box_free((struct failure_box *)error);
    return NULL;
}
