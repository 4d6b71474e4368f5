#pragma once

#include "client/text.h"

enum {
    PROMPT_MAX = 48 * 1024,
    PROMPT_INTERRUPTED = -2, /* of prompt_secret(): the descriptor became readable */
    PROMPT_TIMEOUT = -3,
};

/*
 * Reads one line from stdin, without the line end. On a terminal it writes the prompt to stderr
 * first and shows nothing of what is typed. 0, or -1 (and says so) when nothing came or it is too
 * long; PROMPT_INTERRUPTED when interrupt_fd (-1: none) became readable; PROMPT_TIMEOUT after
 * timeout_s
 * (-1: never).
 */
int prompt_secret(const char *prompt, int interrupt_fd, int64_t timeout_s, struct text *out);

/* Asks on a terminal: whether the answer is yes. */
bool prompt_yes(const char *question);

/* Whether a person can be asked: stdin is a terminal. */
bool prompt_possible(void);
