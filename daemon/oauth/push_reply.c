#include "oauth/push_reply.h"

#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "oauth/token_error.h"

static void refuse(struct push_reply *reply, const char *error, const char *words)
{
    printable_line(error, PRINTABLE_MASK_TOKENS, reply->error, sizeof(reply->error));
    printable_line(words, PRINTABLE_MASK_TOKENS, reply->description, sizeof(reply->description));
}

static void refuse_by_status(struct push_reply *reply, int status, const char *words)
{
    char name[32], text[64];
    (void)snprintf(name, sizeof(name), "http_%d", status);
    (void)snprintf(text, sizeof(text), "the provider answered with HTTP status %d", status);
    refuse(reply, name, words[0] != '\0' ? words : text);
}

/* What comes back goes into an address: nothing but what may stand there. */
static bool is_request_uri(const char *text)
{
    if (text == NULL || text[0] == '\0' || strlen(text) > REQUEST_URI_MAX)
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return true;
}

static int take(const struct json *body, struct push_reply *reply)
{
    const char *request_uri = json_member_string(body, "request_uri");
    int64_t lifetime_s;
    if (!is_request_uri(request_uri)) {
        refuse(reply, "bad_request_uri", "the reply has no usable request_uri");
        return 0;
    }
    if (!json_integer(json_member(body, "expires_in"), &lifetime_s) || lifetime_s < 1) {
        refuse(reply, "bad_expires_in", "the reply does not say how long its request_uri is good");
        return 0;
    }
    reply->lifetime_s = lifetime_s < PUSH_LIFETIME_MAX_S ? lifetime_s : PUSH_LIFETIME_MAX_S;
    return secret_new(request_uri, strlen(request_uri), &reply->request_uri);
}

static int judge(int status, const struct json *body, struct push_reply *reply)
{
    struct token_error error;
    token_error_read(body, &error);
    if (error.code[0] != '\0' && status < 500)
        refuse(reply, error.code, error.description[0] != '\0' ? error.description : error.code);
    else if (status == 200 || status == 201)
        return take(body, reply);
    else
        refuse_by_status(reply, status, error.description);
    return 0;
}

int push_reply_judge(const struct token_answer *answer, struct push_reply *ret)
{
    CLEANUP(cleanup_json) struct json *body = NULL;
    struct push_reply reply = { 0 };
    struct complaint why = { 0 };
    int r =
        answer->truncated ? JSON_INVALID : json_parse(answer->body, answer->length, &body, &why);
    if (r < 0)
        return r;
    if (json_kind(body) == JSON_OBJECT)
        r = judge(answer->status, body, &reply);
    else if (answer->status == 200 || answer->status == 201)
        refuse(&reply, "not_json", "the reply is not a JSON object");
    else
        refuse_by_status(&reply, answer->status, "");
    if (r < 0)
        return r;
    *ret = reply;
    return 0;
}

void push_reply_release(struct push_reply *reply)
{
    secret_free(reply->request_uri);
    *reply = (struct push_reply){ 0 };
}
