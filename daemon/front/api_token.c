#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "front/api.h"
#include "front/api_ask.h"
#include "front/api_path.h"
#include "front/tokens.h"

enum { MS_PER_S = 1000, MIN_TTL_MAX_S = 10 * 365 * 24 * 3600 };

/* The first media type that the client names decides; most name none, or any. */
static bool wants_plain(const struct web_request *web)
{
    static const char plain[] = "text/plain";
    const char *accept = web_header(web, "Accept");

    return accept && strncasecmp(accept, plain, sizeof(plain) - 1) == 0 &&
           strchr(" ,;", accept[sizeof(plain) - 1]);
}

/* Reads a parameter of seconds as milliseconds; *ret stays as it is where it is absent. False when
 * the request was answered. */
static bool read_seconds(const struct api_request *request, const char *name, int64_t most,
                         int64_t *ret)
{
    char account[ACCOUNT_TEXT_SIZE];
    const char *text = web_parameter(request->web, name);
    int64_t seconds;

    if (!text)
        return true;
    if (!text_to_integer(text, 0, most, &seconds)) {
        request->context->counters.tokens_refused[WIRE_BAD_REQUEST]++;
        api_refuse(request->web, WIRE_BAD_REQUEST, account_text(&request->account, account),
                   "%s must be a number of seconds from 0 to %lld", name, (long long)most);
        return false;
    }
    *ret = seconds * MS_PER_S;
    return true;
}

static bool known(const struct api_request *request)
{
    if (api_provider_known(request))
        return true;
    request->context->counters.tokens_refused[WIRE_UNKNOWN_PROVIDER]++;
    return false;
}

void api_token(const struct api_request *request)
{
    struct token_wish wish = {
        .account = request->account,
        .uid = asker_uid(&request->asker),
        .asker = &request->asker,
        .min_ttl_ms = -1,
        .wait_ms = WIRE_WAIT_DEFAULT_S * MS_PER_S,
    };
    (void)asker_unit(&request->asker, wish.unit);

    if (!api_allowed(request, MAY_TOKEN) || !known(request) ||
        !read_seconds(request, "min_ttl", MIN_TTL_MAX_S, &wish.min_ttl_ms) ||
        !read_seconds(request, "wait", WIRE_WAIT_MAX_S, &wish.wait_ms))
        return;
    if (wish.wait_ms > request->context->wait_max_ms)
        wish.wait_ms = request->context->wait_max_ms;
    wish.plain = wants_plain(request->web);
    tokens_request(request->context->tokens, request->web, &wish);
}
