#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

static int64_t read_clock_ms(clockid_t id)
{
    struct timespec now = { 0 };

    /* Cannot fail for the two clocks that are asked here: both exist since Linux 2.6.39. */
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t kernel_boottime_ms(void)
{
    return read_clock_ms(CLOCK_BOOTTIME);
}

static int64_t kernel_wall_ms(void)
{
    return read_clock_ms(CLOCK_REALTIME);
}

static const struct clock_source kernel_source = { kernel_boottime_ms, kernel_wall_ms };

/* Both are written before any thread starts, and only read after. */
static const struct clock_source *source = &kernel_source;
static int64_t offset_ms, doubt_ms;

void clock_use_source(const struct clock_source *replacement)
{
    source = replacement ? replacement : &kernel_source;
}

/* A damaged store may hold any number: saturates where a plain sum would overflow. */
static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;

    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return a < 0 ? INT64_MIN : INT64_MAX;
}

static int64_t subtract(int64_t a, int64_t b)
{
    int64_t difference;

    if (!__builtin_sub_overflow(a, b, &difference))
        return difference;
    return a < 0 ? INT64_MIN : INT64_MAX;
}

struct clock_record clock_decide(const struct clock_record *stored, const char *boot_id,
                                 int64_t boottime_ms, int64_t wall_ms)
{
    struct clock_record record = { .last_ms = wall_ms, .doubt_ms = stored->doubt_ms };
    bool same_boot = stored->boot_id[0] != '\0' && strcmp(stored->boot_id, boot_id) == 0;

    if (same_boot)
        record.last_ms = add(boottime_ms, stored->offset_ms);
    if (stored->boot_id[0] != '\0' && record.last_ms < stored->last_ms) {
        /* Twice: what happened after it was last stored has to lie before. */
        record.last_ms = add(stored->last_ms, 2 * CLOCK_STORE_MS);
        record.doubt_ms = record.last_ms;
    }
    record.offset_ms = subtract(record.last_ms, boottime_ms);
    memcpy(record.boot_id, boot_id, strnlen(boot_id, BOOT_ID_SIZE - 1));
    return record;
}

static int read_boot_id(char out[static BOOT_ID_SIZE])
{
    CLEANUP(cleanup_fd) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return -errno;
    got = read(fd, out, BOOT_ID_SIZE - 1);
    if (got < 0)
        return -errno;
    if (got != BOOT_ID_SIZE - 1)
        return -EIO;
    out[BOOT_ID_SIZE - 1] = '\0';
    return 0;
}

int clock_start(const struct clock_record *stored, struct clock_record *ret)
{
    char boot_id[BOOT_ID_SIZE];
    struct clock_record record;
    int r = read_boot_id(boot_id);

    if (r < 0)
        return r;
    record = clock_decide(stored, boot_id, source->boottime_ms(), source->wall_ms());
    offset_ms = record.offset_ms;
    doubt_ms = record.doubt_ms;
    *ret = record;
    return 0;
}

int64_t clock_now(void)
{
    return add(source->boottime_ms(), offset_ms);
}

bool clock_doubts(int64_t broker_ms)
{
    return broker_ms < doubt_ms;
}

int64_t clock_to_wall(int64_t broker_ms)
{
    /* The wall first: a suspend between the two makes an end look too early, never too late. */
    const int64_t wall_ms = source->wall_ms();

    return add(wall_ms, subtract(broker_ms, clock_now()));
}
