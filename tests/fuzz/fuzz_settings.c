/* settings: a configuration file, from the scan to the checks. Secrets are never resolved here, so
 * that no input can run a command. */

#include "daemon.h"

#include "oauth/url.h"
#include "settings/scan.h"
#include "settings/settings.h"
#include "temporary.h"

enum { TEXT_MAX = 64 * 1024 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return start_secrets();
}

/* Tokens follow each other line by line, and braces close. */
static void keeps_its_lines(const char *text, size_t length)
{
    CLEANUP(cleanup_scan_result) struct scan_result scan = { 0 };
    struct complaint complaint = { "" };
    unsigned line = 0;

    int r = scan_text(text, &scan, &line, &complaint);
    PROMISE(r == 0 || r == SCAN_INVALID);
    PROMISE(line >= 1 && line <= length + 1);
    if (r == SCAN_INVALID) {
        PROMISE(*complaint.text && is_printable_line(complaint.text));
        return;
    }
    const struct token *token = scan_tokens(&scan);
    unsigned before = 1;
    size_t open = 0;
    for (; token->mark != TOKEN_END; before = token++->line) {
        PROMISE(token->line >= before && token->line <= line && strlen(token->text) <= length);
        PROMISE(token->mark != '}' || open > 0);
        open += token->mark == '{' ? 1 : token->mark == '}' ? -1UL : 0;
    }
    PROMISE(token->line == line && open == 0);
}

static void is_safe(const struct provider *provider)
{
    const char *const endpoints[] = {
        provider->token_endpoint,
        provider->refresh_endpoint,
        provider->revocation_endpoint,
        provider->device_authorization_endpoint,
        provider->issuer,
        provider->pushed_authorization_request_endpoint,
    };
    struct url url;

    PROMISE(provider_name_valid(provider->name));
    PROMISE(provider->scope_separator && provider->present_in && provider->present_name);
    PROMISE(provider->grant != GRANT_AUTHORIZATION_CODE || provider->redirect_uri);
    for (size_t i = 0; i < LENGTH_OF(endpoints); i++)
        PROMISE(!endpoints[i] || (url_parse(endpoints[i], &url) && url_is_safe(&url)));
}

static void is_sound(const struct settings *settings)
{
    PROMISE(settings->key && !settings->credentials);
    for (size_t i = 0; i < settings->provider_count; i++) {
        is_safe(settings->providers[i]);
        PROMISE(i == 0 ||
                strcmp(settings->providers[i - 1]->name, settings->providers[i]->name) < 0);
    }
    for (size_t i = 0; i < settings->rule_count; i++)
        PROMISE(settings->rules[i].who_count > 0 && settings->rules[i].accounts[0] &&
                settings->rules[i].may);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct input input = input_of(data, size);
    CLEANUP(cleanup_string) char *text = input_text(&input);
    CLEANUP(cleanup_settings_text) struct settings_text *files = NULL;
    CLEANUP(cleanup_settings) struct settings *settings = NULL;
    const struct settings_places places = { 0 };
    struct complaint complaint = { "" };

    if (size > TEXT_MAX)
        return 0;
    keeps_its_lines(text, strlen(text));
    int r = settings_read(temporary_file(text, size), true, &files, &complaint);
    PROMISE((r == 0) == (files != NULL));
    if (r == 0)
        r = settings_parse(files, &places, false, &settings, &complaint);
    PROMISE((r == 0) == (settings != NULL));
    PROMISE(r == 0 || (r == SETTINGS_INVALID && *complaint.text));
    PROMISE(is_printable_line(complaint.text));
    if (settings)
        is_sound(settings);
    return 0;
}
