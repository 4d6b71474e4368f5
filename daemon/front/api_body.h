#pragma once

/* A request's JSON body, read strictly. */

#include "base/json.h"
#include "front/api.h"

/* Parses the request's body, which must be one object without members that are not in the
 * NULL-ended list; an empty body is an empty object. Returns NULL when the request was answered
 * `bad_request`; else the caller frees it with json_free(), which wipes it. */
struct json *api_body(const struct api_request *request, const char *const *known);

/* A member that is true or false; *ret is false when there is none. False when the request was
 * answered. */
bool api_body_flag(const struct api_request *request, const struct json *body, const char *key,
                   bool *ret);

/* A string member as a secret of characters that a token may have (RFC 6749 A.12, A.17). Sets *ret
 * to NULL when there is no such member. False when the request was answered. */
bool api_body_secret(const struct api_request *request, const struct json *body, const char *key,
                     struct secret **ret);
