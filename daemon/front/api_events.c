#include <string.h>

#include "front/api.h"
#include "front/events.h"

/* A glob of names of accounts or providers. */
static bool is_glob(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "._@+-/*?";
    size_t length = strlen(text);

    return length > 0 && length < ACCOUNT_TEXT_SIZE && strspn(text, letters) == length;
}

void api_events(const struct api_request *request)
{
    const char *filter = web_parameter(request->web, "account");

    if (!api_allowed(request, (enum may)(MAY_LIST | MAY_MONITOR)))
        return;
    if (filter && !is_glob(filter)) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL,
                   "account must be a glob such as zenegy/dk-*, or of providers, such as zenegy");
        return;
    }
    int r = events_follow(request->context->events, request->web, &request->asker, filter,
                          web_header(request->web, "Last-Event-ID"));
    if (r > 0)
        api_refuse(request->web, r == EVENTS_QUOTA ? WIRE_TOO_MANY_REQUESTS : WIRE_BUSY, NULL,
                   "too many follow the events already (%d in all, %d of one user)",
                   EVENTS_FOLLOWERS_MAX, EVENTS_FOLLOWERS_PER_UID_MAX);
    else if (r < 0)
        api_refuse(request->web, WIRE_INTERNAL, NULL, "out of memory");
}
