#pragma once

/*
 * A first look at a configuration text, before libconfuse sees it. libconfuse 3.3 counts a line of
 * comment three times, takes a section that is never closed, replaces ${NAME} by the environment in
 * double-quoted and in bare words, and cuts a string at "\0". So comments become blanks here, and
 * the rest is refused.
 */

#include <stddef.h>

#include "base/buffer.h"

enum { SCAN_INVALID = 1 };

/* Where each section's opening brace stands, in the text's order. */
struct scan_result {
    struct buffer text; /* the same lines without comments; its maximum is the caller's */
    unsigned *section_lines;
    size_t section_count;
};

/* Returns 0, SCAN_INVALID (*ret_line says where, complaint what) or -ENOMEM. */
int scan_text(const char *text, struct scan_result *ret, unsigned *ret_line,
              struct complaint *complaint);
void scan_result_release(struct scan_result *result);

static inline void cleanup_scan_result(struct scan_result *result)
{
    scan_result_release(result);
}
