#include "main/certificate.h"

#include <time.h>

#include "base/log.h"
#include "settings/file.h"

enum { SOURCE_MAX = 4096 };

static const char where[] = "callback certificate";

/* A key that others can read is refused on the way. */
static int read_key(const char *path, struct secret **ret, struct complaint *complaint)
{
    CLEANUP(cleanup_buffer) struct buffer source = BUFFER_WITH_MAXIMUM(SOURCE_MAX);
    const struct settings_places places = { 0 };
    buffer_append_format(&source, "file:%s", path);
    return settings_resolve_secret(buffer_text(&source), &places, where, ret, complaint);
}

static int read_chain(const char *path, struct buffer *out, struct complaint *complaint)
{
    struct complaint problem = { "" };
    bool others_read = false; /* as they may: it is public */
    if (file_read(path, out, &others_read, &problem) == 0 && !out->failed)
        return 0;
    complain(complaint, "%s: %s", where, problem.text);
    return SETTINGS_INVALID;
}

static int read_pair(const struct settings *settings, struct certified **ret,
                     struct complaint *complaint)
{
    CLEANUP(cleanup_buffer) struct buffer chain = BUFFER_WITH_MAXIMUM(CERTIFICATES_PEM_MAX);
    CLEANUP(cleanup_secret) struct secret *key = NULL;
    struct complaint problem = { "memory is short" };
    int r = read_chain(settings->certificate, &chain, complaint);
    if (r == 0)
        r = read_key(settings->certificate_key, &key, complaint);
    if (r != 0)
        return SETTINGS_INVALID;
    if (certified_new(buffer_text(&chain), key, ret, &problem) == 0)
        return 0;
    complain(complaint, "%s: %s, %s: %s", where, settings->certificate, settings->certificate_key,
             problem.text);
    return SETTINGS_INVALID;
}

int certificate_read(const struct settings *settings, struct message **ret,
                     struct complaint *complaint)
{
    struct certified *pair = NULL;
    if (!settings->certificate_key || !settings_serve_https(settings))
        return 0;
    if (read_pair(settings, &pair, complaint) != 0)
        return SETTINGS_INVALID;
    if (pair->until_s < time(NULL))
        log_warning("%s: %s has expired; browsers will refuse it", where, settings->certificate);
    struct message *letter = message_new(CERTIFICATE);
    if (!letter) {
        certified_free(pair);
        complain(complaint, "memory is short");
        return SETTINGS_INVALID;
    }
    letter->certified = pair;
    *ret = letter;
    return 0;
}
