/* Consumers: programs that speak HTTP only. Each has an address, a key, accounts and what it may.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/account.h"
#include "settings/sections.h"

/* What goes into a header as it is (RFC 9110 5.5), and is one word. */
static bool fits_a_header(const struct secret *key)
{
    const char *text = secret_reveal(key);
    for (size_t i = 0; text[i]; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f)
            return false;
    return true;
}

static int check_may(const struct section *section, const struct consumer *consumer,
                     struct complaint *complaint)
{
    if (consumer->rule.may & ~(unsigned)(MAY_TOKEN | MAY_REJECT))
        return complain_setting(complaint, section_find(section, "may"),
                                "takes token and reject only: a key is less than knowing who asks");
    return 0;
}

static int check_key_source(const struct section *section, struct complaint *complaint)
{
    const struct setting *key = section_find(section, "key");
    if (key == NULL)
        return complain_section(complaint, section, "needs key, such as \"credential:powerbi\"");
    return secret_source_check(section->file, key, complaint);
}

static int check_listen(const struct section *section, const struct settings *settings,
                        const struct consumer *consumer, struct complaint *complaint)
{
    const struct setting *listen = section_find(section, "listen");
    if (listen == NULL)
        return complain_section(complaint, section,
                                "needs listen, such as \"http://127.0.0.1:8770\"");
    return consumer_listen_check(listen, settings, &consumer->listen, complaint);
}

int consumer_build(const struct section *section, const struct settings *settings,
                   struct consumer *consumer, struct complaint *complaint)
{
    if (!provider_name_valid(section->title))
        return complain_section(complaint, section,
                                "has no valid name: a-z, 0-9 and \"-\", at most %d",
                                PROVIDER_NAME_MAX);
    if (settings_consumer(settings, section->title) != NULL)
        return complain_section(complaint, section, "is there twice");
    int r = access_rule_take(section, &consumer->rule, consumer, complaint);
    if (r == 0)
        r = check_may(section, consumer, complaint);
    if (r == 0)
        r = check_key_source(section, complaint);
    return r == 0 ? check_listen(section, settings, consumer, complaint) : r;
}

void consumer_release(struct consumer *consumer)
{
    access_rule_release(&consumer->rule);
}

static int check_key(const struct setting *setting, const struct secret *key,
                     struct complaint *complaint)
{
    if (secret_length(key) < CONSUMER_KEY_MIN)
        return complain_setting(complaint, setting,
                                "is shorter than %d characters: make one with \"openssl rand "
                                "-base64 32\"",
                                CONSUMER_KEY_MIN);
    if (secret_length(key) > CONSUMER_KEY_MAX)
        return complain_setting(complaint, setting, "is longer than %d characters",
                                CONSUMER_KEY_MAX);
    if (!fits_a_header(key))
        return complain_setting(complaint, setting,
                                "holds a space or a character that no header carries");
    return 0;
}

/* By its key alone it is known which consumer asks. */
static int check_unique(const struct setting *setting, const struct settings *settings,
                        size_t index, struct complaint *complaint)
{
    const struct consumer *consumers = settings->consumers;
    for (size_t i = 0; i < index; i++)
        if (digests_equal(consumers[i].key_digest, consumers[index].key_digest))
            return complain_setting(complaint, setting,
                                    "is that of consumer \"%s\" too: each needs its own",
                                    consumers[i].rule.name);
    return 0;
}

int consumer_resolve_key(const struct section *section, const struct settings_places *places,
                         struct settings *settings, size_t index, struct complaint *complaint)
{
    struct consumer *consumer = &settings->consumers[index];
    const struct setting *setting = section_find(section, "key");
    CLEANUP(cleanup_secret) struct secret *key = NULL;
    char where[COMPLAINT_MAX];
    (void)snprintf(where, sizeof where, "%s:%u: key", setting->file, setting->line);
    int r = settings_resolve_secret(setting->values[0], places, where, &key, complaint);
    if (r == 0)
        r = check_key(setting, key, complaint);
    if (r != 0)
        return r;
    digest_sha256(secret_reveal(key), secret_length(key), consumer->key_digest);
    consumer->has_key = true;
    return check_unique(setting, settings, index, complaint);
}

const struct consumer *settings_consumer(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->consumer_count; i++)
        if (strcmp(settings->consumers[i].rule.name, name) == 0)
            return &settings->consumers[i];
    return NULL;
}

void settings_hand_over_keys(const struct settings *from, struct settings *to)
{
    for (size_t i = 0; i < to->consumer_count; i++) {
        struct consumer *taker = &to->consumers[i];
        const struct consumer *giver = settings_consumer(from, taker->rule.name);
        if (giver == NULL || !giver->has_key)
            continue;
        memcpy(taker->key_digest, giver->key_digest, sizeof taker->key_digest);
        taker->has_key = true;
    }
}
