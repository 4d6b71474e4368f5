#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "main/options.h"
#include "schema/wire.h"

static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);
    return value && value[0] ? value : NULL;
}

static char *join(const char *folder, const char *rest)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", folder, rest) < 0 ? NULL : path;
}

/* The first folder of a list that systemd separates by colons. */
static char *first_of(const char *list)
{
    return strndup(list, strcspn(list, ":"));
}

/* systemd's folder, else XDG's, else its fallback below HOME. */
static char *user_folder(const char *xdg, const char *fallback)
{
    const char *folder = environment(xdg);
    const char *home = environment("HOME");
    if (folder && folder[0] == '/')
        return join(folder, "tokenbroker");
    if (!home)
        return NULL;
    CLEANUP(cleanup_string) char *base = join(home, fallback);
    return base ? join(base, "tokenbroker") : NULL;
}

static bool is_system_service(void)
{
    const char *runtime = environment("RUNTIME_DIRECTORY");
    return geteuid() == 0 || (runtime && strncmp(runtime, "/run/user/", 10) != 0);
}

static char *config_place(bool system_service)
{
    const char *given = environment("CONFIGURATION_DIRECTORY");
    CLEANUP(cleanup_string)
    char *folder = given            ? first_of(given)
                   : system_service ? strdup("/etc/tokenbroker")
                                    : user_folder("XDG_CONFIG_HOME", ".config");
    return folder ? join(folder, "tokenbroker.conf") : NULL;
}

static char *state_place(bool system_service)
{
    const char *given = environment("STATE_DIRECTORY");
    if (given)
        return first_of(given);
    return system_service ? strdup("/var/lib/tokenbroker")
                          : user_folder("XDG_STATE_HOME", ".local/state");
}

static char *cache_place(bool system_service)
{
    const char *given = environment("CACHE_DIRECTORY");
    if (given)
        return first_of(given);
    return system_service ? strdup("/var/cache/tokenbroker")
                          : user_folder("XDG_CACHE_HOME", ".cache");
}

static char *socket_place(bool system_service)
{
    const char *given = environment("RUNTIME_DIRECTORY");
    if (given) {
        CLEANUP(cleanup_string) char *folder = first_of(given);
        return folder ? join(folder, "api.sock") : NULL;
    }
    if (system_service)
        return strdup(WIRE_SYSTEM_SOCKET);
    const char *runtime = environment("XDG_RUNTIME_DIR");
    return runtime ? join(runtime, WIRE_SOCKET_NAME) : NULL;
}

static char *given_or(const char *given, char *found)
{
    if (!given)
        return found;
    free(found);
    return strdup(given);
}

int places_find(const struct options *options, struct places *ret, struct complaint *complaint)
{
    struct places places = { .system_service = is_system_service(),
                             .config_expected = options->config != NULL };
    const char *credentials = environment("CREDENTIALS_DIRECTORY");
    places.config = given_or(options->config, config_place(places.system_service));
    places.state_dir = given_or(options->state_dir, state_place(places.system_service));
    places.socket = given_or(options->socket, socket_place(places.system_service));
    places.cache_dir = cache_place(places.system_service);
    places.credentials_directory = credentials ? strdup(credentials) : NULL;
    if (places.config && places.state_dir && places.socket) {
        *ret = places;
        return 0;
    }
    complain(complaint, "no place for the %s: set %s, or give --%s",
             !places.config      ? "configuration"
             : !places.state_dir ? "store"
                                 : "socket",
             !places.config || !places.state_dir ? "HOME" : "XDG_RUNTIME_DIR",
             !places.config      ? "config"
             : !places.state_dir ? "state-dir"
                                 : "socket");
    places_release(&places);
    return -ENOENT;
}

void places_release(struct places *places)
{
    free(places->config);
    free(places->state_dir);
    free(places->socket);
    free(places->cache_dir);
    free(places->credentials_directory);
    *places = (struct places){ 0 };
}
