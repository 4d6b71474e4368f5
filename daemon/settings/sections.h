#pragma once

/* Which sections there are, what their keys mean, and the steps from their settings to the whole.
 */

#include "settings/settings.h"
#include "settings/syntax.h"
#include "settings/text.h"

extern const struct section_kind broker_section;
extern const struct section_kind callback_section;
extern const struct section_kind provider_section;
extern const struct section_kind preset_section;
extern const struct section_kind access_section;
extern const struct section_kind consumer_section;

extern const struct grammar grammar_of_files;
extern const struct grammar grammar_of_presets;

/* Keys whose meaning another file knows. */
take_function take_listeners, take_certificate, take_public_url;
take_function take_globs, take_who, take_may; /* [none: struct access_rule] */
take_function take_consumer_listen;           /* [none: struct consumer] */
take_function take_key_source;

/* What the callback's addresses are when none is given. */
int listeners_default(struct settings *settings);

/*
 * One provider from its section and its preset; settings holds the callback already. Checks what
 * can be checked in one provider. Returns 0, SETTINGS_INVALID or -ENOMEM.
 */
int provider_build(const struct settings_text *text, const struct section *section,
                   const struct settings *settings, struct provider **ret,
                   struct complaint *complaint);

/* The setting of a provider's key: its own, or its preset's; NULL when neither has it. */
const struct setting *provider_setting(const struct settings_text *text,
                                       const struct section *section, const char *key);

/* Fills rule. Returns 0, SETTINGS_INVALID or -ENOMEM; rule may hold a part on failure. */
int access_rule_build(const struct section *section, struct access_rule *rule,
                      struct complaint *complaint);
void access_rule_release(struct access_rule *rule);

/* The part of it that a consumer has too: the section is taken into `into`, which begins with rule;
 * name, accounts and may must be there. */
int access_rule_take(const struct section *section, struct access_rule *rule, void *into,
                     struct complaint *complaint);

/*
 * Fills consumer, which is not among the settings' yet; settings holds the callback already.
 * Returns 0, SETTINGS_INVALID or -ENOMEM; consumer may hold a part on failure.
 */
int consumer_build(const struct section *section, const struct settings *settings,
                   struct consumer *consumer, struct complaint *complaint);
void consumer_release(struct consumer *consumer);

/* Resolves the key of the consumer at index, checks it, and keeps its digest. Blocks. Returns 0 or
 * SETTINGS_INVALID. */
int consumer_resolve_key(const struct section *section, const struct settings_places *places,
                         struct settings *settings, size_t index, struct complaint *complaint);

/* Checks that an address for a consumer is one of another consumer, or nobody's. Returns 0 or
 * SETTINGS_INVALID. */
int consumer_listen_check(const struct setting *setting, const struct settings *settings,
                          const struct callback_listener *listener, struct complaint *complaint);

/* Where a value of a secret key comes from. */
enum secret_kind { SECRET_LITERAL, SECRET_FILE, SECRET_CREDENTIAL, SECRET_COMMAND };

/* *ret_rest is what follows the colon, or all of it. */
enum secret_kind secret_kind_of(const char *source, const char **ret_rest);

/* Checks a secret's source without resolving it: a literal in a file that others can read. Returns
 * 0 or SETTINGS_INVALID. */
int secret_source_check(const struct config_file *file, const struct setting *setting,
                        struct complaint *complaint);

/* What client_secret becomes where client_auth wants a key: one that signs is looked at, one of a
 * certificate gets the certificate before it. *secret is NULL where there is no client_secret.
 * Reads the certificate's file. Returns 0, SETTINGS_INVALID or -ENOMEM. */
int client_key_finish(const struct provider *provider, const struct section *section,
                      struct secret **secret, struct complaint *complaint);

/* The same for client_secret_next, which is whole by itself; next NULL: there is none. */
int client_key_check_next(const struct provider *provider, const struct section *section,
                          const struct secret *next, struct complaint *complaint);

/* Runs argv[0] and gives its output; see secret_command.c. problem is a static sentence's rest.
 * Returns 0 or SETTINGS_INVALID. */
int command_output(char *const argv[], struct buffer *out, const char **ret_problem);

/* Checks that rules with approve can be told apart, and that somebody may approve. Returns 0 or
 * SETTINGS_INVALID. */
int approve_check(const struct settings_text *text, const struct settings *settings,
                  struct complaint *complaint);

/* What only shows when all sections are there. Returns 0 or SETTINGS_INVALID. */
int settings_check(const struct settings_text *text, const struct settings *settings,
                   struct complaint *complaint);

/* The first section of a kind with that title; NULL when there is none. */
const struct section *text_titled(const struct settings_text *text, const struct section_kind *kind,
                                  const char *title);

/* The section of a provider; NULL when there is none. */
const struct section *text_provider(const struct settings_text *text, const char *name);

/* The first section of a kind that stands once, in the main file; NULL when there is none. */
const struct section *text_single(const struct settings_text *text,
                                  const struct section_kind *kind);
