#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Reads to the end, but not past size bytes. Returns how many came, or -errno. */
ssize_t read_up_to(int fd, void *out, size_t size);
