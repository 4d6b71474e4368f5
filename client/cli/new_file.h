#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A file that is not there yet, for its owner alone. Its bytes go to a file beside it, which takes
 * its name once all of them are on the disk: under the name there is never half a file, and never
 * one that was there before is replaced.
 */
struct new_file {
    const char *path; /* the caller's */
    char *part;       /* NULL: none is begun */
    int fd;
};

#define NEW_FILE(name)                                                                             \
    {                                                                                              \
        .path = (name), .fd = -1                                                                   \
    }

/* Each returns false when it was said what is wrong. */
bool new_file_begin(struct new_file *file);
bool new_file_write(struct new_file *file, const void *bytes, size_t length);
bool new_file_finish(struct new_file *file);

/* Removes what was not finished. */
void new_file_release(struct new_file *file);

static inline void cleanup_new_file(struct new_file *file)
{
    new_file_release(file);
}
