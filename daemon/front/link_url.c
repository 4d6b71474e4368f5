#include "front/link_url.h"

bool link_may_be_shown(const struct context *context, const struct asker *asker,
                       const struct account_name *account)
{
    return access_allowed(context->settings, &context->access, asker,
                          (enum may)(MAY_LOGIN | MAY_LINK), account);
}

const char *link_url(const struct context *context, const char *token, struct buffer *out)
{
    if (!token || !*token || !context->settings->public_url)
        return NULL;
    settings_append_link(context->settings, token, out);
    return out->failed ? NULL : buffer_text(out);
}
