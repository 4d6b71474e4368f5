#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/doctor.h"
#include "client/cli/program.h"
#include "client/discovery.h"

enum { PATH_SIZE = 1024 };

/* --- the socket --- */

void doctor_look_at_socket(struct doctor *doctor)
{
    struct places places;
    struct stat status;

    places_find(doctor->cli->arguments.socket, &places);
    for (size_t i = 0; i < places.count; i++) {
        const char *path = places.path[i];
        const int missing = stat(path, &status) < 0 ? errno : 0;
        if (missing == ENOENT) /* one answers elsewhere, or it was said that none does */
            doctor_find(doctor, VERDICT_OK, "socket", NULL, "there is none at %s", path);
        else if (missing)
            doctor_find(doctor, VERDICT_WARN, "socket", "ask its owner", "%s: %s", path,
                        strerrordesc_np(missing));
        else if (!S_ISSOCK(status.st_mode))
            doctor_find(doctor, VERDICT_FAIL, "socket", "remove it and restart the broker",
                        "%s is no socket", path);
        else if (access(path, R_OK | W_OK) < 0)
            doctor_find(doctor, VERDICT_WARN, "socket", "ask its owner", "%s: we may not use it",
                        path);
        else
            doctor_find(doctor, VERDICT_OK, "socket", NULL, "%s, mode %04o, uid %u", path,
                        (unsigned)status.st_mode & 07777, (unsigned)status.st_uid);
    }
}

/* --- the configuration and the state --- */

/* A folder of the user's, or of the system's. */
static bool folder_of(const struct doctor *doctor, const char *variable, const char *fallback,
                      const char *system, char out[static PATH_SIZE])
{
    const char *base = getenv(variable);
    const char *home = getenv("HOME");
    int length;

    if (doctor->system_broker || geteuid() == 0)
        length = snprintf(out, PATH_SIZE, "%s", system);
    else if (base && base[0] == '/')
        length = snprintf(out, PATH_SIZE, "%s/tokenbroker", base);
    else
        length = snprintf(out, PATH_SIZE, "%s/%s/tokenbroker", home ? home : "", fallback);
    return length > 0 && length < PATH_SIZE;
}

static bool is_there(const char *folder, const char *name)
{
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);

    return length > 0 && length < PATH_SIZE && (access(path, F_OK) == 0 || errno != ENOENT);
}

void doctor_look_at_configuration(struct doctor *doctor)
{
    static const char *const argv[] = { "tokenbrokerd", "--check-config", NULL };
    char folder[PATH_SIZE];

    if (!folder_of(doctor, "XDG_CONFIG_HOME", ".config", "/etc/tokenbroker", folder))
        return;
    if (doctor->system_broker && geteuid() != 0) {
        doctor_find(doctor, VERDICT_OK, "configuration", NULL,
                    "%s/tokenbroker.conf is the system's: root's doctor looks at it", folder);
        return;
    }
    int r = program_run(argv, NULL, true);
    if (r == 0 && !is_there(folder, "tokenbroker.conf") && !is_there(folder, "providers.d"))
        doctor_find(doctor, VERDICT_WARN, "configuration", "write it: man tokenbroker.conf",
                    "there is no %s/tokenbroker.conf", folder);
    else if (r == 0)
        doctor_find(doctor, VERDICT_OK, "configuration", NULL, "%s/tokenbroker.conf is sound",
                    folder);
    else if (r == PROGRAM_MISSING)
        doctor_find(doctor, VERDICT_WARN, "configuration", "add its folder to PATH",
                    "tokenbrokerd is not found, so that %s/tokenbroker.conf is not checked",
                    folder);
    else
        doctor_find(doctor, VERDICT_FAIL, "configuration", "tokenbrokerd --check-config",
                    "%s/tokenbroker.conf is not sound, or we may not read it", folder);
}

void doctor_look_at_state(struct doctor *doctor)
{
    char folder[PATH_SIZE];
    struct stat status;

    if (!folder_of(doctor, "XDG_STATE_HOME", ".local/state", "/var/lib/tokenbroker", folder))
        return;
    if (stat(folder, &status) < 0)
        doctor_find(doctor, VERDICT_WARN, "state", "start the broker once: it makes the folder",
                    "%s: %s", folder, strerrordesc_np(errno));
    else if (status.st_mode & 077)
        doctor_find(doctor, VERDICT_FAIL, "state", "chmod it to 0700",
                    "%s can be entered by others (mode %04o)", folder,
                    (unsigned)status.st_mode & 07777);
    else
        doctor_find(doctor, VERDICT_OK, "state", NULL, "%s, mode %04o, uid %u", folder,
                    (unsigned)status.st_mode & 07777, (unsigned)status.st_uid);
}

/* --- the service --- */

static void look_at_unit(struct doctor *doctor)
{
    const bool system = doctor->system_broker || geteuid() == 0;
    const char *const argv[] = { "systemctl", system ? "--system" : "--user", "--quiet",
                                 "is-failed", "tokenbroker.service",          NULL };
    int r = program_run(argv, NULL, true);

    if (r == 0)
        doctor_find(doctor, VERDICT_FAIL, "service",
                    system ? "journalctl -u tokenbroker" : "journalctl --user -u tokenbroker",
                    "tokenbroker.service has failed");
    else if (r == PROGRAM_MISSING || r == PROGRAM_FAILED)
        doctor_find(doctor, VERDICT_OK, "service", NULL, "there is no systemctl to ask");
    else
        doctor_find(doctor, VERDICT_OK, "service", NULL, "tokenbroker.service has not failed");
}

/* Without lingering, the user's service ends with the last session. */
static void look_at_linger(struct doctor *doctor)
{
    const struct passwd *user = getpwuid(geteuid());
    char path[PATH_SIZE];

    if (!user || geteuid() == 0 || doctor->system_broker)
        return;
    (void)snprintf(path, sizeof path, "/var/lib/systemd/linger/%s", user->pw_name);
    if (access(path, F_OK) == 0)
        doctor_find(doctor, VERDICT_OK, "linger", NULL, "your services outlive your sessions");
    else
        doctor_find(doctor, VERDICT_WARN, "linger", "loginctl enable-linger",
                    "your broker ends with your last session");
}

void doctor_look_at_service(struct doctor *doctor)
{
    look_at_unit(doctor);
    look_at_linger(doctor);
}

/* --- the clock --- */

void doctor_look_at_clock(struct doctor *doctor)
{
    /* Nothing of this can have happened before this program was written. */
    static const time_t written = 1767225600; /* 2026-01-01 */
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec < written)
        doctor_find(doctor, VERDICT_FAIL, "clock", "set it, and have it kept by NTP",
                    "the clock of this machine is wrong");
    else
        doctor_find(doctor, VERDICT_OK, "clock", NULL, "plausible");
}
