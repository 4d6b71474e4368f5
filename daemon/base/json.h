#pragma once

/*
 * JSON (RFC 8259), read strictly and written plainly. A text is refused as a whole when it is not
 * JSON to the letter, is nested deeper than JSON_DEPTH_MAX, has a key twice in one object, a NUL
 * in a string, or is not UTF-8. Numbers keep their text.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/secret.h"

enum { JSON_DEPTH_MAX = 16 };

enum json_kind {
    JSON_ABSENT, /* no such key */
    JSON_NULL,
    JSON_BOOLEAN,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

/* A parsed text or a part of it. Parts belong to the whole. */
struct json;

enum { JSON_INVALID = 1 };

/* Returns 0, JSON_INVALID (complaint says where), or -ENOMEM. *ret is freed with json_free(). */
int json_parse(const char *text, size_t length, struct json **ret, struct complaint *complaint);

/* Wipes the whole, then frees it. NULL is fine; returns NULL. */
struct json *json_free(struct json *whole);

enum json_kind json_kind(const struct json *value); /* NULL is JSON_ABSENT */

/* The member of an object, NULL when it is absent or value is no object. Owned by the whole: a
 * part lives as long as the whole. */
const struct json *json_member(const struct json *value, const char *key);

/* A string's bytes, NUL-ended, without a NUL inside; NULL when value is no string. Owned by the
 * whole. */
const char *json_string(const struct json *value);

/* A string member's bytes; NULL when it is absent or no string. */
const char *json_member_string(const struct json *value, const char *key);

/* An integral number that fits (1e3 and 3600.0 are integral). False when value is anything else. */
bool json_integer(const struct json *value, int64_t *ret);

/* False, and *ret untouched, when value is no boolean. */
bool json_boolean(const struct json *value, bool *ret);

/* The length is 0 when value is no array; past it, the element is NULL. Owned by the whole. */
size_t json_array_length(const struct json *value);
const struct json *json_array_at(const struct json *value, size_t index);

/* Calls each for every member, in the text's order, until it returns false. */
void json_each_member(const struct json *value,
                      bool (*each)(void *userdata, const char *key, const struct json *member),
                      void *userdata);

/* Appends value as compact JSON; numbers as they came. */
void json_append(struct buffer *out, const struct json *value);

/* Append one JSON string, quoted and escaped; bytes that are not UTF-8 become U+FFFD. */
void json_append_string(struct buffer *out, const char *text);
void json_append_secret(struct buffer *out, const struct secret *secret);

/*
 * A writer of one object or array: it places the commas.
 *   struct json_writer w = json_writer_begin(&buffer, '{');
 *   json_put_string(&w, "error", "forbidden");
 *   json_writer_end(&w);
 * A NULL text or secret puts nothing. Inside an array, key is NULL.
 */
struct json_writer {
    struct buffer *out;
    char closing;
    bool any;
};

/* Appends the opening bracket, '{' or '['. out must outlive the writer. */
struct json_writer json_writer_begin(struct buffer *out, char opening);
/* Appends the closing bracket. Nothing needs to be freed: errors show in out->failed. */
void json_writer_end(struct json_writer *writer);

/* Each appends one value, with its key inside an object. */
void json_put_string(struct json_writer *writer, const char *key, const char *text);
void json_put_secret(struct json_writer *writer, const char *key, const struct secret *secret);
void json_put_integer(struct json_writer *writer, const char *key, int64_t number);
void json_put_boolean(struct json_writer *writer, const char *key, bool value);
/* text is JSON already. */
void json_put_raw(struct json_writer *writer, const char *key, const char *text);
/* Begins a nested object ('{') or array ('['); end it before the next put to writer. */
struct json_writer json_put_nested(struct json_writer *writer, const char *key, char opening);

DEFINE_CLEANUP(struct json *, json, json_free)
