#include "back/asked.h"

#include <string.h>

#include "back/judgement.h"
#include "back/lanes.h"
#include "back/questions.h"
#include "base/clock.h"
#include "base/log.h"

/* What the front told, or one account that was asked for here. */
struct asked {
    struct keeper *keeper;
    struct message *told; /* NULL: `name` */
    struct account_name name;
    bool planned; /* a refresh may be due earlier than it was */
};

/* What cannot be read is no reason to lose the rows of the audit. */
static int note(struct asked *asked, struct store *store, const struct account_name *name,
                int64_t at)
{
    struct lane *lane = lanes_find(asked->keeper->lanes, name->provider);
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    if (!lane)
        return 0;
    int r = store_read(store, name, &row);
    if (r != 0)
        return r > 0 ? 0 : r;
    const struct circumstances c = { .provider = lane_setup(lane)->provider,
                                     .now = at,
                                     .random = random_below(1000) };
    const int64_t refresh_at = row.refresh_at;
    if (!judge_asked(&row, &c))
        return 0;
    asked->planned = asked->planned || row.refresh_at != refresh_at;
    return store_put_facts(store, &row);
}

static int apply_told(struct asked *asked, struct store *store)
{
    static const char served[] = "token";
    const struct message *told = asked->told;
    int r = 0;
    for (size_t i = 0; i < told->audit_count && r == 0; i++) {
        const struct audit_row *row = &told->audit[i];
        struct account_name name;
        r = store_add_audit(store, row);
        if (r == 0 && strcmp(row->verdict, served) == 0 && account_name_parse(row->account, &name))
            r = note(asked, store, &name, row->last_at);
    }
    return r;
}

static int apply(void *userdata, struct store *store)
{
    struct asked *asked = userdata;
    asked->planned = false;
    return asked->told ? apply_told(asked, store) : note(asked, store, &asked->name, clock_now());
}

static void written(void *userdata, int result)
{
    struct asked *asked = userdata;
    if (result != 0 && asked->told)
        log_warning("rows of the audit were lost: the store refuses writes");
    if (result == 0 && asked->planned)
        lanes_pump(asked->keeper->lanes);
    message_free(asked->told);
    free(asked);
}

static void begin(struct asked what)
{
    struct asked *asked = malloc(sizeof *asked);
    if (!asked) {
        log_warning("no memory to note who asked for what");
        message_free(what.told);
        return;
    }
    *asked = what;
    int r = commits_add(what.keeper->commits, COMMIT_MAY, apply, written, asked);
    if (r != 0)
        written(asked, r);
}

void asked_note(struct keeper *keeper, const struct account_row *row)
{
    if (clock_now() - row->asked_at >= ASKED_GRAIN_MS)
        begin((struct asked){ .keeper = keeper, .name = row->name });
}

void change_audit(struct keeper *keeper, struct message *question)
{
    begin((struct asked){ .keeper = keeper, .told = question });
}
