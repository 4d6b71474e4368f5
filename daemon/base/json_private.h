#pragma once

/* Private to base: a value as json_read.c makes it and json.c shows it. */

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

struct json {
    enum json_kind kind;
    bool truth;          /* of a boolean */
    const char *key;     /* of an object's member */
    const char *text;    /* a string's bytes; a number as it came */
    size_t length;       /* so many parts an object or array has */
    struct json **parts; /* in the text's order */
    struct json *next;   /* beside it in the same object or array */
};
