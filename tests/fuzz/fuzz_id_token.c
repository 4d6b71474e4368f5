/* oauth/identity: claims of an id_token, and facts about a grant that stand elsewhere in a reply.
 * The input is what a token holds between its points, or with 'a' before it the token itself. */

#include "daemon.h"

#include "base/json.h"
#include "oauth/identity.h"

enum { TEXT_MAX = 32 * 1024, REPLY_MAX = 16 * TEXT_MAX };

static const char *const paths[] = { "id_token.sub", "id_token.a.b", "sub", "a.b",
                                     "id_token",     "id_token.",    "" };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return start_secrets();
}

/* RFC 4648 5, without padding. */
static void append_base64url(struct buffer *out, const char *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0, count = 0;

    for (size_t i = 0; i < length; i++) {
        bits = (bits << 8 | (unsigned char)bytes[i]) & 0xffff;
        for (count += 8; count >= 6; count -= 6)
            buffer_append_char(out, digits[bits >> (count - 6) & 0x3f]);
    }
    if (count > 0)
        buffer_append_char(out, digits[bits << (6 - count) & 0x3f]);
}

static struct json *reply_with(const char *id_token)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(REPLY_MAX);
    struct json *reply = NULL;

    buffer_append_text(&text, "{\"id_token\":");
    json_append_string(&text, id_token);
    buffer_append_text(&text, ",\"refresh_token\":\"r\",\"SUB\":1,\"a\":{\"b\":[1,{\"c\":null}]}}");
    PROMISE(json_parse(buffer_text(&text), text.length, &reply, NULL) == 0);
    return reply;
}

static void look_everywhere(const struct json *reply)
{
    for (size_t i = 0; i < LENGTH_OF(paths); i++) {
        CLEANUP(cleanup_string) char *identity = NULL;
        PROMISE(identity_read(reply, paths[i], &identity) == 0);
        PROMISE(!identity || (*identity && strlen(identity) <= IDENTITY_MAX));
        PROMISE(!identity || (strcmp(paths[i], "id_token") != 0 && *paths[i]));
    }
}

/* A nonce that stands in the claims is found, and no other. */
static void finds_the_nonce(const char *claims, size_t length)
{
    CLEANUP(cleanup_buffer) struct buffer token = BUFFER_WITH_MAXIMUM(2 * TEXT_MAX);
    CLEANUP(cleanup_document) struct document document = { 0 };
    CLEANUP(cleanup_json) struct json *reply = NULL;
    CLEANUP(cleanup_string) char *nonce = NULL;

    buffer_append_text(&token, "eyJhbGciOiJSUzI1NiJ9.");
    append_base64url(&token, claims, length);
    buffer_append_text(&token, ".c2ln");
    reply = reply_with(buffer_text(&token));
    look_everywhere(reply);
    PROMISE(identity_read_nonce(reply, &nonce) == 0);
    if (decode(claims, length, &document) != 0 || json_depth(document.values) > JSON_DEPTH_MAX) {
        PROMISE(!nonce);
        return;
    }
    const char *there = member_text(&document, "nonce");
    if (there && *there && strlen(there) <= IDENTITY_MAX)
        PROMISE(same_text(nonce, there));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    const bool whole = input_choice(&input, 2) == 0;
    CLEANUP(cleanup_string) char *text = input_text(&input);
    CLEANUP(cleanup_json) struct json *reply = NULL;

    if (input.left > TEXT_MAX)
        return 0;
    if (!whole) {
        finds_the_nonce(text, input.left);
        return 0;
    }
    reply = reply_with(text);
    look_everywhere(reply);
    return 0;
}
