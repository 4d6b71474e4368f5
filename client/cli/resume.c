#include "client/cli/commands.h"
#include "schema/wire.h"

static int run(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    int r = cli_call(cli, "POST", WIRE_PATH_RESUME,
                     cli->arguments.moved_back ? "{\"moved_back\":true}" : NULL, NULL, &reply);

    if (r != TB_OK)
        return r;
    if (cli->arguments.json)
        return cli_print_json(tb_reply_value(reply));
    if (tb_value_true(tb_value_member(tb_reply_value(reply), "resumed")))
        cli_say(
            "resumed: each provider tries one account first, then the rest; `tokenbroker health` "
            "shows how it goes");
    else
        cli_say("nothing to resume: the store is not held for a copy");
    return TB_OK;
}

static const struct option_row options[] = {
    OPTION_ROW("--moved-back", OPTION_FLAG, moved_back, NULL,
               "also after tokenbroker move: no other broker has it"),
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_resume = {
    .name = "resume",
    .summary = "use a store that was restored, cloned or moved",
    .details = "Such a store starts paused. Make sure that no other broker uses its grants any\n"
               "more: two brokers that refresh one grant end it at many providers.\n",
    .options = options,
    .run = run,
};
