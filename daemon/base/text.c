#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int text_copy(const char *from, char **ret)
{
    if (!from)
        return 0;
    char *copy = strdup(from);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return 0;
}

int text_replace(char **slot, const char *from)
{
    char *copy = NULL;
    int r = text_copy(from, &copy);
    if (r != 0)
        return r;
    free(*slot);
    *slot = copy;
    return 0;
}
