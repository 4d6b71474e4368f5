/*
 * drip COUNT ADDRESS…: so many connections to each address, a path or PORT of 127.0.0.1, with
 * "tls:" before it where TLS is spoken. Each sends one byte a second of a request, or of a
 * handshake, that never ends, and the first one at once: a listener may wait for it before it
 * accepts. Whoever is hung up on comes again in its next turn.
 *
 * Says "ready" once all were tried, and at the end of its standard input "MADE SENT": how many
 * connections there were, and how many bytes went over them.
 */

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { SLICES = 100, SLICE_NS = 10 * 1000 * 1000, SECOND_NS = 1000 * 1000 * 1000 };
enum { DECIMAL = 10 };

struct aim {
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in tcp;
    } address;
    socklen_t size;
    bool tls;
};

struct drop {
    const struct aim *aim;
    int fd; /* -1: comes in its next turn */
    size_t sent;
};

struct tally {
    unsigned long made; /* connections */
    unsigned long sent; /* bytes */
};

static const char head[] = "GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
/* A handshake record with a ClientHello of 508 bytes, and the version that it begins with. */
static const unsigned char hello[] = { 0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3 };

static char next_byte(const struct drop *drop)
{
    if (drop->aim->tls)
        return drop->sent < sizeof hello ? (char)hello[drop->sent] : 'a';
    return drop->sent < sizeof head - 1 ? head[drop->sent] : 'a';
}

static bool take_aim(const char *text, struct aim *aim)
{
    aim->tls = strncmp(text, "tls:", 4) == 0;
    text += aim->tls ? 4 : 0;
    if (text[0] == '/') {
        aim->address.local.sun_family = AF_UNIX;
        aim->size = sizeof aim->address.local;
        int length =
            snprintf(aim->address.local.sun_path, sizeof aim->address.local.sun_path, "%s", text);
        return length > 0 && (size_t)length < sizeof aim->address.local.sun_path;
    }
    aim->address.tcp.sin_family = AF_INET;
    aim->address.tcp.sin_port = htons((in_port_t)strtoul(text, NULL, DECIMAL));
    aim->address.tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    aim->size = sizeof aim->address.tcp;
    return aim->address.tcp.sin_port != 0;
}

/* Nobody waits: where the queue of the listener is full it is tried again a second later. */
static bool dial(struct drop *drop)
{
    drop->fd =
        socket(drop->aim->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    drop->sent = 0;
    if (drop->fd >= 0 &&
        (connect(drop->fd, &drop->aim->address.any, drop->aim->size) == 0 || errno == EINPROGRESS))
        return true;
    if (drop->fd >= 0)
        (void)close(drop->fd);
    drop->fd = -1;
    return false;
}

/* False when it was hung up on. */
static bool send_byte(struct drop *drop, struct tally *tally)
{
    const char byte = next_byte(drop);
    if (send(drop->fd, &byte, 1, MSG_NOSIGNAL) != 1)
        return errno == EAGAIN;
    drop->sent++;
    tally->sent++;
    return true;
}

static bool lives(const struct drop *drop)
{
    char answer[256];
    return recv(drop->fd, answer, sizeof answer, 0) < 0 && errno == EAGAIN;
}

static void turn(struct drop *drop, struct tally *tally)
{
    if (drop->fd >= 0 && lives(drop) && send_byte(drop, tally))
        return;
    if (drop->fd >= 0)
        (void)close(drop->fd);
    if (!dial(drop))
        return;
    tally->made++;
    (void)send_byte(drop, tally);
}

/* The next slice's moment; what is late stays late, so that the load does not come in heaps. */
static void wait_for(struct timespec *moment)
{
    moment->tv_nsec += SLICE_NS;
    if (moment->tv_nsec >= SECOND_NS) {
        moment->tv_nsec -= SECOND_NS;
        moment->tv_sec++;
    }
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, moment, NULL);
}

static bool goes_on(void)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    return poll(&input, 1, 0) == 0;
}

static struct tally drip(struct drop *drops, size_t count)
{
    struct timespec moment;
    struct tally tally = { 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &moment);
    for (size_t slice = 0; goes_on(); slice++) {
        for (size_t i = slice % SLICES; i < count; i += SLICES)
            turn(&drops[i], &tally);
        if (slice == SLICES) {
            puts("ready");
            (void)fflush(stdout);
        }
        wait_for(&moment);
    }
    return tally;
}

int main(int argc, char **argv)
{
    enum { AIMS_MAX = 8 };
    static struct aim aims[AIMS_MAX];
    const struct rlimit files = { 65536, 65536 };
    size_t each = argc > 2 ? strtoul(argv[1], NULL, DECIMAL) : 0, count = 0;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    struct drop *drops = calloc(each ? each * AIMS_MAX : 1, sizeof *drops);
    if (!drops || each == 0 || argc - 2 > AIMS_MAX) {
        fprintf(stderr, "Usage: drip COUNT ADDRESS...\n");
        return EXIT_FAILURE;
    }
    for (int i = 0; i < argc - 2; i++) {
        if (!take_aim(argv[i + 2], &aims[i]))
            return EXIT_FAILURE;
        for (size_t n = 0; n < each; n++)
            drops[count++] = (struct drop){ .aim = &aims[i], .fd = -1 };
    }
    const struct tally tally = drip(drops, count);
    printf("%lu %lu\n", tally.made, tally.sent);
    return EXIT_SUCCESS;
}
