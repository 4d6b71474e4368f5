#pragma once

/*
 * The configuration: a main file and its folder of providers, read whole into memory first, then
 * parsed twice: once for the thread that answers (no secrets), once for the thread that keeps.
 * Every complaint names the file, the line and, for an unknown word, the nearest known one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "oauth/provider.h"

enum { SETTINGS_FILE_MAX = 1024 * 1024, SETTINGS_PROVIDERS_MAX = 1000, SETTINGS_RULES_MAX = 1000 };
enum {
    SETTINGS_INVALID = 1,
    SETTINGS_STOPPED,        /* ran() wanted no more */
    SETTINGS_NO_CREDENTIALS, /* a credential: where systemd gave none: the service may have it */
};
enum { PUBLIC_URL_MAX = 512, LINK_URL_MAX = PUBLIC_URL_MAX + 64 };

/* What a rule allows; bits. */
enum may {
    MAY_TOKEN = 1 << 0,
    MAY_REJECT = 1 << 1,
    MAY_LIST = 1 << 2,
    MAY_LOGIN = 1 << 3,
    MAY_LINK = 1 << 4,
    MAY_IMPORT = 1 << 5,
    MAY_LOGOUT = 1 << 6,
    MAY_MONITOR = 1 << 7,
    MAY_ADMIN = 1 << 8, /* everything */
};

/* The configuration's word for one bit: "token", "reject", … */
const char *may_name(enum may may);

/* One of a rule's `who`: all given parts must fit ("user:ops+group:payroll"). */
struct access_who {
    bool has_user, has_group;
    uid_t user;
    gid_t group;
    char *unit; /* a systemd system unit, may hold * and ?; NULL: any */
};

struct access_rule {
    char *name;
    char **accounts; /* globs over provider/label; NULL-ended */
    struct access_who *who;
    size_t who_count;
    unsigned may; /* bits of enum may */
    bool approve; /* it holds for approved callers alone */
};

enum { RULE_NAME_MAX = 64 }; /* of one with approve */

/* An address the callback or a consumer is listened for on, as configured. */
struct callback_listener {
    bool https;
    bool both_families; /* "localhost": 127.0.0.1 and ::1 */
    char address[16];   /* "127.0.0.1", "::1" or "localhost" */
    uint16_t port;
};

enum { CONSUMERS_MAX = 64, CONSUMER_KEY_MIN = 32, CONSUMER_KEY_MAX = 512 };
enum { CONSUMER_DIGEST_SIZE = 32 };

/* A program that speaks HTTP only, and says who it is by a key. */
struct consumer {
    struct access_rule rule; /* its name, accounts and may; nobody's `who` */
    struct callback_listener listen;
    bool has_key; /* settings with secrets alone have it, until settings_hand_over_keys() */
    unsigned char key_digest[CONSUMER_DIGEST_SIZE]; /* SHA-256 of the key */
};

struct settings {
    char *key;       /* "auto", "file:…", "credential:…", "command:…"; always set */
    char *key_next;  /* what the store is to be sealed with next; NULL: not given */
    char *on_event;  /* NULL: none */
    char *on_caller; /* the program that approves callers; NULL: none */

    struct callback_listener *listeners;
    size_t listener_count;
    char *certificate;
    char *certificate_key;
    char *public_url; /* "https://host[:port][/path]", no '/' at its end; NULL: no reverse proxy */

    struct provider **providers; /* sorted by name */
    size_t provider_count;
    struct provider_credentials *credentials; /* one for each provider, same order; NULL in the
                                                 settings for the thread that answers */
    struct access_rule *rules;
    size_t rule_count;
    bool units_named; /* by a rule's `who` */
    bool approves;    /* a rule wants its callers approved */

    struct consumer *consumers;
    size_t consumer_count;
};

/* NULL when there is none of that name. Owned by the settings. */
const struct provider *settings_provider(const struct settings *settings, const char *name);
const struct secret *settings_client_secret(const struct settings *settings, const char *provider);
const struct secret *settings_client_secret_next(const struct settings *settings,
                                                 const char *provider);

/* NULL when there is none of that name. Owned by the settings. */
const struct consumer *settings_consumer(const struct settings *settings, const char *name);

/* Gives the digests of the consumers' keys from settings with secrets to settings without, of the
 * same text: the thread that answers knows no key. */
void settings_hand_over_keys(const struct settings *from, struct settings *to);

/* Whether any address of ours is an https one. */
bool settings_serve_https(const struct settings *settings);

/* Why no link can be made by which people elsewhere consent at the provider: a sentence's end, such
 * as "… has no authorization code"; NULL: one can. Static text. */
const char *settings_link_flaw(const struct settings *settings, const struct provider *provider);

/* Appends the address of the link with this token; there must be a public_url. */
void settings_append_link(const struct settings *settings, const char *token, struct buffer *out);

/* The texts of all files, read at one moment. */
struct settings_text;

/*
 * Reads file, then every *.conf of the folder "providers.d" beside it, in the order of their names.
 * A missing main file is an empty one where must_exist is false. Files that others can write are
 * refused; one that others can read is refused later only if it holds a literal secret. Returns 0
 * or SETTINGS_INVALID with a complaint.
 */
int settings_read(const char *file, bool must_exist, struct settings_text **ret,
                  struct complaint *complaint);
struct settings_text *settings_text_free(struct settings_text *text);

/* Where the parser looks things up. */
struct settings_places {
    const char *credentials_directory; /* systemd's; NULL: none */
    bool (*ran)(void *userdata);       /* after each `command:`, which may take 10 s; NULL: none.
                                          false: no further one is wanted */
    void *userdata;
};

/* Parses and checks everything. With secrets, `file:`, `credential:` and `command:` are resolved
 * (this may block: the main thread alone calls it). Returns 0, SETTINGS_INVALID, SETTINGS_STOPPED,
 * or SETTINGS_NO_CREDENTIALS where that is what the first secret that cannot be had wants. */
int settings_parse(const struct settings_text *text, const struct settings_places *places,
                   bool with_secrets, struct settings **ret, struct complaint *complaint);

/* NULL and half-built settings are fine; returns NULL. */
struct settings *settings_free(struct settings *settings);

/* A secret's source as the configuration writes it: "file:PATH", "credential:NAME",
 * "command:ARGV", or the literal itself. where is what the complaint starts with. Returns 0,
 * SETTINGS_INVALID, SETTINGS_STOPPED or SETTINGS_NO_CREDENTIALS. */
int settings_resolve_secret(const char *source, const struct settings_places *places,
                            const char *where, struct secret **ret, struct complaint *complaint);

DEFINE_CLEANUP(struct settings *, settings, settings_free)
DEFINE_CLEANUP(struct settings_text *, settings_text, settings_text_free)
