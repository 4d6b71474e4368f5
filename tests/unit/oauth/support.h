#pragma once

/* What the tests of this floor share. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/secret.h"
#include "oauth/provider.h"

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A group's set-up for tests that use secrets. */
static inline int start_secrets(void **state)
{
    bool locked;
    return secret_start(&locked);
}

static inline struct secret *secret_of(const char *text)
{
    struct secret *secret = NULL;
    assert_int_equal(secret_new(text, strlen(text), &secret), 0);
    return secret;
}

static inline void assert_secret_text(const struct secret *secret, const char *text)
{
    if (text == NULL) {
        assert_null(secret);
        return;
    }
    assert_non_null(secret);
    assert_string_equal(secret_reveal(secret), text);
}

/* Both may be NULL. */
static inline void assert_text(const char *found, const char *wanted)
{
    if (wanted == NULL)
        assert_null(found);
    else
        assert_non_null(found);
    if (wanted != NULL)
        assert_string_equal(found, wanted);
}

/* A text of length times c, freed by the caller. */
static inline char *repeated(char c, size_t length)
{
    char *text = malloc(length + 1);
    assert_non_null(text);
    memset(text, c, length);
    text[length] = '\0';
    return text;
}
