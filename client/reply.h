#pragma once

#include "client/http.h"

/* Makes a reply of an answer with status 200, taking its body over. -EBADMSG: not JSON; -ENOMEM. */
int reply_make(struct http_answer *answer, struct tb_reply **ret);

/* Makes an error of an answer with another status: the broker's code and message where it sent
 * them. Returns its status. */
enum tb_status reply_refusal(const struct http_answer *answer, const char *broker_path,
                             struct tb_error **ret_error);
