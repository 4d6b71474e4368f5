#include "front/api_order.h"

#include <errno.h>
#include <string.h>

#include "oauth/authorize.h"

enum {
    SCOPE_MAX = 4096,
    PARAMS_MAX = 16,
    PARAM_NAME_MAX = 64,
    PARAM_VALUE_MAX = 1024,
};

/* RFC 6749 3.3: words of printable ASCII without '"' and '\', one space between them. */
static bool scope_valid(const char *scope)
{
    char before = ' ';
    for (const char *c = scope; *c; before = *c++) {
        if (*c == ' ' ? before == ' ' : *c < 0x21 || *c > 0x7E || *c == '"' || *c == '\\')
            return false;
    }
    return before != ' ' && strlen(scope) <= SCOPE_MAX;
}

int order_read_scope(const struct json *body, char **ret, struct complaint *complaint)
{
    const struct json *member = json_member(body, "scope");
    const char *scope = json_string(member);
    if (json_kind(member) == JSON_ABSENT)
        return 0;
    if (!scope || !scope_valid(scope)) {
        complain(complaint, "words with single spaces between them are wanted as \"scope\"");
        return JSON_INVALID;
    }
    *ret = strdup(scope);
    return *ret ? 0 : -ENOMEM;
}

struct reading {
    struct parameters *params;
    struct complaint *complaint;
    int result;
};

static bool refuse(struct reading *reading, const char *problem, const char *word)
{
    /* The word is a member's name from outside: it is only ever an argument. */
    complain(reading->complaint, "%s \"%.64s\"", problem, word);
    reading->result = JSON_INVALID;
    return false;
}

static bool read_param(void *userdata, const char *key, const struct json *member)
{
    struct reading *reading = userdata;
    const char *value = json_string(member);
    if (!value || strlen(value) > PARAM_VALUE_MAX)
        return refuse(reading, "there is no usable text for the parameter", key);
    if (strlen(key) > PARAM_NAME_MAX || !authorize_param_allowed(key))
        return refuse(reading, "the protocol's own use is reserved for the parameter", key);
    if (reading->params->count >= PARAMS_MAX)
        return refuse(reading, "there are too many parameters, from", key);
    reading->result = parameters_add(reading->params, key, value);
    return reading->result == 0;
}

int order_read_params(const struct json *body, struct parameters *ret, struct complaint *complaint)
{
    const struct json *params = json_member(body, "params");
    struct reading reading = { ret, complaint, 0 };
    if (json_kind(params) == JSON_OBJECT)
        json_each_member(params, read_param, &reading);
    else if (json_kind(params) != JSON_ABSENT)
        refuse(&reading, "an object of names and texts is wanted as", "params");
    return reading.result;
}
