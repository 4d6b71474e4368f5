#include "base/json.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* The escape of a character that may not stand in a string as it is; NULL for all others. */
static const char *short_escape(char c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

/* The length of what can stand as it is from the start of text on. */
static size_t plain_length(const char *text, size_t length)
{
    size_t plain = 0;

    while (plain < length) {
        size_t step = utf8_character(text + plain, length - plain);

        if (step == 0 || (unsigned char)text[plain] < 0x20 || short_escape(text[plain]))
            break;
        plain += step;
    }
    return plain;
}

/* One byte that cannot stand as it is. */
static void append_escaped(struct buffer *out, char c)
{
    const char *escape = short_escape(c);

    if (escape)
        buffer_append_text(out, escape);
    else if ((unsigned char)c < 0x20)
        buffer_append_format(out, "\\u%04x", (unsigned)(unsigned char)c);
    else
        buffer_append_text(out, replacement);
}

static void append_string(struct buffer *out, const char *text, size_t length)
{
    buffer_append_char(out, '"');
    while (length > 0) {
        size_t plain = plain_length(text, length);

        buffer_append(out, text, plain);
        text += plain;
        length -= plain;
        if (length > 0) {
            append_escaped(out, *text++);
            length--;
        }
    }
    buffer_append_char(out, '"');
}

void json_append_string(struct buffer *out, const char *text)
{
    append_string(out, text, strlen(text));
}

void json_append_secret(struct buffer *out, const struct secret *secret)
{
    append_string(out, secret_reveal(secret), secret_length(secret));
}

struct json_writer json_writer_begin(struct buffer *out, char opening)
{
    buffer_append_char(out, opening);
    return (struct json_writer){ .out = out, .closing = opening == '{' ? '}' : ']' };
}

void json_writer_end(struct json_writer *writer)
{
    buffer_append_char(writer->out, writer->closing);
}

/* What stands before a value: a comma after another one, and the key. */
static void begin_value(struct json_writer *writer, const char *key)
{
    if (writer->any)
        buffer_append_char(writer->out, ',');
    writer->any = true;
    if (key) {
        json_append_string(writer->out, key);
        buffer_append_char(writer->out, ':');
    }
}

void json_put_string(struct json_writer *writer, const char *key, const char *text)
{
    if (!text)
        return;
    begin_value(writer, key);
    json_append_string(writer->out, text);
}

void json_put_secret(struct json_writer *writer, const char *key, const struct secret *secret)
{
    if (!secret)
        return;
    begin_value(writer, key);
    json_append_secret(writer->out, secret);
}

void json_put_integer(struct json_writer *writer, const char *key, int64_t number)
{
    begin_value(writer, key);
    buffer_append_format(writer->out, "%" PRId64, number);
}

void json_put_boolean(struct json_writer *writer, const char *key, bool value)
{
    begin_value(writer, key);
    buffer_append_text(writer->out, value ? "true" : "false");
}

void json_put_raw(struct json_writer *writer, const char *key, const char *text)
{
    if (!text)
        return;
    begin_value(writer, key);
    buffer_append_text(writer->out, text);
}

struct json_writer json_put_nested(struct json_writer *writer, const char *key, char opening)
{
    begin_value(writer, key);
    return json_writer_begin(writer->out, opening);
}
