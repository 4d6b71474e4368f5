#pragma once

#include "client/cleanup.h"

/* What a failure is made of; strings are copied. */
struct failure {
    enum tb_status status;
    const char *code;
    const char *account;
    const char *start_url;
    const char *broker;
    int64_t retry_after;
    int64_t max_min_ttl;
};

#define FAILURE(status_, broker_)                                                                  \
    {                                                                                              \
        .status = (status_), .broker = (broker_), .retry_after = TB_DEFAULT,                       \
        .max_min_ttl = TB_DEFAULT                                                                  \
    }

/*
 * Gives a new error with this message in *ret_error, unless that is NULL, and returns its status.
 * Where there is no memory for it the error is a static one that says so, with TB_FAILED.
 */
enum tb_status failure_raise(struct tb_error **ret_error, const struct failure *failure,
                             const char *format, ...) PRINTF_LIKE(3, 4);

/* The same for a failure that is only a status and a message. */
#define failure_simple(ret_error, status, broker, ...)                                             \
    failure_raise((ret_error), &(struct failure)FAILURE((status), (broker)), __VA_ARGS__)
