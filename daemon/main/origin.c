#include "main/origin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "base/folder.h"
#include "base/log.h"

/* What the store knows of itself; NULL where it was never written. */
struct known {
    char *uuid;
    char *generation;
    char *machine;
    char *restored;
};

static void release(struct known *known)
{
    free(known->uuid);
    free(known->generation);
    free(known->machine);
    free(known->restored);
}

static int read_known(struct store *store, struct known *known)
{
    const struct {
        const char *name;
        char **slot;
    } facts[] = { { "uuid", &known->uuid },
                  { "generation", &known->generation },
                  { "machine", &known->machine },
                  { "restored", &known->restored } };
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        int r = store_get_fact(store, facts[i].name, facts[i].slot);
        if (r < 0)
            return r;
    }
    return known->uuid ? 0 : -EIO;
}

/* The machine's id is meant to stay secret: what is kept is derived from it. Not known in a
 * container without one. */
static void name_machine(char out[static ORIGIN_MACHINE_SIZE])
{
    static const sd_id128_t application =
        SD_ID128_MAKE(b1, 86, 0e, 51, 7a, 5f, 4a, d9, 9d, 0a, 2c, 3f, 64, 0e, 77, 18);
    sd_id128_t id;
    out[0] = '\0';
    if (sd_id128_get_machine_app_specific(application, &id) == 0)
        (void)sd_id128_to_string(id, out);
}

static struct guard *open_guard(const struct places *places, const char *uuid)
{
    struct complaint complaint = { "there is no place for it" };
    struct guard *guard = NULL;
    if (places->cache_dir)
        (void)folder_make(places->cache_dir, 0700); /* the next says what is wrong with it */
    if (places->cache_dir && guard_open(places->cache_dir, uuid, &guard, &complaint) == 0)
        return guard;
    log_warning("an older copy of the store would not be noticed: %s", complaint.text);
    return NULL;
}

static bool is_given(const char *text)
{
    return text && *text;
}

/* NULL: nothing speaks against it. */
static const char *why_a_copy(const struct origin *origin, const struct known *known)
{
    const bool free = !origin->guard || guard_take(origin->guard);
    if (!known->generation)
        return NULL; /* it was never started by a version that looks at this */
    if (!free)
        return "another broker on this machine uses a copy of it";
    if (is_given(known->machine) && origin->machine[0] &&
        strcmp(known->machine, origin->machine) != 0)
        return "it comes from another machine";
    if (origin->guard && guard_generation(origin->guard) > strtoull(known->generation, NULL, 10))
        return "it is older than what was used here before";
    return NULL;
}

static int put_facts(struct store *store, const struct origin *origin, const struct known *known,
                     uint64_t generation, const char *why)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, generation);
    int r = store_put_fact(store, "generation", text);
    if (r == 0 && !is_given(known->machine))
        r = store_put_fact(store, "machine", origin->machine);
    if (r == 0 && why && !is_given(known->restored))
        r = store_put_fact(store, "restored", why);
    return r;
}

static int write_start(struct store *store, const struct origin *origin, const struct known *known)
{
    const uint64_t generation = (known->generation ? strtoull(known->generation, NULL, 10) : 0) + 1;
    const char *why = why_a_copy(origin, known);
    int r = store_begin(store);
    if (r == 0)
        r = put_facts(store, origin, known, generation, why);
    if (r == 0)
        r = store_commit(store);
    if (r < 0)
        store_rollback(store);
    else if (origin->guard && !why && !is_given(known->restored))
        guard_note(origin->guard, generation);
    return r;
}

int origin_check(const struct places *places, struct store *store, struct origin *ret,
                 struct complaint *complaint)
{
    struct origin origin = { .guard = NULL };
    struct known known = { NULL };
    int r = read_known(store, &known);
    if (r == 0) {
        name_machine(origin.machine);
        origin.guard = open_guard(places, known.uuid);
        r = write_start(store, &origin, &known);
    }
    release(&known);
    if (r != 0) {
        complain(complaint, "the store in %s cannot be used: %s%s", places->state_dir,
                 store_message(store), r == -ENOSPC ? "; free some space" : "");
        guard_close(origin.guard);
        return r;
    }
    *ret = origin;
    return 0;
}
