/* The sections other than providers, and the grammar of it all. */

#include "settings/sections.h"

#include "settings/values.h"

#define AT(type, field) .offset = offsetof(struct type, field)

static const struct key broker_keys[] = {
    { .name = "key", .secret = true, .take = take_key_source, AT(settings, key) },
    { .name = "key_next", .secret = true, .take = take_key_source, AT(settings, key_next) },
    { .name = "on_event", .take = take_path, AT(settings, on_event) },
    { .name = "on_caller", .take = take_path, AT(settings, on_caller) },
};

static const struct key callback_keys[] = {
    { .name = "listen", .list = true, .take = take_listeners },
    { .name = "certificate", .list = true, .take = take_certificate },
    { .name = "public_url", .take = take_public_url, AT(settings, public_url) },
};

static const struct key access_keys[] = {
    { .name = "accounts", .list = true, .take = take_globs },
    { .name = "who", .list = true, .take = take_who },
    { .name = "may", .list = true, .take = take_may },
    { .name = "approve", .take = take_flag, .words = flag_words, AT(access_rule, approve) },
};

static const struct key consumer_keys[] = {
    { .name = "listen", .take = take_consumer_listen },
    { .name = "key", .secret = true },
    { .name = "accounts", .list = true, .take = take_globs },
    { .name = "may", .list = true, .take = take_may },
};

#define KEYS(list) .keys = list, .key_count = sizeof list / sizeof list[0]

const struct section_kind broker_section = { .name = "broker",
                                             .main_file_only = true,
                                             KEYS(broker_keys) };
const struct section_kind callback_section = { .name = "callback",
                                               .main_file_only = true,
                                               KEYS(callback_keys) };
const struct section_kind access_section = { .name = "access", .titled = true, KEYS(access_keys) };

const struct section_kind consumer_section = { .name = "consumer",
                                               .titled = true,
                                               KEYS(consumer_keys) };

static const struct section_kind *const file_kinds[] = { &broker_section, &callback_section,
                                                         &provider_section, &access_section,
                                                         &consumer_section };
static const struct section_kind *const preset_kinds[] = { &preset_section };

const struct grammar grammar_of_files = { file_kinds, sizeof file_kinds / sizeof file_kinds[0] };
const struct grammar grammar_of_presets = { preset_kinds, 1 };
