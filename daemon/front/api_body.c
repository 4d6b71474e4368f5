#include "front/api_body.h"

#include <string.h>

enum { BODY_KEY_SHOWN_MAX = 64 };

struct unknown_search {
    const char *const *known;
    const char *unknown;
};

static bool look(void *userdata, const char *key, const struct json *member)
{
    struct unknown_search *search = userdata;

    for (const char *const *known = search->known; *known; known++) {
        if (strcmp(*known, key) == 0)
            return true;
    }
    search->unknown = key;
    return false;
}

struct json *api_body(const struct api_request *request, const char *const *known)
{
    struct complaint complaint = { "" };
    struct json *body = NULL;
    size_t length;
    const char *text = web_body(request->web, &length);
    int r = length > 0 ? json_parse(text, length, &body, &complaint)
                       : json_parse("{}", 2, &body, &complaint);

    if (r < 0) {
        api_refuse(request->web, WIRE_INTERNAL, NULL, "out of memory");
        return NULL;
    }
    if (r || json_kind(body) != JSON_OBJECT) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "the body is no JSON object%s%s",
                   *complaint.text ? ": " : "", complaint.text);
        return json_free(body);
    }
    struct unknown_search search = { .known = known };
    json_each_member(body, look, &search);
    if (search.unknown) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "the member %.*s is not known here",
                   BODY_KEY_SHOWN_MAX, search.unknown);
        return json_free(body);
    }
    return body;
}

bool api_body_flag(const struct api_request *request, const struct json *body, const char *key,
                   bool *ret)
{
    *ret = false;
    if (!json_member(body, key) || json_boolean(json_member(body, key), ret))
        return true;
    api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "%s must be true or false", key);
    return false;
}

static bool is_token(const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || length > SECRET_MAX)
        return false;
    for (; *text; text++) {
        if (*text < 0x20 || *text > 0x7e)
            return false;
    }
    return true;
}

bool api_body_secret(const struct api_request *request, const struct json *body, const char *key,
                     struct secret **ret)
{
    const char *text = json_member_string(body, key);

    if (!json_member(body, key)) {
        *ret = NULL;
        return true;
    }
    if (!text || !is_token(text)) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL,
                   "%s must be 1 to %d printable ASCII characters", key, SECRET_MAX);
        return false;
    }
    if (secret_new(text, strlen(text), ret) < 0) {
        api_refuse(request->web, WIRE_INTERNAL, NULL, "out of memory for secrets");
        return false;
    }
    return true;
}
