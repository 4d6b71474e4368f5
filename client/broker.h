#pragma once

#include <stdint.h>

#include "client/tokenbroker.h"

/* tb_call() with a time-out of its own, in milliseconds. */
enum tb_status broker_call(struct tb_broker *broker, int64_t timeout_ms, const char *method,
                           const char *path, const char *body, struct tb_reply **ret_reply,
                           struct tb_error **ret_error);
