#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_private.h"
#include "base/json_scan.h"

/* All of it is one block, so that memory is short before anything is read or not at all, and that
 * one wipe reaches every byte. */
struct whole {
    size_t bytes;
    struct json root; /* behind it: the other values, their places in their parents, their text */
};

/* Reads what json_scan() has accepted: nothing can be wrong with it but a doubled key. */
struct reader {
    const char *at, *end;
    struct json *value;  /* the next that is not used */
    struct json **place; /* ditto */
    char *text;          /* ditto */
    bool doubled;
};

/* A place for each value, and as many to sort the keys of one object in. */
enum { PLACES_PER_VALUE = 2 };

static int peek(const struct reader *reader)
{
    return reader->at < reader->end ? *reader->at : -1;
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && strchr(" \t\r\n", *reader->at))
        reader->at++;
}

static bool is_number_char(int c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static const char *read_number(struct reader *reader)
{
    const char *start = reader->text;

    while (is_number_char(peek(reader)))
        *reader->text++ = *reader->at++;
    *reader->text++ = '\0';
    return start;
}

static unsigned read_hex4(struct reader *reader)
{
    unsigned unit = 0;

    for (int i = 0; i < 4; i++) {
        const char c = *reader->at++;
        unit = unit * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return unit;
}

/* Behind "\u"; both halves of a surrogate pair. */
static unsigned read_code_point(struct reader *reader)
{
    unsigned unit = read_hex4(reader);

    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    reader->at += strlen("\\u");
    return 0x10000 + ((unit - 0xd800) << 10) + (read_hex4(reader) - 0xdc00);
}

static void put(struct reader *reader, unsigned byte)
{
    *reader->text++ = (char)(unsigned char)byte;
}

/* RFC 3629; it takes fewer bytes than the escape did. */
static void put_utf8(struct reader *reader, unsigned c)
{
    if (c < 0x80) {
        put(reader, c);
        return;
    }
    if (c < 0x800)
        put(reader, 0xc0 | c >> 6);
    else if (c < 0x10000)
        put(reader, 0xe0 | c >> 12);
    else {
        put(reader, 0xf0 | c >> 18);
        put(reader, 0x80 | (c >> 12 & 0x3f));
    }
    if (c >= 0x800)
        put(reader, 0x80 | (c >> 6 & 0x3f));
    put(reader, 0x80 | (c & 0x3f));
}

static void read_escape(struct reader *reader)
{
    static const char escapes[] = "bfnrt";
    static const char meant[] = "\b\f\n\r\t";
    const char c = *reader->at++;
    const char *found = strchr(escapes, c);

    if (c == 'u')
        put_utf8(reader, read_code_point(reader));
    else
        *reader->text++ = found ? meant[found - escapes] : c;
}

static const char *read_string(struct reader *reader)
{
    const char *start = reader->text;

    for (reader->at++; *reader->at != '"';) {
        const char c = *reader->at++;
        if (c == '\\')
            read_escape(reader);
        else
            *reader->text++ = c;
    }
    reader->at++;
    *reader->text++ = '\0';
    return start;
}

static struct json *read_value(struct reader *reader);

static struct json *read_member(struct reader *reader)
{
    skip_space(reader);
    const char *key = read_string(reader);
    skip_space(reader);
    reader->at++; /* the colon */
    struct json *member = read_value(reader);
    member->key = key;
    return member;
}

static int compare_keys(const void *a, const void *b)
{
    const struct json *const *first = a;
    const struct json *const *second = b;
    return strcmp((*first)->key, (*second)->key);
}

/* The places behind those in use are there for it. */
static bool has_doubled_key(const struct reader *reader, const struct json *object)
{
    struct json **sorted = reader->place;

    memcpy(sorted, object->parts, object->length * sizeof(struct json *));
    qsort(sorted, object->length, sizeof(struct json *), compare_keys);
    for (size_t i = 1; i < object->length; i++)
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
            return true;
    return false;
}

/* From the opening bracket to behind the closing one. */
static void read_parts(struct reader *reader, struct json *value,
                       struct json *(*read_part)(struct reader *reader))
{
    struct json *first = NULL;
    struct json **link = &first;

    reader->at++;
    skip_space(reader);
    if (*reader->at == ']' || *reader->at == '}') {
        reader->at++;
        return;
    }
    do {
        *link = read_part(reader);
        link = &(*link)->next;
        value->length++;
    } while (*reader->at++ == ',');
    value->parts = reader->place;
    for (struct json *part = first; part; part = part->next)
        *reader->place++ = part;
    if (value->kind == JSON_OBJECT && has_doubled_key(reader, value))
        reader->doubled = true;
}

static void read_word(struct reader *reader, struct json *value)
{
    value->kind = *reader->at == 'n' ? JSON_NULL : JSON_BOOLEAN;
    value->truth = *reader->at == 't';
    reader->at += *reader->at == 'f' ? strlen("false") : strlen("true");
}

/* Depth bounds the recursion. Goes on to the next byte that is no space. */
static struct json *read_value(struct reader *reader)
{
    struct json *value = reader->value++;

    skip_space(reader);
    if (*reader->at == '{') {
        value->kind = JSON_OBJECT;
        read_parts(reader, value, read_member);
    } else if (*reader->at == '[') {
        value->kind = JSON_ARRAY;
        read_parts(reader, value, read_value);
    } else if (*reader->at == '"') {
        value->kind = JSON_STRING;
        value->text = read_string(reader);
    } else if (is_number_char(*reader->at)) {
        value->kind = JSON_NUMBER;
        value->text = read_number(reader);
    } else {
        read_word(reader, value);
    }
    skip_space(reader);
    return value;
}

/* A string is never longer than it was in its quotes, and a number takes a NUL more. */
static struct whole *allocate(size_t length, size_t values, struct reader *reader)
{
    const size_t each = sizeof(struct json) + PLACES_PER_VALUE * sizeof(struct json *) + 1;
    size_t bytes;

    if (__builtin_mul_overflow(values, each, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct whole) + length, &bytes))
        return NULL;
    struct whole *whole = calloc(1, bytes);
    if (!whole)
        return NULL;
    whole->bytes = bytes;
    reader->value = &whole->root;
    reader->place = (struct json **)(&whole->root + values);
    reader->text = (char *)(reader->place + PLACES_PER_VALUE * values);
    return whole;
}

int json_parse(const char *text, size_t length, struct json **ret, struct complaint *complaint)
{
    struct reader reader = { .at = text, .end = text + length };
    size_t values;

    /* Whoever reads from outside has a much lower cap. */
    if (length >= INT_MAX) {
        complain(complaint, "too long a JSON text");
        return JSON_INVALID;
    }
    if (!json_scan(text, length, &values, complaint))
        return JSON_INVALID;
    struct whole *whole = allocate(length, values, &reader);
    if (!whole)
        return -ENOMEM;
    (void)read_value(&reader);
    if (reader.doubled) {
        json_free(&whole->root);
        complain(complaint, "a key occurs twice in one JSON object");
        return JSON_INVALID;
    }
    *ret = &whole->root;
    return 0;
}

struct json *json_free(struct json *root)
{
    if (!root)
        return NULL;
    struct whole *whole = (struct whole *)(void *)((char *)root - offsetof(struct whole, root));
    explicit_bzero(whole, whole->bytes);
    free(whole);
    return NULL;
}
