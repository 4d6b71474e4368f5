#include "oauth/device.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/printable.h"
#include "base/text.h"
#include "oauth/token_error.h"
#include "oauth/token_grant.h"
#include "oauth/url.h"

struct device_authorization *device_authorization_free(struct device_authorization *device)
{
    if (device == NULL)
        return NULL;
    secret_free(device->device_code);
    free(device->user_code);
    free(device->verification_uri);
    free(device->verification_uri_complete);
    free(device);
    return NULL;
}

/* --- the device authorization response --- */

static int unreadable(struct complaint *complaint, const char *what)
{
    complain(complaint, "the provider's answer has no usable %s", what);
    return DEVICE_NO_ANSWER;
}

/* A text that a person is shown: what would be changed to show it could not be typed. */
static bool may_be_shown(const char *text, size_t maximum)
{
    char line[DEVICE_URI_MAX + 1];
    if (text == NULL || text[0] == '\0' || strlen(text) > maximum)
        return false;
    printable_line(text, PRINTABLE_ALL_WORDS, line, sizeof(line));
    return strcmp(line, text) == 0;
}

static bool is_shown_address(const char *text)
{
    struct url url;
    return may_be_shown(text, DEVICE_URI_MAX) && url_parse(text, &url) && url_is_safe(&url);
}

static int read_addresses(const struct json *body, struct device_authorization *device,
                          struct complaint *complaint)
{
    const char *address = json_member_string(body, "verification_uri");
    const char *complete = json_member_string(body, "verification_uri_complete");
    if (address == NULL)
        address = json_member_string(body, "verification_url");
    if (!is_shown_address(address))
        return unreadable(complaint, "verification_uri (it has to be https)");
    int r = text_copy(address, &device->verification_uri);
    if (r == 0 && is_shown_address(complete))
        r = text_copy(complete, &device->verification_uri_complete);
    return r;
}

static int read_codes(const struct json *body, struct device_authorization *device,
                      struct complaint *complaint)
{
    enum token_member member;
    const char *user_code = json_member_string(body, "user_code");
    int r = token_grant_read_token(body, "device_code", &device->device_code, &member);
    if (r < 0)
        return r;
    if (member != TOKEN_MEMBER_READ || secret_length(device->device_code) > DEVICE_CODE_MAX)
        return unreadable(complaint, "device_code");
    if (!may_be_shown(user_code, DEVICE_USER_CODE_MAX))
        return unreadable(complaint, "user_code");
    return text_copy(user_code, &device->user_code);
}

/* Both are in seconds, whatever lifetime_unit says of tokens. */
static int read_times(const struct json *body, struct device_authorization *device,
                      struct complaint *complaint)
{
    const struct json *interval = json_member(body, "interval");
    device->interval_ms = DEVICE_INTERVAL_DEFAULT_MS;
    if (!token_grant_read_seconds(json_member(body, "expires_in"), &device->lifetime_ms))
        return unreadable(complaint, "expires_in");
    if (json_kind(interval) != JSON_ABSENT && json_kind(interval) != JSON_NULL &&
        (!token_grant_read_seconds(interval, &device->interval_ms) ||
         device->interval_ms > DEVICE_INTERVAL_MAX_MS))
        return unreadable(complaint, "interval");
    if (device->lifetime_ms > DEVICE_LIFETIME_MAX_MS)
        device->lifetime_ms = DEVICE_LIFETIME_MAX_MS;
    return 0;
}

static int read_device(const struct json *body, struct device_authorization **ret,
                       struct complaint *complaint)
{
    CLEANUP(cleanup_device_authorization)
    struct device_authorization *device = calloc(1, sizeof(*device));
    if (device == NULL)
        return -ENOMEM;
    int r = read_codes(body, device, complaint);
    if (r == 0)
        r = read_addresses(body, device, complaint);
    if (r == 0)
        r = read_times(body, device, complaint);
    if (r == 0)
        *ret = steal(device);
    return r;
}

/* An error of the protocol, also one that came with a 200; or a status that says enough. */
static int read_refusal(const struct token_answer *answer, const struct json *body,
                        struct complaint *complaint)
{
    char code[ERROR_TEXT_MAX], words[ERROR_TEXT_MAX];
    struct token_error error;
    bool by_code = false;
    token_error_read(body, &error);
    printable_line(error.code, PRINTABLE_MASK_TOKENS, code, sizeof(code));
    printable_line(error.description, PRINTABLE_MASK_TOKENS, words, sizeof(words));
    const enum verdict verdict = error.code[0] != '\0'
                                     ? token_error_verdict(error.code, answer->status, &by_code)
                                     : token_status_verdict(answer->status);
    complain(complaint, "the provider %s a device login (status %d%s%s%s%s)",
             verdict == VERDICT_NO_ANSWER ? "failed to begin" : "refused", answer->status,
             code[0] != '\0' ? ", " : "", code, words[0] != '\0' ? ": " : "", words);
    return verdict == VERDICT_NO_ANSWER ? DEVICE_NO_ANSWER : DEVICE_REFUSED;
}

int device_authorization_read(const struct token_answer *answer, struct device_authorization **ret,
                              struct complaint *complaint)
{
    CLEANUP(cleanup_json) struct json *body = NULL;
    struct complaint why = { "" };
    int r =
        answer->truncated ? JSON_INVALID : json_parse(answer->body, answer->length, &body, &why);
    if (r < 0)
        return r;
    const bool success = answer->status >= 200 && answer->status < 300;
    struct token_error error;
    token_error_read(body, &error);
    if (!success || error.code[0] != '\0')
        return read_refusal(answer, body, complaint);
    if (json_kind(body) != JSON_OBJECT) {
        complain(complaint, "the provider's answer is no JSON object%s%s", why.text[0] ? ": " : "",
                 why.text);
        return DEVICE_NO_ANSWER;
    }
    return read_device(body, ret, complaint);
}

/* --- the polls --- */

/* Microsoft says authorization_declined and bad_verification_code. */
static const struct {
    const char *error;
    enum device_poll_outcome outcome;
} poll_errors[] = {
    { "authorization_pending", DEVICE_POLL_PENDING },
    { "slow_down", DEVICE_POLL_SLOW_DOWN },
    { "access_denied", DEVICE_POLL_DENIED },
    { "authorization_declined", DEVICE_POLL_DENIED },
    { "expired_token", DEVICE_POLL_EXPIRED },
    { "code_expired", DEVICE_POLL_EXPIRED },
};

enum device_poll_outcome device_poll_judge(const struct token_reply *reply)
{
    if (reply->verdict == VERDICT_GRANTED || reply->rescued_refresh_token != NULL)
        return DEVICE_POLL_OVER;
    for (size_t i = 0; i < sizeof(poll_errors) / sizeof(poll_errors[0]); i++) {
        if (strcasecmp(reply->error, poll_errors[i].error) == 0)
            return poll_errors[i].outcome;
    }
    const bool answered = reply->verdict != VERDICT_NOT_SENT && reply->verdict != VERDICT_NO_ANSWER;
    return answered || reply->unreadable ? DEVICE_POLL_OVER : DEVICE_POLL_UNANSWERED;
}

int64_t device_pace_next(struct device_pace *pace, enum device_poll_outcome outcome)
{
    int64_t wait_ms = pace->interval_ms;
    if (outcome == DEVICE_POLL_SLOW_DOWN)
        wait_ms = pace->interval_ms += DEVICE_SLOW_DOWN_MS;
    if (outcome != DEVICE_POLL_UNANSWERED) {
        pace->unanswered = 0;
        return wait_ms;
    }
    pace->unanswered++;
    for (unsigned i = 0; i < pace->unanswered && wait_ms < DEVICE_BACK_OFF_MAX_MS; i++)
        wait_ms *= 2;
    /* Never more often than the provider allows, however long that is. */
    const int64_t most =
        pace->interval_ms > DEVICE_BACK_OFF_MAX_MS ? pace->interval_ms : DEVICE_BACK_OFF_MAX_MS;
    return wait_ms < most ? wait_ms : most;
}
