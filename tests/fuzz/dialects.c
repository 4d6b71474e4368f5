#include "dialects.h"

#include "base/error.h"
#include "daemon.h"
#include "settings/presets.h"
#include "settings/settings.h"
#include "temporary.h"

enum { CONFIGURATION_MAX = 64 * 1024 };

static struct settings *settings;

/* What no preset says. */
static const char odd_providers[] =
    "provider x-milliseconds { issuer = 'https://x.example' client_id = x lifetime_unit = "
    "milliseconds"
    " scope_separator = ',' identity = 'id_token.sub' }\n"
    "provider x-device { grant = device_code token_endpoint = 'https://x.example/t' client_id = x"
    " client_auth = none device_authorization_endpoint = 'https://x.example/d'"
    " identity = 'user.id' default_lifetime = '1h' }\n"
    "provider x-own { grant = client_credentials token_endpoint = 'https://x.example/t' client_id "
    "= x"
    " client_secret = s scope_separator = '+' identity = 'a.b.c' }\n"
    "provider x-secret { issuer = 'https://x.example' client_id = x identity = 'Refresh_Token' }\n";

int dialects_start(void)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(CONFIGURATION_MAX);
    CLEANUP(cleanup_settings_text) struct settings_text *files = NULL;
    const struct settings_places places = { 0 };
    struct complaint complaint = { "" };

    for (size_t i = 0; i < preset_count; i++)
        buffer_append_format(&text,
                             "provider p%zu { preset = '%s' client_id = x client_secret = s }\n", i,
                             presets[i].name);
    buffer_append_text(&text, odd_providers);
    const char *path = temporary_file(buffer_text(&text), text.length);
    int r = settings_read(path, true, &files, &complaint);
    if (r == 0)
        r = settings_parse(files, &places, false, &settings, &complaint);
    if (r != 0)
        fprintf(stderr, "%s\n", complaint.text);
    return r == 0 ? 0 : -1;
}

size_t dialects_count(void)
{
    return settings->provider_count;
}

const struct provider *dialect(size_t index)
{
    return settings->providers[index];
}
