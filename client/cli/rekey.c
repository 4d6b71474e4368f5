#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "client/cli/commands.h"
#include "schema/wire.h"

enum { LOOK_AGAIN_MS = 100, NS_PER_MS = 1000 * 1000 };

static void rest(void)
{
    struct timespec left = { .tv_nsec = (long)LOOK_AGAIN_MS * NS_PER_MS };

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

static int64_t count_of(const struct tb_reply *reply, const char *name)
{
    return tb_value_integer(tb_value_member(tb_reply_value(reply), name), 0);
}

static bool runs(const struct tb_reply *reply)
{
    return tb_value_true(tb_value_member(tb_reply_value(reply), "running"));
}

static int print(const struct cli *cli, const struct tb_reply *reply)
{
    int64_t unreadable = count_of(reply, "unreadable");
    const char *id = tb_value_text(tb_value_member(tb_reply_value(reply), "key_id"), "");

    if (cli->arguments.json)
        return cli_print_json(tb_reply_value(reply));
    cli_say("the store is sealed with the new key; rows sealed anew: %" PRId64,
            count_of(reply, "resealed"));
    if (*id)
        cli_say("a copy of the older key opens the backups from before alone: keep one of the new "
                "key, whose id is %s, and give that to --key-kept",
                id);
    if (unreadable > 0)
        cli_say("rows that neither key opens, which stay as they are: %" PRId64 "; the broker's "
                "log says what to do",
                unreadable);
    return TB_OK;
}

/* Interrupted or not, the broker goes on: this only looks on. */
static int run(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    int r = cli_call(cli, "POST", WIRE_PATH_REKEY, NULL, NULL, &reply);

    while (r == TB_OK && runs(reply)) {
        rest();
        tb_reply_free(reply);
        reply = NULL;
        r = cli_call(cli, "GET", WIRE_PATH_REKEY, NULL, NULL, &reply);
    }
    return r == TB_OK ? print(cli, reply) : r;
}

static const struct option_row options[] = {
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_rekey = {
    .name = "rekey",
    .summary = "seal the store anew, with another key",
    .details = "The key is broker { key_next }, where that is configured; else, with key =\n"
               "\"auto\", a new one is made. The broker serves on meanwhile, and goes on after a\n"
               "crash.\n",
    .options = options,
    .run = run,
};
