#pragma once

/* Words from outside (a provider, a redirect) made fit to be shown to a person. */

#include <stdbool.h>
#include <stddef.h>

/* What becomes of words that could be a token or a code. */
enum printable_words { PRINTABLE_ALL_WORDS, PRINTABLE_MASK_TOKENS };

/*
 * Writes text as one line of valid UTF-8 to out, cut between characters at size - 1 bytes:
 * controls, line separators and marks that turn the direction of writing become spaces, broken
 * bytes '?'. With PRINTABLE_MASK_TOKENS a word that looks like a token (long, letters and digits
 * mixed; or very long) becomes "[...]", for some providers repeat what they were sent. size > 0.
 */
void printable_line(const char *text, enum printable_words words, char *out, size_t size);
