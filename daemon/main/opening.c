#include "main/opening.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "io/web.h"

static int read_number(struct store *store, const char *name, int64_t *ret)
{
    CLEANUP(cleanup_string) char *text = NULL;
    int r = store_get_fact(store, name, &text);
    if (r == 0)
        *ret = strtoll(text, NULL, 10);
    return r;
}

static int read_clock(struct store *store, struct clock_record *ret)
{
    CLEANUP(cleanup_string) char *boot_id = NULL;
    int r = store_get_fact(store, "clock_boot_id", &boot_id);
    if (r == STORE_NOT_FOUND)
        return 0;
    if (r == 0)
        r = read_number(store, "clock_offset", &ret->offset_ms);
    if (r == 0)
        r = read_number(store, "clock_last", &ret->last_ms);
    if (r != 0)
        return r < 0 ? r : -EIO;
    (void)snprintf(ret->boot_id, sizeof ret->boot_id, "%s", boot_id);
    r = read_number(store, "clock_doubt", &ret->doubt_ms);
    return r < 0 ? r : 0; /* older stores have none */
}

static int put_number(struct store *store, const char *name, int64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64, number);
    return store_put_fact(store, name, text);
}

static int write_clock(struct store *store, const struct clock_record *record)
{
    int r = store_begin(store);
    if (r == 0)
        r = store_put_fact(store, "clock_boot_id", record->boot_id);
    if (r == 0)
        r = put_number(store, "clock_offset", record->offset_ms);
    if (r == 0)
        r = put_number(store, "clock_last", record->last_ms);
    if (r == 0)
        r = put_number(store, "clock_doubt", record->doubt_ms);
    if (r == 0)
        r = store_commit(store);
    if (r < 0)
        store_rollback(store);
    return r;
}

static int start_clock(struct store *store)
{
    struct clock_record stored = { 0 };
    struct clock_record now = { 0 };
    int r = read_clock(store, &stored);
    if (r == 0)
        r = clock_start(&stored, &now);
    if (r == 0)
        r = write_clock(store, &now);
    if (r == 0 && now.doubt_ms != stored.doubt_ms)
        log_warning("the clock of this computer is behind what the store knows: how old the tokens "
                    "are is not known, so each is renewed before it is handed out again; set the "
                    "clock right before the broker starts");
    return r;
}

int open_store(const struct places *places, struct store **ret, struct complaint *complaint)
{
    CLEANUP(cleanup_store) struct store *store = NULL;
    int r = folder_make(places->state_dir, 0700);
    if (r < 0) {
        complain(complaint, "%s cannot be made: %s", places->state_dir, strerror(-r));
        return r;
    }
    r = store_open(places->state_dir, &store, complaint);
    if (r != 0)
        return r < 0 ? r : -EBUSY;
    r = start_clock(store);
    if (r == -EBADMSG)
        complain(complaint, "the store in %s is damaged (%s): restore a backup", places->state_dir,
                 store_message(store));
    else if (r != 0)
        complain(complaint, "the store in %s cannot be written: %s: free space or mend the disk",
                 places->state_dir, r == -ENOSPC ? "the disk is full" : store_message(store));
    if (r != 0)
        return r < 0 ? r : -EIO;
    *ret = steal(store);
    return 0;
}

/* Folder of a path, made where it is missing; it is kept when it is there. */
static int make_parent(const char *path, mode_t mode)
{
    CLEANUP(cleanup_string) char *copy = strdup(path);
    char *slash = copy ? strrchr(copy, '/') : NULL;
    if (!copy)
        return -ENOMEM;
    if (!slash || slash == copy)
        return 0;
    *slash = '\0';
    return folder_make(copy, mode);
}

int open_socket(const struct places *places, bool *ret_ours, struct complaint *complaint)
{
    enum { FOR_ITS_OWNER = 0600, FOR_EVERYBODY = 0666 };
    const int given = sd_listen_fds(1);
    if (given > 1) {
        complain(complaint, "systemd passed %d sockets: the API socket alone is expected", given);
        return -EINVAL;
    }
    if (given == 1) {
        *ret_ours = false;
        return SD_LISTEN_FDS_START;
    }
    int r = make_parent(places->socket, places->system_service ? 0755 : 0700);
    if (r < 0) {
        complain(complaint, "the folder of %s cannot be made: %s", places->socket, strerror(-r));
        return r;
    }
    const unsigned mode = places->system_service ? FOR_EVERYBODY : FOR_ITS_OWNER;
    r = web_listen_unix(places->socket, mode, complaint);
    *ret_ours = r >= 0;
    return r;
}
