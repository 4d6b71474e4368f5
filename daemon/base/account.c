#include "base/account.h"

#include <string.h>

/* Plain ranges: isalnum() follows the locale and takes no negative char. */
static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_letter_or_digit(char c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

static bool is_provider_char(char c)
{
    return is_lower_or_digit(c) || c == '-';
}

static bool is_label_char(char c)
{
    return is_letter_or_digit(c) || strchr("._@+-", c) != NULL;
}

static bool only(const char *text, size_t maximum, bool (*allowed)(char c))
{
    size_t length = strnlen(text, maximum + 1);

    if (length > maximum)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!allowed(text[i]))
            return false;
    return true;
}

bool provider_name_valid(const char *text)
{
    return text && is_lower_or_digit(text[0]) && only(text, PROVIDER_NAME_MAX, is_provider_char);
}

bool label_valid(const char *text)
{
    return text && is_letter_or_digit(text[0]) && only(text, LABEL_MAX, is_label_char);
}

bool account_name_make(const char *provider, const char *label, struct account_name *ret)
{
    struct account_name name = { 0 };

    if (!provider_name_valid(provider) || !label_valid(label))
        return false;
    memcpy(name.provider, provider, strlen(provider));
    memcpy(name.label, label, strlen(label));
    *ret = name;
    return true;
}

bool account_name_parse(const char *text, struct account_name *ret)
{
    char provider[PROVIDER_NAME_MAX + 1] = "";
    const char *slash = strchr(text, '/');
    if (!slash || slash - text > PROVIDER_NAME_MAX)
        return false;
    memcpy(provider, text, (size_t)(slash - text));
    return account_name_make(provider, slash + 1, ret);
}

bool account_name_equal(const struct account_name *a, const struct account_name *b)
{
    return strcmp(a->provider, b->provider) == 0 && strcmp(a->label, b->label) == 0;
}

const char *account_text(const struct account_name *name, char out[static ACCOUNT_TEXT_SIZE])
{
    size_t provider_length = strnlen(name->provider, PROVIDER_NAME_MAX);
    size_t label_length = strnlen(name->label, LABEL_MAX);

    memcpy(out, name->provider, provider_length);
    out[provider_length] = '/';
    memcpy(out + provider_length + 1, name->label, label_length);
    out[provider_length + 1 + label_length] = '\0';
    return out;
}
