#include "settings/values.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "oauth/provider.h"
#include "oauth/url.h"
#include "settings/duration.h"
#include "settings/nearest.h"
#include "settings/settings.h"

enum { RATE_REQUESTS_MAX = 1000000, CONCURRENCY_MAX = 64 };

const struct word flag_words[] = {
    { "yes", true }, { "no", false },  { "true", true }, { "false", false },
    { "on", true },  { "off", false }, { NULL, 0 },
};

static const char proxy_schemes[][12] = { "http://", "https://", "socks5://", "socks5h://" };

static void *field(const struct key *key, void *into)
{
    return (char *)into + key->offset;
}

static int put_text(const char *text, char **where)
{
    free(*where);
    *where = strdup(text);
    return *where != NULL ? 0 : -ENOMEM;
}

int take_text(const struct key *key, const struct setting *setting, void *into,
              struct complaint *complaint)
{
    if (setting->values[0][0] == '\0')
        return complain_setting(complaint, setting, "is empty");
    return put_text(setting->values[0], field(key, into));
}

int take_url(const struct key *key, const struct setting *setting, void *into,
             struct complaint *complaint)
{
    struct url url;
    if (!url_parse(setting->values[0], &url))
        return complain_setting(complaint, setting,
                                "is no address such as \"https://host/path\" (no user, no \"#\")");
    if (!url_is_safe(&url))
        return complain_setting(complaint, setting,
                                "must be https (plain http goes to loopback hosts only)");
    return put_text(setting->values[0], field(key, into));
}

int take_path(const struct key *key, const struct setting *setting, void *into,
              struct complaint *complaint)
{
    if (setting->values[0][0] != '/')
        return complain_setting(complaint, setting, "must be an absolute path");
    return put_text(setting->values[0], field(key, into));
}

static const char *after_proxy_scheme(const char *text)
{
    for (size_t i = 0; i < sizeof proxy_schemes / sizeof proxy_schemes[0]; i++) {
        size_t length = strlen(proxy_schemes[i]);
        if (strncmp(text, proxy_schemes[i], length) == 0)
            return text + length;
    }
    return NULL;
}

int take_proxy(const struct key *key, const struct setting *setting, void *into,
               struct complaint *complaint)
{
    const char *host = after_proxy_scheme(setting->values[0]);
    if (host == NULL || *host == '\0' || strpbrk(host, " ?#") != NULL)
        return complain_setting(complaint, setting,
                                "is no http://, https://, socks5:// or socks5h:// address");
    if (strchr(host, '@') != NULL)
        return complain_setting(complaint, setting, "must not hold a user and password");
    return put_text(setting->values[0], field(key, into));
}

int word_value(const struct setting *setting, const struct word *words, const char *text,
               int *ret_value, struct complaint *complaint)
{
    struct nearest nearest = { .word = text };
    char hint[NEAREST_HINT_SIZE];
    for (const struct word *word = words; word->text != NULL; word++) {
        if (strcmp(word->text, text) == 0) {
            *ret_value = word->value;
            return 0;
        }
        nearest_offer(&nearest, word->text);
    }
    if (nearest.best == NULL)
        return complain_setting(complaint, setting, "does not know the word \"%s\" (\"%s\" is one)",
                                text, words[0].text);
    return complain_setting(complaint, setting, "does not know the word \"%s\"%s", text,
                            nearest_hint(&nearest, hint));
}

int take_choice(const struct key *key, const struct setting *setting, void *into,
                struct complaint *complaint)
{
    int value = 0;
    int r = word_value(setting, key->words, setting->values[0], &value, complaint);
    /* Each choice's field is an enum without negative values, which the compiler makes unsigned. */
    if (r == 0)
        *(unsigned *)field(key, into) = (unsigned)value;
    return r;
}

_Static_assert(sizeof(enum grant_type) == sizeof(unsigned), "take_choice() writes an unsigned");

int take_flag(const struct key *key, const struct setting *setting, void *into,
              struct complaint *complaint)
{
    int value = 0;
    int r = word_value(setting, key->words, setting->values[0], &value, complaint);
    if (r == 0)
        *(bool *)field(key, into) = value != 0;
    return r;
}

int take_duration(const struct key *key, const struct setting *setting, void *into,
                  struct complaint *complaint)
{
    const char *problem = NULL;
    int64_t ms = 0;
    if (!duration_parse(setting->values[0], &ms, &problem))
        return complain_setting(complaint, setting, "\"%s\" %s", setting->values[0], problem);
    *(int64_t *)field(key, into) = ms;
    return 0;
}

static bool is_word(const struct word *words, const char *text)
{
    while (words != NULL && words->text != NULL && strcmp(words->text, text) != 0)
        words++;
    return words != NULL && words->text != NULL;
}

/* Adds "name=value". The bare name that is one of the key's words means our own value. */
static int add_parameter(const struct key *key, const struct setting *setting, char *text,
                         struct parameters *parameters, struct complaint *complaint)
{
    char *equals = strchr(text, '=');
    if (equals == text || (equals == NULL && !is_word(key->words, text)))
        return complain_setting(complaint, setting, "wants \"name=value\" for each parameter");
    if (equals == NULL)
        return parameters_add(parameters, text, "");
    *equals = '\0';
    int r = parameters_add(parameters, text, equals + 1);
    *equals = '=';
    return r;
}

int take_parameters(const struct key *key, const struct setting *setting, void *into,
                    struct complaint *complaint)
{
    int r = 0;
    for (size_t i = 0; i < setting->count && r == 0; i++)
        r = add_parameter(key, setting, setting->values[i], field(key, into), complaint);
    return r;
}

/* RFC 8707 2: an absolute URI without a fragment (RFC 3986 4.3); it need not be an address. */
static bool is_absolute_uri(const char *text)
{
    size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789+-.");
    if (!isalpha((unsigned char)text[0]) || text[scheme] != ':' || text[scheme + 1] == '\0')
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || strchr("#\"<>\\^`{|}", *c) != NULL)
            return false;
    return true;
}

int take_resources(const struct key *key, const struct setting *setting, void *into,
                   struct complaint *complaint)
{
    int r = 0;
    for (size_t i = 0; i < setting->count && r == 0; i++) {
        if (!is_absolute_uri(setting->values[i]))
            return complain_setting(complaint, setting,
                                    "wants absolute addresses such as \"https://host/path\" "
                                    "without \"#\"");
        r = parameters_add(field(key, into), "resource", setting->values[i]);
    }
    return r;
}

int take_rate_limit(const struct key *key, const struct setting *setting, void *into,
                    struct complaint *complaint)
{
    struct provider *provider = into;
    const char *text = setting->values[0], *problem = NULL;
    char *slash = NULL;
    int64_t period = 0;
    unsigned long requests = isdigit((unsigned char)text[0]) ? strtoul(text, &slash, 10) : 0;
    if (requests == 0 || requests > RATE_REQUESTS_MAX || *slash != '/' ||
        !duration_parse(slash + 1, &period, &problem))
        return complain_setting(complaint, setting,
                                "wants \"requests/duration\", such as \"15/4s\"");
    provider->rate_limit_requests = (unsigned)requests;
    provider->rate_limit_period_ms = period;
    return 0;
}

int take_concurrency(const struct key *key, const struct setting *setting, void *into,
                     struct complaint *complaint)
{
    const char *text = setting->values[0];
    char *end = NULL;
    unsigned long requests = isdigit((unsigned char)text[0]) ? strtoul(text, &end, 10) : 0;
    if (requests == 0 || requests > CONCURRENCY_MAX || *end != '\0')
        return complain_setting(complaint, setting, "wants a number from 1 to %d", CONCURRENCY_MAX);
    *(unsigned *)field(key, into) = (unsigned)requests;
    return 0;
}

/* A header's name or scheme (RFC 9110 5.6.2), also what we take for a query parameter's name. */
static bool is_token(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (!isalnum((unsigned char)*text) && strchr("!#$%&'*+-.^_`|~", *text) == NULL)
            return false;
    return true;
}

enum { PRESENTATION_PARTS = 3 };

/* Splits at single spaces. Returns the number of parts, 0 when there are too many. */
static size_t split_words(char *text, char *parts[static PRESENTATION_PARTS])
{
    size_t count = 0;
    char *rest = text;
    for (char *part; (part = strsep(&rest, " ")) != NULL; count++) {
        if (count == PRESENTATION_PARTS)
            return 0;
        parts[count] = part;
    }
    return count;
}

int take_presentation(const struct key *key, const struct setting *setting, void *into,
                      struct complaint *complaint)
{
    struct provider *provider = into;
    char *parts[PRESENTATION_PARTS] = { NULL, NULL, NULL };
    CLEANUP(cleanup_string) char *text = strdup(setting->values[0]);
    if (text == NULL)
        return -ENOMEM;
    size_t count = split_words(text, parts);
    bool header = count >= 2 && strcmp(parts[0], "header") == 0;
    bool query = count == 2 && strcmp(parts[0], "query") == 0;
    if ((!header && !query) || !is_token(parts[1]) || (count == 3 && !is_token(parts[2])))
        return complain_setting(complaint, setting,
                                "wants \"header NAME SCHEME\", \"header NAME\" or \"query NAME\"");
    int r = put_text(parts[0], &provider->present_in);
    if (r == 0)
        r = put_text(parts[1], &provider->present_name);
    return r == 0 ? put_text(count == 3 ? parts[2] : "", &provider->present_scheme) : r;
}
