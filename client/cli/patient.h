#pragma once

#include "client/tokenbroker.h"

/*
 * One request among many, as tb_call(): while the broker says that it is busy, or that we ask too
 * much, it is made again after the time that the broker names, a few times. The last failure is the
 * caller's. *ret_error is NULL or an error before, which is freed.
 */
enum tb_status patient_call(struct tb_broker *broker, const char *method, const char *path,
                            const char *body, struct tb_reply **ret_reply,
                            struct tb_error **ret_error);
