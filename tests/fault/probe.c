/*
 * probe SOCKET TARGET SECONDS RATE: an honest client that asks so often in a second, in turn over a
 * connection that stays and over a new one. Says at the end "ASKED FAILED HUNG-UP P50 P99 LONGEST",
 * times in microseconds from the connect to the last byte; where the answer before it was late,
 * from the moment at which it was to be asked. A connection that stays may be hung up on between
 * two requests: then it asks anew over another, and the time goes on.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { REPLY_MAX = 16 * 1024, SAMPLES_MAX = 4 * 1000 * 1000, DECIMAL = 10, PATIENCE_S = 20 };
#define SECOND_NS INT64_C(1000000000)

struct probe {
    struct sockaddr_un address;
    char requests[2][512]; /* over a connection that stays, and over one that does not */
    int kept;              /* or -1 */
    unsigned long failed, hung_up;
    uint32_t *samples_us;
    size_t count;
};

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static int dial(const struct probe *probe)
{
    const struct timeval patience = { .tv_sec = PATIENCE_S };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        connect(fd, (const struct sockaddr *)&probe->address, sizeof probe->address) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static bool is_whole(const char *reply, size_t length)
{
    const char *body = strstr(reply, "\r\n\r\n");
    const char *size = body ? strcasestr(reply, "\r\nContent-Length:") : NULL;
    return size && length >= (size_t)(body + 4 - reply) + strtoul(size + 17, NULL, DECIMAL);
}

/* 1: answered with 200; 0: with something else; -1: hung up on before the answer. */
static int ask(int fd, const char *request)
{
    char reply[REPLY_MAX + 1] = "";
    size_t length = 0, size = strlen(request);
    if (fd < 0 || send(fd, request, size, MSG_NOSIGNAL) != (ssize_t)size)
        return -1;
    while (!is_whole(reply, length)) {
        ssize_t got = length < REPLY_MAX ? recv(fd, reply + length, REPLY_MAX - length, 0) : 0;
        if (got <= 0)
            return length > 0 ? 0 : -1;
        length += (size_t)got;
        reply[length] = '\0';
    }
    return strncmp(reply, "HTTP/1.1 200", 12) == 0;
}

static int ask_over_kept(struct probe *probe)
{
    bool is_old = probe->kept >= 0;
    if (!is_old)
        probe->kept = dial(probe);
    int answered = ask(probe->kept, probe->requests[0]);
    if (answered >= 0)
        return answered;
    if (probe->kept >= 0)
        (void)close(probe->kept);
    probe->kept = -1;
    if (!is_old)
        return -1;
    probe->hung_up++;
    return ask_over_kept(probe);
}

static int ask_over_new(const struct probe *probe)
{
    int fd = dial(probe);
    int answered = ask(fd, probe->requests[1]);
    if (fd >= 0)
        (void)close(fd);
    return answered;
}

static void sleep_until(int64_t moment_ns)
{
    const struct timespec moment = { .tv_sec = moment_ns / SECOND_NS,
                                     .tv_nsec = moment_ns % SECOND_NS };
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL);
}

static void run(struct probe *probe, double seconds, long rate)
{
    const int64_t begun = now_ns(), end = begun + (int64_t)(seconds * (double)SECOND_NS);
    for (int64_t next = begun; next < end && probe->count < SAMPLES_MAX;) {
        const bool is_late = now_ns() > next && probe->count > 0;
        sleep_until(next);
        const int64_t start = is_late ? next : now_ns();
        int answered = probe->count % 2 ? ask_over_kept(probe) : ask_over_new(probe);
        probe->failed += answered != 1;
        probe->samples_us[probe->count++] = (uint32_t)((now_ns() - start) / 1000);
        next += SECOND_NS / rate;
    }
}

static int by_size(const void *one, const void *other)
{
    const uint32_t x = *(const uint32_t *)one, y = *(const uint32_t *)other;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static struct probe probe = { .address.sun_family = AF_UNIX, .kept = -1 };
    if (argc != 5 || strlen(argv[1]) >= sizeof probe.address.sun_path) {
        fprintf(stderr, "Usage: probe SOCKET TARGET SECONDS RATE\n");
        return EXIT_FAILURE;
    }
    memcpy(probe.address.sun_path, argv[1], strlen(argv[1]) + 1);
    for (int i = 0; i < 2; i++)
        (void)snprintf(probe.requests[i], sizeof probe.requests[i],
                       "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", argv[2],
                       i ? "Connection: close\r\n" : "");
    probe.samples_us = calloc(SAMPLES_MAX, sizeof *probe.samples_us);
    if (!probe.samples_us)
        return EXIT_FAILURE;
    run(&probe, strtod(argv[3], NULL), strtol(argv[4], NULL, DECIMAL));
    qsort(probe.samples_us, probe.count, sizeof *probe.samples_us, by_size);
    printf("%zu %lu %lu %u %u %u\n", probe.count, probe.failed, probe.hung_up,
           probe.samples_us[probe.count / 2], probe.samples_us[probe.count * 99 / 100],
           probe.samples_us[probe.count ? probe.count - 1 : 0]);
    return EXIT_SUCCESS;
}
