#pragma once

/*
 * What the fuzz targets share. A target is a file fuzz_NAME.c with libFuzzer's entry point; it ends
 * the process where a promise of the code under test does not hold, as a sanitizer does where
 * memory is misused. Its inputs to begin with lie in corpus/NAME/.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/decode.h"

/* libFuzzer's. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise: when it is broken, that is a finding. */
#define PROMISE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

/* An input from its front on: letters choose among a few, so that inputs can be written by hand. */
struct input {
    const char *at;
    size_t left;
};

static inline struct input input_of(const uint8_t *data, size_t size)
{
    return (struct input){ (const char *)data, size };
}

/* The next byte as a number below count: 'a' is 0. */
static inline size_t input_choice(struct input *input, size_t count)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return (unsigned char)(*input->at++ - 'a') % count;
}

/* All that is left, ended by a NUL, in memory of exactly that size; the caller frees it. */
static inline char *input_text(const struct input *input)
{
    char *text = malloc(input->left + 1);

    PROMISE(text != NULL);
    if (input->left > 0)
        memcpy(text, input->at, input->left);
    text[input->left] = '\0';
    return text;
}

/* Both may be NULL. */
static inline bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* One line of UTF-8 that does nothing to a terminal. */
bool is_printable_line(const char *text);

/* --- a second reading of JSON, by the client's reader, which shares no code with the daemon's ---
 */

/* How many brackets stand in each other at most. */
unsigned json_depth(const struct tb_value *value);

/* The string of a member; NULL when it is absent or no string. */
const char *member_text(const struct document *document, const char *name);
