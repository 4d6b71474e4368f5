#include <errno.h>
#include <string.h>

#include "io/web_private.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte that "%XX" stands for; -1 when it is broken or stands for NUL. */
static int percent_value(const char *text)
{
    int high = hex_value(text[1]);
    int low = high < 0 ? -1 : hex_value(text[2]);

    return high < 0 || low < 0 || (high == 0 && low == 0) ? -1 : high * 16 + low;
}

/* Visible ASCII only (RFC 3986 knows nothing else), and percent-encoding that can be decoded. */
static bool encoding_valid(const char *text)
{
    for (; *text; text++) {
        if (*text < '!' || *text > '~')
            return false;
        if (*text == '%' && percent_value(text) < 0)
            return false;
    }
    return true;
}

/* Decodes a valid text in place, as application/x-www-form-urlencoded. */
static void decode(char *text)
{
    char *out = text;

    for (const char *in = text; *in; in++) {
        if (*in == '%') {
            *out++ = (char)percent_value(in);
            in += 2;
        } else {
            *out++ = *in == '+' ? ' ' : *in;
        }
    }
    *out = '\0';
}

/* Cuts a valid query, which becomes the parameters' memory. False when there are too many. */
static bool cut_parameters(struct web_request *request, char *query)
{
    char *rest = query;
    char *pair;

    while ((pair = strsep(&rest, "&"))) {
        if (!*pair)
            continue;
        if (request->parameter_count == WEB_PARAMETERS_MAX)
            return false;

        char *value = strchr(pair, '=');
        if (value)
            *value++ = '\0';
        else
            value = pair + strlen(pair);
        struct web_parameter *parameter = &request->parameters[request->parameter_count++];
        *parameter = (struct web_parameter){ .name = pair, .value = value };
    }
    /* Only now: a decoded '&' or '=' must not cut. */
    for (size_t i = 0; i < request->parameter_count; i++) {
        decode(request->parameters[i].name);
        decode(request->parameters[i].value);
    }
    return true;
}

static enum web_refusal check_target(struct web_request *request, char *parameters)
{
    if (request->target[0] != '/' || !encoding_valid(request->target))
        return WEB_REFUSED_TARGET;
    if (!encoding_valid(request->query))
        return WEB_REFUSED_QUERY;
    if (!cut_parameters(request, parameters))
        return WEB_REFUSED_PARAMETERS;
    return WEB_REFUSED_NOT;
}

/* Lays out path, query and the parameters' memory in one block; returns the latter or NULL. */
static char *copy_target(struct web_request *request, const char *path, size_t path_length,
                         const char *query, size_t query_length)
{
    request->target_size = path_length + 1 + 2 * (query_length + 1);
    request->target = malloc(request->target_size);
    if (!request->target)
        return NULL;

    char *query_copy = request->target + path_length + 1;
    char *parameters = query_copy + query_length + 1;
    memcpy(request->target, path, path_length);
    request->target[path_length] = '\0';
    memcpy(query_copy, query, query_length);
    query_copy[query_length] = '\0';
    memcpy(parameters, query_copy, query_length + 1);
    request->query = query_copy;
    return parameters;
}

int web_take_target(struct web_request *request, char *raw)
{
    size_t length = strlen(raw);
    size_t path_length = strcspn(raw, "?");
    char *query = raw + path_length + (raw[path_length] == '?' ? 1 : 0);
    size_t query_length = strlen(query);

    request->raw_target = raw;
    request->raw_length = length;
    if (path_length > WEB_PATH_MAX || query_length > WEB_QUERY_MAX) {
        request->refusal = WEB_REFUSED_PATH_TOO_LONG;
        /* The handler never sees it, but every request has a target. */
        path_length = query_length = 0;
    }

    char *parameters = copy_target(request, raw, path_length, query, query_length);
    /* A query may carry an authorization code, and the library frees its memory as it is. Without
     * a query it also parses no arguments, which nobody would read. */
    explicit_bzero(query, strlen(query));
    if (!parameters)
        return -ENOMEM;
    if (!request->refusal)
        request->refusal = check_target(request, parameters);
    return 0;
}

const char *web_path(const struct web_request *request)
{
    return request->target;
}

const char *web_query(const struct web_request *request)
{
    return request->query;
}

const char *web_parameter(const struct web_request *request, const char *name)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        if (strcmp(request->parameters[i].name, name) == 0)
            return request->parameters[i].value;
    }
    return NULL;
}

size_t web_parameter_count(const struct web_request *request, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < request->parameter_count; i++)
        count += strcmp(request->parameters[i].name, name) == 0;
    return count;
}

static bool listed(const char *const *names, const char *name)
{
    for (; *names; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

const char *web_odd_parameter(const struct web_request *request, const char *const *known)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        const char *name = request->parameters[i].name;
        if (!listed(known, name) || web_parameter_count(request, name) > 1)
            return name;
    }
    return NULL;
}
