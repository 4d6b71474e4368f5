#pragma once

#include <stddef.h>
#include <stdint.h>

#include "client/tokenbroker.h"

/*
 * A small strict reader of JSON (RFC 8259): UTF-8, nothing behind the value, no name twice in an
 * object, no NUL in a string.
 */

enum {
    DECODE_DEPTH_MAX = 32,
    DECODE_VALUES_MAX = 32 * 1024,
};

/* A value of a document. The values stand in the order of the text: a container's first follows it.
 */
struct tb_value {
    enum tb_type type;
    bool whole;         /* a number that integer holds */
    bool truth;         /* a boolean's */
    uint32_t count;     /* of values directly in a container */
    uint32_t next;      /* how many values further the next of the same container is; 0: none */
    int64_t integer;    /* a number's, when whole */
    const char *name;   /* of a member of an object, else NULL */
    const char *text;   /* a string's */
    const char *json;   /* where it is in the source */
    size_t json_length; /* bytes */
};

/* A decoded document; the source stays the caller's and has to outlive it. */
struct document {
    struct tb_value *values; /* the first is the outermost */
    size_t count;
    size_t capacity;
    char *strings; /* the strings' and names' text, one behind the other */
    size_t strings_length;
    size_t strings_size; /* bytes, overwritten before they are freed */
};

/* Decodes length bytes. -EBADMSG: not such JSON, deeper than DECODE_DEPTH_MAX or of more than
 * DECODE_VALUES_MAX values; -ENOMEM. Release with document_release(). */
int decode(const char *source, size_t length, struct document *ret);

/* Overwrites and frees a document's memory; NULL is nothing. */
void document_release(struct document *document);

static inline void cleanup_document(struct document *document)
{
    document_release(document);
}
