/*
 * Asks a Unix socket over HTTP from several clients at once and prints what it measured as one JSON
 * object: requests a second, and the middle and the 99th percentile of the time of one.
 *
 *   load SOCKET TARGET CLIENTS SECONDS keep|close
 */

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 64, SAMPLES_MAX = 1000 * 1000, REPLY_MAX = 16 * 1024 };

struct run {
    struct sockaddr_un address;
    char request[512];
    size_t request_length;
    bool keep;
    int64_t end_ns;
};

struct client {
    pthread_t thread;
    const struct run *run;
    uint32_t *samples_us;
    size_t count;
    bool failed;
};

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int dial(const struct run *run)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&run->address, sizeof run->address) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* True when the bytes hold a whole reply with status 200. */
static bool reply_is_whole(const char *reply, size_t length)
{
    const char *body = memmem(reply, length, "\r\n\r\n", 4);
    const char *size = body ? strcasestr(reply, "\r\nContent-Length:") : NULL;
    if (!size || strncmp(reply, "HTTP/1.1 200", 12) != 0)
        return false;
    const unsigned long wanted = strtoul(size + 17, NULL, 10);
    return length >= (size_t)(body + 4 - reply) + wanted;
}

static bool ask(int fd, const struct run *run)
{
    char reply[REPLY_MAX + 1];
    size_t length = 0;
    if (write(fd, run->request, run->request_length) != (ssize_t)run->request_length)
        return false;
    while (length < REPLY_MAX) {
        const ssize_t got = read(fd, reply + length, REPLY_MAX - length);
        if (got <= 0)
            return false;
        length += (size_t)got;
        reply[length] = '\0';
        if (reply_is_whole(reply, length))
            return true;
    }
    return false;
}

static void *work(void *userdata)
{
    struct client *client = userdata;
    int fd = -1;
    for (int64_t start = now_ns(); start < client->run->end_ns && client->count < SAMPLES_MAX;
         start = now_ns()) {
        if (fd < 0)
            fd = dial(client->run);
        client->failed = fd < 0 || !ask(fd, client->run);
        if (client->failed)
            break;
        if (!client->run->keep) {
            (void)close(fd);
            fd = -1;
        }
        client->samples_us[client->count++] = (uint32_t)((now_ns() - start) / 1000);
    }
    if (fd >= 0)
        (void)close(fd);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int report(struct client *clients, size_t client_count, double seconds)
{
    size_t total = 0;
    for (size_t i = 0; i < client_count; i++)
        total += clients[i].count;
    uint32_t *all = calloc(total + 1, sizeof *all);
    if (!all || total == 0)
        return EXIT_FAILURE;
    size_t at = 0;
    bool failed = false;
    for (size_t i = 0; i < client_count; i++) {
        memcpy(all + at, clients[i].samples_us, clients[i].count * sizeof *all);
        at += clients[i].count;
        failed = failed || clients[i].failed;
    }
    qsort(all, total, sizeof *all, by_size);
    (void)printf("{\"per_second\": %.0f, \"p50_us\": %u, \"p99_us\": %u, \"failed\": %s}\n",
                 (double)total / seconds, all[total / 2], all[total * 99 / 100],
                 failed ? "true" : "false");
    free(all);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        (void)fputs("usage: load SOCKET TARGET CLIENTS SECONDS keep|close\n", stderr);
        return 2;
    }
    static struct client clients[CLIENTS_MAX];
    struct run run = { .address = { .sun_family = AF_UNIX }, .keep = strcmp(argv[5], "keep") == 0 };
    const size_t count = strtoul(argv[3], NULL, 10);
    const double seconds = strtod(argv[4], NULL);
    if (count == 0 || count > CLIENTS_MAX || strlen(argv[1]) >= sizeof run.address.sun_path)
        return 2;
    memcpy(run.address.sun_path, argv[1], strlen(argv[1]) + 1);
    run.request_length =
        (size_t)snprintf(run.request, sizeof run.request, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n",
                         argv[2], run.keep ? "" : "Connection: close\r\n");
    run.end_ns = now_ns() + (int64_t)(seconds * 1e9);
    for (size_t i = 0; i < count; i++) {
        clients[i].run = &run;
        clients[i].samples_us = calloc(SAMPLES_MAX, sizeof *clients[i].samples_us);
        if (!clients[i].samples_us ||
            pthread_create(&clients[i].thread, NULL, work, &clients[i]) != 0)
            return EXIT_FAILURE;
    }
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(clients[i].thread, NULL);
    return report(clients, count, seconds);
}
