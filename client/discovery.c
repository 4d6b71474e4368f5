#include "client/discovery.h"

#include <stdio.h>
#include <stdlib.h>

#include "schema/wire.h"

static void add(struct places *places, const char *folder, const char *name)
{
    (void)snprintf(places->path[places->count++], PLACE_SIZE, "%s%s", folder, name);
}

void places_find(const char *path, struct places *ret)
{
    const char *named = secure_getenv(WIRE_SOCKET_VARIABLE);
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");

    ret->count = 0;
    if (path) {
        add(ret, path, "");
        return;
    }
    if (named && *named)
        add(ret, named, "");
    if (runtime && *runtime == '/')
        add(ret, runtime, "/" WIRE_SOCKET_NAME);
    add(ret, WIRE_SYSTEM_SOCKET, "");
}
