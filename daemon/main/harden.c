#include "main/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* Names, and beginnings of names (with a star). */
static const char *const unwanted[] = {
    "SSLKEYLOGFILE", "QLOGDIR",   "SSL_CERT_*", "OPENSSL_*",   "GNUTLS_*",    "NETTLE_*",
    "CURL_*",        "P11_KIT_*", "SQLITE_*",   "HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS",
};

static bool is_unwanted(const char *variable)
{
    for (size_t i = 0; i < sizeof unwanted / sizeof unwanted[0]; i++) {
        size_t length = strcspn(unwanted[i], "*");
        if (strncmp(variable, unwanted[i], length) == 0 &&
            (unwanted[i][length] == '*' || variable[length] == '='))
            return true;
    }
    return false;
}

/* True when there were some. */
static bool clear_environment(void)
{
    char **kept = environ;
    bool cleared = false;

    for (char **variable = environ; variable && *variable; variable++) {
        if (is_unwanted(*variable))
            cleared = true;
        else
            *kept++ = *variable;
    }
    if (kept)
        *kept = NULL;
    return cleared;
}

void harden(char **argv)
{
    const struct rlimit none = { 0, 0 };

    if (clear_environment()) {
        (void)execv("/proc/self/exe", argv);
        log_warning("the environment was cleared too late for some libraries: %s", strerror(errno));
    }
    (void)umask(077);
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        log_warning("core dumps could not be switched off: %s", strerror(errno));
}

/* Else the log would be written to whatever file of ours came to be number 2. */
void keep_standard_files(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        (void)close(fd);
}

static rlim_t raise_limit(void)
{
    struct rlimit limit = { DESCRIPTORS_LEAST, DESCRIPTORS_LEAST };

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= DESCRIPTORS_WANTED)
        return limit.rlim_cur;
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? before : limit.rlim_cur;
}

int reserve_descriptors(unsigned *ret_clients, struct complaint *complaint)
{
    const rlim_t limit = raise_limit();

    if (limit < DESCRIPTORS_LEAST) {
        complain(complaint,
                 "only %llu files may be open at once; raise the hard limit (ulimit -Hn, "
                 "LimitNOFILE=) to %d",
                 (unsigned long long)limit, DESCRIPTORS_NEEDED);
        return -EMFILE;
    }
    *ret_clients = limit < DESCRIPTORS_NEEDED ? (unsigned)(limit - DESCRIPTORS_LEAST / 2) / 2 : 0;
    if (*ret_clients > 0)
        log_warning("only %llu files may be open at once, so only %u clients are served at once; "
                    "raise the hard limit (ulimit -Hn, LimitNOFILE=) to %d",
                    (unsigned long long)limit, *ret_clients, DESCRIPTORS_NEEDED);
    return 0;
}
