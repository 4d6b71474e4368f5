#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/cli/base64.h"
#include "client/cli/commands.h"
#include "client/cli/interrupt.h"
#include "client/cli/new_file.h"
#include "client/cli/output.h"
#include "schema/wire.h"

enum {
    LOOK_AGAIN_MS = 100,
    NS_PER_MS = 1000 * 1000,
    BACKUP_PATH_SIZE = 256,
    BACKUP_BODY_MAX = 4096,
    REPORT_MAX = 64 * 1024,
    CLEAN_TIMEOUT_MS = 2000,
    CLEAN_TRIES_MAX = 20, /* LOOK_AGAIN_MS apart */
};

/* Whether the store refreshes nothing any more. */
enum fence { FENCE_NONE, FENCE_THERE, FENCE_UNSEEN };

/* One copy of the broker's store on its way into a file. */
struct fetching {
    struct cli *cli;
    struct new_file file;
    struct tb_reply *reply; /* the last one */
    char id[BACKUP_PATH_SIZE / 2];
    int64_t fetched;
    int interrupt_fd;
    bool moves;
    bool unanswered; /* it may have been begun, and nobody knows its id */
};

static const struct tb_value *member(const struct fetching *fetching, const char *name)
{
    return tb_value_member(tb_reply_value(fetching->reply), name);
}

/* A look at it; offset -1: without a piece. */
static int look(struct fetching *fetching, int64_t offset)
{
    char path[BACKUP_PATH_SIZE];

    (void)snprintf(path, sizeof path,
                   offset < 0 ? WIRE_PATH_BACKUPS "/%s" : WIRE_PATH_BACKUPS "/%s?offset=%" PRId64,
                   fetching->id, offset);
    fetching->reply = tb_reply_free(fetching->reply);
    return cli_call(fetching->cli, "GET", path, NULL, NULL, &fetching->reply);
}

static bool answered(const struct tb_error *error)
{
    return error->code && strcmp(error->code, "interrupted") != 0;
}

static void put_order(struct text *body, const struct fetching *fetching)
{
    const char *kept = fetching->cli->arguments.key_kept;

    text_append_format(body, "{\"key_kept\":%s,\"move\":%s", kept ? "true" : "false",
                       fetching->moves ? "true" : "false");
    if (kept && *kept) {
        text_append_string(body, ",\"key_id\":");
        text_append_json(body, kept);
    }
    text_append_string(body, "}");
}

static int begin(struct fetching *fetching)
{
    CLEANUP(cleanup_text) struct text body = TEXT_WITH_MAXIMUM(BACKUP_BODY_MAX);
    CLEANUP(cleanup_error) struct tb_error *error = NULL;

    put_order(&body, fetching);
    if (body.failed) {
        cli_complain("--key-kept= takes the id of a key, as a backup says it");
        return TB_USAGE;
    }
    if (tb_call(fetching->cli->broker, "POST", WIRE_PATH_BACKUPS, text_string(&body),
                &fetching->reply, &error) != TB_OK) {
        fetching->unanswered = !answered(error);
        return cli_failed(error, NULL);
    }
    (void)snprintf(fetching->id, sizeof fetching->id, "%s",
                   tb_value_text(member(fetching, "backup_id"), ""));
    return TB_OK;
}

static void rest(void)
{
    const struct timespec left = { .tv_nsec = (long)LOOK_AGAIN_MS * NS_PER_MS };

    (void)nanosleep(&left, NULL); /* a signal ends the next request */
}

static int wait_for_it(struct fetching *fetching)
{
    int r = TB_OK;

    while (r == TB_OK && !tb_value_true(member(fetching, "whole"))) {
        rest();
        r = look(fetching, -1);
    }
    return r;
}

/* The piece that the last reply holds; false, and said, when there is none. */
static bool write_piece(struct fetching *fetching)
{
    CLEANUP(cleanup_text) struct text piece = TEXT_WITH_MAXIMUM(WIRE_BACKUP_PIECE_MAX);
    const char *data = tb_value_text(member(fetching, "data"), "");

    if (!*data || !base64_decode(data, &piece)) {
        cli_complain("the broker gave a piece of the backup that cannot be read");
        return false;
    }
    fetching->fetched += (int64_t)piece.length;
    return new_file_write(&fetching->file, piece.data, piece.length);
}

static int fetch(struct fetching *fetching)
{
    const int64_t bytes = tb_value_integer(member(fetching, "bytes"), 0);
    int r = TB_OK;

    while (r == TB_OK && fetching->fetched < bytes) {
        r = look(fetching, fetching->fetched);
        if (r == TB_OK && !write_piece(fetching))
            r = TB_FAILED;
    }
    if (r == TB_OK && !new_file_finish(&fetching->file))
        r = TB_FAILED;
    return r;
}

static int print_json(const struct fetching *fetching)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(REPORT_MAX);

    text_append_string(&out, "{\"file\":");
    text_append_json(&out, fetching->file.path);
    text_append_format(&out, ",\"bytes\":%" PRId64 ",\"moved\":%s,\"key\":", fetching->fetched,
                       fetching->moves ? "true" : "false");
    text_append_json(&out, tb_value_text(member(fetching, "key"), ""));
    text_append_string(&out, ",\"key_id\":");
    text_append_json(&out, tb_value_text(member(fetching, "key_id"), ""));
    text_append_string(&out, "}\n");
    return output_json(&out);
}

static int print(const struct fetching *fetching)
{
    const char *id = tb_value_text(member(fetching, "key_id"), "");

    if (fetching->cli->arguments.json)
        return print_json(fetching);
    cli_say("%s holds the whole store, sealed: %" PRId64 " bytes", fetching->file.path,
            fetching->fetched);
    cli_say("it opens only with the key of %s: keep that elsewhere",
            tb_value_text(member(fetching, "key"), "the broker"));
    if (*id)
        cli_say("the id of that key is %s: a script says --key-kept=%s, which is refused once "
                "another key seals the store",
                id, id);
    if (fetching->moves)
        cli_say("this broker refreshes nothing any more. On the other machine: tokenbrokerd "
                "--restore FILE, start it, tokenbroker resume. If that fails, come back with: "
                "tokenbroker resume --moved-back");
    return TB_OK;
}

/* --- its end --- */

/* False: the broker does not know it any more, or does not answer. It goes by itself then, a little
 * later. */
static bool end_copy(const struct fetching *fetching)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    char path[BACKUP_PATH_SIZE];

    (void)snprintf(path, sizeof path, WIRE_PATH_BACKUPS "/%s", fetching->id);
    return *fetching->id &&
           tb_call(fetching->cli->broker, "DELETE", path, NULL, &reply, NULL) == TB_OK;
}

/* What became of the store, by the broker's own words. */
static enum fence look_for_fence(const struct fetching *fetching)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;

    if (tb_call(fetching->cli->broker, "GET", WIRE_PATH_HEALTH, NULL, &reply, NULL) != TB_OK)
        return FENCE_UNSEEN;
    const struct tb_value *store = tb_value_member(tb_reply_value(reply), "store");
    if (tb_value_member(store, "moved_at"))
        return FENCE_THERE;
    /* A broker whose store does not answer says so without a word of fences. */
    return tb_value_true(tb_value_member(store, "ok")) ? FENCE_NONE : FENCE_UNSEEN;
}

/* One that the broker writes just now outlasts the first DELETE; one whose id nobody knows may come
 * at any time. */
static enum fence wait_for_fence(const struct fetching *fetching)
{
    enum fence fence = FENCE_NONE;

    for (unsigned tries = 0; tries < CLEAN_TRIES_MAX && end_copy(fetching); tries++)
        rest();
    for (unsigned tries = 0; tries < CLEAN_TRIES_MAX && fence == FENCE_NONE; tries++) {
        fence = look_for_fence(fetching);
        if (!fetching->unanswered)
            return fence;
        rest();
    }
    return fence == FENCE_NONE ? FENCE_UNSEEN : fence;
}

static void give_up(const struct fetching *fetching)
{
    const bool begun = *fetching->id || fetching->unanswered;

    if (!fetching->moves || !begun) {
        (void)end_copy(fetching);
        return;
    }
    const enum fence fence = wait_for_fence(fetching);
    if (fence == FENCE_THERE)
        cli_say("the store is fenced for the move: run this again with a file that can be "
                "written, or give it up with: tokenbroker resume --moved-back");
    else if (fence == FENCE_UNSEEN)
        cli_say("whether the store is fenced for the move is not known: look with tokenbroker "
                "health; if it is, run this again, or give it up with: tokenbroker resume "
                "--moved-back");
}

static int run_fetching(struct fetching *fetching)
{
    if (!new_file_begin(&fetching->file))
        return TB_FAILED;
    struct tb_broker *broker = cli_broker(fetching->cli);
    if (!broker)
        return TB_NO_BROKER;
    fetching->interrupt_fd = interrupt_take();
    tb_set_interrupt(broker, fetching->interrupt_fd);
    int r = begin(fetching);
    if (r == TB_OK)
        r = wait_for_it(fetching);
    if (r == TB_OK)
        r = fetch(fetching);
    r = r == TB_OK ? print(fetching) : r;
    /* Signals are still held: a broker that hangs must not hold us. */
    tb_set_interrupt(broker, -1);
    tb_set_timeout(broker, CLEAN_TIMEOUT_MS);
    return r;
}

static int run_copy(struct cli *cli, bool moves)
{
    struct fetching fetching = {
        .cli = cli, .file = NEW_FILE(cli->arguments.operands[0]), .interrupt_fd = -1, .moves = moves
    };
    int r = run_fetching(&fetching);
    const bool done = r == TB_OK;

    if (done)
        (void)end_copy(&fetching);
    else
        give_up(&fetching);
    fetching.reply = tb_reply_free(fetching.reply);
    new_file_release(&fetching.file);
    if (!done && fetching.interrupt_fd >= 0)
        interrupt_die(fetching.interrupt_fd);
    return r;
}

static int run_backup(struct cli *cli)
{
    return run_copy(cli, false);
}

static int run_move(struct cli *cli)
{
    return run_copy(cli, true);
}

static const struct option_row options[] = {
    OPTION_ROW("--key-kept", OPTION_MAYBE, key_kept, "ID",
               "the key that the broker made is kept elsewhere too"),
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_backup = {
    .name = "backup",
    .operands = "FILE",
    .summary = "write a sealed copy of the store while the broker serves",
    .details =
        "It opens only with the sealing key, which is not in it: with key = \"auto\" keep a\n"
        "copy of the key's file elsewhere, and say --key-kept. With the key's ID, which a\n"
        "backup says, that is refused once another key seals the store. `tokenbrokerd\n"
        "--restore FILE` makes a store of it, which starts paused: tokenbroker resume.\n",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_backup,
};

const struct command command_move = {
    .name = "move",
    .operands = "FILE",
    .summary = "copy the store for another machine, and stop using it here",
    .details = "What backup does, and in the same step the store here is fenced: it serves the\n"
               "access tokens that still live, and refreshes, changes and sends nothing, so that\n"
               "no grant is used twice. `tokenbroker resume --moved-back` undoes that.\n",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_move,
};
