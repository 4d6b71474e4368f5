/* oauth/push_reply: what an endpoint for pushed authorization requests answers, and the address
 * that a browser is sent to then. */

#include "daemon.h"

#include "oauth/authorize.h"
#include "oauth/push_reply.h"
#include "oauth/url.h"

static const int statuses[] = { 201, 200, 302, 400, 401, 404, 429, 500 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return start_secrets();
}

static void leads_to_the_provider(const struct secret *request_uri)
{
    CLEANUP(cleanup_buffer) struct buffer address = BUFFER_WITH_MAXIMUM(AUTHORIZE_URL_MAX);
    char endpoint[] = "https://auth.example/authorize?a=b", client[] = "client";
    const struct provider provider = { .authorization_endpoint = endpoint, .client_id = client };
    struct url url;

    authorize_append_pushed_url(&address, &provider, request_uri);
    PROMISE(!address.failed && url_parse(buffer_text(&address), &url));
    PROMISE(strcmp(url.host, "auth.example") == 0 && strcmp(url.path, "/authorize") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    struct token_answer answer = { .status = statuses[input_choice(&input, LENGTH_OF(statuses))],
                                   .truncated = input_choice(&input, 8) == 7 };
    CLEANUP(cleanup_string) char *body = input_text(&input);
    CLEANUP(cleanup_document) struct document document = { 0 };
    struct push_reply reply = { 0 };

    if (input.left > TOKEN_REPLY_MAX)
        return 0;
    answer.body = body;
    answer.length = input.left;
    PROMISE(push_reply_judge(&answer, &reply) == 0);
    PROMISE(is_printable_line(reply.error) && is_printable_line(reply.description));
    if (reply.request_uri) {
        PROMISE(decode(body, input.left, &document) == 0);
        const char *uri = member_text(&document, "request_uri");
        PROMISE(uri && secret_equal_bytes(reply.request_uri, uri, strlen(uri)));
        PROMISE(reply.lifetime_s >= 1 && reply.lifetime_s <= PUSH_LIFETIME_MAX_S);
        leads_to_the_provider(reply.request_uri);
    } else {
        PROMISE(*reply.error && *reply.description);
    }
    push_reply_release(&reply);
    return 0;
}
