/* Where links for people elsewhere can lead. */

#include "base/buffer.h"
#include "oauth/url.h"
#include "settings/settings.h"

const char *settings_link_flaw(const struct settings *settings, const struct provider *provider)
{
    struct url redirect, public;
    if (provider->grant != GRANT_AUTHORIZATION_CODE || !provider->redirect_uri)
        return "its consent is not given in a browser";
    if (!settings->public_url || !url_parse(settings->public_url, &public))
        return "callback has no public_url, so a browser elsewhere cannot reach this machine";
    if (!url_parse(provider->redirect_uri, &redirect) || !url_below(&redirect, &public))
        return "its redirect_uri is not below the callback's public_url, so a browser elsewhere "
               "would not come back to this broker";
    return NULL;
}

void settings_append_link(const struct settings *settings, const char *token, struct buffer *out)
{
    buffer_append_text(out, settings->public_url);
    buffer_append_text(out, "/link/");
    buffer_append_text(out, token);
}
