#include "base/json.h"
#include "front/api.h"
#include "front/callback.h"

void api_authority(const struct api_request *request)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);
    const struct certificate_facts *facts = NULL;
    const char *certificate;

    if (!api_allowed(request, MAY_ANYTHING))
        return;
    certificate = callback_authority(request->context->callback, &facts);
    if (!certificate) {
        api_refuse(request->web, WIRE_NOT_FOUND, NULL,
                   "this broker has no certificate authority: the callback has no https listener "
                   "with certificate = \"auto\"");
        return;
    }
    struct json_writer writer = json_writer_begin(&body, '{');
    json_put_string(&writer, "certificate", certificate);
    json_put_string(&writer, "fingerprint", facts->fingerprint);
    json_put_string(&writer, "subject", facts->subject);
    json_put_integer(&writer, "expires_at", facts->until_s);
    json_writer_end(&writer);
    api_answer(request->web, &body);
}
