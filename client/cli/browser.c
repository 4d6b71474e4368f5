#include "client/cli/browser.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/program.h"

enum { PORT_HTTP = 80, PORT_HTTPS = 443, PORT_MAX = 65535, HOST_SIZE = 256 };

static bool has_display(void)
{
    const char *x = getenv("DISPLAY");
    const char *wayland = getenv("WAYLAND_DISPLAY");

    return (x && *x) || (wayland && *wayland);
}

/* Its words must not mix with ours, and Ctrl-C here must not close it. */
static int prepare(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes)
{
    sigset_t none;
    int r = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

    if (r == 0)
        r = posix_spawn_file_actions_addopen(files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(files, STDOUT_FILENO, STDERR_FILENO);
    if (r == 0)
        r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    (void)sigemptyset(&none);
    return r ? r : posix_spawnattr_setsigmask(attributes, &none);
}

static bool spawn(char *const *argv)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    pid_t pid = 0;

    if (posix_spawn_file_actions_init(&files) != 0)
        return false;
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&files);
        return false;
    }
    bool spawned = prepare(&files, &attributes) == 0 &&
                   posix_spawn(&pid, argv[0], &files, &attributes, argv, environ) == 0;
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&files);
    return spawned;
}

/* Root's or another user's for this command alone; both leave DISPLAY as it was. */
static bool acts_for_another(void)
{
    return getenv("SUDO_UID") || getenv("DOAS_USER");
}

bool browser_is_of_windows(const char *kernel_release)
{
    return strcasestr(kernel_release, "microsoft");
}

static bool is_under_windows(void)
{
    struct utsname kernel;

    return uname(&kernel) == 0 && browser_is_of_windows(kernel.release);
}

static bool find(char path[static PATH_MAX])
{
    return has_display() && !acts_for_another() && !is_under_windows() &&
           program_find("xdg-open", path);
}

bool browser_possible(void)
{
    char path[PATH_MAX];

    return find(path);
}

bool browser_open(const char *url)
{
    char path[PATH_MAX];
    CLEANUP(cleanup_string) char *address = NULL;

    if (!find(path) || !(address = strdup(url)))
        return false;
    return spawn((char *[]){ path, address, NULL });
}

static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);

    return text && strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static const char *after_loopback(const char *host)
{
    static const char *const hosts[] = { "localhost", "127.0.0.1", "[::1]" };

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        const char *end = after(host, hosts[i]);
        if (end && strchr(":/?", *end))
            return end;
    }
    return NULL;
}

unsigned browser_loopback_port(const char *url)
{
    const char *https = after(url, "https://");
    const char *end = after_loopback(https ? https : after(url, "http://"));
    unsigned port = 0;

    if (!end)
        return 0;
    if (*end != ':')
        return https ? PORT_HTTPS : PORT_HTTP;
    for (end++; *end >= '0' && *end <= '9' && port <= PORT_MAX; end++)
        port = port * 10 + (unsigned)(*end - '0');
    return port <= PORT_MAX && strchr("/?", *end) ? port : 0;
}

void browser_say_tunnel(unsigned port)
{
    char host[HOST_SIZE] = "HOST";
    const struct passwd *person = getpwuid(geteuid());

    /* A name that is cut has no NUL. */
    if (gethostname(host, sizeof host - 1) < 0)
        (void)snprintf(host, sizeof host, "HOST");
    host[sizeof host - 1] = '\0';
    cli_say("If your browser is on another machine, first run this there:");
    cli_say("    ssh -L %u:127.0.0.1:%u %s@%s", port, port, person ? person->pw_name : "USER",
            host);
}
