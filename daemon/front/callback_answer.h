#pragma once

/* What the callback answers browsers with. */

#include "front/pages.h"
#include "io/web.h"

/* Every answer's headers; the caller may append its own. */
struct web_answer callback_new_answer(int status);
void callback_add_header(struct web_answer *answer, const char *name, const char *value);

/* A page; what it says in place of one; nothing but a status. */
void callback_answer_page(struct web_request *request, int status, const struct buffer *page);
void callback_answer_notice(struct web_request *request, enum page_notice notice);
void callback_answer_bare(struct web_request *request, int status);

/* 303 to an address. */
void callback_answer_redirect(struct web_request *request, const char *location);
