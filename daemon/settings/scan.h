#pragma once

/*
 * The characters of a configuration text: blanks, comments, quotes, words, marks. What words and
 * marks may follow each other is the reader's business.
 */

#include "base/buffer.h"

enum { SCAN_INVALID = 1 };

/* What a token is: one of the marks {}()=, or one of these. */
enum { TOKEN_END = '\0', TOKEN_WORD = 'w', TOKEN_APPEND = '+' };

struct token {
    const char *text; /* a word without its quotes and escapes; a mark as it stands there */
    unsigned line;    /* where it ends */
    char mark;
};

/* Starts as zero. */
struct scan_result {
    struct buffer tokens; /* struct token; the last is TOKEN_END */
    struct buffer texts;  /* what they point to: secrets among it */
};

/* Returns 0, SCAN_INVALID (*ret_line says where, complaint what) or -ENOMEM. */
int scan_text(const char *text, struct scan_result *ret, unsigned *ret_line,
              struct complaint *complaint);
void scan_result_release(struct scan_result *result);

static inline const struct token *scan_tokens(const struct scan_result *result)
{
    return (const struct token *)(const void *)result->tokens.data;
}

static inline void cleanup_scan_result(struct scan_result *result)
{
    scan_result_release(result);
}
