#pragma once

#include "client/text.h"

enum {
    PROMPT_MAX = 48 * 1024,
    PROMPT_INTERRUPTED = -2, /* of prompt_secret(): the descriptor became readable */
    PROMPT_TIMEOUT = -3,
    PROMPT_OVER = -4,
    PROMPT_LOOK_MS = 1000,
};

/* What may end a prompt before an answer. */
struct prompt_ends {
    int interrupt_fd;                /* readable; -1: none */
    int64_t timeout_s;               /* -1: never */
    bool (*is_over)(void *userdata); /* looked at now and then; NULL: never */
    void *userdata;
};

/*
 * Reads one line from stdin, without the line end. On a terminal it writes the prompt to stderr
 * first and shows nothing of what is typed. ends may be NULL. 0, or -1 (and says so) when nothing
 * came, it is too long or no text; PROMPT_INTERRUPTED, PROMPT_TIMEOUT or PROMPT_OVER by what ended
 * it.
 */
int prompt_secret(const char *prompt, const struct prompt_ends *ends, struct text *out);

/* Asks on a terminal: whether the answer is yes. */
bool prompt_yes(const char *question);

/* Whether a person can be asked: stdin is a terminal. */
bool prompt_possible(void);

/* Asks before something that cannot be undone; with yes nobody is asked. False, and says so: the
 * answer was no, or there is nobody to ask. */
bool prompt_confirmed(bool yes, const char *question);
