/* io/peer_unit: the unit in a process's cgroups, which decides who may have tokens. */

#include "daemon.h"

#include "io/peer.h"

/* A second reading: the first name of the path that is no slice's is the unit's. */
static bool leads_to(const char *path, const char *unit)
{
    static const char slice[] = ".slice/";

    while (*path == '/') {
        const char *name = path + 1, *end = strchrnul(name, '/');
        const size_t tail = sizeof slice - 1;
        if (*end == '/' && (size_t)(end + 1 - name) > tail &&
            memcmp(end + 1 - tail, slice, tail) == 0) {
            path = end;
            continue;
        }
        name += *name == '_';
        return (size_t)(end - name) == strlen(unit) && memcmp(name, unit, strlen(unit)) == 0;
    }
    return false;
}

static bool some_line_leads_to(char *text, const char *unit)
{
    for (char *line; (line = strsep(&text, "\n"));) {
        const char *first = strchr(line, ':'), *second = first ? strchr(first + 1, ':') : NULL;
        if (second && leads_to(second + 1, unit))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct input input = input_of(data, size);
    CLEANUP(cleanup_string) char *text = input_text(&input);
    CLEANUP(cleanup_string) char *copy = strdup(text);
    char unit[PEER_UNIT_SIZE] = "untouched";

    int r = peer_unit_of_cgroups(copy, unit);
    PROMISE(r == 0 || r == PEER_WITHOUT_UNIT);
    if (r != 0) {
        PROMISE(strcmp(unit, "untouched") == 0);
        return 0;
    }
    const size_t length = strlen(unit);
    PROMISE(length > strlen(".scope") && length < sizeof unit);
    PROMISE(!strchr(unit, '/') && !strchr(unit, '\n'));
    PROMISE(strcmp(unit + length - 6, ".scope") == 0 ||
            (length > 8 && strcmp(unit + length - 8, ".service") == 0));
    PROMISE(some_line_leads_to(text, unit));
    return 0;
}
