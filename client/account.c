#include "client/account.h"

#include <stdio.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* Whether the first length bytes are 1 to maximum of these characters, beginning with one of first.
 */
static bool made_of(const char *text, size_t length, size_t maximum, const char *first,
                    const char *characters)
{
    return length > 0 && length <= maximum && strchr(first, text[0]) &&
           strspn(text, characters) >= length;
}

static bool provider_part_valid(const char *text, size_t length)
{
    return made_of(text, length, PROVIDER_MAX, LOWER DIGITS, LOWER DIGITS "-");
}

bool provider_valid(const char *name)
{
    return provider_part_valid(name, strlen(name));
}

bool account_complete(const char *name, char out[static ACCOUNT_SIZE])
{
    const char *slash = strchr(name, '/');
    const char *label = slash ? slash + 1 : "default";
    size_t length = slash ? (size_t)(slash - name) : strlen(name);

    if (!provider_part_valid(name, length) ||
        !made_of(label, strlen(label), LABEL_MAX, LOWER UPPER DIGITS, LOWER UPPER DIGITS "._@+-"))
        return false;
    (void)snprintf(out, ACCOUNT_SIZE, "%.*s/%s", (int)length, name, label);
    return true;
}

/* The slash ends a provider's name: what ends is before what goes on. */
static int rank(char character)
{
    return character == '/' ? 1 : (unsigned char)character;
}

int account_compare(const char *left, const char *right)
{
    while (*left && *left == *right) {
        left++;
        right++;
    }
    return rank(*left) - rank(*right);
}
