#include "front/api_path.h"

#include <string.h>

bool path_has_shape(const char *rest, enum path_shape shape)
{
    const char *slash = strchr(rest, '/');

    switch (shape) {
    case PATH_EXACT:
        return !*rest;
    case PATH_WORD:
        return *rest && !slash;
    case PATH_ACCOUNT:
        return slash && slash != rest && slash[1] && !strchr(slash + 1, '/');
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes length bytes (RFC 3986 2.1) into out, which has room for size with the NUL. False when
 * they do not fit, or hold a NUL or a broken encoding. */
static bool decode(const char *from, size_t length, char *out, size_t size)
{
    size_t written = 0;

    for (size_t i = 0; i < length; i++) {
        char c = from[i];
        if (c == '%') {
            int high = length - i > 2 ? hex_digit(from[i + 1]) : -1;
            int low = length - i > 2 ? hex_digit(from[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0' || written + 1 >= size)
            return false;
        out[written++] = c;
    }
    out[written] = '\0';
    return true;
}

bool path_account(const char *rest, struct account_name *ret)
{
    char provider[PROVIDER_NAME_MAX + 1];
    char label[LABEL_MAX + 1];
    const char *slash = strchr(rest, '/');

    return slash && decode(rest, (size_t)(slash - rest), provider, sizeof(provider)) &&
           decode(slash + 1, strlen(slash + 1), label, sizeof(label)) &&
           account_name_make(provider, label, ret);
}

bool text_to_account(const char *text, struct account_name *ret)
{
    char provider[PROVIDER_NAME_MAX + 1];
    const char *slash = strchr(text, '/');

    if (!slash || slash - text > PROVIDER_NAME_MAX)
        return false;
    memcpy(provider, text, (size_t)(slash - text));
    provider[slash - text] = '\0';
    return account_name_make(provider, slash + 1, ret);
}

bool path_provider(const char *rest, char *ret)
{
    char provider[PROVIDER_NAME_MAX + 1];

    if (!decode(rest, strlen(rest), provider, sizeof(provider)) || !provider_name_valid(provider))
        return false;
    memcpy(ret, provider, sizeof(provider));
    return true;
}

bool text_to_integer(const char *text, int64_t least, int64_t most, int64_t *ret)
{
    int64_t value = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        int64_t digit = *text - '0';
        if (value > (most - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value < least)
        return false;
    *ret = value;
    return true;
}
