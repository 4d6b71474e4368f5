/* libcurl copies the request into buffers of its own and frees them as they are: with this
 * allocator nothing that it frees keeps a secret. (What OpenSSL and nghttp2 allocate themselves
 * does not come through here.) */

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "io/http_private.h"

static void wiping_free(void *memory)
{
    if (memory)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

static void *wiping_realloc(void *memory, size_t size)
{
    void *larger = malloc(size > 0 ? size : 1);
    if (!larger || !memory)
        return larger;

    size_t old = malloc_usable_size(memory);
    memcpy(larger, memory, old < size ? old : size);
    wiping_free(memory);
    return larger;
}

int http_memory_start(void)
{
    CURLcode code = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc,
                                         strdup, calloc);
    return code == CURLE_OK ? 0 : -EIO;
}
