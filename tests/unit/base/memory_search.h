#pragma once

/*
 * Looks for a byte string in the process' own writable memory: heap (freed blocks too), stack,
 * data. For tests that something was wiped. The needle is given XORed with MEMORY_MASK, so that
 * the search does not find itself.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MEMORY_MASK = 0x5a, MEMORY_NEEDLE = 24, MEMORY_STEP = 64 * 1024 };

/* Shadow memory of sanitizers is much larger, and holds no copies. */
enum { MEMORY_MAPPING_MAX = 256 * 1024 * 1024 };

static unsigned char memory_masked[MEMORY_NEEDLE];
static unsigned char memory_window[MEMORY_STEP + MEMORY_NEEDLE];

/* Writes a new random-looking needle of MEMORY_NEEDLE letters to out; remembers it masked. */
static inline void memory_needle(char *out, unsigned seed)
{
    for (size_t i = 0; i < MEMORY_NEEDLE; i++) {
        seed = seed * 1103515245u + 12345u;
        out[i] = (char)('a' + (seed >> 16) % 26);
        memory_masked[i] = (unsigned char)(out[i] ^ MEMORY_MASK);
    }
}

static inline int memory_is_needle(const unsigned char *at)
{
    for (size_t i = 0; i < MEMORY_NEEDLE; i++)
        if ((at[i] ^ MEMORY_MASK) != memory_masked[i])
            return 0;
    return 1;
}

static inline size_t memory_count_range(int memory, uintptr_t start, uintptr_t end)
{
    size_t count = 0;

    for (uintptr_t at = start; at < end; at += MEMORY_STEP) {
        ssize_t got = pread(memory, memory_window, sizeof(memory_window), (off_t)at);

        for (ssize_t i = 0; i < MEMORY_STEP && i + MEMORY_NEEDLE <= got; i++) {
            uintptr_t address = at + (uintptr_t)i;
            uintptr_t window = (uintptr_t)memory_window;

            if (address + MEMORY_NEEDLE > window && address < window + sizeof(memory_window))
                continue;
            count += (size_t)memory_is_needle(memory_window + i);
        }
    }
    memset(memory_window, 0, sizeof(memory_window));
    return count;
}

/* How often the needle lies in memory now. */
static inline size_t memory_count(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    char line[512];
    size_t count = 0;

    while (maps && memory >= 0 && fgets(line, sizeof(line), maps)) {
        uintptr_t start, end;
        char mode[5];

        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, mode) == 3 &&
            mode[0] == 'r' && mode[1] == 'w' && end - start <= MEMORY_MAPPING_MAX)
            count += memory_count_range(memory, start, end);
    }
    if (maps)
        (void)fclose(maps);
    if (memory >= 0)
        (void)close(memory);
    return count;
}
