/* Where a secret comes from: a file, a credential of systemd's, a command's output, or the
 * configuration itself. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "settings/file.h"
#include "settings/nearest.h"
#include "settings/sections.h"

enum { ARGUMENTS_MAX = 64, CREDENTIAL_PATH_MAX = 4096, PREFIX_MAX = 16 };

static const struct prefix {
    const char *word;
    enum secret_kind kind;
} prefixes[] = {
    { "file", SECRET_FILE },
    { "credential", SECRET_CREDENTIAL },
    { "command", SECRET_COMMAND },
};

enum { PREFIX_COUNT = sizeof prefixes / sizeof prefixes[0] };

enum secret_kind secret_kind_of(const char *source, const char **ret_rest)
{
    for (size_t i = 0; i < PREFIX_COUNT; i++) {
        size_t length = strlen(prefixes[i].word);
        if (strncmp(source, prefixes[i].word, length) == 0 && source[length] == ':') {
            *ret_rest = source + length + 1;
            return prefixes[i].kind;
        }
    }
    *ret_rest = source;
    return SECRET_LITERAL;
}

/* "credentials:name" is a slip, not a secret; the text itself is never shown. */
static const char *mistyped_prefix(const char *literal)
{
    char word[PREFIX_MAX + 1] = "";
    const char *colon = strchr(literal, ':');
    if (colon == NULL || colon - literal > PREFIX_MAX)
        return NULL;
    memcpy(word, literal, (size_t)(colon - literal));
    struct nearest nearest = { .word = word };
    for (size_t i = 0; i < PREFIX_COUNT; i++)
        nearest_offer(&nearest, prefixes[i].word);
    explicit_bzero(word, sizeof word);
    return nearest.best;
}

int secret_source_check(const struct config_file *file, const struct setting *setting,
                        struct complaint *complaint)
{
    const char *rest = NULL;
    if (secret_kind_of(setting->values[0], &rest) != SECRET_LITERAL)
        return 0;
    const char *meant = mistyped_prefix(rest);
    if (meant != NULL)
        return complain_setting(complaint, setting, "has an unknown source: did you mean \"%s:\"?",
                                meant);
    if (*rest == '\0')
        return complain_setting(complaint, setting, "is empty");
    if (file->readable_by_others) {
        char advice[FILE_ADVICE_SIZE];
        file_advise(file->path, advice);
        return complain_setting(complaint, setting,
                                "stands here in clear and others can read the file: %s", advice);
    }
    return 0;
}

int take_key_source(const struct key *key, const struct setting *setting, void *into,
                    struct complaint *complaint)
{
    const char *source = setting->values[0], *rest = NULL;
    char **where = (char **)(void *)((char *)into + key->offset);
    const bool is_auto = strcmp(source, "auto") == 0;
    const enum secret_kind kind = secret_kind_of(source, &rest);
    if (!is_auto && (kind == SECRET_LITERAL || *rest == '\0'))
        return complain_setting(complaint, setting,
                                "wants \"auto\", \"file:…\", \"credential:…\" or \"command:…\"");
    if (kind == SECRET_FILE && rest[0] != '/')
        return complain_setting(complaint, setting, "file: wants an absolute path");
    *where = strdup(source);
    return *where != NULL ? 0 : -ENOMEM;
}

static int refuse(struct complaint *complaint, const char *where, const char *problem)
{
    complain(complaint, "%s: %s", where, problem);
    return SETTINGS_INVALID;
}

/* Text from outside without the one line end that editors and commands add. */
static int make_secret(struct buffer *bytes, const char *where, struct secret **ret,
                       struct complaint *complaint)
{
    size_t length = bytes->length;
    if (length > 0 && bytes->data[length - 1] == '\n')
        length--;
    if (length == 0)
        return refuse(complaint, where, "the secret is empty");
    if (secret_new(bytes->data, length, ret) < 0)
        return refuse(complaint, where, "the secret cannot be kept (too long, or memory is short)");
    return 0;
}

/* private: others may not read it. */
static int from_file(const char *path, bool private, const char *where, struct secret **ret,
                     struct complaint *complaint)
{
    CLEANUP(cleanup_buffer) struct buffer bytes = BUFFER_WITH_MAXIMUM(SECRET_MAX);
    struct complaint problem = { "" };
    bool others_read = false;
    if (path[0] != '/')
        return refuse(complaint, where, "file: wants an absolute path");
    if (file_read(path, &bytes, &others_read, &problem) != 0)
        return refuse(complaint, where, problem.text);
    if (private && others_read) {
        char advice[FILE_ADVICE_SIZE];
        file_advise(path, advice);
        complain(complaint, "%s: others can read %s: %s", where, path, advice);
        return SETTINGS_INVALID;
    }
    return make_secret(&bytes, where, ret, complaint);
}

static int from_credential(const char *name, const char *folder, const char *where,
                           struct secret **ret, struct complaint *complaint)
{
    CLEANUP(cleanup_buffer) struct buffer path = BUFFER_WITH_MAXIMUM(CREDENTIAL_PATH_MAX);
    if (*name == '\0' || strchr(name, '/') != NULL || name[0] == '.')
        return refuse(complaint, where, "credential: wants the name of a credential");
    if (folder == NULL) {
        (void)refuse(complaint, where,
                     "there are no credentials: the service has no LoadCredential= line");
        return SETTINGS_NO_CREDENTIALS;
    }
    buffer_append_format(&path, "%s/%s", folder, name);
    if (path.failed)
        return refuse(complaint, where, "the credential's path is too long");
    /* systemd guards the folder, and its access list shows as a group's right to read. */
    return from_file(buffer_text(&path), false, where, ret, complaint);
}

static int from_command(const char *line, const char *where, struct secret **ret,
                        struct complaint *complaint)
{
    CLEANUP(cleanup_buffer) struct buffer output = BUFFER_WITH_MAXIMUM(SECRET_MAX);
    CLEANUP(cleanup_string) char *copy = strdup(line);
    char *arguments[ARGUMENTS_MAX + 1] = { NULL };
    const char *problem = NULL;
    size_t count = 0;
    if (copy == NULL)
        return refuse(complaint, where, "out of memory");
    char *rest = copy;
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        if (*word == '\0')
            continue;
        if (count == ARGUMENTS_MAX)
            return refuse(complaint, where, "the command has too many words");
        arguments[count++] = word;
    }
    if (count == 0)
        return refuse(complaint, where, "command: wants a program and its arguments");
    if (command_output(arguments, &output, &problem) != 0) {
        complain(complaint, "%s: the command %s %s", where, arguments[0], problem);
        return SETTINGS_INVALID;
    }
    return make_secret(&output, where, ret, complaint);
}

static int from_literal(const char *literal, const char *where, struct secret **ret,
                        struct complaint *complaint)
{
    if (*literal == '\0')
        return refuse(complaint, where, "the secret is empty");
    if (secret_new(literal, strlen(literal), ret) < 0)
        return refuse(complaint, where, "the secret cannot be kept (too long, or memory is short)");
    return 0;
}

static int from_command_of(const char *line, const struct settings_places *places,
                           const char *where, struct secret **ret, struct complaint *complaint)
{
    CLEANUP(cleanup_secret) struct secret *secret = NULL;
    int r = from_command(line, where, &secret, complaint);
    if (places != NULL && places->ran != NULL && !places->ran(places->userdata)) {
        (void)refuse(complaint, where, "it is told to stop, and reads no more secrets");
        return SETTINGS_STOPPED;
    }
    if (r == 0)
        *ret = steal(secret);
    return r;
}

int settings_resolve_secret(const char *source, const struct settings_places *places,
                            const char *where, struct secret **ret, struct complaint *complaint)
{
    const char *rest = NULL;
    switch (secret_kind_of(source, &rest)) {
    case SECRET_FILE:
        return from_file(rest, true, where, ret, complaint);
    case SECRET_CREDENTIAL:
        return from_credential(rest, places != NULL ? places->credentials_directory : NULL, where,
                               ret, complaint);
    case SECRET_COMMAND:
        return from_command_of(rest, places, where, ret, complaint);
    case SECRET_LITERAL:
        break;
    }
    return from_literal(rest, where, ret, complaint);
}
