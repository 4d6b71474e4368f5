/* oauth/token_reply in the dialects of all presets and of odd providers: no refresh token of a
 * success is ever dropped, and what is kept for people is printable. */

#include "daemon.h"

#include "dialects.h"
#include "oauth/device.h"
#include "oauth/token_reply.h"

static const int statuses[] = {
    200, 201, 204, 299, 302, 400, 401, 403, 404, 408, 429, 500, 503, 0
};
static const char *const content_types[] = { "application/json", NULL, "text/html; charset=utf-8",
                                             "", "TEXT/HTML" };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return start_secrets() || dialects_start();
}

/* RFC 6749 A.17: VSCHAR. */
static bool is_token(const char *text)
{
    size_t length = text ? strlen(text) : 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    }
    return length > 0 && length <= SECRET_MAX;
}

static const struct secret *kept_refresh_token(const struct token_reply *reply)
{
    PROMISE(!reply->grant.refresh_token || !reply->rescued_refresh_token);
    return reply->grant.refresh_token ? reply->grant.refresh_token : reply->rescued_refresh_token;
}

static bool is_success(const struct token_answer *answer)
{
    return answer->status >= 200 && answer->status < 300 && !answer->truncated;
}

/* What a reader of another make finds in the body, against what was kept. */
static void nothing_is_lost(const struct token_answer *answer, const struct token_reply *reply)
{
    CLEANUP(cleanup_document) struct document document = { 0 };
    static const char mark[] = "\xef\xbb\xbf";
    const bool marked = answer->length >= 3 && memcmp(answer->body, mark, 3) == 0;
    const struct secret *kept = kept_refresh_token(reply);
    const char *body = answer->body + (marked ? 3 : 0);

    if (decode(body, answer->length - (marked ? 3 : 0), &document) != 0 ||
        json_depth(document.values) > JSON_DEPTH_MAX)
        return;
    const char *token = member_text(&document, "refresh_token");
    if (is_success(answer) && is_token(token))
        PROMISE(secret_equal_bytes(kept, token, strlen(token)));
    else
        PROMISE(!kept);
    /* What looks like a token and is none is kept sealed. */
    if (is_success(answer) && token && *token && !is_token(token))
        PROMISE(reply->unreadable || reply->verdict != VERDICT_GRANTED);
}

static void is_sound_grant(const struct token_grant *grant)
{
    CLEANUP(cleanup_document) struct document extra = { 0 };

    PROMISE(secret_length(grant->access_token) > 0);
    PROMISE(grant->lifetime_ms > 0 && grant->lifetime_ms <= LIFETIME_MAX_MS);
    PROMISE(grant->refresh_token_lifetime_ms >= 0 &&
            grant->refresh_token_lifetime_ms <= LIFETIME_MAX_MS);
    PROMISE(grant->token_type && is_printable_line(grant->token_type));
    PROMISE(!grant->scope || (*grant->scope && strlen(grant->scope) <= SCOPE_MAX));
    PROMISE(!grant->scope || is_printable_line(grant->scope));
    PROMISE(grant->extra && strlen(grant->extra) <= EXTRA_MAX);
    PROMISE(decode(grant->extra, strlen(grant->extra), &extra) == 0);
    PROMISE(tb_value_type(extra.values) == TB_OBJECT);
    PROMISE(!tb_value_member(extra.values, "access_token"));
    PROMISE(!tb_value_member(extra.values, "refresh_token"));
    PROMISE(!tb_value_member(extra.values, "id_token"));
}

static void is_sound(const struct token_answer *answer, const struct token_reply *reply)
{
    PROMISE(reply->verdict < VERDICT_COUNT && verdict_name(reply->verdict));
    PROMISE(is_printable_line(reply->error) && is_printable_line(reply->description));
    PROMISE((reply->verdict == VERDICT_GRANTED) == (reply->grant.access_token != NULL));
    PROMISE(reply->verdict != VERDICT_NOT_SENT);
    PROMISE(is_success(answer) || (!reply->grant.access_token && !reply->unreadable) ||
            answer->truncated);
    if (reply->verdict == VERDICT_GRANTED)
        is_sound_grant(&reply->grant);
    else
        PROMISE(*reply->error && *reply->description);
    PROMISE(device_poll_judge(reply) <= DEVICE_POLL_UNANSWERED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    const struct provider *provider = dialect(input_choice(&input, dialects_count()));
    struct token_answer answer = {
        .status = statuses[input_choice(&input, LENGTH_OF(statuses))],
        .content_type = content_types[input_choice(&input, LENGTH_OF(content_types))],
        .truncated = input_choice(&input, 8) == 7,
    };
    CLEANUP(cleanup_string) char *body = input_text(&input);
    CLEANUP(cleanup_token_reply) struct token_reply reply = { 0 };

    if (input.left > TOKEN_REPLY_MAX)
        return 0;
    answer.body = body;
    answer.length = input.left;
    PROMISE(token_reply_judge(provider, &answer, &reply) == 0);
    is_sound(&answer, &reply);
    nothing_is_lost(&answer, &reply);
    return 0;
}
