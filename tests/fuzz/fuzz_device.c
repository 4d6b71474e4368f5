/* oauth/device: what a device authorization endpoint answers. */

#include "daemon.h"

#include "oauth/device.h"
#include "oauth/url.h"

static const int statuses[] = { 200, 201, 302, 400, 401, 403, 404, 429, 500 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return start_secrets();
}

static bool may_be_opened(const char *text)
{
    struct url url;
    return is_printable_line(text) && url_parse(text, &url) && url_is_safe(&url);
}

static void is_sound(const struct device_authorization *device, const struct document *document)
{
    const char *code = member_text(document, "device_code");

    PROMISE(code && secret_equal_bytes(device->device_code, code, strlen(code)));
    PROMISE(same_text(device->user_code, member_text(document, "user_code")));
    PROMISE(is_printable_line(device->user_code) && *device->user_code);
    PROMISE(strlen(device->user_code) <= DEVICE_USER_CODE_MAX);
    PROMISE(may_be_opened(device->verification_uri));
    PROMISE(!device->verification_uri_complete || may_be_opened(device->verification_uri_complete));
    PROMISE(device->lifetime_ms > 0 && device->lifetime_ms <= DEVICE_LIFETIME_MAX_MS);
    PROMISE(device->interval_ms >= DEVICE_INTERVAL_MIN_MS &&
            device->interval_ms <= DEVICE_INTERVAL_MAX_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    struct token_answer answer = { .status = statuses[input_choice(&input, LENGTH_OF(statuses))],
                                   .truncated = input_choice(&input, 8) == 7 };
    CLEANUP(cleanup_string) char *body = input_text(&input);
    CLEANUP(cleanup_device_authorization) struct device_authorization *device = NULL;
    CLEANUP(cleanup_document) struct document document = { 0 };
    struct complaint complaint = { "" };

    if (input.left > TOKEN_REPLY_MAX)
        return 0;
    answer.body = body;
    answer.length = input.left;
    int r = device_authorization_read(&answer, &device, &complaint);
    PROMISE(r >= 0 && (r == 0) == (device != NULL));
    PROMISE(r == 0 || (*complaint.text && is_printable_line(complaint.text)));
    if (r == 0) {
        PROMISE(decode(body, input.left, &document) == 0);
        is_sound(device, &document);
    }
    return 0;
}
