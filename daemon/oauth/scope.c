#include "oauth/scope.h"

#include <string.h>

#include "oauth/authorize.h"

static bool separates(char c, const char *separators)
{
    return (unsigned char)c <= ' ' || strchr(separators, c) != NULL;
}

/* The next word at or after *cursor and its length; NULL at the end. Moves *cursor behind it. */
static const char *next_word(const char **cursor, const char *separators, size_t *ret_length)
{
    const char *word = *cursor;
    while (*word != '\0' && separates(*word, separators))
        word++;
    size_t length = 0;
    while (word[length] != '\0' && !separates(word[length], separators))
        length++;
    *cursor = word + length;
    *ret_length = length;
    return length > 0 ? word : NULL;
}

bool scope_holds(const char *scope, const char *word)
{
    const char *cursor = scope != NULL ? scope : "";
    const char *found;
    size_t length;
    while ((found = next_word(&cursor, "", &length)) != NULL) {
        if (length == strlen(word) && memcmp(found, word, length) == 0)
            return true;
    }
    return false;
}

void scope_append(struct buffer *out, const char *scope, const char *separator)
{
    const char *cursor = scope != NULL ? scope : "";
    const char *word;
    size_t length;
    for (bool first = true; (word = next_word(&cursor, "", &length)) != NULL; first = false) {
        if (!first)
            buffer_append_text(out, separator);
        buffer_append(out, word, length);
    }
}

void scope_append_normal(struct buffer *out, const char *scope, const char *separators,
                         size_t maximum)
{
    const char *cursor = scope;
    const char *word;
    size_t length;
    while ((word = next_word(&cursor, separators, &length)) != NULL) {
        size_t space = out->length > 0 ? 1 : 0;
        if (length + space > maximum - out->length)
            return;
        if (space > 0)
            buffer_append_char(out, ' ');
        buffer_append(out, word, length);
    }
}
