#pragma once

/* A store in a folder of its own, for the tests of the store. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "io/store_audit.h"
#include "io/store_callers.h"
#include "io/store_sqlite_private.h"

struct fixture {
    char folder[64];
    struct store *store;
};

static inline void open_again(struct fixture *f)
{
    struct complaint complaint = { "" };

    f->store = store_close(f->store);
    int r = store_open(f->folder, &f->store, &complaint);
    if (r != 0)
        fail_msg("store_open: %d: %s", r, complaint.text);
}

static inline int make_folder(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/tb-store-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    *state = f;
    return 0;
}

static inline int make_store(void **state)
{
    (void)make_folder(state);
    open_again(*state);
    return 0;
}

static inline void empty_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    (void)closedir(dir);
}

static inline int drop_store(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    (void)chmod(f->folder, 0700);
    empty_folder(f->folder);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static inline const char *path_in(const struct fixture *f, const char *name)
{
    static char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return path;
}

static inline struct account_name name_of(const char *provider, const char *label)
{
    struct account_name name;

    (void)snprintf(name.provider, sizeof name.provider, "%s", provider);
    (void)snprintf(name.label, sizeof name.label, "%s", label);
    return name;
}

/* Puts one account in a transaction of its own; the result of whatever failed first. */
static inline int commit_account(struct store *store, const struct account_row *row)
{
    int r = store_begin(store);

    if (r == 0)
        r = store_put(store, row);
    if (r == 0)
        r = store_commit(store);
    if (r != 0)
        store_rollback(store);
    return r;
}

/* Runs SQL behind the store's back. */
static inline void run_sql(struct store *store, const char *sql)
{
    assert_int_equal(sqlite3_exec(store->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

struct labels {
    char text[128];
    unsigned stop_after;
    bool sealed_seen;
};

static inline bool collect_label(void *userdata, const struct account_row *row)
{
    struct labels *labels = userdata;
    size_t used = strlen(labels->text);

    (void)snprintf(labels->text + used, sizeof labels->text - used, "%s ", row->name.label);
    labels->sealed_seen |= row->sealed != NULL;
    return labels->stop_after == 0 || --labels->stop_after > 0;
}

static inline bool collect_name(void *userdata, const struct account_name *name)
{
    const struct account_row row = { .name = *name };

    return collect_label(userdata, &row);
}
