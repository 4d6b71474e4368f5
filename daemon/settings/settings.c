#include "settings/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings/sections.h"
#include "settings/text.h"

/* What goes through all steps of one parse. */
struct parse {
    const struct settings_text *text;
    const struct settings_places *places;
    struct settings *settings;
    struct complaint *complaint;
};

static void cleanup_consumer(struct consumer *consumer)
{
    consumer_release(consumer);
}

/* Calls each for every section of a kind, in the files' order, until one fails. */
static int each_section(const struct parse *parse, const struct section_kind *kind,
                        int (*each)(const struct parse *, const struct section *))
{
    int r = 0;
    for (size_t i = 0; i < parse->text->file_count; i++) {
        const struct config_file *file = parse->text->files[i];
        for (size_t j = 0; j < file->count && r == 0; j++)
            if (file->sections[j]->kind == kind)
                r = each(parse, file->sections[j]);
    }
    return r;
}

const struct section *text_titled(const struct settings_text *text, const struct section_kind *kind,
                                  const char *title)
{
    for (size_t i = 0; i < text->file_count; i++)
        for (size_t j = 0; j < text->files[i]->count; j++) {
            const struct section *section = text->files[i]->sections[j];
            if (section->kind == kind && strcmp(section->title, title) == 0)
                return section;
        }
    return NULL;
}

const struct section *text_provider(const struct settings_text *text, const char *name)
{
    return text_titled(text, &provider_section, name);
}

const struct section *text_single(const struct settings_text *text, const struct section_kind *kind)
{
    const struct config_file *file = text->files[0];
    for (size_t i = 0; i < file->count; i++)
        if (file->sections[i]->kind == kind)
            return file->sections[i];
    return NULL;
}

static int take_single(const struct parse *parse, const struct section *section)
{
    if (section->file != parse->text->files[0])
        return complain_section(parse->complaint, section, "belongs in %s",
                                parse->text->files[0]->path);
    const struct section *first = text_single(parse->text, section->kind);
    if (section != first)
        return complain_section(parse->complaint, section, "is there twice (first in line %u)",
                                first->line);
    return section_take(section, NULL, parse->settings, parse->complaint);
}

static int fill_defaults(struct settings *settings)
{
    if (settings->key == NULL)
        settings->key = strdup("auto");
    if (settings->certificate == NULL)
        settings->certificate = strdup("auto");
    if (settings->key == NULL || settings->certificate == NULL)
        return -ENOMEM;
    return listeners_default(settings);
}

static int add_provider(const struct parse *parse, const struct section *section)
{
    struct settings *settings = parse->settings;
    const struct section *first = text_provider(parse->text, section->title);
    if (first != section)
        return complain_section(parse->complaint, section, "is there twice (first in %s:%u)",
                                first->file->path, first->line);
    if (settings->provider_count == SETTINGS_PROVIDERS_MAX)
        return complain_section(parse->complaint, section, "is one too many: %d is the most",
                                SETTINGS_PROVIDERS_MAX);
    struct provider **grown =
        reallocarray(settings->providers, settings->provider_count + 1, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    settings->providers = grown;
    int r = provider_build(parse->text, section, settings, &grown[settings->provider_count],
                           parse->complaint);
    if (r == 0)
        settings->provider_count++;
    return r;
}

static int compare_providers(const void *a, const void *b)
{
    return strcmp((*(struct provider *const *)a)->name, (*(struct provider *const *)b)->name);
}

static int add_rule(const struct parse *parse, const struct section *section)
{
    struct settings *settings = parse->settings;
    if (settings->rule_count == SETTINGS_RULES_MAX)
        return complain_section(parse->complaint, section, "is one too many: %d is the most",
                                SETTINGS_RULES_MAX);
    struct access_rule *grown =
        reallocarray(settings->rules, settings->rule_count + 1, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    settings->rules = grown;
    struct access_rule *rule = &grown[settings->rule_count++];
    *rule = (struct access_rule){ 0 };
    int r = access_rule_build(section, rule, parse->complaint);
    for (size_t i = 0; r == 0 && i < rule->who_count; i++)
        settings->units_named |= rule->who[i].unit != NULL;
    settings->approves |= rule->approve;
    return r;
}

static int add_consumer(const struct parse *parse, const struct section *section)
{
    struct settings *settings = parse->settings;
    if (settings->consumer_count == CONSUMERS_MAX)
        return complain_section(parse->complaint, section, "is one too many: %d is the most",
                                CONSUMERS_MAX);
    struct consumer *grown =
        reallocarray(settings->consumers, settings->consumer_count + 1, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    settings->consumers = grown;
    CLEANUP(cleanup_consumer) struct consumer consumer = { 0 };
    int r = consumer_build(section, settings, &consumer, parse->complaint);
    if (r != 0)
        return r;
    grown[settings->consumer_count++] = consumer;
    consumer = (struct consumer){ 0 };
    return 0;
}

/* *ret stays NULL where the key is not given. */
static int resolve_key(const struct parse *parse, const struct section *section, const char *key,
                       struct secret **ret)
{
    const struct setting *setting = provider_setting(parse->text, section, key);
    char where[COMPLAINT_MAX];
    if (setting == NULL)
        return 0;
    (void)snprintf(where, sizeof where, "%s:%u: %s", setting->file, setting->line, key);
    return settings_resolve_secret(setting->values[0], parse->places, where, ret, parse->complaint);
}

static int resolve_one(const struct parse *parse, size_t index)
{
    const struct provider *provider = parse->settings->providers[index];
    struct provider_credentials *credentials = &parse->settings->credentials[index];
    struct secret **now = &credentials->client_secret, **next = &credentials->client_secret_next;
    const struct section *section = text_provider(parse->text, provider->name);
    (void)snprintf(credentials->provider, sizeof credentials->provider, "%s", provider->name);
    int r = resolve_key(parse, section, "client_secret", now);
    if (r == 0)
        r = resolve_key(parse, section, "client_secret_next", next);
    if (r == 0)
        r = client_key_finish(provider, section, now, parse->complaint);
    return r == 0 ? client_key_check_next(provider, section, *next, parse->complaint) : r;
}

static int resolve_consumer(const struct parse *parse, const struct section *section)
{
    const struct consumer *consumer = settings_consumer(parse->settings, section->title);
    return consumer_resolve_key(section, parse->places, parse->settings,
                                (size_t)(consumer - parse->settings->consumers), parse->complaint);
}

static int resolve_secrets(const struct parse *parse)
{
    struct settings *settings = parse->settings;
    /* One more than needed, so that no provider differs from no secrets. */
    settings->credentials = calloc(settings->provider_count + 1, sizeof(*settings->credentials));
    if (settings->credentials == NULL)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; i < settings->provider_count && r == 0; i++)
        r = resolve_one(parse, i);
    return r == 0 ? each_section(parse, &consumer_section, resolve_consumer) : r;
}

static int parse_all(const struct parse *parse)
{
    struct settings *settings = parse->settings;
    int r = each_section(parse, &broker_section, take_single);
    if (r == 0)
        r = each_section(parse, &callback_section, take_single);
    if (r == 0)
        r = fill_defaults(settings);
    if (r == 0)
        r = each_section(parse, &provider_section, add_provider);
    if (r == 0 && settings->provider_count > 1)
        qsort(settings->providers, settings->provider_count, sizeof(*settings->providers),
              compare_providers);
    if (r == 0)
        r = each_section(parse, &access_section, add_rule);
    if (r == 0)
        r = each_section(parse, &consumer_section, add_consumer);
    return r == 0 ? settings_check(parse->text, settings, parse->complaint) : r;
}

int settings_parse(const struct settings_text *text, const struct settings_places *places,
                   bool with_secrets, struct settings **ret, struct complaint *complaint)
{
    CLEANUP(cleanup_settings) struct settings *settings = calloc(1, sizeof *settings);
    struct parse parse = { text, places, settings, complaint };
    int r = settings != NULL ? parse_all(&parse) : -ENOMEM;
    if (r == 0 && with_secrets)
        r = resolve_secrets(&parse);
    if (r == 0)
        *ret = steal(settings);
    if (r < 0) {
        complain(complaint, "out of memory");
        r = SETTINGS_INVALID;
    }
    return r;
}

/* The index of a provider, provider_count when there is none of that name. */
static size_t provider_index(const struct settings *settings, const char *name)
{
    size_t low = 0, high = settings->provider_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(settings->providers[middle]->name, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return settings->provider_count;
}

const struct provider *settings_provider(const struct settings *settings, const char *name)
{
    size_t index = provider_index(settings, name);
    return index < settings->provider_count ? settings->providers[index] : NULL;
}

/* NULL where there is no such provider, or no secrets are kept. */
static const struct provider_credentials *credentials_of(const struct settings *settings,
                                                         const char *provider)
{
    size_t index = provider_index(settings, provider);
    if (settings->credentials == NULL || index == settings->provider_count)
        return NULL;
    return &settings->credentials[index];
}

const struct secret *settings_client_secret(const struct settings *settings, const char *provider)
{
    const struct provider_credentials *credentials = credentials_of(settings, provider);
    return credentials != NULL ? credentials->client_secret : NULL;
}

const struct secret *settings_client_secret_next(const struct settings *settings,
                                                 const char *provider)
{
    const struct provider_credentials *credentials = credentials_of(settings, provider);
    return credentials != NULL ? credentials->client_secret_next : NULL;
}

static void release_providers(struct settings *settings)
{
    for (size_t i = 0; i < settings->provider_count; i++) {
        if (settings->credentials != NULL) {
            (void)secret_free(settings->credentials[i].client_secret);
            (void)secret_free(settings->credentials[i].client_secret_next);
        }
        (void)provider_free(settings->providers[i]);
    }
    free(settings->credentials);
    free(settings->providers);
}

struct settings *settings_free(struct settings *settings)
{
    if (settings == NULL)
        return NULL;
    release_providers(settings);
    for (size_t i = 0; i < settings->rule_count; i++)
        access_rule_release(&settings->rules[i]);
    free(settings->rules);
    for (size_t i = 0; i < settings->consumer_count; i++)
        consumer_release(&settings->consumers[i]);
    free(settings->consumers);
    free(settings->listeners);
    free(settings->key);
    free(settings->key_next);
    free(settings->on_event);
    free(settings->on_caller);
    free(settings->certificate);
    free(settings->certificate_key);
    free(settings->public_url);
    free(settings);
    return NULL;
}
