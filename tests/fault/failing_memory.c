/* Memory and threads: see failing.h. */

#include "failing.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

void *malloc(size_t size)
{
    return MEMORY("malloc") ? NULL : NEXT(malloc)(size);
}

void *calloc(size_t count, size_t size)
{
    return MEMORY("calloc") ? NULL : NEXT(calloc)(count, size);
}

void *realloc(void *old, size_t size)
{
    return MEMORY("realloc") ? NULL : NEXT(realloc)(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
    return MEMORY("reallocarray") ? NULL : NEXT(reallocarray)(old, count, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    return MEMORY("posix_memalign") ? ENOMEM : NEXT(posix_memalign)(ret, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return MEMORY("aligned_alloc") ? NULL : NEXT(aligned_alloc)(alignment, size);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    return MEMORY("mmap") ? MAP_FAILED : NEXT(mmap)(at, length, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset)
{
    return MEMORY("mmap") ? MAP_FAILED : NEXT(mmap64)(at, length, protection, flags, fd, offset);
}

int mlock(const void *at, size_t length)
{
    return MEMORY("mlock") ? -1 : NEXT(mlock)(at, length);
}

int mlock2(const void *at, size_t length, unsigned flags)
{
    return MEMORY("mlock2") ? -1 : NEXT(mlock2)(at, length, flags);
}

int pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    return fails(FAIL_ALLOCATIONS, "pthread_create", ERRORS(EAGAIN))
               ? EAGAIN
               : NEXT(pthread_create)(ret, attributes, run, argument);
}
